/* jobs/FORMAT.md documents every key that the parsers know: the parsers themselves say which. */
#include "jobs/job_check.h"
#include "jobs/job_keys.h"
#include "storage/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Every map that the files have, each with a key that none knows: the message lists those known. */
static const char job_file[] =
    "qqqqqqqqq: 1\n"
    "machine: machine.yaml\n"
    "checkpoints: {a: {qqqqqqqqq: 1, tag: b}}\n"
    "workflow:\n"
    "  qqqqqqqqq: 1\n"
    "  schedule: {qqqqqqqqq: 1, cron: '@daily'}\n"
    "  retention: {qqqqqqqqq: 1}\n"
    "  webhook: {qqqqqqqqq: 1, url: 'https://x'}\n"
    "defaults: {qqqqqqqqq: 1}\n"
    "tests:\n"
    "  - qqqqqqqqq: 1\n"
    "    name: a\n"
    "    command: x\n"
    "    limits: {qqqqqqqqq: 1}\n"
    "    retry: {qqqqqqqqq: 1}\n"
    "    quarantine: {qqqqqqqqq: 1, owner: o, reason: r, until: 2027-01-01}\n"
    "    artifacts: {qqqqqqqqq: 1}\n"
    "    monitors: [{qqqqqqqqq: 1, pattern: p}]\n"
    "    parallel: {qqqqqqqqq: 1, matrix: [{seed: 1}]}\n"
    "  - name: b\n"
    "    steps:\n"
    "      - {qqqqqqqqq: 1, send: x}\n"
    "      - {qqqqqqqqq: 1, expect: x}\n"
    "      - {qqqqqqqqq: 1, expect_not: x}\n"
    "      - {qqqqqqqqq: 1, wait: 1}\n"
    "      - {qqqqqqqqq: 1, command: x}\n"
    "      - {qqqqqqqqq: 1, halt: true}\n"
    "  - {name: c, elf: x, qqqqqqqqq: 1}\n";
static const char machine_file[] = "qqqqqqqqq: 1\n"
                                   "kernel: k\n"
                                   "limits: {qqqqqqqqq: 1}\n"
                                   "isa: {qqqqqqqqq: 1}\n"
                                   "freeze: {qqqqqqqqq: 1, settle: {qqqqqqqqq: 1}}\n"
                                   "job_disk: {qqqqqqqqq: 1}\n"
                                   "result_disk: {qqqqqqqqq: 1, size: 1 MiB}\n"
                                   "switches: [lan]\n"
                                   "devices:\n"
                                   "  - {qqqqqqqqq: 1}\n"
                                   "  - blk: {qqqqqqqqq: 1, size: 1 MiB}\n"
                                   "  - console: {qqqqqqqqq: 1}\n"
                                   "  - net: {qqqqqqqqq: 1, link: lan}\n"
                                   "  - rng: {qqqqqqqqq: 1}\n";
/* Boards have a map of their own only when there are several. */
static const char boards_file[] = "boards: [{qqqqqqqqq: 1, kernel: k}]\n";

static char document[256 * 1024];

static void put(const char *folder, const char *name, const char *text)
{
    struct err err = ERR_INIT;
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_write(path, span_of_text(text), &err))
        fail_msg("%s", err.text);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* As `key` or `key: …`. */
static bool is_documented(const char *key)
{
    size_t size = strlen(key);

    for (const char *at = strstr(document, key); at != NULL; at = strstr(at + 1, key)) {
        if (at > document && !is_word(at[-1]) && (at[size] == '`' || at[size] == ':'))
            return true;
    }
    return false;
}

static size_t check_key(const char *key)
{
    if (!is_documented(key))
        fail_msg("jobs/FORMAT.md says nothing of the key `%s`", key);
    return 1;
}

/* The keys of every "known here: `a`, `b`" of a report. */
static size_t check_report(char *report, size_t *maps)
{
    size_t count = 0;

    *maps = 0;
    for (char *line = strtok(report, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *at = strstr(line, "; known here: ");

        if (at == NULL)
            continue;
        (*maps)++;
        assert_null(strstr(at, "…"));
        while ((at = strchr(at, '`')) != NULL) {
            char *end = strchr(at + 1, '`');

            assert_non_null(end);
            *end = '\0';
            count += check_key(at + 1);
            at = end + 1;
        }
    }
    return count;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static size_t check_files(const char *folder, const char *machine)
{
    size_t maps, keys, expected = count_of(job_file, "qqqqqqqqq") + count_of(machine, "qqqqqqqqq");
    struct job_findings findings;
    struct err err = ERR_INIT;
    char path[256];

    put(folder, "jobs.yaml", job_file);
    put(folder, "machine.yaml", machine);
    snprintf(path, sizeof path, "%s/jobs.yaml", folder);
    if (!job_file_check(path, &variables_environment, 0, &findings, &err))
        fail_msg("%s", err.text);
    assert_true(buf_append(&findings.report, "", 1, &err));
    keys = check_report((char *)findings.report.data, &maps);
    assert_int_equal(maps, expected); /* else a map is not looked into */
    job_findings_release(&findings);
    return keys;
}

static void every_key_is_in_format_md(void **state)
{
    struct buf text = BUF_INIT(sizeof document - 1);
    char folder[] = "/tmp/thaw-format-XXXXXX";
    struct err err = ERR_INIT;
    size_t keys;

    (void)state;
    assert_true(file_read(THAW_TESTS_DIR "/../jobs/FORMAT.md", &text, &err));
    memcpy(document, text.data, text.size);
    buf_release(&text);
    assert_non_null(mkdtemp(folder));
    keys = check_files(folder, machine_file) + check_files(folder, boards_file);
    assert_true(keys > 200);
    assert_true(file_remove(folder, &err));
}

static void every_key_of_a_matrix_is_in_format_md(void **state)
{
    static const char *const names[] = {"host", "tags", "checkpoint", "seed", "quantum"};

    (void)state;
    assert_false(is_documented("zzz"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_key(names[i]);
    for (size_t i = 0; i < machine_parameter_count; i++)
        check_key(machine_parameter_names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_in_format_md),
        cmocka_unit_test(every_key_of_a_matrix_is_in_format_md),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
