#include "jobs/report.h"

#include <stdio.h>

/* Three significant digits, more or less: the value divided by `unit`. */
static struct report_text scaled(uint64_t value, uint64_t unit, const char *name)
{
    struct report_text out;
    uint64_t whole = value / unit, rest = value % unit;
    /* No product that could overflow: the rest is below the unit. */
    unsigned int hundredths = (unsigned int)(unit >= 100 ? rest / (unit / 100) : rest * 100 / unit);

    if (hundredths > 99)
        hundredths = 99;
    if (unit == 1 || whole >= 100)
        snprintf(out.text, sizeof out.text, "%llu%s%s", (unsigned long long)whole,
                 name[0] == '\0' ? "" : " ", name);
    else if (whole >= 10)
        snprintf(out.text, sizeof out.text, "%llu.%u %s", (unsigned long long)whole,
                 hundredths / 10, name);
    else
        snprintf(out.text, sizeof out.text, "%llu.%02u %s", (unsigned long long)whole, hundredths,
                 name);
    return out;
}

struct report_text report_number(uint64_t value)
{
    if (value >= UINT64_C(1000000000))
        return scaled(value, UINT64_C(1000000000), "G");
    if (value >= 1000000)
        return scaled(value, 1000000, "M");
    return value >= 10000 ? scaled(value, 1000, "k") : scaled(value, 1, "");
}

struct report_text report_duration(uint64_t ns)
{
    if (ns >= UINT64_C(60000000000)) {
        struct report_text out;
        uint64_t seconds = ns / UINT64_C(1000000000);

        snprintf(out.text, sizeof out.text, "%llu min %02llu s", (unsigned long long)(seconds / 60),
                 (unsigned long long)(seconds % 60));
        return out;
    }
    if (ns >= UINT64_C(1000000000))
        return scaled(ns, UINT64_C(1000000000), "s");
    if (ns >= 1000000)
        return scaled(ns, 1000000, "ms");
    return ns == 0 ? (struct report_text){"0 us"} : scaled(ns, 1000, "us");
}

enum colour report_colour(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return COLOUR_GREEN;
    case VERDICT_FAIL:
    case VERDICT_TIMEOUT:
    case VERDICT_DIVERGENCE:
        return COLOUR_RED;
    case VERDICT_INFRA:
        return COLOUR_YELLOW;
    default:
        return COLOUR_FAINT;
    }
}

bool report_json_lines(const struct suite_result *suite, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < suite->test_count; i++) {
        struct json_writer writer = json_writer(out, false, err);

        result_write_json(&suite->tests[i], &writer);
        if (!json_writer_ok(&writer) || !buf_append_text(out, "\n", err))
            return false;
    }
    return true;
}

bool report_json(const struct suite_result *suite, struct buf *out, struct err *err)
{
    struct json_writer writer = json_writer(out, true, err);

    json_write_object(&writer);
    json_write_key_text(&writer, "run", suite->run);
    json_write_key_text(&writer, "suite", suite->name);
    json_write_key_text(&writer, "verdict", verdict_name(suite_verdict(suite)));
    json_write_key(&writer, "counts");
    json_write_object(&writer);
    for (unsigned int i = 0; i < VERDICT_COUNT; i++)
        json_write_key_uint(&writer, verdict_name((enum verdict)i),
                            suite_count(suite, (enum verdict)i));
    if (suite_quarantined(suite, NULL) > 0)
        json_write_key_uint(&writer, "quarantined", suite_quarantined(suite, NULL));
    json_write_close(&writer);
    json_write_key_ms(&writer, "wall_ms", suite->wall_ns);
    json_write_key_ms(&writer, "boot_ms_saved", suite_boot_saved_ns(suite));
    json_write_key(&writer, "jobs");
    json_write_array(&writer);
    for (size_t i = 0; i < suite->test_count; i++)
        result_write_json(&suite->tests[i], &writer);
    json_write_close(&writer);
    json_write_close(&writer);
    return json_writer_ok(&writer) && buf_append_text(out, "\n", err);
}

static const char *why(const struct test_result *test)
{
    return test->reason == NULL ? "" : test->reason;
}

/* TAP's descriptions escape `#` and `\`; a line is a line. */
static bool tap_text(const char *text, struct buf *out, struct err *err)
{
    for (; *text != '\0'; text++) {
        bool ok;

        if (*text == '#' || *text == '\\')
            ok = buf_format(out, err, "\\%c", *text);
        else
            ok = buf_append(out, (unsigned char)*text < 0x20 ? " " : text, 1, err);
        if (!ok)
            return false;
    }
    return true;
}

/* A JSON string is a YAML string. */
static bool tap_field(const char *key, const char *value, struct buf *out, struct err *err)
{
    struct json_writer writer = json_writer(out, false, err);

    if (!buf_format(out, err, "  %s: ", key))
        return false;
    json_write_text(&writer, value);
    return json_writer_ok(&writer) && buf_append_text(out, "\n", err);
}

static bool tap_test(const struct test_result *test, size_t number, struct buf *out,
                     struct err *err)
{
    bool passed = test->verdict == VERDICT_PASS || test->verdict == VERDICT_SKIPPED;

    if (!buf_format(out, err, "%s %zu - ", passed ? "ok" : "not ok", number) ||
        !tap_text(test->name, out, err))
        return false;
    if (test->verdict == VERDICT_SKIPPED)
        return buf_append_text(out, " # SKIP ", err) && tap_text(why(test), out, err) &&
               buf_append_text(out, "\n", err);
    if (test->quarantine != NULL && !(buf_append_text(out, " # todo quarantine: ", err) &&
                                      tap_text(test->quarantine, out, err)))
        return false;
    if (!buf_append_text(out, "\n", err))
        return false;
    if (passed)
        return true;
    return buf_append_text(out, "  ---\n", err) &&
           tap_field("verdict", verdict_name(test->verdict), out, err) &&
           tap_field("message", why(test), out, err) &&
           buf_format(out, err, "  instructions: %llu\n  ...\n",
                      (unsigned long long)test->instructions);
}

bool report_tap(const struct suite_result *suite, struct buf *out, struct err *err)
{
    if (!buf_format(out, err, "TAP version 14\n1..%zu\n", suite->test_count))
        return false;
    for (size_t i = 0; i < suite->test_count; i++) {
        if (!tap_test(&suite->tests[i], i + 1, out, err))
            return false;
    }
    return true;
}

static bool summary(const struct suite_result *suite, struct buf *out, struct err *err)
{
    size_t failed = 0;

    if (!buf_format(out, err, "\n%zu test%s: ", suite->test_count,
                    suite->test_count == 1 ? "" : "s"))
        return false;
    for (unsigned int i = 0, shown = 0; i < VERDICT_COUNT; i++) {
        size_t count = suite_count(suite, (enum verdict)i);

        if (count == 0)
            continue;
        if (!buf_format(out, err, "%s%zu %s", shown++ > 0 ? ", " : "", count,
                        verdict_name((enum verdict)i)))
            return false;
    }
    if (suite_quarantined(suite, &failed) > 0 &&
        !buf_format(out, err, "%s%zu in quarantine (%zu failed)",
                    suite_quarantined(suite, NULL) < suite->test_count ? ", " : "",
                    suite_quarantined(suite, NULL), failed))
        return false;
    if (suite_cached(suite) > 0 &&
        !buf_format(out, err, " (%zu known from earlier runs)", suite_cached(suite)))
        return false;
    if (!buf_format(out, err, "; %s", report_duration(suite->wall_ns).text))
        return false;
    if (suite_boot_saved_ns(suite) > 0 &&
        !buf_format(out, err, ", and booting for each would have taken %s more",
                    report_duration(suite_boot_saved_ns(suite)).text))
        return false;
    return buf_append_text(out, "\n", err);
}

bool report_table(const struct suite_result *suite, bool colours, struct buf *out, struct err *err)
{
    static const struct table_column columns[] = {{"verdict", false},     {"test", false},
                                                  {"instructions", true}, {"thaw", true},
                                                  {"time", true},         {"", false}};
    struct table table;
    bool ok;

    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < suite->test_count; i++) {
        const struct test_result *test = &suite->tests[i];
        bool ran = test->verdict != VERDICT_SKIPPED;

        table_cell(&table, report_colour(test->verdict), "%s", verdict_name(test->verdict));
        table_cell(&table, COLOUR_NONE, "%s", test->name);
        table_cell(&table, COLOUR_NONE, "%s", ran ? report_number(test->instructions).text : "");
        table_cell(&table, COLOUR_NONE, "%s", ran ? report_duration(test->thaw_ns).text : "");
        table_cell(&table, COLOUR_NONE, "%s", ran ? report_duration(test->wall_ns).text : "");
        table_cell(
            &table, COLOUR_FAINT, "%s%s%s", test->quarantine != NULL ? "in quarantine: " : "",
            test->expect_failure && test->verdict == VERDICT_PASS ? "failed, as it must: " : "",
            why(test));
    }
    ok = table_write(&table, colours, out, err);
    table_release(&table);
    return ok && summary(suite, out, err);
}
