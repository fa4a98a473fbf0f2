#include "jobs/result.h"

size_t suite_count(const struct suite_result *suite, enum verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < suite->test_count; i++)
        count += suite->tests[i].verdict == verdict ? 1 : 0;
    return count;
}

enum verdict suite_verdict(const struct suite_result *suite)
{
    enum verdict worst = VERDICT_SKIPPED;

    if (suite->test_count == 0)
        return VERDICT_INFRA;
    for (size_t i = 0; i < suite->test_count; i++)
        worst = verdict_worst(worst, suite->tests[i].verdict);
    return worst;
}

uint64_t suite_boot_saved_ns(const struct suite_result *suite)
{
    uint64_t saved = 0;

    for (size_t i = 0; i < suite->test_count; i++) {
        const struct test_result *test = &suite->tests[i];

        if (test->verdict == VERDICT_SKIPPED || test->checkpoint == NULL)
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
    json_write_key(writer, "output");
    json_write_span(writer, result->output);
    json_write_key(writer, "console");
    json_write_span(writer, result->console);
    json_write_close(writer);
}
