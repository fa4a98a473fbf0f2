#include "jobs/result.h"

size_t suite_count(const struct suite_result *suite, enum verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < suite->test_count; i++)
        count += suite->tests[i].verdict == verdict && suite->tests[i].quarantine == NULL ? 1 : 0;
    return count;
}

size_t suite_cached(const struct suite_result *suite)
{
    size_t count = 0;

    for (size_t i = 0; i < suite->test_count; i++)
        count += suite->tests[i].cached;
    return count;
}

size_t suite_quarantined(const struct suite_result *suite, size_t *failed)
{
    size_t count = 0, bad = 0;

    for (size_t i = 0; i < suite->test_count; i++) {
        const struct test_result *test = &suite->tests[i];

        if (test->quarantine == NULL)
            continue;
        count++;
        bad += test->verdict != VERDICT_PASS && test->verdict != VERDICT_SKIPPED ? 1 : 0;
    }
    if (failed != NULL)
        *failed = bad;
    return count;
}

enum verdict suite_verdict(const struct suite_result *suite)
{
    enum verdict worst = VERDICT_SKIPPED;

    if (suite->test_count == 0)
        return VERDICT_INFRA;
    for (size_t i = 0; i < suite->test_count; i++) {
        if (suite->tests[i].quarantine == NULL || suite->tests[i].verdict == VERDICT_PASS)
            worst = verdict_worst(worst, suite->tests[i].verdict);
    }
    return worst;
}

uint64_t suite_boot_saved_ns(const struct suite_result *suite)
{
    uint64_t saved = 0;

    for (size_t i = 0; i < suite->test_count; i++) {
        const struct test_result *test = &suite->tests[i];

        if (test->verdict == VERDICT_SKIPPED || test->checkpoint == NULL || test->cached)
            continue;
        if (suite->boot_ns > test->thaw_ns)
            saved += suite->boot_ns - test->thaw_ns;
    }
    return saved;
}

static void write_signature(const struct signature *signature, struct json_writer *writer)
{
    struct buf text = BUF_INIT(2048);
    struct err err = ERR_INIT;

    json_write_key(writer, "signature");
    if (signature != NULL && signature_text(signature, &text, &err))
        json_write_span(writer, buf_span(&text));
    else
        json_write_null(writer);
    buf_release(&text);
}

static void write_farm(const struct test_result *result, struct json_writer *writer)
{
    if (result->group != NULL)
        json_write_key_text(writer, "group", result->group);
    json_write_key_uint(writer, "attempts", result->attempts == 0 ? 1 : result->attempts);
    json_write_key_text(writer, "agent", result->agent);
    json_write_key_bool(writer, "cached", result->cached);
    json_write_key_text(writer, "quarantine", result->quarantine);
    json_write_key_text(writer, "console_id", result->console_id);
    json_write_key(writer, "artifacts");
    json_write_array(writer);
    for (size_t i = 0; i < result->artifact_count; i++) {
        json_write_object(writer);
        json_write_key_text(writer, "name", result->artifacts[i].name);
        json_write_key_text(writer, "id", result->artifacts[i].id);
        json_write_key_uint(writer, "size", result->artifacts[i].size);
        json_write_close(writer);
    }
    json_write_close(writer);
}

void result_write_json(const struct test_result *result, struct json_writer *writer)
{
    json_write_object(writer);
    json_write_key_text(writer, "name", result->name);
    json_write_key_text(writer, "suite", result->suite);
    json_write_key_text(writer, "verdict", verdict_name(result->verdict));
    json_write_key(writer, "exit_status");
    if (result->exit_status < 0)
        json_write_null(writer);
    else
        json_write_int(writer, result->exit_status);
    json_write_key_text(writer, "reason", result->reason == NULL ? "" : result->reason);
    json_write_key_bool(writer, "expect_failure", result->expect_failure);
    write_signature(result->signature, writer);
    json_write_key_text(writer, "checkpoint", result->checkpoint);
    json_write_key_text(writer, "state_id", result->state_id);
    json_write_key_uint(writer, "instructions", result->instructions);
    json_write_key_uint(writer, "virtual_ns", result->virtual_ns);
    json_write_key_ms(writer, "thaw_ms", result->thaw_ns);
    json_write_key_ms(writer, "wall_ms", result->wall_ns);
    json_write_key_text(writer, "results", result->results);
    if (result->attempts > 0)
        write_farm(result, writer);
    json_write_key(writer, "output");
    json_write_span(writer, result->output);
    json_write_key(writer, "console");
    json_write_span(writer, result->console);
    json_write_close(writer);
}
