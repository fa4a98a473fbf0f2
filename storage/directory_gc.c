/* Mark from tags and pins, sweep packs and manifests. The order of the sweep is what makes a crash
 * harmless: manifests that are not kept go first, then packs that nothing needs (which makes room),
 * then what is kept of half-dead packs is written anew, and only when that is durable the old packs
 * go. */
#include "storage/gather.h"
#include "storage/walk.h"

#include <string.h>
#include <unistd.h>

/* Packs below this size are put together once there are many: each costs every reader an open and a
 * map. */
#define SMALL_PACK_BYTES (4u << 20)
#define SMALL_PACK_COUNT 24u

struct gc {
    struct directory *directory;
    struct hash_map kept;  /* checkpoints that tags or pins keep */
    struct hash_map live;  /* chunk -> level it was followed at, + 1 */
    struct hash_map bases; /* full chunks that live deltas need */
    struct hash_list manifests;
    struct gc_report report;
};

static bool keep_tagged(struct gc *gc, struct err *err)
{
    struct name_list names;
    bool ok = true;

    if (!directory_tag_names(gc->directory, &names, err))
        return false;
    for (size_t i = 0; ok && i < names.count; i++) {
        struct store_tag tag;
        ok = directory_tag_get(gc->directory, names.names[i], &tag, err);
        if (!ok)
            break;
        (void)hash_map_add(&gc->kept, &tag.checkpoint, NULL);
        store_tag_release(&tag);
    }
    name_list_release(&names);
    return ok;
}

static bool choose_manifests(struct gc *gc, struct err *err)
{
    if (!keep_tagged(gc, err) || !directory_manifest_list(gc->directory, &gc->manifests, err))
        return false;
    for (size_t i = 0; i < gc->manifests.count; i++) {
        const struct hash *id = &gc->manifests.items[i];
        if (!hash_map_has(&gc->kept, id) && directory_manifest_is_pinned(gc->directory, id))
            (void)hash_map_add(&gc->kept, id, NULL);
    }
    return true;
}

/* A subtree that was followed at this level or above it is marked to its leaves. */
static enum walk_answer mark(void *context, const struct walk_place *place, const struct hash *id,
                             struct err *err)
{
    struct gc *gc = context;
    bool made;
    uint64_t *level = hash_map_add(&gc->live, id, &made);

    if (!made && *level > place->level)
        return WALK_SKIP;
    *level = (uint64_t)place->level + 1;
    if (directory_look(gc->directory, id, NULL))
        return WALK_DOWN;
    err_set(err, ERR_CORRUPT, "%s: chunk %s is not in the store", walk_place_text(place).text,
            hash_hex(id).text);
    return WALK_STOP;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_get(((struct gc *)context)->directory, id, out, err);
}

static bool mark_checkpoint(struct gc *gc, const struct hash *id, struct err *err)
{
    const struct walk walk = {mark, node, gc};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    bool ok = directory_manifest_get(gc->directory, id, &manifest, err) &&
              walk_manifest(&walk, buf_span(&manifest), err);

    buf_release(&manifest);
    if (ok)
        return true;
    err->kind = ERR_CORRUPT;
    return err_wrap(
        err,
        "nothing was removed, because checkpoint %s cannot be followed (remove its tags, "
        "or see thaw fsck)",
        hash_hex(id).text);
}

static bool mark_all(struct gc *gc, struct err *err)
{
    for (size_t i = 0; i < gc->kept.slot_count; i++)
        if (gc->kept.slots[i].used && !mark_checkpoint(gc, &gc->kept.slots[i].key, err))
            return false;
    for (size_t i = 0; i < gc->live.slot_count; i++) {
        struct pack_chunk chunk;
        if (gc->live.slots[i].used &&
            directory_find(gc->directory, &gc->live.slots[i].key, &chunk) &&
            !hash_is_zero(&chunk.base))
            (void)hash_map_add(&gc->bases, &chunk.base, NULL);
    }
    return true;
}

/* Of several copies of a chunk one is kept: the one that readers use. */
static bool is_needed(struct gc *gc, const struct pack *pack, uint32_t index)
{
    const struct pack *preferred;
    struct hash id, base;
    uint32_t at;

    pack_chunk_ids(pack, index, &id, &base);
    return (hash_map_has(&gc->live, &id) || hash_map_has(&gc->bases, &id)) &&
           directory_preferred(gc->directory, &id, &preferred, &at) && preferred == pack &&
           at == index;
}

/* What is to become of each pack. What a rewrite makes cannot be a pack that it replaces: it lacks
 * something of that, or has something of others too. It may be one that was dropped just before, as
 * after a crash between writing and removing. */
enum fate { FATE_KEEP, FATE_DROP, FATE_REWRITE };

struct plan {
    const struct pack *pack;
    enum fate fate;
    uint32_t needed; /* chunks */
};

static void plan_pack(struct gc *gc, const struct pack *pack, struct plan *plan)
{
    uint32_t total = pack_chunk_count(pack);

    *plan = (struct plan){.pack = pack};
    for (uint32_t i = 0; i < total; i++)
        plan->needed += is_needed(gc, pack, i);
    plan->fate = plan->needed == total ? FATE_KEEP : plan->needed == 0 ? FATE_DROP : FATE_REWRITE;
    gc->report.chunks_kept += plan->needed;
    gc->report.chunks_removed += total - plan->needed;
    gc->report.bytes_before += pack_bytes(pack);
}

static void join_small_packs(struct plan *plans, size_t count)
{
    size_t small = 0;

    for (size_t i = 0; i < count; i++)
        small += plans[i].fate != FATE_DROP && pack_bytes(plans[i].pack) < SMALL_PACK_BYTES;
    if (small < SMALL_PACK_COUNT)
        return;
    for (size_t i = 0; i < count; i++)
        if (plans[i].fate == FATE_KEEP && pack_bytes(plans[i].pack) < SMALL_PACK_BYTES)
            plans[i].fate = FATE_REWRITE;
}

static size_t make_plans(struct gc *gc, struct plan **out)
{
    struct directory *directory = gc->directory;
    struct plan *plans = mem_array(directory->pack_count, sizeof *plans);
    size_t count = 0;

    for (size_t i = 0; i < directory->pack_count; i++)
        if (!directory->gone[i])
            plan_pack(gc, directory->packs[i], &plans[count++]);
    join_small_packs(plans, count);
    *out = plans;
    return count;
}

/* What is written anew is checked: damage must not be given a fresh name. */
static bool rewrite_chunk(struct gc *gc, struct gather *gather, const struct frame_chunk *chunk,
                          struct span bytes, struct err *err)
{
    struct hash hash = hash_of(bytes);
    struct pack_chunk base;
    bool is_delta;

    if (!hash_equal(&hash, &chunk->id))
        return err_set(err, ERR_CORRUPT, "chunk %s does not match its hash (see thaw fsck)",
                       hash_hex(&chunk->id).text);
    is_delta =
        !hash_is_zero(&chunk->base) && directory_delta_base(gc->directory, &chunk->base, &base);
    return gather_add(gather, &chunk->id, bytes, is_delta ? &base : NULL, err);
}

static bool rewrite_frame(struct gc *gc, struct gather *gather, const struct pack *pack,
                          uint32_t number, struct err *err)
{
    struct directory_decoder *decoder = directory_take_decoder(gc->directory);
    struct pack_frame where;
    uint32_t offset = 0, needed = 0;
    bool ok = true;

    pack_frame_at(pack, number, &where);
    for (uint32_t i = 0; i < where.count; i++)
        needed += is_needed(gc, pack, where.first + i);
    if (needed != 0)
        ok = directory_read_frame(gc->directory, pack, number, decoder, err);
    for (uint32_t i = 0; ok && needed != 0 && i < where.count; i++) {
        const struct frame_chunk *chunk = &decoder->frame.chunks[i];
        if (is_needed(gc, pack, where.first + i))
            ok = rewrite_chunk(gc, gather, chunk,
                               (struct span){decoder->frame.plain + offset, chunk->size}, err);
        offset += chunk->size;
    }
    directory_give_decoder(gc->directory, decoder);
    return ok;
}

static bool rewrite_packs(struct gc *gc, const struct plan *plans, size_t count, struct err *err)
{
    struct packer *packer = packer_new(gc->directory);
    struct gather gather = {.packer = packer};
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++)
        for (uint32_t f = 0;
             ok && plans[i].fate == FATE_REWRITE && f < pack_frame_count(plans[i].pack); f++)
            ok = rewrite_frame(gc, &gather, plans[i].pack, f, err);
    ok = ok && gather_flush(&gather, err) && packer_keep(packer, err);
    gather_drop(&gather);
    packer_free(packer);
    return ok;
}

static bool remove_packs(struct gc *gc, const struct plan *plans, size_t count, enum fate fate,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (plans[i].fate == fate && !file_remove(pack_path(plans[i].pack), err))
            return false;
    return folder_sync(gc->directory->packs_folder, err);
}

/* One that was pinned since it was looked at is kept after all: then *again, and the marking is
 * done anew. Once all the others are gone nobody can pin what is about to be swept. */
static bool remove_manifests(struct gc *gc, bool *again, struct err *err)
{
    *again = false;
    for (size_t i = 0; i < gc->manifests.count; i++) {
        const struct hash *id = &gc->manifests.items[i];
        struct err why = ERR_INIT;
        if (hash_map_has(&gc->kept, id) || directory_manifest_unlink(gc->directory, id, &why) ||
            why.kind == ERR_NOT_FOUND)
            continue;
        if (why.kind != ERR_CONFLICT) {
            *err = why;
            return false;
        }
        *again = true;
    }
    return folder_sync(gc->directory->manifests_folder, err);
}

static bool remove_leftover(const char *folder, const char *name, struct err *err)
{
    char *path = path_join(folder, name);
    bool ok = file_remove(path, err);

    mem_free(path);
    return ok;
}

/* Files in tmp/: while no batch is open they are nobody's. */
static bool remove_temporary(struct gc *gc, bool dry_run, struct err *err)
{
    struct name_list names;
    bool ok = true;

    if (!folder_list(gc->directory->temp_folder, &names, err))
        return false;
    gc->report.leftovers_removed += names.count;
    for (size_t i = 0; ok && !dry_run && i < names.count; i++)
        ok = remove_leftover(gc->directory->temp_folder, names.names[i], err);
    name_list_release(&names);
    return ok;
}

/* Parts that were coming in and that nobody writes now, which a lock on each would show. */
static bool remove_incoming(struct gc *gc, bool dry_run, struct err *err)
{
    struct name_list names;
    bool ok = true;

    if (!file_exists(gc->directory->incoming_folder))
        return true;
    if (!folder_list(gc->directory->incoming_folder, &names, err))
        return false;
    for (size_t i = 0; ok && i < names.count; i++) {
        char *path = path_join(gc->directory->incoming_folder, names.names[i]);
        struct file_lock lock = FILE_LOCK_INIT;
        struct err held = ERR_INIT;
        if (file_lock(&lock, path, true, false, &held)) {
            if (file_is_at(lock.fd, path)) {
                gc->report.leftovers_removed++;
                ok = dry_run || file_remove(path, err);
            }
            file_unlock(&lock);
        }
        mem_free(path);
    }
    name_list_release(&names);
    return ok;
}

static void count_manifests(struct gc *gc)
{
    for (size_t i = 0; i < gc->manifests.count; i++) {
        char *path = directory_manifest_path(gc->directory, &gc->manifests.items[i]);
        bool kept = hash_map_has(&gc->kept, &gc->manifests.items[i]);
        struct err ignored = ERR_INIT;
        uint64_t bytes = 0;
        (void)file_size(path, &bytes, &ignored);
        gc->report.bytes_before += bytes;
        gc->report.bytes_after += kept ? bytes : 0;
        gc->report.checkpoints_kept += kept;
        gc->report.checkpoints_removed += !kept;
        mem_free(path);
    }
}

/* For a dry run: a rewritten pack's chunks take their share of it. */
static void estimate(struct gc *gc, const struct plan *plans, size_t count)
{
    bool writes = false;

    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = pack_bytes(plans[i].pack);
        if (plans[i].fate == FATE_KEEP)
            gc->report.bytes_after += bytes;
        else
            gc->report.packs_removed++;
        if (plans[i].fate != FATE_REWRITE)
            continue;
        gc->report.bytes_after += bytes * plans[i].needed / pack_chunk_count(plans[i].pack);
        writes = true;
    }
    gc->report.packs_written = writes;
}

static bool sweep(struct gc *gc, const struct plan *plans, size_t count, struct err *err)
{
    struct store_statistics after;

    if (!remove_packs(gc, plans, count, FATE_DROP, err) || !rewrite_packs(gc, plans, count, err) ||
        !remove_packs(gc, plans, count, FATE_REWRITE, err) ||
        !directory_statistics(gc->directory, &after, err))
        return false;
    gc->report.bytes_after = after.stored_bytes;
    return true;
}

static void forget(struct gc *gc)
{
    hash_map_release(&gc->kept);
    hash_map_release(&gc->live);
    hash_map_release(&gc->bases);
    hash_list_release(&gc->manifests);
}

static bool collect(struct gc *gc, bool dry_run, bool *again, struct err *err)
{
    struct plan *plans = NULL;
    size_t count;
    bool ok;

    *again = false;
    if (!directory_list_packs(gc->directory, err) || !choose_manifests(gc, err) ||
        !mark_all(gc, err) || !remove_temporary(gc, dry_run, err) ||
        !remove_incoming(gc, dry_run, err))
        return false;
    count = make_plans(gc, &plans);
    count_manifests(gc);
    estimate(gc, plans, count);
    ok = dry_run || (remove_manifests(gc, again, err) && (*again || sweep(gc, plans, count, err)));
    mem_free(plans);
    return ok;
}

bool directory_gc(void *context, bool dry_run, struct gc_report *out, struct err *err)
{
    struct gc gc = {.directory = context};
    struct file_lock lock = FILE_LOCK_INIT;
    bool ok, again;

    if (!file_lock(&lock, gc.directory->lock_path, true, true, err))
        return err_wrap(err, "cannot clean the store %s", gc.directory->root);
    do {
        gc.report = (struct gc_report){.leftovers_removed = gc.report.leftovers_removed};
        ok = collect(&gc, dry_run, &again, err);
        forget(&gc);
    } while (ok && again);
    file_unlock(&lock);
    if (ok)
        *out = gc.report;
    return ok || err_wrap(err, "gc of %s", gc.directory->root);
}
