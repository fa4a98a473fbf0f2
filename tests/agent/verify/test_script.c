/* Scripts: requests made beforehand, answered on a machine that somebody else thawed. */
#include "agent/verify/host.h"

#include "storage/base/check.h"
#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"

#include <string.h>

#define STEP UINT64_C(5000)

static void ask(struct buf *script, struct verify_message request)
{
    struct err err = ERR_INIT;

    BASE_OK(verify_message_write(&request, script, &err), &err);
}

static void ask_thaw(struct buf *script, const struct agent_rig *rig)
{
    struct hash_hex id = hash_hex(&rig->session.parent);

    ask(script,
        (struct verify_message){.number = 1, .verb = VERIFY_THAW, .text = span_of_text(id.text)});
}

static void ask_run(struct buf *script, uint64_t to)
{
    ask(script, (struct verify_message){
                    .number = 2, .verb = VERIFY_RUN, .values = {to, 0}, .value_count = RUN_COUNT});
}

/* Takes the next answer off. */
static struct verify_message next_answer(struct span *answers)
{
    struct verify_message answer;
    struct err err = ERR_INIT;
    size_t size;

    BASE_OK(verify_frame_size(*answers, &size, &err), &err);
    assert_int_not_equal(size, 0);
    BASE_OK(verify_message_read((struct span){answers->data, size}, &answer, &err), &err);
    *answers = (struct span){answers->data + size, answers->size - size};
    return answer;
}

static struct agent_rig *thawed(void **state)
{
    if (*state == NULL)
        skip();
    agent_rig_thaw(*state, NULL);
    return *state;
}

static void a_script_goes_the_machines_own_way(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct buf script = BUF_INIT(1u << 20), out = BUF_INIT(64u << 20);
    uint64_t start = machine_instructions(rig->session.machine);
    struct machine_limits limits = {start + 2 * STEP, UINT64_MAX};
    struct verify_message answer;
    struct err err = ERR_INIT;
    struct hash want;
    struct span left;

    (void)machine_run(rig->session.machine, &limits);
    want = agent_rig_digest(rig);
    agent_rig_thaw(rig, NULL);
    ask_thaw(&script, rig);
    ask_run(&script, start + STEP);
    ask_run(&script, start + 2 * STEP);
    ask(&script, (struct verify_message){.number = 4, .verb = VERIFY_NEXT});
    BASE_OK(verify_host_script(&rig->session, buf_span(&script), &out, &err), &err);
    left = buf_span(&out);
    assert_int_equal(next_answer(&left).values[PLACE_AT], start);
    assert_int_equal(next_answer(&left).values[PLACE_AT], start + STEP);
    answer = next_answer(&left);
    assert_int_equal(answer.kind, ERR_NONE);
    assert_memory_equal(answer.bytes.data, want.bytes, HASH_SIZE);
    answer = next_answer(&left);
    assert_int_equal(answer.number, 4);
    assert_true(answer.bytes.size > 0);
    assert_int_equal(left.size, 0);
    buf_release(&script);
    buf_release(&out);
}

static void what_needs_a_store_or_another_machine_is_refused(void **state)
{
    static const enum verify_verb refused[] = {VERIFY_HELLO,  VERIFY_OPEN,   VERIFY_RESTORE,
                                               VERIFY_FREEZE, VERIFY_EXPORT, VERIFY_IMPORT,
                                               VERIFY_FSCK};
    struct agent_rig *rig = thawed(state);
    struct buf script = BUF_INIT(1u << 20), out = BUF_INIT(64u << 20);
    struct err err = ERR_INIT;
    struct span left;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ask(&script, (struct verify_message){.number = i, .verb = refused[i]});
    ask_run(&script, 1); /* nothing was thawed */
    ask(&script,
        (struct verify_message){
            .verb = VERIFY_THAW,
            .text = span_of_text("0123456789012345678901234567890123456789012345678901234567"
                                 "890123")});
    ask_thaw(&script, rig);
    ask_thaw(&script, rig); /* once only */
    BASE_OK(verify_host_script(&rig->session, buf_span(&script), &out, &err), &err);
    left = buf_span(&out);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(next_answer(&left).kind, ERR_USAGE);
    assert_int_equal(next_answer(&left).kind, ERR_USAGE);
    assert_int_equal(next_answer(&left).kind, ERR_USAGE);
    assert_int_equal(next_answer(&left).kind, ERR_NONE);
    assert_int_equal(next_answer(&left).kind, ERR_USAGE);
    assert_int_equal(left.size, 0);
    buf_release(&script);
    buf_release(&out);
}

static void a_script_that_is_cut_anywhere_is_an_error(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct buf script = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;
    size_t whole;

    ask(&script, (struct verify_message){.number = 9, .verb = VERIFY_STATE});
    whole = script.size;
    for (size_t size = 1; size < whole; size++) {
        struct buf out = BUF_INIT(64u << 20);
        BASE_FAILS(verify_host_script(&rig->session, (struct span){script.data, size}, &out, &err),
                   &err, ERR_INVALID, "the script ends in the middle");
        buf_release(&out);
    }
    script.data[0] ^= 1;
    struct buf out = BUF_INIT(64u << 20);
    assert_false(verify_host_script(&rig->session, buf_span(&script), &out, &err));
    buf_release(&out);
    buf_release(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_goes_the_machines_own_way),
        cmocka_unit_test(what_needs_a_store_or_another_machine_is_refused),
        cmocka_unit_test(a_script_that_is_cut_anywhere_is_an_error),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
