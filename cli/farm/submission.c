#include "cli/farm/submission.h"

#include "jobs/json_writer.h"
#include "storage/hash_map.h"

#include <string.h>

/* A list of hashes that knows what it has. */
struct collection {
    struct hash_list list;
    struct hash_map known;
    size_t room;
};

static void collect(struct collection *collection, const struct hash *id)
{
    bool made;

    (void)hash_map_add(&collection->known, id, &made);
    if (!made)
        return;
    if (collection->list.count == collection->room) {
        size_t room = collection->room == 0 ? 64 : 2 * collection->room;
        struct hash *items = mem_array(room, sizeof *items);
        if (collection->list.count != 0)
            memcpy(items, collection->list.items, collection->list.count * sizeof *items);
        mem_free(collection->list.items);
        collection->list.items = items;
        collection->room = room;
    }
    collection->list.items[collection->list.count++] = *id;
}

/* What is being made of a file. */
struct making {
    const struct job_file *file;
    const struct submission_options *options;
    struct store *store;
    struct job_expanded *expanded;
    struct job_submissions jobs;
    struct collection blobs, checkpoints;
    struct buf *parts;
    size_t part_count;
};

static bool keep_bytes(void *context, struct span bytes, struct hash *id, struct err *err)
{
    struct making *making = context;
    bool ok = store_blob_put(making->store, bytes, id, err);

    if (ok)
        collect(&making->blobs, id);
    return ok;
}

static bool keep_file(void *context, const char *path, struct hash *id, uint64_t *size,
                      struct err *err)
{
    struct making *making = context;
    bool ok = store_blob_put_file(making->store, path, id, size, err);

    if (ok)
        collect(&making->blobs, id);
    return ok;
}

static void write_hash(struct json_writer *json, const char *key, const struct hash *hash)
{
    json_write_key_text(json, key, hash_hex(hash).text);
}

static void write_texts(struct json_writer *json, const char *key, const char *const *texts,
                        size_t count)
{
    if (count == 0)
        return;
    json_write_key(json, key);
    json_write_array(json);
    for (size_t i = 0; i < count; i++)
        json_write_text(json, texts[i]);
    json_write_close(json);
}

static void write_parameters(struct json_writer *json, const struct job_variable *parameters,
                             size_t count)
{
    if (count == 0)
        return;
    json_write_key(json, "parameters");
    json_write_object(json);
    for (size_t i = 0; i < count; i++)
        json_write_key_text(json, parameters[i].name, parameters[i].value);
    json_write_close(json);
}

static void write_boot(struct making *making, const struct job_submission *job,
                       struct json_writer *json)
{
    const struct job_boot *boot = &making->expanded->boots[job->index];

    json_write_object(json);
    json_write_key_text(json, "name", job->name);
    json_write_key_text(json, "kind", "boot");
    write_hash(json, "spec", &job->spec);
    if (boot->tag != NULL)
        json_write_key_text(json, "tag", boot->tag);
    write_parameters(json, boot->parameters, boot->parameter_count);
    json_write_close(json);
}

static void write_quarantine(struct json_writer *json, const struct job_quarantine *quarantine)
{
    if (quarantine->owner == NULL)
        return;
    json_write_key(json, "quarantine");
    json_write_object(json);
    json_write_key_text(json, "owner", quarantine->owner);
    json_write_key_text(json, "reason", quarantine->reason);
    json_write_key_uint(json, "until", quarantine->until_s);
    json_write_close(json);
}

/* Needs are numbers of jobs in the list, in which the boots come first. */
static void write_needs(struct making *making, const struct job_entry *entry,
                        struct json_writer *json)
{
    if (entry->need_count == 0)
        return;
    json_write_key(json, "needs");
    json_write_array(json);
    for (size_t i = 0; i < entry->need_count; i++)
        json_write_uint(json, making->expanded->boot_count + entry->needs[i]);
    json_write_close(json);
}

/* Where the test starts: from a checkpoint of the store, from one that is booted, or from nothing.
 */
static bool write_start(struct making *making, const struct job_submission *job,
                        struct json_writer *json, struct err *err)
{
    const char *name = making->expanded->entries[job->index].test.checkpoint;
    struct hash id;

    if (!hash_is_zero(&job->boot_key)) {
        write_hash(json, "boot", &job->boot_key);
        return true;
    }
    if (name == NULL)
        return true;
    if (!store_resolve(making->store, name, &id, err))
        return err_wrap(err, "%s", job->name);
    collect(&making->checkpoints, &id);
    write_hash(json, "checkpoint", &id);
    return true;
}

static bool write_test(struct making *making, const struct job_submission *job,
                       struct json_writer *json, struct err *err)
{
    const struct job_entry *entry = &making->expanded->entries[job->index];
    const struct job_test *test = &entry->test;

    json_write_object(json);
    json_write_key_text(json, "name", entry->name);
    json_write_key_text(json, "group", entry->group);
    json_write_key_text(json, "suite", making->file->name);
    json_write_key_text(json, "kind", "test");
    write_hash(json, "spec", &job->spec);
    if (!write_start(making, job, json, err))
        return false;
    write_texts(json, "host", test->host, test->host_count);
    write_needs(making, entry, json);
    json_write_key_uint(json, "instructions_max", test->limits.instructions);
    json_write_key_uint(json, "wall_ms_max", test->limits.wall_ms);
    json_write_key_uint(json, "retry_infra", test->retry_infra);
    json_write_key_bool(json, "expect_failure", test->expect_failure);
    write_quarantine(json, &test->quarantine);
    write_parameters(json, entry->parameters, entry->parameter_count);
    json_write_close(json);
    return true;
}

/* What is not said is for the coordinator to decide. */
static void write_retention(const struct job_workflow *workflow, struct json_writer *json)
{
    const struct {
        const char *key;
        uint64_t value;
    } keep[] = {{"keep_runs", workflow->retention.runs},
                {"keep_run_s", workflow->retention.run_s},
                {"keep_artifacts_s", workflow->retention.artifacts_s},
                {"keep_checkpoints_s", workflow->retention.checkpoints_s}};

    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
        if (keep[i].value != 0)
            json_write_key_uint(json, keep[i].key, keep[i].value);
}

static void write_options(const struct making *making, struct json_writer *json)
{
    const struct job_workflow *workflow = &making->file->workflow;

    json_write_key(json, "options");
    json_write_object(json);
    json_write_key_uint(json, "max_failures", workflow->max_failures);
    json_write_key_text(json, "order",
                        workflow->order == JOB_ORDER_FILE ? "file" : "longest-first");
    json_write_key_bool(json, "no_cache", workflow->no_cache || making->options->no_cache);
    json_write_key_uint(json, "rerun_share_permille", workflow->rerun_share_permille);
    json_write_key_uint(json, "slower_permille", workflow->slower_permille);
    if (workflow->baseline != NULL)
        json_write_key_text(json, "baseline", workflow->baseline);
    if (workflow->webhook.url != NULL) {
        json_write_key(json, "webhook");
        json_write_object(json);
        json_write_key_text(json, "url", workflow->webhook.url);
        json_write_key_text(json, "secret", workflow->webhook.secret);
        json_write_close(json);
    }
    if (workflow->command != NULL)
        json_write_key_text(json, "command", workflow->command);
    write_retention(workflow, json);
    json_write_close(json);
}

/* The first job of a part, and what comes after its last. */
struct piece {
    size_t begin, end;
};

/* The last job that one of the list needs. */
static size_t furthest_need(const struct making *making, size_t at)
{
    const struct job_submission *job = &making->jobs.items[at];
    const struct job_entry *entry;
    size_t last = 0;

    if (job->kind == JOB_BOOT)
        return 0;
    entry = &making->expanded->entries[job->index];
    for (size_t i = 0; i < entry->need_count; i++)
        if (making->expanded->boot_count + entry->needs[i] > last)
            last = making->expanded->boot_count + entry->needs[i];
    return last;
}

/* A coordinator knows the jobs of earlier parts, but not those to come. */
static bool write_jobs(struct making *making, struct piece *piece, struct json_writer *json,
                       struct err *err)
{
    const struct buf *out = &making->parts[making->part_count - 1];
    size_t begun = out->size, needed = 0, at = piece->begin;
    bool ok = true;

    json_write_key(json, "jobs");
    json_write_array(json);
    for (; ok && at < making->jobs.count; at++) {
        bool is_full =
            at - piece->begin >= SUBMISSION_PART_JOBS || out->size - begun >= SUBMISSION_PART_BYTES;
        if (is_full && needed < at)
            break;
        if (furthest_need(making, at) > needed)
            needed = furthest_need(making, at);
        if (making->jobs.items[at].kind == JOB_BOOT)
            write_boot(making, &making->jobs.items[at], json);
        else
            ok = write_test(making, &making->jobs.items[at], json, err);
    }
    json_write_close(json);
    piece->end = at;
    return ok;
}

static void write_head(const struct making *making, struct json_writer *json)
{
    const struct submission_options *options = making->options;

    json_write_key_text(json, "name", options->name != NULL ? options->name : making->file->name);
    json_write_key_text(json, "submitter", options->submitter);
    json_write_key_uint(json, "priority", making->file->workflow.priority);
    write_options(making, json);
}

static struct buf *add_part(struct making *making)
{
    struct buf *parts = mem_array(making->part_count + 1, sizeof *parts);

    if (making->part_count != 0)
        memcpy(parts, making->parts, making->part_count * sizeof *parts);
    mem_free(making->parts);
    making->parts = parts;
    parts[making->part_count] = (struct buf)BUF_INIT(SUBMISSION_JSON_MAX);
    return &parts[making->part_count++];
}

static bool write_part(struct making *making, struct piece *piece, struct err *err)
{
    struct json_writer json;
    struct buf *part;
    bool ok;

    part = add_part(making);
    json = json_writer(part, false, err);
    json_write_object(&json);
    if (piece->begin == 0)
        write_head(making, &json);
    ok = write_jobs(making, piece, &json, err);
    if (piece->begin == 0 && piece->end < making->jobs.count)
        json_write_key_bool(&json, "open", true);
    json_write_close(&json);
    return ok && json_writer_ok(&json);
}

static bool write_run(struct making *making, struct err *err)
{
    struct piece piece = {0, 0};

    do {
        piece.begin = piece.end;
        if (!write_part(making, &piece, err))
            return false;
    } while (piece.end < making->jobs.count);
    return true;
}

static bool make(struct making *making, struct submission *out, struct err *err)
{
    const struct job_sink sink = {keep_bytes, keep_file, making};

    if (!job_expand(making->file, making->options->selectors, making->options->selector_count,
                    &making->expanded, err))
        return false;
    out->job_count = making->expanded->count;
    out->boot_count = making->expanded->boot_count;
    return job_spec_collect(making->expanded, &sink, &making->jobs, err) &&
           write_run(making, err) && store_blob_sync(making->store, err);
}

bool submission_make(const struct job_file *file, const struct submission_options *options,
                     struct store *store, struct submission *out, struct err *err)
{
    struct making making = {.file = file, .options = options, .store = store};
    bool ok;

    *out = (struct submission){0};
    ok = make(&making, out, err);
    job_submissions_release(&making.jobs);
    job_expanded_free(making.expanded);
    hash_map_release(&making.blobs.known);
    hash_map_release(&making.checkpoints.known);
    out->blobs = making.blobs.list;
    out->checkpoints = making.checkpoints.list;
    out->parts = making.parts;
    out->part_count = making.part_count;
    if (!ok)
        submission_release(out);
    return ok;
}

void submission_release(struct submission *submission)
{
    for (size_t i = 0; i < submission->part_count; i++)
        buf_release(&submission->parts[i]);
    mem_free(submission->parts);
    hash_list_release(&submission->blobs);
    hash_list_release(&submission->checkpoints);
}

/* The tag that says how to talk to the machine: "id/ID" if the checkpoint was fetched, else the
 * first that names it. */
static bool push_checkpoint(const struct hash *id, struct store *store, struct remote *remote,
                            struct err *err)
{
    struct store_tag_list tags = {NULL, 0};
    const struct store_tag *tag = NULL;
    bool ok = store_tag_list(store, &tags, NULL, err);

    for (size_t i = 0; ok && i < tags.count && tag == NULL; i++)
        if (hash_equal(&tags.items[i].checkpoint, id))
            tag = &tags.items[i];
    ok = ok && remote_push_checkpoint(remote, store, id, tag, err);
    store_tag_list_release(&tags);
    return ok;
}

bool submission_push(const struct submission *submission, struct store *store,
                     struct remote *remote, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < submission->checkpoints.count; i++)
        ok = push_checkpoint(&submission->checkpoints.items[i], store, remote, err);
    for (size_t i = 0; ok && i < submission->blobs.count; i++)
        ok = remote_push_blob(remote, store, &submission->blobs.items[i], err);
    return ok;
}
