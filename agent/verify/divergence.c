/* divergence.c — runs the span in which two hosts part in ever shorter pieces, down to one
 * instruction; compare.c then says what it did. */
#include "agent/verify/divergence.h"

#include "agent/verify/compare.h"

#include <stdio.h>
#include <string.h>

#define PIECES 16u /* into which a span is cut, again and again */

void divergence_release(struct divergence *divergence)
{
    mem_free(divergence->rows);
    divergence->rows = NULL;
    divergence->row_count = 0;
}

static bool go_back(struct peer *peer, uint64_t mark, struct err *err)
{
    struct verify_message request = {.verb = VERIFY_RESTORE, .values = {mark}, .value_count = 1};
    struct verify_message answer;

    return peer_call(peer, &request, &answer, err) ||
           err_wrap(err, "host %s, going back", peer_name(peer));
}

static bool both_back(struct peer *const peers[2], uint64_t mark, struct err *err)
{
    return go_back(peers[0], mark, err) && go_back(peers[1], mark, err);
}

/* The two hosts, and the mark that both go back to before they do it again. */
struct pinning {
    struct peer *peers[2];
    uint64_t base;
    struct divergence *out;
};

static bool check_peers(const struct pinning *pinning, struct err *err)
{
    for (size_t i = 0; i < 2; i++)
        if (peer_failure(pinning->peers[i]) != NULL)
            return err_set(err, ERR_IO, "host %s: %s", peer_name(pinning->peers[i]),
                           peer_failure(pinning->peers[i])->text);
    return true;
}

/* From the base on, a mark every so many instructions, up to where they are known to differ. */
static bool again(const struct pinning *pinning, uint64_t every, uint64_t to,
                  struct lockstep_result *result, struct err *err)
{
    struct lockstep lockstep = {.peers = pinning->peers,
                                .count = 2,
                                .from = pinning->base,
                                .to = to,
                                .every = every,
                                .keep_all = true};

    if (!both_back(pinning->peers, pinning->base, err))
        return false;
    lockstep_run(&lockstep, result);
    return check_peers(pinning, err);
}

static void note_ids(struct divergence *out, const struct lockstep_result *result)
{
    for (size_t i = 0; i < 2; i++)
        out->state_ids[i] = result->places[i].state_id;
}

/* Some faults need what a host remembers of the instructions before (a TLB, decoded code), and
 * looking at the machine on the way makes it forget. So: in one piece from the base, to where? */
static bool search(const struct pinning *pinning, struct lockstep_result *result, struct err *err)
{
    struct divergence *out = pinning->out;

    if (!again(pinning, out->mark - out->agreed, out->mark, result, err))
        return false;
    if (!result->differ)
        return err_set(err, ERR_INVALID,
                       "they agreed when they did it again: one of them is not deterministic");
    note_ids(out, result);
    while (out->mark - out->agreed > 1) {
        uint64_t middle = out->agreed + (out->mark - out->agreed) / 2;
        if (!again(pinning, middle - pinning->base, middle, result, err))
            return false;
        if (result->differ) {
            out->mark = middle;
            note_ids(out, result);
        } else {
            out->agreed = middle;
        }
    }
    return true;
}

/* Narrows the span to one instruction. */
static bool narrow(struct pinning *pinning, struct err *err)
{
    struct divergence *out = pinning->out;
    struct lockstep_result *result = mem_alloc(sizeof *result);
    uint64_t agreed = out->agreed, mark = out->mark;
    bool ok = true;

    while (ok && out->mark - out->agreed > 1) {
        uint64_t every = (out->mark - out->agreed + PIECES - 1) / PIECES;
        pinning->base = out->agreed;
        ok = again(pinning, every, out->mark, result, err);
        if (ok && !result->differ) {
            out->agreed = pinning->base = agreed;
            out->mark = mark;
            ok = search(pinning, result, err);
            mem_free(result);
            return ok;
        }
        out->agreed = result->agreed;
        out->mark = result->mark;
        note_ids(out, result);
    }
    pinning->base = out->agreed;
    mem_free(result);
    return ok;
}

static bool run_to(struct peer *peer, uint64_t to, struct err *err)
{
    struct verify_message request = {
        .verb = VERIFY_RUN, .values = {to, 0}, .value_count = RUN_COUNT};
    struct verify_message answer;

    return peer_call(peer, &request, &answer, err);
}

/* The next instructions of both, as the reference tells. Leaves both at the base. */
static bool look_ahead(const struct pinning *pinning, struct comparison *comparison,
                       struct err *err)
{
    struct verify_message request = {.verb = VERIFY_STATE}, answer;
    struct peer *peer = pinning->peers[0];

    if (!both_back(pinning->peers, pinning->base, err) ||
        (pinning->base != pinning->out->agreed && !run_to(peer, pinning->out->agreed, err)) ||
        !peer_call(peer, &request, &answer, err) ||
        !comparison_take_state(comparison, COMPARISON_BEFORE, answer.bytes, err))
        return false;
    request.verb = VERIFY_NEXT;
    return peer_call(peer, &request, &answer, err) &&
           comparison_take_next(comparison, answer.bytes, err) &&
           both_back(pinning->peers, pinning->base, err);
}

/* Up to and with the instruction, on one of them. */
static bool step(const struct pinning *pinning, size_t which, struct comparison *comparison,
                 struct err *err)
{
    struct peer *peer = pinning->peers[which];
    struct verify_message request = {.verb = VERIFY_STATE}, answer;

    if (!run_to(peer, pinning->out->mark, err) || !peer_call(peer, &request, &answer, err) ||
        !comparison_take_state(comparison, which, answer.bytes, err))
        return false;
    request.verb = VERIFY_CHANGED;
    return peer_call(peer, &request, &answer, err) &&
           comparison_take_changes(comparison, which, answer.bytes, err);
}

static bool fetch_chunk(struct peer *peer, const char *image, uint64_t chunk, uint8_t *out,
                        struct err *err)
{
    struct verify_message request = {
        .verb = VERIFY_CHUNK, .values = {chunk}, .value_count = 1, .text = span_of_text(image)};
    struct verify_message answer;

    if (!peer_call(peer, &request, &answer, err))
        return false;
    if (answer.bytes.size != IMAGE_CHUNK_SIZE)
        return err_set(err, ERR_INVALID, "host %s: no chunk", peer_name(peer));
    memcpy(out, answer.bytes.data, IMAGE_CHUNK_SIZE);
    return true;
}

/* The first byte that differs, in the first chunk that does. */
static bool find_page(const struct pinning *pinning, const struct comparison *comparison,
                      struct err *err)
{
    struct divergence *out = pinning->out;
    uint8_t *bytes[2] = {mem_alloc(IMAGE_CHUNK_SIZE), mem_alloc(IMAGE_CHUNK_SIZE)};
    uint64_t chunk = 0;
    size_t at = 0;
    bool ok = true;

    if (comparison_first_chunk(comparison, out->image, sizeof out->image, &chunk)) {
        ok = fetch_chunk(pinning->peers[0], out->image, chunk, bytes[0], err) &&
             fetch_chunk(pinning->peers[1], out->image, chunk, bytes[1], err);
        while (at < IMAGE_CHUNK_SIZE && bytes[0][at] == bytes[1][at])
            at++;
        out->page_differs = ok && at < IMAGE_CHUNK_SIZE;
    }
    if (out->page_differs) {
        out->offset = chunk * IMAGE_CHUNK_SIZE + at;
        out->page = out->offset / 4096 * 4096;
        out->byte_count =
            IMAGE_CHUNK_SIZE - at < DIVERGENCE_BYTES ? IMAGE_CHUNK_SIZE - at : DIVERGENCE_BYTES;
        for (size_t i = 0; i < 2; i++)
            memcpy(out->bytes[i], bytes[i] + at, out->byte_count);
    }
    mem_free(bytes[0]);
    mem_free(bytes[1]);
    return ok;
}

static bool explain(const struct pinning *pinning, struct err *err)
{
    struct comparison *comparison = comparison_new();
    bool ok = look_ahead(pinning, comparison, err) && step(pinning, 0, comparison, err) &&
              step(pinning, 1, comparison, err) && comparison_fill(comparison, pinning->out, err) &&
              find_page(pinning, comparison, err);

    comparison_free(comparison);
    return ok;
}

static void say(struct divergence *out)
{
    const struct divergence_row *row =
        out->first_row < out->row_count ? &out->rows[out->first_row] : NULL;
    char where[400] = "", what[500] = "";

    if (out->hart[0] != 0)
        snprintf(where, sizeof where, ", %s at %s pc 0x%llx", out->disassembly, out->hart,
                 (unsigned long long)out->pc);
    if (row != NULL)
        snprintf(what, sizeof what, ": %s.%s is 0x%llx on %s and 0x%llx on %s", row->object,
                 row->name, (unsigned long long)row->after[0], out->hosts[0],
                 (unsigned long long)row->after[1], out->hosts[1]);
    else if (out->page_differs)
        snprintf(what, sizeof what, ": %s differs at 0x%llx", out->image,
                 (unsigned long long)out->offset);
    snprintf(out->text, sizeof out->text, "instruction %llu%s%s",
             (unsigned long long)out->instruction, where, what);
}

void divergence_pin(struct peer *reference, struct peer *other, uint64_t agreed, uint64_t mark,
                    struct divergence *out)
{
    struct pinning pinning = {{reference, other}, agreed, out};
    struct err err = ERR_INIT;

    out->agreed = agreed;
    out->mark = mark;
    for (size_t i = 0; i < 2; i++)
        snprintf(out->hosts[i], sizeof out->hosts[i], "%s", peer_name(pinning.peers[i]));
    if (narrow(&pinning, &err)) {
        out->instruction = out->mark;
        out->pinned = explain(&pinning, &err);
        out->base = pinning.base;
    }
    if (out->pinned)
        say(out);
    else
        snprintf(out->text, sizeof out->text, "they part between instruction %llu and %llu; %.700s",
                 (unsigned long long)out->agreed, (unsigned long long)out->mark, err.text);
}
