#include "coordinator/peer.h"
#include "storage/base/cbor.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_peers.h"
#include "tests/support/wire_sample.h"

#include <string.h>

static void a_request_is_handed_out_with_who_sent_it(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    assert_true(message_id_equal(&request.agent, &agent->id));
    assert_int_equal(request.channel, SEAL_WORK);
    assert_int_equal(request.message->kind, MESSAGE_HELLO);
    assert_true(peers_waits(farm->peers, request.slot));
    farm_answer(farm, request.slot, MESSAGE_WELCOME);
    assert_false(peers_waits(farm->peers, request.slot));
}

static void an_answer_leaves_with_the_commit_and_not_before(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    size_t sent;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    sent = farm->sent;
    farm_answer(farm, request.slot, MESSAGE_WELCOME);
    assert_false(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    assert_int_equal(farm->sent, sent + 1);
    assert_int_equal(farm_open_last(farm, agent).purpose, SEAL_WAIT);
    peers_commit(farm->peers);
    assert_int_equal(farm->sent, sent + 2);
    assert_string_equal(farm->route, "route");
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_WELCOME);
    peers_commit(farm->peers);
    assert_int_equal(farm->sent, sent + 2);
}

static void a_repeated_request_gets_the_same_bytes_at_its_new_route(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    struct buf first = BUF_INIT(SEAL_BYTES_MAX), bytes = BUF_INIT(MESSAGE_BYTES_MAX), sealed;
    struct peers_figures figures;
    struct err err = ERR_INIT;

    assert_true(farm_ask(farm, agent, SEAL_BEAT, MESSAGE_BEAT, &request));
    farm_answer(farm, request.slot, MESSAGE_ACK);
    peers_commit(farm->peers);
    assert_true(buf_append(&first, farm->last.data, farm->last.size, &err));
    wire_sample(MESSAGE_BEAT, farm->message);
    BASE_OK(message_encode(farm->message, &bytes, &err), &err);
    sealed = farm_seal(agent, SEAL_BEAT, buf_span(&bytes));
    assert_false(farm_receive(farm, "elsewhere", buf_span(&sealed), &request));
    assert_string_equal(farm->route, "elsewhere");
    assert_true(span_equal(buf_span(&first), buf_span(&farm->last)));
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.repeated, 1);
    assert_int_equal(figures.requests, 1);
    buf_release(&first);
    buf_release(&bytes);
    buf_release(&sealed);
}

static void a_repetition_of_a_held_request_is_told_to_wait_and_moves_its_route(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request, again;
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX), sealed;
    struct err err = ERR_INIT;
    size_t sent;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_commit(farm->peers);
    sent = farm->sent;
    wire_sample(MESSAGE_CLAIM, farm->message);
    BASE_OK(message_encode(farm->message, &bytes, &err), &err);
    sealed = farm_seal(agent, SEAL_WORK, buf_span(&bytes));
    assert_false(farm_receive(farm, "moved", buf_span(&sealed), &again));
    assert_int_equal(farm->sent, sent + 1);
    assert_int_equal(farm_open_last(farm, agent).purpose, SEAL_WAIT);
    assert_string_equal(farm->route, "moved");
    assert_true(peers_waits(farm->peers, request.slot));
    farm_answer(farm, request.slot, MESSAGE_GRANT);
    peers_commit(farm->peers);
    assert_string_equal(farm->route, "moved");
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_GRANT);
    buf_release(&bytes);
    buf_release(&sealed);
}

/* An agent's socket takes one reply to a request, and the sign was one. */
static void an_answer_goes_to_the_repetition_that_got_no_sign(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request, again;
    size_t sent;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_commit(farm->peers);
    for (int i = 0; i < 3; i++) {
        sent = farm->sent;
        assert_false(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &again));
        assert_int_equal(farm->sent, sent + 1);
        assert_int_equal(farm_open_last(farm, agent).purpose, SEAL_WAIT);
        assert_false(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &again));
        assert_int_equal(farm->sent, sent + 1);
    }
    farm_answer(farm, request.slot, MESSAGE_GRANT);
    peers_commit(farm->peers);
    assert_int_equal(farm->sent, sent + 2);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_GRANT);
}

static void a_new_request_closes_the_slot_before_it(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request held, next;
    size_t sent;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &held));
    peers_commit(farm->peers);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_RESULT, &next));
    assert_int_not_equal(held.slot, next.slot);
    assert_false(peers_waits(farm->peers, held.slot));
    assert_true(peers_waits(farm->peers, next.slot));
    sent = farm->sent;
    farm_answer(farm, held.slot, MESSAGE_GRANT); /* nobody is there */
    peers_commit(farm->peers);
    assert_int_equal(farm->sent, sent);
}

static void channels_and_agents_do_not_meet(void **state)
{
    struct farm *farm = *state;
    struct agent *a = farm_agent(farm), *b = farm_agent(farm);
    struct peer_request work, beat, other;

    assert_true(farm_ask(farm, a, SEAL_WORK, MESSAGE_CLAIM, &work));
    assert_true(farm_ask(farm, a, SEAL_BEAT, MESSAGE_BEAT, &beat));
    assert_true(farm_ask(farm, b, SEAL_WORK, MESSAGE_CLAIM, &other));
    assert_true(peers_waits(farm->peers, work.slot));
    peers_commit(farm->peers);
    farm_answer(farm, beat.slot, MESSAGE_ACK);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, a, SEAL_BEAT), MESSAGE_ACK);
    farm_answer(farm, other.slot, MESSAGE_EMPTY);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, b, SEAL_WORK), MESSAGE_EMPTY);
    assert_true(peers_waits(farm->peers, work.slot));
}

/* All that ever went over the wire, said again: nothing is handled twice. */
static void what_was_recorded_has_no_effect_when_replayed(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX), recorded[4];
    struct peer_request request;
    struct peers_figures figures;
    struct err err = ERR_INIT;
    size_t sent;

    wire_sample(MESSAGE_HELLO, farm->message);
    BASE_OK(message_encode(farm->message, &bytes, &err), &err);
    agent->counter[SEAL_WORK]++;
    recorded[0] = farm_seal(agent, SEAL_WORK, buf_span(&bytes)); /* session 0 */
    agent->counter[SEAL_WORK]--;
    for (int i = 1; i < 4; i++) {
        assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
        recorded[i] = farm_seal(agent, SEAL_WORK, buf_span(&bytes));
        farm_answer(farm, request.slot, MESSAGE_WELCOME);
        peers_commit(farm->peers);
    }
    sent = farm->sent;
    for (int i = 0; i < 4; i++)
        assert_false(farm_receive(farm, "thief", buf_span(&recorded[i]), &request));
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.requests, 3);
    assert_int_equal(figures.stale, 2);
    assert_int_equal(farm->sent, sent + 2); /* a session that is of no use, an answer known */
    /* and the agent goes on where it was */
    agent->counter[SEAL_WORK]++;
    assert_true(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    for (int i = 0; i < 4; i++)
        buf_release(&recorded[i]);
    buf_release(&bytes);
}

static void an_agent_that_starts_anew_gets_a_new_session(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request held, request;
    uint64_t first;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &held));
    peers_commit(farm->peers);
    first = agent->session[SEAL_WORK];
    agent->session[SEAL_WORK] = 0;
    agent->counter[SEAL_WORK] = 1; /* lower than it was */
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    assert_true(agent->session[SEAL_WORK] != first);
    assert_false(peers_waits(farm->peers, held.slot));
}

static void a_coordinator_that_starts_anew_is_followed(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    farm_restart(farm);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    farm_answer(farm, request.slot, MESSAGE_GRANT);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_GRANT);
}

static void after_an_abort_everything_can_be_asked_again(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm), *other = farm_agent(farm);
    struct peer_request held, request, fresh;
    size_t sent;

    assert_true(farm_ask(farm, other, SEAL_WORK, MESSAGE_CLAIM, &held));
    assert_true(farm_ask(farm, other, SEAL_BEAT, MESSAGE_BEAT, &request));
    peers_commit(farm->peers); /* both are held now */
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_RESULT, &fresh));
    farm_answer(farm, fresh.slot, MESSAGE_ACK);
    farm_answer(farm, held.slot, MESSAGE_GRANT);
    sent = farm->sent;
    peers_abort(farm->peers);
    peers_commit(farm->peers);
    assert_int_equal(farm->sent, sent);
    assert_true(peers_waits(farm->peers, request.slot));
    assert_false(peers_waits(farm->peers, held.slot));
    assert_true(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_RESULT, &fresh));
    assert_true(farm_ask_again(farm, other, SEAL_WORK, MESSAGE_CLAIM, &held));
    farm_answer(farm, fresh.slot, MESSAGE_ACK);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_ACK);
}

static void after_an_abort_a_request_without_an_answer_is_new_again(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request, again;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_abort(farm->peers); /* whatever was done for it is undone */
    assert_false(peers_waits(farm->peers, request.slot));
    assert_true(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &again));
    assert_int_not_equal(request.slot, again.slot);
}

/* Said by an earlier start of the agent, with a counter that is higher than all of today's. */
static void a_request_of_an_earlier_session_is_not_handled(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    struct peers_figures figures;
    uint64_t earlier;

    agent->counter[SEAL_WORK] = 1u << 30;
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    peers_commit(farm->peers);
    earlier = agent->session[SEAL_WORK];
    agent->session[SEAL_WORK] = 0;
    agent->counter[SEAL_WORK] = 5;
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    peers_commit(farm->peers);
    agent->session[SEAL_WORK] = earlier;
    agent->counter[SEAL_WORK] = (1u << 30) + 1;
    assert_false(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_RELEASE, &request));
    agent->session[SEAL_WORK] = 4711; /* nor of one that never was */
    assert_false(farm_ask_again(farm, agent, SEAL_WORK, MESSAGE_RELEASE, &request));
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.requests, 2);
}

static void strangers_and_forgers_get_no_answer(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm), *forger = farm_agent(farm);
    struct peers_figures figures;
    struct peer_request request;

    agent->unknown = true;
    assert_false(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    agent->unknown = false;
    forger->id = agent->id; /* its own key under the other's name */
    forger->unknown = true;
    assert_false(farm_ask(farm, forger, SEAL_WORK, MESSAGE_HELLO, &request));
    assert_int_equal(farm->sent, 0);
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.unknown, 1);
    assert_int_equal(figures.forged, 1);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
}

/* An answer is sealed with the same key: it must not come back as a request. */
static void an_answer_that_is_sent_back_is_no_request(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct buf copy = BUF_INIT(SEAL_BYTES_MAX);
    struct peers_figures figures;
    struct peer_request request;
    struct err err = ERR_INIT;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    farm_answer(farm, request.slot, MESSAGE_WELCOME);
    peers_commit(farm->peers);
    assert_true(buf_append(&copy, farm->last.data, farm->last.size, &err));
    assert_false(farm_receive(farm, "route", buf_span(&copy), &request));
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.forged, 1);
    buf_release(&copy);
}

static void garbage_is_counted_and_dropped(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct buf sealed;
    struct peer_request request;
    struct peers_figures figures;
    uint64_t random = 3;
    uint8_t bytes[300];

    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)base_random(&random);
        assert_false(farm_receive(
            farm, "r", (struct span){bytes, (size_t)(base_random(&random) % sizeof bytes)},
            &request));
    }
    sealed = farm_seal(agent, SEAL_WORK, span_of_text("x"));
    for (size_t size = 0; size < sealed.size; size++)
        assert_false(farm_receive(farm, "r", (struct span){sealed.data, size}, &request));
    peers_figures(farm->peers, &figures);
    assert_int_equal(figures.malformed, 2000 + sealed.size);
    assert_int_equal(farm->sent, 0);
    buf_release(&sealed);
}

/* Well sealed, but no message: its sender is told at once. */
static void nonsense_from_a_known_agent_is_refused_with_a_reason(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    struct err err = ERR_INIT;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_HELLO, &request));
    peers_commit(farm->peers);
    agent->counter[SEAL_WORK]++;
    assert_false(farm_ask_bytes(farm, agent, SEAL_WORK, span_of_text("nonsense"), &request));
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    assert_false(farm_ask(farm, agent, SEAL_WORK, MESSAGE_WELCOME, &request));
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    assert_false(message_refused_err(farm->message, &err));
    assert_string_equal(err.text, "welcome is not a request");
    assert_false(farm_ask(farm, agent, SEAL_WORK, MESSAGE_ENROL, &request));
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
}

static void one_that_enrols_proves_its_key_and_says_nothing_else(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    struct err err = ERR_INIT;

    agent->enrols = true;
    assert_false(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_ENROL, &request));
    assert_true(message_id_is_zero(&request.agent));
    assert_true(cbor_text_is(request.message->u.enrol.token, "once-4711"));
    err_set(&err, ERR_ACCESS, "the token is not known");
    peers_refuse(farm->peers, request.slot, &err);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_ENROL, &request));
    farm_answer(farm, request.slot, MESSAGE_ENROLLED);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_ENROLLED);
}

/* Another's key in the message: one could enrol it without having its secret. */
static void one_cannot_enrol_anothers_key(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm), *victim = farm_agent(farm);
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct peer_request request;
    struct err err = ERR_INIT;

    agent->enrols = true;
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_ENROL, &request));
    wire_sample(MESSAGE_ENROL, farm->message);
    memcpy(farm->message->u.enrol.public_key, victim->keys.public_key, SEAL_KEY_SIZE);
    BASE_OK(message_encode(farm->message, &bytes, &err), &err);
    agent->counter[SEAL_WORK]++;
    assert_false(farm_ask_bytes(farm, agent, SEAL_WORK, buf_span(&bytes), &request));
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
    buf_release(&bytes);
}

static void an_agent_that_is_forgotten_is_looked_up_again(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request held, request;
    struct err err = ERR_INIT;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &held));
    peers_commit(farm->peers);
    agent->unknown = true; /* revoked */
    peers_forget(farm->peers, &agent->id);
    assert_false(peers_waits(farm->peers, held.slot));
    assert_false(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    agent->unknown = false; /* enrolled again, with another key */
    BASE_OK(seal_keys_make(&agent->keys, &err), &err);
    BASE_OK(seal_pair_make(&agent->keys, farm->keys.public_key, &agent->pair, &err), &err);
    peers_forget(farm->peers, &agent->id);
    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
}

/* The table has room for four: a fifth takes the place of the one heard of longest ago, which comes
 * back by a new session. */
static void the_one_heard_of_longest_ago_makes_room(void **state)
{
    struct farm *farm = *state;
    struct peer_request request;
    struct agent *agents[6];

    for (int i = 0; i < 6; i++)
        agents[i] = farm_agent(farm);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++) {
            assert_true(farm_ask(farm, agents[i], SEAL_WORK, MESSAGE_CLAIM, &request));
            assert_true(message_id_equal(&request.agent, &agents[i]->id));
            farm_answer(farm, request.slot, MESSAGE_GRANT);
            peers_commit(farm->peers);
            assert_int_equal(farm_last_kind(farm, agents[i], SEAL_WORK), MESSAGE_GRANT);
        }
    }
}

/* Five of whom one is quiet: it loses its place, the others keep theirs and their sessions. */
static void whoever_was_heard_of_lately_keeps_its_place(void **state)
{
    struct farm *farm = *state;
    struct peers_figures before, after;
    struct peer_request request;
    struct agent *agents[5];

    for (int i = 0; i < 4; i++)
        agents[i] = farm_agent(farm);
    for (int i = 0; i < 4; i++)
        assert_true(farm_ask(farm, agents[i], SEAL_WORK, MESSAGE_CLAIM, &request));
    assert_true(farm_ask(farm, agents[0], SEAL_WORK, MESSAGE_CLAIM, &request)); /* 1 is quiet */
    peers_commit(farm->peers);
    agents[4] = farm_agent(farm);
    assert_true(farm_ask(farm, agents[4], SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_commit(farm->peers);
    peers_figures(farm->peers, &before);
    for (int i = 0; i < 5; i++)
        if (i != 1)
            assert_true(farm_ask(farm, agents[i], SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_figures(farm->peers, &after);
    assert_int_equal(after.sessions, before.sessions);
}

/* Within one commit nothing that was touched may go: one more must wait. */
static void a_full_table_drops_the_newcomer(void **state)
{
    struct farm *farm = *state;
    struct peer_request request;

    for (int i = 0; i < 4; i++)
        assert_true(farm_ask(farm, farm_agent(farm), SEAL_WORK, MESSAGE_CLAIM, &request));
    assert_false(farm_ask(farm, farm_agent(farm), SEAL_WORK, MESSAGE_CLAIM, &request));
    peers_commit(farm->peers);
    assert_true(farm_ask(farm, &farm->agents[4], SEAL_WORK, MESSAGE_CLAIM, &request));
}

static void an_answer_that_does_not_fit_leaves_the_slot_open(void **state)
{
    struct farm *farm = *state;
    struct agent *agent = farm_agent(farm);
    struct peer_request request;
    struct err err = ERR_INIT;

    assert_true(farm_ask(farm, agent, SEAL_WORK, MESSAGE_CLAIM, &request));
    wire_sample(MESSAGE_GRANT, farm->message);
    farm->message->u.grant.job_count = MESSAGE_JOBS_MAX + 1;
    BASE_FAILS(peers_answer(farm->peers, request.slot, farm->message, &err), &err, ERR_TOO_BIG,
               "`jobs`");
    assert_true(peers_waits(farm->peers, request.slot));
    peers_refuse(farm->peers, request.slot, &err);
    peers_commit(farm->peers);
    assert_int_equal(farm_last_kind(farm, agent, SEAL_WORK), MESSAGE_REFUSED);
}

#define FARM_TEST(name) cmocka_unit_test_setup_teardown(name, farm_open, farm_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FARM_TEST(a_request_is_handed_out_with_who_sent_it),
        FARM_TEST(an_answer_leaves_with_the_commit_and_not_before),
        FARM_TEST(a_repeated_request_gets_the_same_bytes_at_its_new_route),
        FARM_TEST(a_repetition_of_a_held_request_is_told_to_wait_and_moves_its_route),
        FARM_TEST(an_answer_goes_to_the_repetition_that_got_no_sign),
        FARM_TEST(a_new_request_closes_the_slot_before_it),
        FARM_TEST(channels_and_agents_do_not_meet),
        FARM_TEST(what_was_recorded_has_no_effect_when_replayed),
        FARM_TEST(an_agent_that_starts_anew_gets_a_new_session),
        FARM_TEST(a_coordinator_that_starts_anew_is_followed),
        FARM_TEST(after_an_abort_everything_can_be_asked_again),
        FARM_TEST(after_an_abort_a_request_without_an_answer_is_new_again),
        FARM_TEST(a_request_of_an_earlier_session_is_not_handled),
        FARM_TEST(strangers_and_forgers_get_no_answer),
        FARM_TEST(an_answer_that_is_sent_back_is_no_request),
        FARM_TEST(garbage_is_counted_and_dropped),
        FARM_TEST(nonsense_from_a_known_agent_is_refused_with_a_reason),
        FARM_TEST(one_that_enrols_proves_its_key_and_says_nothing_else),
        FARM_TEST(one_cannot_enrol_anothers_key),
        FARM_TEST(an_agent_that_is_forgotten_is_looked_up_again),
        FARM_TEST(the_one_heard_of_longest_ago_makes_room),
        FARM_TEST(whoever_was_heard_of_lately_keeps_its_place),
        FARM_TEST(a_full_table_drops_the_newcomer),
        FARM_TEST(an_answer_that_does_not_fit_leaves_the_slot_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
