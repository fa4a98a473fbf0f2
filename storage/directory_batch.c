#include "storage/gather.h"
#include "storage/walk.h"

#include <string.h>

/* What the batch knows of a chunk put: nodes are kept to be followed at the commit. */
#define NOT_A_NODE (UINT64_MAX - STORE_CHUNK_MAX)
#define NODES_MAX  (1u << 30) /* bytes of them: those of images of 8 TiB */

struct batch {
    struct directory *directory;
    struct file_lock lock;
    struct packer *packer;
    struct hash_map pending; /* id -> offset of its bytes in `nodes`, or NOT_A_NODE + its size */
    struct buf nodes;
    struct gather gather;
    bool distrusts; /* the manifest is from elsewhere */
};

bool directory_batch_begin(void *context, void **out, struct err *err)
{
    struct directory *directory = context;
    struct file_lock lock = FILE_LOCK_INIT;
    struct batch *batch;

    if (!file_lock(&lock, directory->lock_path, false, true, err))
        return err_wrap(err, "cannot write to the store %s", directory->root);
    if (!directory_list_packs(directory, err)) {
        file_unlock(&lock);
        return false;
    }
    batch = mem_alloc(sizeof *batch);
    *batch = (struct batch){.directory = directory, .lock = lock};
    batch->nodes = (struct buf)BUF_INIT(NODES_MAX);
    batch->packer = packer_new(directory);
    batch->gather.packer = batch->packer;
    *out = batch;
    return true;
}

void directory_batch_abort(void *context)
{
    struct batch *batch = context;

    gather_drop(&batch->gather);
    packer_free(batch->packer);
    hash_map_release(&batch->pending);
    buf_release(&batch->nodes);
    file_unlock(&batch->lock);
    mem_free(batch);
}

/* Remembers what may be a node, so that a commit can follow it without waiting for the pack. */
static bool remember(struct batch *batch, uint64_t *place, struct span bytes, struct err *err)
{
    *place = NOT_A_NODE + bytes.size;
    if (bytes.size != IMAGE_NODE_SIZE)
        return true;
    *place = batch->nodes.size;
    return buf_append(&batch->nodes, bytes.data, bytes.size, err);
}

bool directory_batch_put(void *context, const struct hash *id, struct span bytes,
                         const struct hash *base, struct err *err)
{
    struct batch *batch = context;
    struct pack_chunk chunk;
    uint64_t *place;
    bool made;

    if (bytes.size == 0 || bytes.size > STORE_CHUNK_MAX)
        return err_set(err, ERR_TOO_BIG, "a chunk of %zu bytes: 1 to %u are allowed", bytes.size,
                       STORE_CHUNK_MAX);
    if (directory_find(batch->directory, id, &chunk))
        return true;
    place = hash_map_add(&batch->pending, id, &made);
    if (!made)
        return true;
    if (!remember(batch, place, bytes, err))
        return false;
    if (base != NULL && directory_delta_base(batch->directory, base, &chunk))
        return gather_add(&batch->gather, id, bytes, &chunk, err);
    return gather_add(&batch->gather, id, bytes, NULL, err);
}

static uint64_t pending_size(uint64_t place)
{
    return place < NOT_A_NODE ? IMAGE_NODE_SIZE : place - NOT_A_NODE;
}

/* Bytes of a chunk that the batch or the store has; 0: neither. */
static uint64_t size_of(const struct batch *batch, const struct hash *id, bool *is_pending)
{
    const uint64_t *place = hash_map_find(&batch->pending, id);
    struct chunk_facts facts;

    *is_pending = place != NULL;
    if (place != NULL)
        return pending_size(*place);
    return directory_look(batch->directory, id, &facts) ? facts.size : 0;
}

/* What the store has is whole below it: it was so when it was committed, and gc takes no part of a
 * tree alone. What the batch brought is followed; a manifest from elsewhere, down to its leaves. */
static enum walk_answer visit(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err)
{
    struct batch *batch = context;
    uint32_t expected = place->level == 0 ? IMAGE_CHUNK_SIZE : IMAGE_NODE_SIZE;
    bool is_pending;
    uint64_t size = size_of(batch, id, &is_pending);

    if (size == expected)
        return is_pending || batch->distrusts ? WALK_DOWN : WALK_SKIP;
    if (size != 0)
        err_set(err, ERR_CORRUPT, "%s: chunk %s has %llu bytes, not %u",
                walk_place_text(place).text, hash_hex(id).text, (unsigned long long)size, expected);
    else
        err_set(
            err, ERR_NOT_FOUND,
            "%s: chunk %s was not given and is not in the store %s; was the checkpoint that the "
            "machine came from removed?",
            walk_place_text(place).text, hash_hex(id).text, batch->directory->root);
    return WALK_STOP;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    struct batch *batch = context;
    const uint64_t *place = hash_map_find(&batch->pending, id);

    if (place != NULL && *place < NOT_A_NODE)
        return buf_append(out, batch->nodes.data + *place, IMAGE_NODE_SIZE, err);
    return directory_get(batch->directory, id, out, err);
}

/* One that is there is left in peace: pins are locks on that very file. */
static bool write_manifest(struct batch *batch, struct span manifest, const struct hash *id,
                           struct err *err)
{
    struct directory *directory = batch->directory;
    struct buf there = BUF_INIT(MANIFEST_BYTES_MAX);
    struct err ignored = ERR_INIT;
    bool is_there = directory_manifest_get(directory, id, &there, &ignored);

    buf_release(&there);
    if (is_there)
        return true;
    return temp_file_write(directory->temp_folder, directory->manifests_folder, hash_hex(id).text,
                           manifest, err) ||
           err_wrap(err, "the manifest of checkpoint %s", hash_hex(id).text);
}

static bool write_names(struct batch *batch, const struct store_commit *commit,
                        const struct hash *id, struct err *err)
{
    struct store_tag tag;

    if (commit->manifest.size != 0 && !write_manifest(batch, commit->manifest, id, err))
        return false;
    if (commit->tag == NULL)
        return true;
    tag = *commit->tag; /* borrows its texts */
    tag.checkpoint = *id;
    return directory_tag_write(batch->directory, &tag, err) ||
           err_wrap(err, "checkpoint %s is stored, but its tag is not", hash_hex(id).text);
}

static bool check_commit(struct batch *batch, const struct store_commit *commit, struct err *err)
{
    const struct walk walk = {visit, node, batch};

    if (commit->tag != NULL && commit->manifest.size == 0)
        return err_set(err, ERR_USAGE, "a tag needs a checkpoint to name");
    if (commit->tag != NULL && !store_name_check(commit->tag->name, err))
        return false;
    batch->distrusts = commit->from_elsewhere;
    return commit->manifest.size == 0 || walk_manifest(&walk, commit->manifest, err);
}

bool directory_batch_commit(void *context, const struct store_commit *commit,
                            struct hash *checkpoint, struct err *err)
{
    struct batch *batch = context;
    struct hash id = {{0}};
    bool ok = check_commit(batch, commit, err) && gather_flush(&batch->gather, err);

    ok = ok && packer_keep(batch->packer, err);
    if (commit->manifest.size != 0)
        id = hash_of(commit->manifest);
    ok = ok && write_names(batch, commit, &id, err);
    directory_batch_abort(batch); /* what was kept stays */
    if (!ok)
        return false;
    if (checkpoint != NULL)
        *checkpoint = id;
    return true;
}
