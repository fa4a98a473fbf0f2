#include "agent/verify/lockstep.h"

#include "storage/base/check.h"

#include <string.h>

/* How far one host is, in marks. */
struct runner {
    uint64_t asked, answered;
    struct place ring[LOCKSTEP_AHEAD];
};

struct run {
    const struct lockstep *how;
    struct lockstep_result *out;
    uint64_t total;  /* marks */
    uint64_t agreed; /* marks at which all agreed */
    struct runner runners[LOCKSTEP_PEERS_MAX];
};

bool place_read(const struct verify_message *answer, struct place *out)
{
    if (answer->value_count != PLACE_COUNT || answer->bytes.size < HASH_SIZE ||
        answer->values[PLACE_STOP] >= VERIFY_STOP_COUNT)
        return false;
    out->at = answer->values[PLACE_AT];
    out->stop = (enum verify_stop)answer->values[PLACE_STOP];
    out->input = answer->values[PLACE_INPUT];
    out->input_offset = answer->values[PLACE_INPUT_AT];
    out->virtual_ns = answer->values[PLACE_VIRTUAL_NS];
    memcpy(out->state_id.bytes, answer->bytes.data, HASH_SIZE);
    return true;
}

bool place_equal(const struct place *a, const struct place *b)
{
    return a->at == b->at && hash_equal(&a->state_id, &b->state_id);
}

static uint64_t name_of(const struct run *run, uint64_t mark)
{
    uint64_t length = run->how->to - run->how->from;

    return mark * run->how->every < length ? run->how->from + mark * run->how->every : run->how->to;
}

static bool is_out(const struct run *run, size_t i)
{
    return peer_failure(run->how->peers[i]) != NULL;
}

static void ask_more(struct run *run, size_t i)
{
    struct runner *runner = &run->runners[i];

    while (!is_out(run, i) && runner->asked < run->total &&
           runner->asked < run->agreed + LOCKSTEP_AHEAD) {
        struct verify_message request = {.verb = VERIFY_RUN, .value_count = RUN_COUNT};
        runner->asked++;
        request.values[RUN_TO] = name_of(run, runner->asked);
        request.values[RUN_SETTLED] = run->how->keep_all ? 0 : name_of(run, run->agreed);
        peer_ask(run->how->peers[i], &request,
                 name_of(run, runner->asked) - name_of(run, runner->asked - 1));
    }
}

static void take_answers(struct run *run, size_t i)
{
    struct runner *runner = &run->runners[i];
    struct peer *peer = run->how->peers[i];
    struct verify_message answer;

    while (peer_answer(peer, &answer)) {
        struct place *place = &runner->ring[runner->answered % LOCKSTEP_AHEAD];
        char text[ERR_TEXT_MAX];
        if (answer.kind != ERR_NONE) {
            verify_text(answer.text, text, sizeof text);
            peer_fail(peer, answer.kind, "%s", text);
            return;
        }
        if (!place_read(&answer, place) || place->at > name_of(run, runner->answered + 1)) {
            peer_fail(peer, ERR_INVALID, "it speaks nonsense: no such place");
            return;
        }
        run->out->run_ns[i] += answer.values[PLACE_RUN_NS];
        run->out->digest_ns[i] += answer.values[PLACE_DIGEST_NS];
        runner->answered++;
    }
}

/* Whether every host that is left has reached the next mark; false too if none is left. */
static bool all_there(const struct run *run)
{
    bool any = false;

    for (size_t i = 0; i < run->how->count; i++) {
        if (is_out(run, i))
            continue;
        if (run->runners[i].answered <= run->agreed)
            return false;
        any = true;
    }
    return any;
}

/* Compares the next mark. False: they differ. */
static bool compare(struct run *run)
{
    const struct place *first = NULL;
    bool equal = true, ended = true;

    for (size_t i = 0; i < run->how->count; i++) {
        const struct place *place = &run->runners[i].ring[run->agreed % LOCKSTEP_AHEAD];
        if (is_out(run, i))
            continue;
        run->out->places[i] = *place;
        if (first == NULL)
            first = place;
        equal = equal && place_equal(first, place);
        ended = ended && place->stop != VERIFY_STOP_MARK;
    }
    run->out->ended = ended;
    run->out->marks++;
    return equal;
}

static size_t waiting(const struct run *run)
{
    size_t count = 0;

    for (size_t i = 0; i < run->how->count; i++)
        count += peer_waiting(run->how->peers[i]);
    return count;
}

/* Answers to what was asked ahead are of no use any more. */
static void drain(struct run *run)
{
    while (waiting(run) != 0) {
        struct verify_message answer;
        peers_wait(run->how->peers, run->how->count);
        for (size_t i = 0; i < run->how->count; i++)
            while (peer_answer(run->how->peers[i], &answer))
                ;
    }
}

static void compare_all(struct run *run)
{
    while (!run->out->differ && !run->out->ended && all_there(run)) {
        if (!compare(run)) {
            run->out->differ = true;
            return;
        }
        run->agreed++;
        if (run->how->progress != NULL)
            run->how->progress(run->how->context, name_of(run, run->agreed));
    }
}

void lockstep_run(const struct lockstep *lockstep, struct lockstep_result *out)
{
    struct run *run = mem_alloc(sizeof *run);

    CHECK(lockstep->count <= LOCKSTEP_PEERS_MAX && lockstep->every != 0);
    memset(out, 0, sizeof *out);
    run->how = lockstep;
    run->out = out;
    run->total = (lockstep->to - lockstep->from + lockstep->every - 1) / lockstep->every;
    while (run->agreed < run->total && !out->differ && !out->ended) {
        for (size_t i = 0; i < lockstep->count; i++)
            ask_more(run, i);
        if (waiting(run) == 0)
            break; /* all failed */
        peers_wait(lockstep->peers, lockstep->count);
        for (size_t i = 0; i < lockstep->count; i++)
            take_answers(run, i);
        compare_all(run);
    }
    drain(run);
    out->agreed = name_of(run, run->agreed);
    out->mark = name_of(run, run->agreed + 1);
    mem_free(run);
}
