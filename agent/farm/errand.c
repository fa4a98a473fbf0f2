#include "agent/farm/errand.h"

#include "agent/guard.h"
#include "agent/runner.h"
#include "storage/base/log.h"

#include <string.h>

#define DISK_DEFAULT (UINT64_C(64) << 20) /* of a disk whose size its file says */

/* ---- fetch ---- */

static uint64_t least_but(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static uint64_t blob_bytes(const struct job_spec *spec)
{
    uint64_t total = 0;

    for (size_t i = 0; i < spec->blob_count; i++)
        total += spec->blobs[i].size;
    return total;
}

/* Address space that the machine takes which a boot, or a bare-metal program, builds. */
static uint64_t machine_bytes(const struct job_spec *spec)
{
    uint64_t total = blob_bytes(spec);

    if (spec->kind == JOB_TEST && spec->test.elf != NULL) {
        struct machine_file *bare = machine_file_bare(spec->test.elf);
        total += bare->boards[0].memory_bytes;
        machine_file_free(bare);
    }
    for (uint32_t i = 0; spec->kind == JOB_BOOT && i < spec->machine.board_count; i++) {
        const struct machine_board *board = &spec->machine.boards[i];
        total += board->memory_bytes;
        for (uint32_t k = 0; k < board->device_count; k++)
            total +=
                board->devices[k].size_bytes != 0 ? board->devices[k].size_bytes : DISK_DEFAULT;
    }
    return total;
}

static void fill_order(struct errand *errand, const struct job_spec *spec)
{
    struct worker_order *order = &errand->order;
    uint64_t own = spec->kind == JOB_BOOT ? spec->machine.boot_wall_ms : spec->test.limits.wall_ms;

    if (own == 0)
        own = spec->kind == JOB_BOOT ? WORKER_WALL_MS : RUNNER_WALL_MS;
    order->token = errand->token;
    order->wall_ms = least_but(errand->job.wall_ms, errand->wall_ms_max);
    order->guard_ms =
        guard_times(least_but(own, order->wall_ms) + ERRAND_GRACE_MS, errand->guard_factor);
    order->spec = errand->job.spec;
    order->checkpoint = errand->job.checkpoint;
    order->kind = (uint32_t)spec->kind;
    order->machine_bytes = machine_bytes(spec);
    order->blob_count = (uint32_t)spec->blob_count;
    for (size_t i = 0; i < spec->blob_count; i++)
        order->blobs[i] = spec->blobs[i].hash;
    if (spec->kind == JOB_BOOT || spec->test.elf != NULL)
        memset(&order->checkpoint, 0, sizeof order->checkpoint);
}

static bool fetch_spec(struct errand *errand, struct depot *depot, struct job_spec **out,
                       struct err *err)
{
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    bool ok = depot_read_blob(depot, &errand->job.spec, &bytes, err) &&
              job_spec_decode(buf_span(&bytes), out, err);

    buf_release(&bytes);
    return ok || err_wrap(err, "the job's description");
}

static bool fetch_checkpoint(struct errand *errand, struct depot *depot, struct err *err)
{
    const struct hash *checkpoint = &errand->order.checkpoint;
    struct err trimming = ERR_INIT;

    if (hash_is_zero(checkpoint))
        return true;
    errand->fetched =
        !exchange_has(depot_store(depot), EXCHANGE_MANIFEST, hash_hex(checkpoint).text);
    if (!depot_fetch_checkpoint(depot, checkpoint, err))
        return err_wrap(err, "the checkpoint");
    if (errand->fetched && errand->max_bytes != 0 &&
        !depot_trim(depot, errand->max_bytes, &clock_host, &trimming))
        log_message(LOG_WARNING, "the local store is not trimmed: %s", trimming.text);
    return true;
}

static bool fetch(struct errand *errand, struct depot *depot, struct err *err)
{
    struct job_spec *spec;
    bool ok = true;

    if (!fetch_spec(errand, depot, &spec, err))
        return false;
    if (spec->kind != errand->job.kind)
        ok = err_set(err, ERR_INVALID, "the job's description is of a %s, its grant of a %s",
                     job_kind_name(spec->kind), job_kind_name(errand->job.kind));
    for (size_t i = 0; ok && i < spec->blob_count; i++)
        ok = depot_fetch_blob(depot, &spec->blobs[i].hash, err) ||
             err_wrap(err, "%s", spec->blobs[i].name);
    if (ok)
        fill_order(errand, spec);
    ok = ok && fetch_checkpoint(errand, depot, err);
    job_spec_free(spec);
    return ok;
}

/* ---- pack ---- */

static void put_blob(struct store *store, struct span bytes, struct hash *id, struct err *err)
{
    if (bytes.size != 0 && !store_blob_put(store, bytes, id, err))
        memset(id, 0, sizeof *id);
}

/* Keeps what the worker left in the local store, and makes the result of it. The blobs are not
 * flushed: after a power loss the result counts, and its log may be missed. */
static bool keep(struct errand *errand, struct store *store, const struct worker_outcome *outcome,
                 struct message_job_result *result)
{
    struct err *err = &errand->err;

    message_job_result_init(result);
    result->lease = errand->job.lease;
    result->job = errand->job.job;
    result->attempt = errand->job.attempt;
    result->verdict = outcome->verdict;
    result->exit_status = outcome->exit_status;
    result->instructions = outcome->instructions;
    result->virtual_ns = outcome->virtual_ns;
    result->thaw_ns = outcome->thaw_ns;
    result->wall_ns = outcome->wall_ns;
    result->state_id = outcome->state_id;
    /* A boot says what it made; what a test started from is known, whatever a worker says. */
    result->checkpoint =
        errand->job.kind == JOB_BOOT ? outcome->checkpoint : errand->job.checkpoint;
    result->reason = span_of_text(outcome->reason);
    result->signature_title = span_of_text(outcome->signature);
    result->signature = outcome->signature_hash;
    result->console_size = outcome->console.size;
    put_blob(store, outcome->console, &result->console, err);
    for (uint32_t i = 0; i < outcome->artifact_count; i++) {
        const struct outcome_artifact *artifact = &outcome->artifacts[i];
        struct message_artifact *kept = &result->artifacts[result->artifact_count++];
        kept->name = span_of_text(artifact->name);
        kept->size = artifact->bytes.size;
        kept->hash = hash_of(artifact->bytes);
        put_blob(store, artifact->bytes, &kept->hash, err);
    }
    return err->kind == ERR_NONE;
}

static bool push_blob(struct depot *depot, const struct hash *id, struct err *err)
{
    struct buf bytes = BUF_INIT(OUTCOME_BYTES_MAX);
    struct hash pushed;
    bool ok = hash_is_zero(id) || (store_blob_get(depot_store(depot), id, &bytes, err) &&
                                   depot_push_blob(depot, buf_span(&bytes), &pushed, err));

    buf_release(&bytes);
    return ok;
}

static bool push(struct depot *depot, const struct message_job_result *result, bool made,
                 struct err *err)
{
    if (depot_is_shared(depot))
        return true;
    if (!push_blob(depot, &result->console, err))
        return err_wrap(err, "the console's log");
    for (uint32_t i = 0; i < result->artifact_count; i++)
        if (!push_blob(depot, &result->artifacts[i].hash, err))
            return err_wrap(err, "an artifact");
    return !made || hash_is_zero(&result->checkpoint) ||
           depot_push_checkpoint(depot, &result->checkpoint, err) ||
           err_wrap(err, "the checkpoint");
}

static void pack(struct errand *errand, struct depot *depot)
{
    struct worker_outcome *outcome = mem_alloc(sizeof *outcome);
    struct message_job_result *result = mem_alloc(sizeof *result);

    spawner_judge(&errand->event, buf_span(&errand->written), outcome);
    errand->ok = keep(errand, depot_store(depot), outcome, result) &&
                 spool_put(errand->spool, result, &errand->err);
    errand->thaw_ns = outcome->thaw_ns;
    errand->slowness = guard_factor(outcome->instructions, outcome->wall_ns);
    if (errand->job.kind == JOB_BOOT)
        errand->made = outcome->checkpoint;
    if (errand->ok)
        errand->pushed = push(depot, result, errand->job.kind == JOB_BOOT, &errand->err);
    mem_free(result);
    mem_free(outcome);
}

/* ---- push ---- */

static void push_again(struct errand *errand, struct depot *depot)
{
    struct message *message = mem_alloc(sizeof *message);
    struct buf bytes = BUF_INIT(0);

    errand->lost = !spool_get(errand->spool, errand->job.lease, &bytes, message, &errand->err);
    errand->ok = !errand->lost && push(depot, &message->u.result.results[0], true, &errand->err);
    if (!errand->lost && !errand->ok &&
        (errand->err.kind == ERR_NOT_FOUND || errand->err.kind == ERR_CORRUPT)) {
        log_message(LOG_WARNING, "a spooled result has lost a part: %s", errand->err.text);
        errand->ok = true;
    }
    errand->pushed = errand->ok;
    buf_release(&bytes);
    mem_free(message);
}

static void work(struct move *move, struct depot *depot)
{
    struct errand *errand = (struct errand *)move;

    errand->err = (struct err)ERR_INIT;
    switch (errand->kind) {
    case ERRAND_FETCH:
        errand->ok = fetch(errand, depot, &errand->err);
        break;
    case ERRAND_PACK:
        pack(errand, depot);
        break;
    case ERRAND_PUSH:
        push_again(errand, depot);
        break;
    }
}

struct errand *errand_new(enum errand_kind kind, uint64_t token, const struct message_job *job)
{
    struct errand *errand = mem_alloc(sizeof *errand);

    errand->move.work = work;
    errand->kind = kind;
    errand->token = token;
    errand->job = *job;
    errand->guard_factor = 1;
    errand->written = (struct buf)BUF_INIT(OUTCOME_BYTES_MAX);
    return errand;
}

void errand_free(struct move *move)
{
    struct errand *errand = (struct errand *)move;

    buf_release(&errand->written);
    mem_free(errand);
}

bool errand_is_transient(const struct errand *errand)
{
    enum err_kind kind = errand->err.kind;

    return kind == ERR_IO || kind == ERR_TIMEOUT || kind == ERR_NO_SPACE || kind == ERR_CONFLICT;
}
