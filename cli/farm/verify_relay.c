#include "cli/farm/verify_relay.h"

#include "agent/farm/worker.h"
#include "agent/verify/host.h"
#include "cli/farm/client.h"
#include "cli/farm/commands.h"
#include "jobs/json_writer.h"
#include "storage/base/clock.h"
#include "storage/blob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARKS_MAX    8192
#define JSON_MAX     (1u << 20)
#define ANSWERS_MAX  OUTCOME_ARTIFACT_BYTES
#define WAIT_MS      20000
#define GONE_WAIT_MS 1000
#define GONE_NS      (15 * NS_PER_S) /* an agent that is started again is back by then */
#define SCRIPT_FRAME (VERIFY_FRAME_MAX + 64)

/* Where the script can be cut: after a thaw or a run, with what was answered to it. */
struct mark {
    uint64_t name; /* as history.h names marks */
    size_t script_size, frames;
    uint64_t place[PLACE_COUNT];
    struct hash state_id;
};

/* A request that waits for the job. */
struct waiting {
    uint64_t number;
    enum verify_verb verb;
    uint64_t run_to;
    size_t end; /* of its frame in the script */
};

struct relay {
    struct remote *remote;
    char agent[PEER_AGENT_MAX];
    char description[VERIFY_TEXT_MAX];
    char version[40];
    uint64_t bits, big_endian;
    struct store *store;
    struct hash checkpoint;
    struct buf inputs;             /* the frame of INPUTS; empty: none */
    struct buf script;             /* INPUTS, THAW, RUN…, and what else waits */
    size_t frames;                 /* in the script */
    size_t kept_size, kept_frames; /* of it, answered before */
    struct waiting waiting[VERIFY_RELAY_WAITING_MAX];
    size_t waiting_count;
    struct mark *marks;
    size_t mark_count;
    uint64_t run; /* that is under way; 0: none */
};

static bool put(const struct verify_message *answer, struct buf *out, struct err *err)
{
    return verify_message_write(answer, out, err);
}

static bool put_failure(uint64_t number, enum verify_verb verb, const struct err *failure,
                        struct buf *out, struct err *err)
{
    const struct verify_message answer = {
        .number = number, .verb = verb, .kind = failure->kind, .text = span_of_text(failure->text)};

    return put(&answer, out, err);
}

/* ---- the agent ---- */

static bool learn(struct relay *relay, const json_t *agent, struct err *err)
{
    const char *state = client_text(agent, "state");

    if (strcmp(state, "online") != 0)
        return err_set(err, ERR_CONFLICT, "agent %s is %s", relay->agent, state);
    snprintf(relay->description, sizeof relay->description, "agent on %s %s",
             client_text(agent, "os"), client_text(agent, "arch"));
    snprintf(relay->version, sizeof relay->version, "%s", client_text(agent, "version"));
    relay->bits = (uint64_t)client_number(agent, "word_bits");
    relay->big_endian = json_is_true(json_object_get(agent, "big_endian"));
    return true;
}

static bool find_agent(struct relay *relay, struct err *err)
{
    json_t *answer;
    bool ok = client_ask(relay->remote, "GET", "agents", (struct span){0}, &answer, err);
    const json_t *list = ok ? json_object_get(answer, "agents") : NULL;
    bool found = false;

    for (size_t i = 0; ok && !found && i < json_array_size(list); i++) {
        const json_t *agent = json_array_get(list, i);
        found = strcmp(client_text(agent, "name"), relay->agent) == 0;
        if (found)
            ok = learn(relay, agent, err);
    }
    json_decref(answer);
    return ok && (found || err_set(err, ERR_NOT_FOUND, "no agent is called %s", relay->agent));
}

bool relay_open(struct remote *remote, const char *agent, struct relay **out, struct err *err)
{
    struct relay *relay;

    if (strlen(agent) >= PEER_AGENT_MAX)
        return err_set(err, ERR_USAGE, "\"%.60s…\" is no agent's name", agent);
    relay = mem_alloc(sizeof *relay);
    relay->remote = remote;
    snprintf(relay->agent, sizeof relay->agent, "%s", agent);
    relay->inputs = (struct buf)BUF_INIT(SCRIPT_FRAME);
    relay->script = (struct buf)BUF_INIT(VERIFY_SCRIPT_MAX);
    relay->marks = mem_array(MARKS_MAX, sizeof *relay->marks);
    if (find_agent(relay, err)) {
        *out = relay;
        return true;
    }
    relay_close(relay);
    return false;
}

void relay_close(struct relay *relay)
{
    struct err ignored = ERR_INIT;
    json_t *answer = NULL;
    char path[64];

    if (relay->run != 0) {
        snprintf(path, sizeof path, "runs/%" PRIu64 "/cancel", relay->run);
        (void)client_ask(relay->remote, "POST", path, (struct span){0}, &answer, &ignored);
        json_decref(answer);
    }
    store_close(relay->store);
    buf_release(&relay->inputs);
    buf_release(&relay->script);
    mem_free(relay->marks);
    mem_free(relay);
}

/* ---- a job ---- */

/* Stores and sends the script and the spec that names it; the spec's hash. */
static bool send_spec(struct relay *relay, struct hash *spec_hash, struct err *err)
{
    struct job_blob blob = {"script", {{0}}, relay->script.size};
    struct job_spec spec = {.kind = JOB_TEST,
                            .suite = "verify",
                            .name = "script",
                            .work = "/",
                            .test = {.script = "script"},
                            .blobs = &blob,
                            .blob_count = 1};
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    bool ok = store_blob_put(relay->store, buf_span(&relay->script), &blob.hash, err) &&
              job_spec_encode(&spec, &bytes, err) &&
              store_blob_put(relay->store, buf_span(&bytes), spec_hash, err) &&
              remote_push_blob(relay->remote, relay->store, &blob.hash, err) &&
              remote_push_blob(relay->remote, relay->store, spec_hash, err);

    buf_release(&bytes);
    return ok;
}

static void write_job(const struct relay *relay, const struct hash *spec, struct json_writer *json)
{
    char tag[PEER_AGENT_MAX + 8];

    json_write_key(json, "jobs");
    json_write_array(json);
    json_write_object(json);
    json_write_key_text(json, "name", "script");
    json_write_key_text(json, "group", "script");
    json_write_key_text(json, "suite", "verify");
    json_write_key_text(json, "kind", "test");
    json_write_key_text(json, "spec", hash_hex(spec).text);
    json_write_key_text(json, "checkpoint", hash_hex(&relay->checkpoint).text);
    json_write_key(json, "host");
    json_write_array(json);
    snprintf(tag, sizeof tag, "agent:%s", relay->agent);
    json_write_text(json, tag);
    json_write_close(json);
    json_write_close(json);
    json_write_close(json);
}

/* A run of one job. */
static bool send_job(struct relay *relay, const struct hash *spec, struct err *err)
{
    struct buf body = BUF_INIT(JSON_MAX);
    struct json_writer json = json_writer(&body, false, err);
    char name[PEER_AGENT_MAX + 32];
    json_t *answer = NULL;
    bool ok;

    snprintf(name, sizeof name, "verify on %s", relay->agent);
    json_write_object(&json);
    json_write_key_text(&json, "name", name);
    json_write_key_text(&json, "submitter", submit_who());
    json_write_key(&json, "options");
    json_write_object(&json);
    json_write_key_bool(&json, "no_cache", true);
    json_write_close(&json);
    write_job(relay, spec, &json);
    json_write_close(&json);
    ok = json_writer_ok(&json) &&
         client_ask(relay->remote, "POST", "runs", buf_span(&body), &answer, err);
    relay->run = ok ? (uint64_t)client_number(answer, "run") : 0;
    json_decref(answer);
    buf_release(&body);
    return ok;
}

/* Until the run is over, or nobody has been there for a while who may do its job, which is for this
 * agent alone. */
static bool wait_done(const struct relay *relay, struct err *err)
{
    uint64_t event = 0, gone_ns = 0; /* since when; 0: it is there */
    bool over = false, gone;

    while (!over) {
        const int wait_ms = gone_ns != 0 ? GONE_WAIT_MS : WAIT_MS;
        char path[96];
        json_t *answer;
        snprintf(path, sizeof path, "runs/%" PRIu64 "?after_event=%" PRIu64 "&wait_ms=%d",
                 relay->run, event, event == 0 ? 0 : wait_ms);
        if (!client_ask(relay->remote, "GET", path, (struct span){0}, &answer, err))
            return false;
        event = (uint64_t)client_number(answer, "event");
        over = strcmp(client_text(answer, "state"), "done") == 0 ||
               strcmp(client_text(answer, "state"), "cancelled") == 0;
        gone = !over && json_array_size(json_object_get(answer, "unserved")) != 0;
        json_decref(answer);
        const uint64_t now_ns = clock_monotonic_ns(&clock_host);
        if (!gone || gone_ns == 0)
            gone_ns = gone ? now_ns : 0;
        else if (now_ns - gone_ns >= GONE_NS)
            return err_set(err, ERR_IO, "agent %s has gone", relay->agent);
    }
    return true;
}

/* The answers that the job left, or why there are none. */
static bool fetch_answers(const struct relay *relay, struct buf *out, struct err *err)
{
    const json_t *job, *artifacts;
    char path[96];
    json_t *answer;
    bool ok;

    snprintf(path, sizeof path, "runs/%" PRIu64 "/jobs?limit=1", relay->run);
    if (!client_ask(relay->remote, "GET", path, (struct span){0}, &answer, err))
        return false;
    job = json_array_get(json_object_get(answer, "jobs"), 0);
    artifacts = json_object_get(job, "artifacts");
    if (strcmp(client_text(job, "verdict"), "pass") != 0 || json_array_size(artifacts) == 0)
        ok = err_set(err, ERR_IO, "agent %s: %s", relay->agent, client_text(job, "reason"));
    else
        ok =
            client_blob(relay->remote, client_text(json_array_get(artifacts, 0), "hash"), out, err);
    json_decref(answer);
    return ok;
}

static bool run_job(struct relay *relay, struct buf *answers, struct err *err)
{
    struct hash spec;

    if (!send_spec(relay, &spec, err) || !send_job(relay, &spec, err) || !wait_done(relay, err))
        return false;
    if (!fetch_answers(relay, answers, err))
        return false;
    relay->run = 0;
    return true;
}

/* ---- requests ---- */

static void add_mark(struct relay *relay, const struct waiting *asked,
                     const struct verify_message *answer)
{
    struct mark *mark = &relay->marks[relay->mark_count];

    if (relay->mark_count == MARKS_MAX || answer->value_count != PLACE_COUNT ||
        answer->bytes.size < HASH_SIZE)
        return;
    mark->name = asked->verb == VERIFY_THAW ? answer->values[PLACE_AT] : asked->run_to;
    memcpy(mark->place, answer->values, sizeof mark->place);
    memcpy(mark->state_id.bytes, answer->bytes.data, HASH_SIZE);
    mark->script_size = relay->kept_size;
    mark->frames = relay->kept_frames;
    relay->mark_count++;
}

/* What only looked is not asked again: the script keeps what moves the machine. */
static void keep_frame(struct relay *relay, const struct waiting *asked, size_t begin)
{
    size_t size = asked->end - begin;

    if (asked->verb != VERIFY_THAW && asked->verb != VERIFY_RUN)
        return;
    memmove(relay->script.data + relay->kept_size, relay->script.data + begin, size);
    relay->kept_size += size;
    relay->kept_frames++;
}

/* The answers to what waited, behind those that are known. */
static bool hand_out(struct relay *relay, struct span answers, struct buf *out, struct err *err)
{
    size_t begin = relay->kept_size, skip = relay->kept_frames, size = 0;
    struct verify_message answer;

    for (size_t i = 0; i < skip + relay->waiting_count; i++) {
        const struct waiting *asked = i < skip ? NULL : &relay->waiting[i - skip];
        if (!verify_frame_size(answers, &size, err) || size == 0 ||
            !verify_message_read((struct span){answers.data, size}, &answer, err))
            return err_set(err, ERR_INVALID, "agent %s answered nonsense", relay->agent);
        answers = (struct span){answers.data + size, answers.size - size};
        if (asked == NULL)
            continue;
        if (answer.verb != asked->verb)
            return err_set(err, ERR_INVALID, "agent %s answered something else", relay->agent);
        answer.number = asked->number;
        if (!put(&answer, out, err))
            return false;
        keep_frame(relay, asked, begin);
        begin = asked->end;
        if (answer.kind == ERR_NONE && (asked->verb == VERIFY_THAW || asked->verb == VERIFY_RUN))
            add_mark(relay, asked, &answer);
    }
    return true;
}

bool relay_flush(struct relay *relay, struct buf *out, struct err *err)
{
    struct buf answers = BUF_INIT(ANSWERS_MAX);
    struct err failure = ERR_INIT;
    size_t handed = out->size;
    bool ok = true;

    if (relay->waiting_count == 0)
        return true;
    if (!run_job(relay, &answers, &failure) ||
        !hand_out(relay, buf_span(&answers), out, &failure)) {
        out->size = handed;
        for (size_t i = 0; ok && i < relay->waiting_count; i++)
            ok = put_failure(relay->waiting[i].number, relay->waiting[i].verb, &failure, out, err);
    }
    relay->script.size = relay->kept_size;
    relay->waiting_count = 0;
    buf_release(&answers);
    return ok;
}

/* The request joins the script. */
static bool wait_for_job(struct relay *relay, const struct verify_message *request,
                         struct span frame, struct buf *out, struct err *err)
{
    struct waiting *asked;

    if (relay->waiting_count == VERIFY_RELAY_WAITING_MAX && !relay_flush(relay, out, err))
        return false;
    if (!buf_append(&relay->script, frame.data, frame.size, err))
        return false;
    asked = &relay->waiting[relay->waiting_count++];
    *asked = (struct waiting){.number = request->number,
                              .verb = request->verb,
                              .run_to = request->value_count != 0 ? request->values[RUN_TO] : 0,
                              .end = relay->script.size};
    return true;
}

/* A thaw begins a script; the checkpoint goes to the coordinator's store. */
static bool begin_script(struct relay *relay, const struct verify_message *request, struct buf *out,
                         struct err *err)
{
    struct verify_message thaw = *request;
    struct buf frame = BUF_INIT(SCRIPT_FRAME);
    struct hash_hex id;
    char name[VERIFY_TEXT_MAX];
    bool ok;

    verify_text(request->text, name, sizeof name);
    if (relay->store == NULL)
        return err_set(err, ERR_USAGE, "no store was opened");
    if (!store_resolve(relay->store, name, &relay->checkpoint, err) ||
        !remote_push_checkpoint(relay->remote, relay->store, &relay->checkpoint, NULL, err))
        return false;
    id = hash_hex(&relay->checkpoint);
    thaw.text = span_of_text(id.text);
    relay->script.size = 0;
    relay->mark_count = 0;
    ok = buf_append(&relay->script, relay->inputs.data, relay->inputs.size, err) &&
         verify_message_write(&thaw, &frame, err);
    relay->kept_size = relay->script.size;
    relay->kept_frames = relay->inputs.size != 0;
    ok = ok && wait_for_job(relay, &thaw, buf_span(&frame), out, err);
    buf_release(&frame);
    return ok;
}

static bool restore(struct relay *relay, const struct verify_message *request, struct buf *out,
                    struct err *err)
{
    size_t at = relay->mark_count;

    while (at > 0 && (request->value_count == 0 || relay->marks[at - 1].name != request->values[0]))
        at--;
    if (at == 0)
        return err_set(err, ERR_NOT_FOUND, "no such mark");
    const struct mark *mark = &relay->marks[at - 1];
    struct verify_message answer = {.number = request->number,
                                    .verb = VERIFY_RESTORE,
                                    .value_count = PLACE_COUNT,
                                    .bytes = {mark->state_id.bytes, HASH_SIZE}};

    memcpy(answer.values, mark->place, sizeof mark->place);
    answer.values[PLACE_STOP] = VERIFY_STOP_MARK;
    relay->mark_count = at;
    relay->script.size = relay->kept_size = mark->script_size;
    relay->kept_frames = mark->frames;
    return put(&answer, out, err);
}

static bool hello(const struct relay *relay, const struct verify_message *request, struct buf *out,
                  struct err *err)
{
    const struct verify_message answer = {
        .number = request->number,
        .verb = VERIFY_HELLO,
        .values = {VERIFY_VERSION, relay->bits, relay->big_endian},
        .value_count = HELLO_COUNT,
        .text = span_of_text(relay->description),
        .bytes = span_of_text(relay->version)};

    return put(&answer, out, err);
}

static bool open_store(struct relay *relay, const struct verify_message *request, struct err *err)
{
    char location[VERIFY_TEXT_MAX];

    verify_text(request->text, location, sizeof location);
    store_close(relay->store);
    relay->store = NULL;
    return store_open(location, NULL, &relay->store, err);
}

/* What is known at once. */
static bool answer_now(struct relay *relay, const struct verify_message *request, struct span frame,
                       struct buf *out, struct err *err)
{
    const struct verify_message done = {.number = request->number, .verb = request->verb};

    switch (request->verb) {
    case VERIFY_HELLO:
        return hello(relay, request, out, err);
    case VERIFY_OPEN:
        return open_store(relay, request, err) && put(&done, out, err);
    case VERIFY_INPUTS:
        buf_clear(&relay->inputs);
        return buf_append(&relay->inputs, frame.data, frame.size, err) && put(&done, out, err);
    case VERIFY_RESTORE:
        return restore(relay, request, out, err);
    default:
        return err_set(err, ERR_UNSUPPORTED,
                       "an agent of a farm takes part without --matrix, --ring and --store");
    }
}

bool relay_take(struct relay *relay, struct span frame, struct buf *out, struct err *err)
{
    struct verify_message request;
    struct err failure = ERR_INIT;
    bool ok;

    if (!verify_message_read(frame, &request, err))
        return false;
    switch (request.verb) {
    case VERIFY_RUN:
    case VERIFY_STATE:
    case VERIFY_CHANGED:
    case VERIFY_CHUNK:
    case VERIFY_NEXT:
        ok = relay->mark_count + relay->waiting_count != 0
                 ? wait_for_job(relay, &request, frame, out, &failure)
                 : err_set(&failure, ERR_USAGE, "no machine was thawed");
        break;
    case VERIFY_THAW:
        ok = relay_flush(relay, out, err) && begin_script(relay, &request, out, &failure);
        break;
    default:
        ok = relay_flush(relay, out, err) && answer_now(relay, &request, frame, out, &failure);
    }
    if (ok || failure.kind == ERR_NONE)
        return ok;
    return put_failure(request.number, request.verb, &failure, out, err);
}
