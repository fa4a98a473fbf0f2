#include "jobs/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct signature oops = {
    .verdict = VERDICT_FAIL, .title = "BUG: x <y>", .frames = {"f", "g"}, .frame_count = 2};

static struct test_result tests[] = {
    {.suite = "smoke",
     .name = "good",
     .file = "jobs/smoke.yaml",
     .line = 7,
     .verdict = VERDICT_PASS,
     .exit_status = 0,
     .checkpoint = "c0ffee",
     .state_id = "abcd",
     .instructions = 1234567,
     .virtual_ns = 1234567,
     .thaw_ns = 3200000,
     .wall_ns = 12345678,
     .console = {(const uint8_t *)"\x1b[1mhi\x1b[0m & <bye>\r\n\x01\xff", 22},
     .output = {(const uint8_t *)"hi", 2}},
    {.suite = "smoke",
     .name = "bad \"one\" #1",
     .verdict = VERDICT_FAIL,
     .exit_status = 3,
     .reason = "exit status 3, expected 0",
     .checkpoint = "c0ffee",
     .instructions = 5,
     .signature = &oops},
    {.suite = "smoke",
     .name = "good",
     .verdict = VERDICT_INFRA,
     .exit_status = -1,
     .reason = "no disk\n& no luck"},
    {.suite = "smoke",
     .name = "later",
     .verdict = VERDICT_SKIPPED,
     .exit_status = -1,
     .reason = "not yet"},
};

static const struct suite_result suite = {.name = "smoke",
                                          .run = "r1",
                                          .tests = tests,
                                          .test_count = 4,
                                          .wall_ns = UINT64_C(2500000000),
                                          .boot_ns = UINT64_C(3000000000)};

static void text_is(struct buf *out, const char *expected)
{
    if (!span_equal(buf_span(out), span_of_text(expected)))
        fail_msg("%.*s\n--- expected ---\n%s", (int)out->size, (const char *)out->data, expected);
    buf_release(out);
}

static void junit_is_what_ci_servers_read(void **state)
{
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(report_junit(&suite, &out, &err));
    text_is(&out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"smoke\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" "
            "time=\"2.500000\">\n"
            "  <testsuite name=\"smoke\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" "
            "time=\"2.500000\">\n"
            "    <testcase classname=\"smoke\" name=\"good\" time=\"0.012345\" "
            "file=\"jobs/smoke.yaml\" "
            "line=\"7\">\n"
            "      <system-out>hi &amp; &lt;bye&gt;\n\xef\xbf\xbd</system-out>\n"
            "    </testcase>\n"
            "    <testcase classname=\"smoke\" name=\"bad &quot;one&quot; #1\" time=\"0.000000\">\n"
            "      <failure message=\"exit status 3, expected 0\" type=\"fail\">fail: BUG: x "
            "&lt;y&gt; (f, "
            "g)</failure>\n"
            "    </testcase>\n"
            "    <testcase classname=\"smoke\" name=\"good (2)\" time=\"0.000000\">\n"
            "      <error message=\"no disk&#10;&amp; no luck\" type=\"infra\"/>\n"
            "    </testcase>\n"
            "    <testcase classname=\"smoke\" name=\"later\" time=\"0.000000\">\n"
            "      <skipped message=\"not yet\"/>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
}

static void junit_never_holds_what_xml_forbids(void **state)
{
    uint8_t console[256 * 3];
    struct test_result one = {.suite = "s",
                              .name = "\x01\x1b\xff\xef\xbf\xbf",
                              .verdict = VERDICT_FAIL,
                              .reason = "\x02]]>\xed\xa0\x80",
                              .console = {console, sizeof console}};
    const struct suite_result all = {.name = "\x7f&", .tests = &one, .test_count = 1};
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof console; i++)
        console[i] = (uint8_t)(i * 37 + i / 256);
    assert_true(report_junit(&all, &out, &err));
    for (size_t i = 0; i < out.size; i++)
        assert_true(out.data[i] >= 0x20 || out.data[i] == '\n' || out.data[i] == '\t');
    assert_null(memmem(out.data, out.size, "]]>", 3));
    assert_null(memmem(out.data, out.size, "\xef\xbf\xbf", 3));
    buf_release(&out);
}

static void a_long_console_keeps_its_end(void **state)
{
    size_t size = REPORT_CONSOLE_MAX + 1000;
    uint8_t *console = malloc(size);
    struct test_result one = {.suite = "s", .name = "n", .console = {console, size}};
    const struct suite_result all = {.name = "s", .tests = &one, .test_count = 1};
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    memset(console, 'a', size);
    memcpy(console + size - 3, "end", 3);
    assert_true(report_junit(&all, &out, &err));
    assert_true(out.size < REPORT_CONSOLE_MAX + 1000);
    assert_non_null(memmem(out.data, out.size, "aend</system-out>", 17));
    buf_release(&out);
    free(console);
}

static void tap_is_version_14(void **state)
{
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(report_tap(&suite, &out, &err));
    text_is(&out, "TAP version 14\n"
                  "1..4\n"
                  "ok 1 - good\n"
                  "not ok 2 - bad \"one\" \\#1\n"
                  "  ---\n"
                  "  verdict: \"fail\"\n"
                  "  message: \"exit status 3, expected 0\"\n"
                  "  instructions: 5\n"
                  "  ...\n"
                  "not ok 3 - good\n"
                  "  ---\n"
                  "  verdict: \"infra\"\n"
                  "  message: \"no disk\\n& no luck\"\n"
                  "  instructions: 0\n"
                  "  ...\n"
                  "ok 4 - later # SKIP not yet\n");
}

static void json_has_the_keys_that_scripts_read(void **state)
{
    struct suite_result one = suite;
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    one.test_count = 1;
    assert_true(report_json_lines(&one, &out, &err));
    text_is(&out,
            "{\"name\": \"good\", \"suite\": \"smoke\", \"verdict\": \"pass\", \"exit_status\": 0, "
            "\"reason\": \"\", \"expect_failure\": false, \"signature\": null, \"checkpoint\": "
            "\"c0ffee\", \"state_id\": \"abcd\", \"instructions\": 1234567, \"virtual_ns\": "
            "1234567, \"thaw_ms\": 3.200, \"wall_ms\": 12.346, \"results\": null, \"output\": "
            "\"hi\", \"console\": \"\\u001b[1mhi\\u001b[0m & <bye>\\r\\n\\u0001\xef\xbf\xbd\"}\n");
    out = (struct buf)BUF_INIT(1u << 20);
    assert_true(report_json(&suite, &out, &err));
    assert_non_null(memmem(out.data, out.size, "\"boot_ms_saved\": 5996.800", 25));
    assert_non_null(memmem(out.data, out.size, "\"divergence\": 0", 15));
    assert_non_null(memmem(out.data, out.size, "\"exit_status\": null", 19));
    buf_release(&out);
}

static void the_table_sums_up(void **state)
{
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(report_table(&suite, false, &out, &err));
    text_is(&out,
            "verdict  test          instructions     thaw     time\n"
            "pass     good                1.23 M  3.20 ms  12.3 ms\n"
            "fail     bad \"one\" #1             5     0 us     0 us  exit status 3, expected 0\n"
            "infra    good                     0     0 us     0 us  no disk & no luck\n"
            "skipped  later                                         not yet\n"
            "\n4 tests: 1 pass, 1 fail, 1 infra, 1 skipped; 2.50 s, and booting for each would "
            "have taken "
            "5.99 s more\n");
}

static void numbers_are_for_people(void **state)
{
    (void)state;
    assert_string_equal(report_number(17).text, "17");
    assert_string_equal(report_number(9999).text, "9999");
    assert_string_equal(report_number(532100).text, "532 k");
    assert_string_equal(report_number(1240000000).text, "1.24 G");
    assert_string_equal(report_number(UINT64_MAX).text, "18446744073 G");
    assert_string_equal(report_duration(850).text, "0.85 us");
    assert_string_equal(report_duration(3200000).text, "3.20 ms");
    assert_string_equal(report_duration(UINT64_C(125000000000)).text, "2 min 05 s");
}

static void a_suite_without_tests_shows_nothing(void **state)
{
    const struct suite_result empty = {.name = "s"};

    (void)state;
    assert_int_equal(suite_verdict(&empty), VERDICT_INFRA);
    assert_int_equal(suite_verdict(&suite), VERDICT_FAIL);
}

static void a_full_buffer_is_an_error_not_a_short_report(void **state)
{
    struct buf whole = BUF_INIT(1u << 20);
    struct err none = ERR_INIT;
    size_t size;

    (void)state;
    assert_true(report_junit(&suite, &whole, &none));
    size = whole.size;
    buf_release(&whole);
    for (size_t max = 0; max < size; max += 7) {
        struct buf out = BUF_INIT(max);
        struct err err = ERR_INIT;

        assert_false(report_junit(&suite, &out, &err));
        assert_int_equal(err.kind, ERR_TOO_BIG);
        buf_release(&out);
    }
}

static const struct result_artifact artifacts[] = {{"report.txt", "beef", 12}};
static struct test_result farm_tests[] = {
    {.suite = "night",
     .name = "a [seed=1]",
     .group = "a",
     .verdict = VERDICT_FAIL,
     .reason = "no",
     .exit_status = 1,
     .attempts = 2,
     .agent = "big-endian",
     .console_id = "cafe",
     .quarantine = "ann: flaky",
     .artifacts = artifacts,
     .artifact_count = 1},
    {.suite = "night", .name = "b", .verdict = VERDICT_PASS, .attempts = 1, .cached = true},
};
static const struct suite_result farm_suite = {
    .name = "night", .tests = farm_tests, .test_count = 2};

static void a_test_in_quarantine_does_not_gate(void **state)
{
    struct suite_result all = farm_suite;
    size_t failed = 0;

    (void)state;
    assert_int_equal(suite_verdict(&all), VERDICT_PASS);
    assert_int_equal(suite_count(&all, VERDICT_FAIL), 0);
    assert_int_equal(suite_quarantined(&all, &failed), 1);
    assert_int_equal(failed, 1);
    all.test_count = 1;
    assert_int_equal(suite_verdict(&all), VERDICT_SKIPPED);
    farm_tests[0].quarantine = NULL;
    assert_int_equal(suite_verdict(&all), VERDICT_FAIL);
    farm_tests[0].quarantine = "ann: flaky";
}

static void reports_show_attempts_and_quarantine(void **state)
{
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(report_junit(&farm_suite, &out, &err));
    text_is(&out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"night\" tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\" "
            "time=\"0.000000\">\n"
            "  <testsuite name=\"night\" tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\" "
            "time=\"0.000000\">\n"
            "    <testcase classname=\"night\" name=\"a [seed=1]\" time=\"0.000000\">\n"
            "      <properties>\n"
            "        <property name=\"attempts\" value=\"2\"/>\n"
            "        <property name=\"agent\" value=\"big-endian\"/>\n"
            "        <property name=\"quarantine\" value=\"ann: flaky\"/>\n"
            "        <property name=\"console\" value=\"cafe\"/>\n"
            "        <property name=\"artifact report.txt\" value=\"beef\"/>\n"
            "      </properties>\n"
            "      <skipped message=\"in quarantine (ann: flaky), and came to fail: no\"/>\n"
            "    </testcase>\n"
            "    <testcase classname=\"night\" name=\"b\" time=\"0.000000\">\n"
            "      <properties>\n"
            "        <property name=\"attempts\" value=\"1\"/>\n"
            "        <property name=\"cached\" value=\"true\"/>\n"
            "      </properties>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
    assert_true(report_tap(&farm_suite, &out, &err));
    assert_non_null(
        memmem(out.data, out.size, "not ok 1 - a [seed=1] # todo quarantine: ann: flaky\n", 51));
    buf_clear(&out);
    assert_true(report_json_lines(&farm_suite, &out, &err));
    assert_true(buf_append(&out, "", 1, &err));
    assert_non_null(strstr((char *)out.data,
                           "\"group\": \"a\", \"attempts\": 2, \"agent\": \"big-endian\", "
                           "\"cached\": false, \"quarantine\": \"ann: flaky\", "
                           "\"console_id\": \"cafe\", \"artifacts\": [{\"name\": "
                           "\"report.txt\", \"id\": \"beef\", \"size\": 12}]"));
    buf_clear(&out);
    assert_true(report_table(&farm_suite, false, &out, &err));
    assert_true(buf_append(&out, "", 1, &err));
    assert_non_null(strstr((char *)out.data,
                           "1 pass, 1 in quarantine (1 failed) (1 known from earlier runs); "));
    buf_release(&out);
}

struct files {
    size_t count, cases, largest;
};

static size_t count_of(struct span text, const char *word)
{
    size_t count = 0;
    const uint8_t *at = text.data, *end = text.data + text.size;

    while ((at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL) {
        count++;
        at++;
    }
    return count;
}

static bool take_file(void *context, size_t index, struct span file, struct err *err)
{
    struct files *files = context;
    char counts[32];

    (void)err;
    assert_int_equal(index, files->count);
    files->count++;
    files->cases += count_of(file, "<testcase ");
    files->largest = file.size > files->largest ? file.size : files->largest;
    /* a document of its own, with its own counts */
    snprintf(counts, sizeof counts, " tests=\"%zu\" ", count_of(file, "<testcase "));
    assert_int_equal(count_of(file, counts), 2);
    snprintf(counts, sizeof counts, " failures=\"%zu\" ", count_of(file, "<failure "));
    assert_int_equal(count_of(file, counts), 2);
    assert_memory_equal(file.data, "<?xml ", 6);
    assert_memory_equal(file.data + file.size - 14, "</testsuites>\n", 14);
    return true;
}

static void junit_is_split_below_its_limit(void **state)
{
    enum { COUNT = 5000 };
    struct test_result *many = calloc(COUNT, sizeof *many);
    struct suite_result all = {.name = "s", .tests = many, .test_count = COUNT};
    struct files files = {0};
    const struct report_taker taker = {take_file, &files};
    struct err err = ERR_INIT;
    char console[300];

    (void)state;
    memset(console, '&', sizeof console);
    for (size_t i = 0; i < COUNT; i++)
        many[i] = (struct test_result){.suite = "s",
                                       .name = "the same",
                                       .verdict = i % 3 == 0 ? VERDICT_FAIL : VERDICT_PASS,
                                       .console = {(const uint8_t *)console, i % sizeof console}};
    assert_true(report_junit_split(&all, 100000, &taker, &err));
    assert_int_equal(files.cases, COUNT);
    assert_true(files.largest <= 100000);
    assert_true(files.largest > 95000);
    assert_true(files.count > 10);
    /* one file when all fit, and when there is nothing */
    files = (struct files){0};
    assert_true(report_junit_split(&all, REPORT_JUNIT_MAX, &taker, &err));
    assert_int_equal(files.count, 1);
    all.test_count = 0;
    files = (struct files){0};
    assert_true(report_junit_split(&all, 1000, &taker, &err));
    assert_int_equal(files.count, 1);
    all.test_count = COUNT;
    files = (struct files){0};
    assert_false(report_junit_split(&all, 1000, &taker, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    free(many);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(junit_is_what_ci_servers_read),
        cmocka_unit_test(junit_never_holds_what_xml_forbids),
        cmocka_unit_test(a_long_console_keeps_its_end),
        cmocka_unit_test(tap_is_version_14),
        cmocka_unit_test(json_has_the_keys_that_scripts_read),
        cmocka_unit_test(the_table_sums_up),
        cmocka_unit_test(numbers_are_for_people),
        cmocka_unit_test(a_suite_without_tests_shows_nothing),
        cmocka_unit_test(a_full_buffer_is_an_error_not_a_short_report),
        cmocka_unit_test(a_test_in_quarantine_does_not_gate),
        cmocka_unit_test(reports_show_attempts_and_quarantine),
        cmocka_unit_test(junit_is_split_below_its_limit),
    };

    return cmocka_run_group_tests(all, NULL, NULL);
}
