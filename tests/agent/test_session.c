/* Thawing and freezing against a store. */
#include "agent/session.h"

#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"

#include <string.h>

/* Needs a guest, made by a cross compiler; without one the test is skipped. */
static struct agent_rig *thawed(void **state)
{
    if (*state == NULL)
        skip();
    agent_rig_thaw(*state, NULL);
    return *state;
}

static void run_on(struct machine *machine, uint64_t instructions)
{
    struct machine_limits limits = {machine_instructions(machine) + instructions, UINT64_MAX};

    assert_true(machine_run(machine, &limits) == MACHINE_STOP_INSTRUCTIONS);
}

static struct checkpoint_ids freeze(struct agent_rig *rig, const char *name)
{
    struct checkpoint_ids ids;
    struct store_tag tag;
    struct err err = ERR_INIT;

    store_tag_init(&tag, name, &clock_host);
    BASE_OK(session_freeze(&rig->session, &tag, &ids, &err), &err);
    store_tag_release(&tag);
    return ids;
}

static void a_thawed_machine_keeps_its_checkpoint_from_gc(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct gc_report report;
    struct hash state_id;
    struct err err = ERR_INIT;
    struct checkpoint_ids ids;

    run_on(rig->session.machine, 1000);
    ids = freeze(rig, "alone");
    agent_rig_thaw(rig, "alone");
    BASE_OK(store_tag_remove(rig->store, "alone", &err), &err);
    BASE_OK(store_gc(rig->store, false, &report, &err), &err);
    assert_int_equal(report.checkpoints_removed, 0);
    assert_int_equal(report.checkpoints_kept, 2);
    run_on(rig->session.machine, 5); /* and can be frozen, sharing what did not change */
    freeze(rig, "child");
    state_id = agent_rig_digest(rig);
    agent_rig_thaw(rig, "child"); /* lets go of the other */
    BASE_OK(store_gc(rig->store, false, &report, &err), &err);
    assert_int_equal(report.checkpoints_removed, 1);
    ids.state_id = agent_rig_digest(rig);
    assert_true(hash_equal(&ids.state_id, &state_id));
    BASE_OK(store_tag_remove(rig->store, "child", &err), &err);
}

static void a_freeze_sets_its_tag_and_moves_it(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct checkpoint_ids first = freeze(rig, "moving"), second;
    struct store_tag tag = {.name = ""};
    struct err err = ERR_INIT;

    run_on(rig->session.machine, 1);
    second = freeze(rig, "moving");
    assert_false(hash_equal(&first.checkpoint_id, &second.checkpoint_id));
    BASE_OK(store_tag_get(rig->store, "moving", &tag, &err), &err);
    assert_true(hash_equal(&tag.checkpoint, &second.checkpoint_id));
    store_tag_release(&tag);
    BASE_OK(store_tag_remove(rig->store, "moving", &err), &err);
}

static void freezing_disturbs_nothing(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct hash undisturbed, disturbed;

    run_on(rig->session.machine, 3000);
    undisturbed = agent_rig_digest(rig);
    agent_rig_thaw(rig, NULL);
    for (size_t i = 0; i < 30; i++) {
        run_on(rig->session.machine, 100);
        freeze(rig, "often");
    }
    disturbed = agent_rig_digest(rig);
    assert_true(hash_equal(&disturbed, &undisturbed));
}

static void facts_come_by_tag_id_and_prefix(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct hash_hex hex = hash_hex(&rig->session.parent);
    char prefix[9] = "";

    memcpy(prefix, hex.text, 8);
    for (size_t i = 0; i < 3; i++) {
        const char *const names[] = {AGENT_RIG_TAG, hex.text, prefix};
        agent_rig_thaw(rig, names[i]);
        assert_string_equal(store_tag_fact(&rig->session.facts, FACT_CONSOLE), AGENT_RIG_CONSOLE);
        assert_string_equal(store_tag_fact(&rig->session.facts, FACT_AT_PROMPT), "yes");
        assert_true(store_tag_fact(&rig->session.facts, FACT_RESULT_DISK) != NULL);
    }
}

static void an_unknown_name_leaves_nothing_behind(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct session session;
    struct err err = ERR_INIT;

    session_init(&session, rig->store, rig->cache);
    BASE_FAILS(session_thaw(&session, "answers", &err), &err, ERR_NOT_FOUND, "did you mean answer");
    assert_true(session.machine == NULL && session.pin == NULL);
    session_release(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thawed_machine_keeps_its_checkpoint_from_gc),
        cmocka_unit_test(a_freeze_sets_its_tag_and_moves_it),
        cmocka_unit_test(freezing_disturbs_nothing),
        cmocka_unit_test(facts_come_by_tag_id_and_prefix),
        cmocka_unit_test(an_unknown_name_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
