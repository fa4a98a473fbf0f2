/* job_collect.c — specs of all jobs of an expansion, and the blobs that they name. */
#include "jobs/job_keys.h"
#include "jobs/job_spec_internal.h"
#include "jobs/matrix.h"
#include "jobs/payload.h"
#include "storage/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX   (UINT64_C(64) << 20) /* what a job disk holds */
#define FILE_MAX      (UINT64_C(1) << 30)
#define BUCKETS_COUNT 4096u

/* What was handed to the sink already: a file by its path, a payload by all its paths. */
struct collected {
    const char *key;
    struct hash hash;
    uint64_t size;
    struct collected *next;
};

struct collection {
    const struct job_expanded *expanded;
    const struct job_sink *sink;
    struct job_submissions *out;
    struct collected *buckets[BUCKETS_COUNT];
    struct pool pool; /* of the collected */
    struct err *err;
};

static bool hash_bytes(void *context, struct span bytes, struct hash *id, struct err *err)
{
    (void)context;
    (void)err;
    *id = hash_of(bytes);
    return true;
}

static bool hash_file(void *context, const char *path, struct hash *id, uint64_t *size,
                      struct err *err)
{
    struct buf bytes = BUF_INIT(FILE_MAX);
    bool ok = file_read(path, &bytes, err);

    (void)context;
    if (ok) {
        *id = hash_of(buf_span(&bytes));
        *size = bytes.size;
    }
    buf_release(&bytes);
    return ok;
}

const struct job_sink job_sink_hash = {hash_bytes, hash_file, NULL};

/* FNV-1a: where to look, nothing more. */
static struct collected **bucket_of(struct collection *collection, const char *key)
{
    uint32_t hash = 2166136261u;

    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return &collection->buckets[hash % BUCKETS_COUNT];
}

static struct collected *find(struct collection *collection, const char *key)
{
    struct collected *at = *bucket_of(collection, key);

    while (at != NULL && strcmp(at->key, key) != 0)
        at = at->next;
    return at;
}

static struct collected *add(struct collection *collection, const char *key)
{
    struct collected **bucket = bucket_of(collection, key);
    struct collected *item = pool_alloc(&collection->pool, sizeof *item);

    item->key = pool_text(&collection->pool, key);
    item->next = *bucket;
    *bucket = item;
    return item;
}

static bool add_blob(struct job_spec *spec, const char *name, const struct collected *item,
                     struct err *err)
{
    if (strlen(name) > JOB_BLOB_NAME_MAX || spec->blob_count == JOB_SPEC_BLOBS_MAX)
        return err_set(err, ERR_TOO_BIG, "more files, or longer names, than a job can have");
    spec->blobs[spec->blob_count++] = (struct job_blob){name, item->hash, item->size};
    return true;
}

/* The file at *path becomes the blob `name`, and *path that name. */
static bool collect_file(struct collection *collection, struct job_spec *spec, const char **path,
                         const char *name)
{
    struct collected *item;
    struct hash hash;
    uint64_t size;

    if (*path == NULL)
        return true;
    item = find(collection, *path);
    if (item == NULL) {
        if (!collection->sink->file(collection->sink->context, *path, &hash, &size,
                                    collection->err))
            return err_wrap(collection->err, "%s", name);
        item = add(collection, *path);
        item->hash = hash;
        item->size = size;
    }
    *path = pool_text(&spec->pool, name);
    return add_blob(spec, *path, item, collection->err);
}

/* All paths of a payload, told apart from a file's by the leading line end. */
static const char *payload_key(const struct job_test *test, struct pool *pool)
{
    const char *key = "";

    for (size_t i = 0; i < test->payload_count; i++)
        key = pool_format(pool, "%s\n%s", key, test->payload[i]);
    return key;
}

static bool make_payload(struct collection *collection, const struct job_test *test,
                         struct collected *item)
{
    struct buf tar = BUF_INIT(PAYLOAD_MAX);
    bool ok = payload_from_host(test->payload, test->payload_count, &tar, collection->err) &&
              collection->sink->bytes(collection->sink->context, buf_span(&tar), &item->hash,
                                      collection->err);

    item->size = tar.size;
    buf_release(&tar);
    return ok || err_wrap(collection->err, "payload");
}

static bool collect_payload(struct collection *collection, struct job_spec *spec)
{
    static const char *const names[] = {"payload"};
    struct job_test *test = &spec->test;
    const char *key;
    struct collected *item;

    if (test->payload_count == 0)
        return true;
    key = payload_key(test, &spec->pool);
    item = find(collection, key);
    if (item == NULL) {
        struct collected made = {.size = 0};

        if (!make_payload(collection, test, &made))
            return false;
        item = add(collection, key);
        item->hash = made.hash;
        item->size = made.size;
    }
    test->payload = names;
    test->payload_count = 1;
    return add_blob(spec, names[0], item, collection->err);
}

static int compare_blobs(const void *a, const void *b)
{
    const struct job_blob *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Encodes the spec, and hands it to the sink. */
static bool submit(struct collection *collection, struct job_spec *spec, struct job_submission *out)
{
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    bool ok;

    qsort(spec->blobs, spec->blob_count, sizeof *spec->blobs, compare_blobs);
    ok = job_spec_encode(spec, &bytes, collection->err) &&
         collection->sink->bytes(collection->sink->context, buf_span(&bytes), &out->spec,
                                 collection->err);
    buf_release(&bytes);
    return ok;
}

static struct job_spec *spec_new(enum job_kind kind)
{
    struct job_spec *spec = mem_alloc(sizeof *spec);

    spec->kind = kind;
    spec->pool = (struct pool)POOL_INIT;
    spec->blobs = pool_array(&spec->pool, JOB_SPEC_BLOBS_MAX, sizeof *spec->blobs);
    return spec;
}

static bool collect_test(struct collection *collection, const struct job_entry *entry,
                         struct job_submission *out)
{
    const struct job_file *file = collection->expanded->file;
    struct job_spec *spec = spec_new(JOB_TEST);
    char name[JOB_BLOB_NAME_MAX + 1];
    bool ok;

    spec->suite = file->name;
    /* Jobs that verify each other's hosts are one job to those who compare results: the name, which
     * holds the host, is left out of it. */
    spec->name = entry->test.verify_every != 0 ? entry->group : entry->name;
    spec->digest = true;
    spec->test = entry->test;
    spec->prompt = file->prompt;
    spec->work = file->work;
    spec->job_disk = file->job_disk;
    spec->result_disk = file->result_disk;
    ok =
        collect_payload(collection, spec) && collect_file(collection, spec, &spec->test.elf, "elf");
    for (size_t i = 0; ok && i < spec->test.disk_count; i++) {
        snprintf(name, sizeof name, "disk.%s", spec->test.disks[i].name);
        ok = collect_file(collection, spec, &spec->test.disks[i].file, name);
    }
    ok = ok && submit(collection, spec, out);
    job_spec_free(spec);
    return ok;
}

static bool collect_board(struct collection *collection, struct job_spec *spec,
                          struct machine_board *board)
{
    struct {
        const char **path;
        const char *what;
    } files[] = {{&board->firmware, "firmware"},
                 {&board->kernel, "kernel"},
                 {&board->initrd, "initrd"},
                 {&board->elf, "elf"}};
    char name[JOB_BLOB_NAME_MAX + 1];
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s.%s", board->name, files[i].what);
        ok = collect_file(collection, spec, files[i].path, name);
    }
    for (uint32_t i = 0; ok && i < board->device_count; i++) {
        snprintf(name, sizeof name, "%s.disk.%s", board->name, board->devices[i].name);
        ok = collect_file(collection, spec, &board->devices[i].file, name);
    }
    return ok;
}

bool job_boot_machine(const struct job_boot *boot, struct machine_file **out, struct buf *report,
                      struct err *err)
{
    struct machine_file *machine = NULL;

    if (!machine_file_load(boot->machine, &variables_environment, &machine, report, err))
        return false;
    for (size_t i = 0; i < boot->parameter_count; i++) {
        if (!machine_parameter_set(machine, boot->parameters[i].name, boot->parameters[i].value,
                                   err)) {
            machine_file_free(machine);
            return false;
        }
    }
    *out = machine;
    return true;
}

static bool collect_boot(struct collection *collection, const struct job_boot *boot,
                         struct job_submission *out)
{
    struct machine_file *machine = NULL;
    struct job_spec *spec;
    bool ok = true;

    if (!job_boot_machine(boot, &machine, NULL, collection->err))
        return false;
    spec = spec_new(JOB_BOOT);
    spec->machine = *machine;
    for (uint32_t i = 0; ok && i < machine->board_count; i++)
        ok = collect_board(collection, spec, &machine->boards[i]);
    ok = ok && submit(collection, spec, out);
    job_spec_free(spec);
    machine_file_free(machine);
    return ok;
}

static bool collect_all(struct collection *collection)
{
    const struct job_expanded *expanded = collection->expanded;
    struct job_submission *items = collection->out->items;

    for (size_t i = 0; i < expanded->boot_count; i++) {
        items[i] =
            (struct job_submission){.kind = JOB_BOOT, .index = i, .name = expanded->boots[i].name};
        if (!collect_boot(collection, &expanded->boots[i], &items[i]))
            return err_wrap(collection->err, "%s", items[i].name);
    }
    for (size_t i = 0; i < expanded->count; i++) {
        const struct job_entry *entry = &expanded->entries[i];
        struct job_submission *item = &items[expanded->boot_count + i];

        *item = (struct job_submission){.kind = JOB_TEST, .index = i, .name = entry->name};
        if (entry->boot != JOB_NO_BOOT)
            item->boot_key = items[entry->boot].spec;
        if (!collect_test(collection, entry, item))
            return err_wrap(collection->err, "test %s", entry->name);
    }
    return true;
}

static struct collection *collection_new(const struct job_expanded *expanded,
                                         const struct job_sink *sink, struct job_submissions *out,
                                         struct err *err)
{
    struct collection *collection = mem_alloc(sizeof *collection);

    collection->expanded = expanded;
    collection->sink = sink;
    collection->out = out;
    collection->pool = (struct pool)POOL_INIT;
    collection->err = err;
    return collection;
}

static void collection_free(struct collection *collection)
{
    pool_release(&collection->pool);
    mem_free(collection);
}

bool job_boot_key(const struct job_expanded *expanded, size_t boot, struct hash *out,
                  struct err *err)
{
    struct collection *collection = collection_new(expanded, &job_sink_hash, NULL, err);
    struct job_submission made;
    bool ok = collect_boot(collection, &expanded->boots[boot], &made);

    if (ok)
        *out = made.spec;
    collection_free(collection);
    return ok || err_wrap(err, "%s", expanded->boots[boot].name);
}

bool job_spec_collect(const struct job_expanded *expanded, const struct job_sink *sink,
                      struct job_submissions *out, struct err *err)
{
    struct collection *collection = collection_new(expanded, sink, out, err);
    bool ok;

    *out = (struct job_submissions){.pool = POOL_INIT,
                                    .count = expanded->boot_count + expanded->count};
    out->items = pool_array(&out->pool, out->count, sizeof *out->items);
    ok = collect_all(collection);
    collection_free(collection);
    if (!ok)
        job_submissions_release(out);
    return ok;
}

void job_submissions_release(struct job_submissions *submissions)
{
    pool_release(&submissions->pool);
    *submissions = (struct job_submissions){.pool = POOL_INIT};
}
