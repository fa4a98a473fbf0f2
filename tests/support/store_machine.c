#include "tests/support/store_machine.h"

#include "storage/base/check.h"
#include "storage/walk.h"

#include <stdio.h>
#include <string.h>

static const struct clock_source *const test_clock = &clock_host;

bool test_freeze(struct store *store, struct test_image *image, uint64_t number, const char *tag,
                 struct hash *checkpoint, struct err *err)
{
    struct buf manifest = BUF_INIT(65536);
    struct store_batch *batch;
    struct store_commit commit = {0};
    struct chunk_sink sink;
    struct store_tag named;
    bool ok;

    if (!store_batch_begin(store, &batch, err))
        return false;
    sink = store_batch_sink(batch);
    if (!test_image_put(image, &sink, err)) {
        store_batch_abort(batch);
        return false;
    }
    test_image_manifest(image, number, &manifest);
    commit.manifest = buf_span(&manifest);
    if (tag != NULL) {
        store_tag_init(&named, tag, test_clock);
        commit.tag = &named;
    }
    ok = store_batch_commit(batch, &commit, checkpoint, err);
    buf_release(&manifest);
    return ok;
}

struct hash test_freeze_ok(struct store *store, struct test_image *image, uint64_t number,
                           const char *tag)
{
    struct err err = ERR_INIT;
    struct hash id = {{0}};
    bool ok = test_freeze(store, image, number, tag, &id, &err);

    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    CHECK(ok);
    return id;
}

struct comparison {
    struct store *store;
    const struct test_image *image;
    uint64_t chunks; /* that were not zero */
};

static enum walk_answer compare(void *context, const struct walk_place *place,
                                const struct hash *id, struct err *err)
{
    struct comparison *comparison = context;
    struct buf bytes = BUF_INIT(STORE_CHUNK_MAX);
    bool ok;

    if (place->level != 0)
        return WALK_DOWN;
    comparison->chunks++;
    ok = store_get(comparison->store, id, &bytes, err);
    if (ok && (bytes.size != IMAGE_CHUNK_SIZE ||
               memcmp(bytes.data, comparison->image->data + place->offset, bytes.size) != 0))
        ok = err_set(err, ERR_INVALID, "chunk %llu differs", (unsigned long long)place->index);
    buf_release(&bytes);
    return ok ? WALK_DOWN : WALK_STOP;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return store_get(((struct comparison *)context)->store, id, out, err);
}

static uint64_t chunks_not_zero(const struct test_image *image)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < image->shape.counts[0]; i++)
        count += !bytes_are_zero(image->data + i * IMAGE_CHUNK_SIZE, IMAGE_CHUNK_SIZE);
    return count;
}

bool test_matches(struct store *store, const struct hash *checkpoint,
                  const struct test_image *image, struct err *err)
{
    struct comparison comparison = {.store = store, .image = image};
    const struct walk walk = {compare, node, &comparison};
    struct buf manifest = BUF_INIT(65536);
    bool ok = store_manifest_get(store, checkpoint, &manifest, err) &&
              walk_manifest(&walk, buf_span(&manifest), err);

    buf_release(&manifest);
    if (ok && comparison.chunks != chunks_not_zero(image))
        return err_set(err, ERR_INVALID, "%llu chunks came back",
                       (unsigned long long)comparison.chunks);
    return ok;
}

static void keep_finding(void *context, const struct fsck_finding *finding)
{
    if (finding->kind != ERR_NONE)
        err_set(context, finding->kind, "%s", finding->text);
}

size_t test_findings(struct store *store, struct err *last)
{
    struct err own = ERR_INIT, err = ERR_INIT;
    struct fsck_options options = {.finding = keep_finding, .context = last != NULL ? last : &own};
    struct fsck_report report;
    bool ok = store_fsck(store, &options, &report, &err);

    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    CHECK(ok);
    if (report.findings != 0 && last == NULL)
        fprintf(stderr, "%s\n", own.text);
    return report.findings;
}
