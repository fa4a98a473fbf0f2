#include "agent/farm/worker.h"

#include "agent/boot.h"
#include "agent/build.h"
#include "agent/farm/child.h"
#include "agent/suite.h"
#include "agent/verify/host.h"
#include "jobs/payload.h"
#include "storage/base/file.h"
#include "storage/blob.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define PLACES_MAX (JOB_SPEC_BLOBS_MAX + 1)
#define CPU_SPARE  30 /* seconds of CPU time over the wall-clock limit */

/* All that one job needs until it is over. */
struct working {
    const struct worker_place *place;
    const struct worker_order *order;
    struct session *session; /* NULL: none given */
    struct store *store;
    struct image_cache *cache;
    struct job_spec *spec;
    struct buf payload;
    struct buf answers;
    struct worker_outcome out;
    struct suite_outcome test;
    struct boot_result boot;
    uint64_t begun_ns;
};

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(&clock_host);
}

/* The spec and its blobs are all that a test may read; a boot writes to the store. */
static bool enter_walls(const struct working *working, struct err *err)
{
    const struct worker_order *order = working->order;
    uint64_t wall_ms = order->guard_ms != 0 ? order->guard_ms : WORKER_WALL_MS;
    const char *readable[PLACES_MAX];
    struct confine_rules rules = {.kind = order->kind == JOB_BOOT ? CONFINE_BOOT : CONFINE_TEST,
                                  .readable = readable,
                                  .memory_bytes = working->place->memory_bytes != 0
                                                      ? working->place->memory_bytes
                                                      : WORKER_MEMORY,
                                  .cpu_s = wall_ms / 1000 + CPU_SPARE};
    bool ok;

    if (order->trespass == 1 + CONFINE_TIME)
        rules.cpu_s = 1;
    if (working->place->confinement == NULL)
        return true;
    if (rules.kind == CONFINE_BOOT)
        rules.writable = store_location(working->store);
    if (order->trespass == 0)
        readable[rules.readable_count++] = store_blob_path(working->store, &order->spec);
    for (uint32_t i = 0; i < order->blob_count; i++)
        readable[rules.readable_count++] = store_blob_path(working->store, &order->blobs[i]);
    ok = confine_enter(working->place->confinement, &rules, err);
    for (size_t i = 0; i < rules.readable_count; i++)
        mem_free((char *)(uintptr_t)readable[i]);
    return ok;
}

static bool read_spec(struct working *working, struct err *err)
{
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    bool ok = store_blob_get(working->store, &working->order->spec, &bytes, err) &&
              job_spec_decode(buf_span(&bytes), &working->spec, err);

    buf_release(&bytes);
    if (!ok)
        return err_wrap(err, "the job's description");
    if (working->spec->kind == (enum job_kind)working->order->kind)
        return true;
    return err_set(err, ERR_INVALID, "the job is a %s, not a %s as the order says",
                   job_kind_name(working->spec->kind),
                   job_kind_name((enum job_kind)working->order->kind));
}

/* The payload comes as bytes, other files by their path in the store: looked at once, since a store
 * may be damaged. */
static bool place_blobs(struct working *working, struct err *err)
{
    for (size_t i = 0; i < working->spec->blob_count; i++) {
        const struct job_blob *blob = &working->spec->blobs[i];
        bool payload = strcmp(blob->name, "payload") == 0;
        struct buf bytes = BUF_INIT(PAYLOAD_BYTES_MAX);
        bool ok =
            store_blob_get(working->store, &blob->hash, payload ? &working->payload : &bytes, err);
        char *path = store_blob_path(working->store, &blob->hash);
        if (ok && !payload)
            job_spec_place(working->spec, i, path);
        mem_free(path);
        buf_release(&bytes);
        if (!ok)
            return err_wrap(err, "%s", blob->name);
    }
    return true;
}

static void sign(struct working *working, const struct signature *signature)
{
    struct buf text = BUF_INIT(2048);
    struct err ignored = ERR_INIT;

    if (signature->title[0] != 0 && signature_text(signature, &text, &ignored)) {
        outcome_text(working->out.signature, OUTCOME_SIGNATURE_MAX, buf_span(&text));
        working->out.signature_hash = hash_of(buf_span(&text));
    }
    buf_release(&text);
}

static bool are_wanted(const struct working *working)
{
    switch (working->spec->test.artifacts_when) {
    case JOB_ARTIFACTS_ON_FAILURE:
        return working->out.verdict != VERDICT_PASS;
    case JOB_ARTIFACTS_ON_SUCCESS:
        return working->out.verdict == VERDICT_PASS;
    case JOB_ARTIFACTS_ALWAYS:
        break;
    }
    return true;
}

static void keep_artifact(struct worker_outcome *out, const struct payload_item *item, size_t *room)
{
    struct outcome_artifact *artifact = &out->artifacts[out->artifact_count];

    if (item->folder)
        return;
    if (out->artifact_count == OUTCOME_ARTIFACTS_MAX || item->content.size > *room ||
        strlen(item->path) > OUTCOME_NAME_MAX ||
        (out->artifact_count != 0 && strcmp(item->path, out->artifacts[0].name) == 0)) {
        out->cut = true;
        return;
    }
    snprintf(artifact->name, sizeof artifact->name, "%s", item->path);
    artifact->bytes = item->content;
    *room -= item->content.size;
    out->artifact_count++;
}

/* Where two hosts went different ways is seen by comparing these. The first of all artifacts: none
 * of the guest's takes its place. */
static void keep_states(struct working *working)
{
    struct worker_outcome *out = &working->out;
    const struct buf *states = &working->test.run.states;

    if (states->size == 0)
        return;
    snprintf(out->artifacts[0].name, sizeof out->artifacts[0].name, WORKER_STATES);
    out->artifacts[0].bytes = buf_span(states);
    out->artifact_count = 1;
}

/* The archive that the guest left on its result disk. */
static bool take_artifacts(struct working *working, struct session *session, struct err *err)
{
    const char *path = store_tag_fact(&session->facts, FACT_RESULT_DISK);
    struct object *disk = path != NULL ? machine_find(session->machine, path) : NULL;
    size_t room = OUTCOME_ARTIFACT_BYTES - working->test.run.states.size;
    struct payload_reader reader;
    struct payload_item item;

    if (working->spec->test.result_count == 0 || !are_wanted(working))
        return true;
    if (disk == NULL || disk->images[0] == NULL)
        return err_set(err, ERR_INVALID, "the checkpoint has no result disk");
    reader = payload_reader((struct span){disk->images[0]->data, (size_t)disk->images[0]->size});
    while (payload_next(&reader, &item, err))
        keep_artifact(&working->out, &item, &room);
    return err->kind == ERR_NONE || err_wrap(err, "results");
}

static void limit_wall(struct working *working)
{
    struct test_limits *limits = &working->spec->test.limits;
    uint64_t most = working->order->wall_ms;

    if (limits->wall_ms == 0)
        limits->wall_ms = RUNNER_WALL_MS;
    if (most != 0 && limits->wall_ms > most)
        limits->wall_ms = most;
}

static bool run_test(struct working *working, struct err *err)
{
    struct worker_outcome *out = &working->out;
    const struct suite_outcome *test = &working->test;
    struct job_file file;
    struct suite_options options = {
        .file = &file, .digest = working->spec->digest, .payload = buf_span(&working->payload)};
    bool fresh = working->spec->test.elf != NULL || working->spec->test.skip;

    if (!fresh && working->session == NULL)
        return err_set(err, ERR_INVALID, "the job has no checkpoint to start from");
    limit_wall(working);
    job_spec_suite(working->spec, &file);
    if (fresh)
        suite_run_test(&options, &file.tests[0], &working->test);
    else
        suite_run_test_on(&options, &file.tests[0], working->session, &working->test);
    outcome_set(out, test->verdict, test->reason);
    out->exit_status = test->run.console.exit_status;
    out->instructions = test->run.instructions;
    out->virtual_ns = test->run.virtual_ns;
    out->state_id = test->run.state_id;
    out->checkpoint = working->order->checkpoint;
    out->console = buf_span(&test->run.log);
    if (out->verdict != VERDICT_PASS)
        sign(working, &test->run.signature);
    keep_states(working);
    return fresh || out->verdict == VERDICT_INFRA || take_artifacts(working, working->session, err);
}

/* What `thaw verify` asks of a machine. Neither a state nor a count goes with it: hosts that go
 * different ways are what it looks for, and no disagreement between agents over a test. */
static bool run_script(struct working *working, struct err *err)
{
    struct worker_outcome *out = &working->out;
    struct buf requests = BUF_INIT(VERIFY_SCRIPT_MAX);
    bool ok;

    if (working->session == NULL)
        return err_set(err, ERR_INVALID, "the script has no checkpoint to start from");
    ok = file_read(working->spec->test.script, &requests, err) &&
         verify_host_script(working->session, buf_span(&requests), &working->answers, err);
    buf_release(&requests);
    if (!ok)
        return err_wrap(err, "the script");
    outcome_set(out, VERDICT_PASS, "");
    out->checkpoint = working->order->checkpoint;
    snprintf(out->artifacts[0].name, sizeof out->artifacts[0].name, WORKER_ANSWERS);
    out->artifacts[0].bytes = buf_span(&working->answers);
    out->artifact_count = 1;
    return true;
}

static enum verdict verdict_of(enum err_kind kind)
{
    return kind == ERR_TIMEOUT   ? VERDICT_TIMEOUT
           : kind == ERR_INVALID ? VERDICT_FAIL
                                 : VERDICT_INFRA;
}

/* The facts go with the checkpoint under a tag of its own, named by its id: it is that which keeps
 * it, and carries them to other stores. */
static bool name_checkpoint(struct session *session, const struct hash *checkpoint, struct err *err)
{
    struct store_tag *facts = &session->facts;
    struct store_tag named;
    char name[HASH_HEX_SIZE + 3];

    snprintf(name, sizeof name, "id/%s", hash_hex(checkpoint).text);
    store_tag_init(&named, name, &clock_host);
    memcpy(facts->name, named.name, sizeof facts->name);
    facts->when_s = named.when_s;
    facts->checkpoint = *checkpoint;
    store_tag_release(&named);
    return store_tag_set(session->store, facts, err);
}

static bool freeze(struct working *working, struct session *session, struct err *err)
{
    struct store_pin *pin = NULL;
    struct checkpoint_ids ids;
    char text[32];
    bool ok;

    snprintf(text, sizeof text, "%" PRIu64, working->boot.wall_ns / 1000000);
    store_tag_set_fact(&session->facts, FACT_BOOT_MS, text);
    store_tag_set_fact(&session->facts, FACT_INPUTS, hash_hex(&working->order->spec).text);
    ok = session_freeze(session, NULL, &ids, err) &&
         store_pin(session->store, &ids.checkpoint_id, &pin, err) &&
         name_checkpoint(session, &ids.checkpoint_id, err);
    store_unpin(pin);
    if (!ok)
        return err_wrap(err, "freeze");
    session_cache_images(session);
    working->out.state_id = ids.state_id;
    working->out.checkpoint = ids.checkpoint_id;
    outcome_set(&working->out, VERDICT_PASS, "");
    return true;
}

static bool run_boot(struct working *working, struct err *err)
{
    struct worker_outcome *out = &working->out;
    const struct boot_options options = {.clock = &clock_host};
    struct machine_file *file = &working->spec->machine;
    struct session session;
    bool ok;

    if (working->order->wall_ms != 0 &&
        (file->boot_wall_ms == 0 || file->boot_wall_ms > working->order->wall_ms))
        file->boot_wall_ms = working->order->wall_ms;
    session_init(&session, working->store, working->cache);
    ok = boot_run(&session, file, &options, &working->boot, err);
    out->instructions = working->boot.instructions;
    out->virtual_ns = working->boot.virtual_ns;
    out->console = buf_span(&working->boot.console);
    if (!ok)
        outcome_set(out, verdict_of(err->kind), err->text);
    else
        ok = freeze(working, &session, err);
    session_release(&session);
    return ok || out->verdict != VERDICT_INFRA;
}

/* What cannot be had behind the walls: a cache looks at the host when it begins. */
static bool prepare(struct working *working, struct err *err)
{
    const struct image_cache_options cache = {.max_bytes = working->place->cache_bytes};

    return working->order->kind != JOB_BOOT ||
           image_cache_new(working->store, &cache, &working->cache, err);
}

static bool run(struct working *working, struct err *err)
{
    if (!prepare(working, err))
        return false;
    if (!enter_walls(working, err))
        return err_wrap(err, "the worker's walls");
    if (working->order->trespass != 0)
        confine_trespass((enum confine_wall)(working->order->trespass - 1));
    if (!read_spec(working, err) || !place_blobs(working, err))
        return false;
    working->begun_ns = now_ns();
    working->out.thaw_ns = working->begun_ns - working->order->ordered_ns;
    if (working->spec->kind == JOB_BOOT)
        return run_boot(working, err);
    return working->spec->test.script != NULL ? run_script(working, err) : run_test(working, err);
}

static bool write_outcome(const struct working *working, int fd, struct err *err)
{
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    bool ok = outcome_encode(&working->out, &bytes, err) &&
              file_write_all(fd, buf_span(&bytes), "the outcome", err);

    buf_release(&bytes);
    return ok;
}

int worker_run(const struct worker_place *place, const struct worker_order *order,
               struct session *session, int fd)
{
    struct working *working = mem_alloc(sizeof *working);
    struct err err = ERR_INIT;
    bool ok;

    working->place = place;
    working->order = order;
    working->session = session;
    working->payload = (struct buf)BUF_INIT(BUILD_JOB_DISK);
    working->answers = (struct buf)BUF_INIT(OUTCOME_ARTIFACT_BYTES);
    working->store = session != NULL ? session->store : NULL;
    outcome_init(&working->out);
    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
    ok = (session != NULL || store_open(place->store, NULL, &working->store, &err)) &&
         run(working, &err);
    if (!ok)
        outcome_set(&working->out, VERDICT_INFRA, err.text);
    if (working->begun_ns != 0)
        working->out.wall_ns = now_ns() - working->begun_ns;
    err = (struct err)ERR_INIT;
    ok = write_outcome(working, fd, &err);
    job_spec_free(working->spec);
    buf_release(&working->payload);
    buf_release(&working->answers);
    suite_outcome_release(&working->test);
    buf_release(&working->boot.console);
    image_cache_free(working->cache);
    if (session == NULL && working->store != NULL)
        store_close(working->store);
    mem_free(working);
    return ok ? 0 : 1;
}
