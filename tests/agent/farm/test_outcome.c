#include "agent/farm/outcome.h"

#include "storage/base/cbor.h"
#include "tests/support/base_test.h"

#include <string.h>

static void fill(struct worker_outcome *outcome)
{
    outcome_init(outcome);
    outcome_set(outcome, VERDICT_FAIL,
                "gr\xc3\xbc\xc3\x9f"
                "e");
    outcome->exit_status = 5;
    outcome->instructions = 1000;
    outcome->virtual_ns = 2000;
    outcome->thaw_ns = 30;
    outcome->wall_ns = 40;
    outcome->state_id.bytes[1] = 1;
    outcome->checkpoint.bytes[2] = 2;
    outcome_text(outcome->signature, OUTCOME_SIGNATURE_MAX, span_of_text("fail: x"));
    outcome->signature_hash.bytes[3] = 3;
    outcome->console = span_of_text("hello\n");
    strcpy(outcome->artifacts[0].name, "out/log.txt");
    outcome->artifacts[0].bytes = span_of_text("log");
    strcpy(outcome->artifacts[1].name, "empty");
    outcome->artifact_count = 2;
    outcome->cut = true;
}

static struct buf encoded(const struct worker_outcome *outcome)
{
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    struct err err = ERR_INIT;

    BASE_OK(outcome_encode(outcome, &bytes, &err), &err);
    BASE_OK(cbor_check(buf_span(&bytes), &err), &err);
    return bytes;
}

static void outcome_comes_back_as_it_was(void **state)
{
    struct worker_outcome in, out;
    struct err err = ERR_INIT;
    struct buf bytes;

    (void)state;
    fill(&in);
    bytes = encoded(&in);
    BASE_OK(outcome_decode(buf_span(&bytes), &out, &err), &err);
    assert_int_equal(out.verdict, VERDICT_FAIL);
    assert_string_equal(out.reason, in.reason);
    assert_int_equal(out.exit_status, 5);
    assert_int_equal(out.instructions, 1000);
    assert_int_equal(out.virtual_ns, 2000);
    assert_int_equal(out.thaw_ns, 30);
    assert_int_equal(out.wall_ns, 40);
    assert_memory_equal(&out.state_id, &in.state_id, HASH_SIZE);
    assert_memory_equal(&out.checkpoint, &in.checkpoint, HASH_SIZE);
    assert_string_equal(out.signature, "fail: x");
    assert_memory_equal(&out.signature_hash, &in.signature_hash, HASH_SIZE);
    assert_true(span_equal(out.console, in.console));
    assert_int_equal(out.artifact_count, 2);
    assert_string_equal(out.artifacts[0].name, "out/log.txt");
    assert_true(span_equal(out.artifacts[0].bytes, in.artifacts[0].bytes));
    assert_int_equal(out.artifacts[1].bytes.size, 0);
    assert_true(out.cut);
    buf_release(&bytes);
}

static void every_truncation_is_refused(void **state)
{
    struct worker_outcome outcome, out;
    struct buf bytes;

    (void)state;
    fill(&outcome);
    bytes = encoded(&outcome);
    for (size_t size = 0; size < bytes.size; size++) {
        struct err err = ERR_INIT;
        assert_false(outcome_decode((struct span){bytes.data, size}, &out, &err));
        assert_int_not_equal(err.kind, ERR_NONE);
    }
    buf_release(&bytes);
}

/* What a worker may write, it may also make up: nothing but an error comes of it, or an outcome. */
static void changed_bytes_do_no_harm(void **state)
{
    struct worker_outcome outcome, out;
    uint64_t random = 1;
    struct buf bytes;

    (void)state;
    fill(&outcome);
    bytes = encoded(&outcome);
    for (size_t i = 0; i < 20000; i++) {
        struct err err = ERR_INIT;
        size_t at = (size_t)(base_random(&random) % bytes.size);
        uint8_t before = bytes.data[at];
        bytes.data[at] = (uint8_t)base_random(&random);
        (void)outcome_decode(buf_span(&bytes), &out, &err);
        bytes.data[at] = before;
    }
    buf_release(&bytes);
}

static void assert_refused(const struct worker_outcome *outcome, const char *part)
{
    struct buf bytes = encoded(outcome);
    struct worker_outcome out;
    struct err err = ERR_INIT;

    BASE_FAILS(outcome_decode(buf_span(&bytes), &out, &err), &err, ERR_INVALID, part);
    buf_release(&bytes);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    const char *names[] = {"/etc/passwd", "../x", "a/../b", "a//b", ".", "a/", "", "a\nb"};
    struct worker_outcome outcome;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fill(&outcome);
        strcpy(outcome.artifacts[0].name, names[i]);
        assert_refused(&outcome, "plain path");
    }
}

static void verdicts_that_are_not_a_workers_to_give_are_refused(void **state)
{
    struct worker_outcome outcome;

    (void)state;
    fill(&outcome);
    outcome.verdict = VERDICT_DIVERGENCE;
    assert_refused(&outcome, "verdict");
    outcome.verdict = VERDICT_CANCELLED;
    assert_refused(&outcome, "verdict");
    outcome.verdict = VERDICT_PASS;
    outcome.exit_status = -2;
    assert_refused(&outcome, "exit status");
}

static void texts_are_made_fit_to_be_shown(void **state)
{
    char text[16];

    (void)state;
    outcome_text(text, 15, span_of_text("a\x1b[2J\n\xff"));
    assert_string_equal(text, "a [2J \xef\xbf\xbd");
    outcome_text(text, 5, span_of_text("abcd\xc3\xbc"));
    assert_string_equal(text, "abcd");
    outcome_text(text, 15, span_of_text("a\xc2\x85z"));
    assert_string_equal(text, "a z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcome_comes_back_as_it_was),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(changed_bytes_do_no_harm),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(verdicts_that_are_not_a_workers_to_give_are_refused),
        cmocka_unit_test(texts_are_made_fit_to_be_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
