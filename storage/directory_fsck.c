/* Everything is read: packs first, so that it is known which chunks are lost; then manifests and
 * tags, to say what that hurts. */
#include "storage/gather.h"
#include "storage/tag.h"
#include "storage/walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fsck {
    struct directory *directory;
    const struct fsck_options *options;
    struct fsck_report report;
    struct hash_map good; /* chunks of which a sound copy was read */
    struct store_tag_list tags;
    struct gather gather; /* of what repair stores anew */
    struct buf damaged;   /* names of damaged packs, each with its 0 */
    size_t damaged_count;
    const char *checkpoint; /* being walked: "checkpoint … (tag …)" */
};

static void finding(struct fsck *fsck, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void finding(struct fsck *fsck, enum err_kind kind, const char *format, ...)
{
    char text[2 * ERR_TEXT_MAX];
    struct fsck_finding found = {kind, text};
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (kind != ERR_NONE)
        fsck->report.findings++;
    if (fsck->options->finding != NULL)
        fsck->options->finding(fsck->options->context, &found);
}

/* ---- packs ---- */

static void note_damaged(struct fsck *fsck, const char *name)
{
    struct err ignored = ERR_INIT;

    if (buf_append(&fsck->damaged, name, strlen(name) + 1, &ignored))
        fsck->damaged_count++;
}

/* Counts the chunks of a frame that do not match their hash; the others are good. */
static uint32_t check_chunks(struct fsck *fsck, const struct frame *frame)
{
    uint32_t offset = 0, bad = 0;

    for (size_t i = 0; i < frame->count; i++) {
        const struct frame_chunk *chunk = &frame->chunks[i];
        struct hash hash = hash_of((struct span){frame->plain + offset, chunk->size});
        offset += chunk->size;
        if (hash_equal(&hash, &chunk->id))
            (void)hash_map_add(&fsck->good, &chunk->id, NULL);
        else
            bad++;
    }
    return bad;
}

static bool check_frame(struct fsck *fsck, const struct pack *pack, uint32_t number,
                        struct directory_decoder *decoder)
{
    struct pack_frame where;
    struct err why = ERR_INIT;
    uint32_t bad;

    pack_frame_at(pack, number, &where);
    fsck->report.chunks += where.count;
    if (!directory_read_frame(fsck->directory, pack, number, decoder, &why)) {
        finding(fsck, why.kind, "pack %s, bytes %llu to %llu: %u chunks cannot be read: %s",
                pack_name(pack), (unsigned long long)where.offset,
                (unsigned long long)where.offset + where.packed_size - 1, where.count, why.text);
        return false;
    }
    bad = check_chunks(fsck, &decoder->frame);
    if (bad != 0)
        finding(fsck, ERR_CORRUPT,
                "pack %s, bytes %llu to %llu: %u of %u chunks do not match their hash",
                pack_name(pack), (unsigned long long)where.offset,
                (unsigned long long)where.offset + where.packed_size - 1, bad, where.count);
    return bad == 0;
}

static void check_pack(struct fsck *fsck, const char *name)
{
    struct directory_decoder *decoder;
    struct err why = ERR_INIT;
    struct pack *pack;
    bool ok = true;

    fsck->report.packs++;
    if (!pack_open(fsck->directory->packs_folder, name, &pack, &why)) {
        finding(fsck, why.kind, "pack %s cannot be used: %s", name, why.text);
        note_damaged(fsck, name);
        return;
    }
    decoder = directory_take_decoder(fsck->directory);
    for (uint32_t i = 0; i < pack_frame_count(pack); i++)
        ok = check_frame(fsck, pack, i, decoder) && ok;
    directory_give_decoder(fsck->directory, decoder);
    pack_close(pack);
    if (!ok)
        note_damaged(fsck, name);
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t size = strlen(name), tail = strlen(suffix);

    return size > tail && strcmp(name + size - tail, suffix) == 0;
}

static bool check_packs(struct fsck *fsck, struct err *err)
{
    struct name_list names;

    if (!folder_list(fsck->directory->packs_folder, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        if (has_suffix(names.names[i], PACK_SUFFIX))
            check_pack(fsck, names.names[i]);
        else
            finding(fsck, ERR_NONE, "%s/%s is not a pack: nothing reads it",
                    fsck->directory->packs_folder, names.names[i]);
    }
    name_list_release(&names);
    return true;
}

/* ---- manifests and tags ---- */

#define NAMED_MAX 3 /* tags in a sentence */

static void name_checkpoint(struct fsck *fsck, const struct hash *id, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "checkpoint %.16s", hash_hex(id).text);
    size_t named = 0;

    for (size_t i = 0; i < fsck->tags.count && named < NAMED_MAX; i++)
        if (hash_equal(&fsck->tags.items[i].checkpoint, id))
            used += (size_t)snprintf(out + used, size - used, "%s%s",
                                     named++ == 0 ? " (tag " : ", ", fsck->tags.items[i].name);
    if (named != 0)
        snprintf(out + used, size - used, ")");
}

static enum walk_answer visit(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err)
{
    struct fsck *fsck = context;
    bool is_there = directory_look(fsck->directory, id, NULL);

    (void)err;
    if (hash_map_has(&fsck->good, id))
        return WALK_DOWN;
    finding(fsck, is_there ? ERR_CORRUPT : ERR_NOT_FOUND,
            "%s: %s are lost: %s %s is %s: import or freeze the checkpoint again%s",
            fsck->checkpoint, walk_place_text(place).text,
            place->level == 0 ? "chunk" : "tree node", hash_hex(id).text,
            is_there ? "damaged" : "not in the store",
            is_there && !fsck->options->repair ? " after a repair" : "");
    return WALK_SKIP;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_get(((struct fsck *)context)->directory, id, out, err);
}

static void check_manifest(struct fsck *fsck, const struct hash *id)
{
    const struct walk walk = {visit, node, fsck};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct err why = ERR_INIT;
    char name[(NAMED_MAX + 1) * (STORE_NAME_MAX + 16)];

    name_checkpoint(fsck, id, name, sizeof name);
    fsck->checkpoint = name;
    if (!directory_manifest_get(fsck->directory, id, &manifest, &why) &&
        why.kind == ERR_NOT_FOUND) {
        buf_release(&manifest);
        return; /* removed since it was listed */
    }
    fsck->report.manifests++;
    if (why.kind != ERR_NONE || !walk_manifest(&walk, buf_span(&manifest), &why))
        finding(fsck, why.kind, "%s cannot be thawed: %s", name, why.text);
    buf_release(&manifest);
}

static void check_manifests(struct fsck *fsck, const struct name_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        struct err ignored = ERR_INIT;
        struct hash id;
        if (hash_parse(names->names[i], &id, &ignored))
            check_manifest(fsck, &id);
        else
            finding(fsck, ERR_NONE, "%s/%s is not a manifest: nothing reads it",
                    fsck->directory->manifests_folder, names->names[i]);
    }
}

/* It was removed, or moved to another checkpoint, since it was read. */
static bool tag_is_changed(struct fsck *fsck, const char *name, const struct hash *checkpoint)
{
    struct err why = ERR_INIT;
    struct store_tag now;
    bool same;

    if (!directory_tag_get(fsck->directory, name, &now, &why))
        return why.kind == ERR_NOT_FOUND;
    same = hash_equal(&now.checkpoint, checkpoint);
    store_tag_release(&now);
    return !same;
}

static void check_tag(struct fsck *fsck, const char *name)
{
    struct err why = ERR_INIT;
    struct store_tag tag;
    char *path;

    fsck->report.tags++;
    if (!directory_tag_get(fsck->directory, name, &tag, &why)) {
        if (why.kind != ERR_NOT_FOUND)
            finding(fsck, why.kind, "%s", why.text);
        return;
    }
    path = directory_manifest_path(fsck->directory, &tag.checkpoint);
    if (file_exists(path)) {
        fsck->tags.items[fsck->tags.count++] = tag;
    } else {
        if (!tag_is_changed(fsck, name, &tag.checkpoint))
            finding(fsck, ERR_NOT_FOUND,
                    "tag %s names checkpoint %s, which is not in the store: import or freeze it "
                    "again, or "
                    "remove the tag",
                    name, hash_hex(&tag.checkpoint).text);
        store_tag_release(&tag);
    }
    mem_free(path);
}

static bool check_tags(struct fsck *fsck, struct err *err)
{
    struct name_list files;

    if (!folder_list(fsck->directory->tags_folder, &files, err))
        return false;
    fsck->tags.items = mem_array(files.count, sizeof *fsck->tags.items);
    for (size_t i = 0; i < files.count; i++) {
        char name[STORE_NAME_MAX + 1];
        if (tag_name_of_file(files.names[i], name))
            check_tag(fsck, name);
        else
            finding(fsck, ERR_NONE, "%s/%s is not a tag: nothing reads it",
                    fsck->directory->tags_folder, files.names[i]);
    }
    name_list_release(&files);
    return true;
}

/* ---- repair ---- */

static bool move_away(struct fsck *fsck, const char *folder, const char *name, struct err *err)
{
    char *from = path_join(folder, name), *to = path_join(fsck->directory->damaged_folder, name);
    bool ok = folder_make(fsck->directory->damaged_folder, err);

    if (ok && rename(from, to) != 0)
        ok = err_set_errno(err, errno, "cannot move %s away", from);
    ok = ok && folder_sync(folder, err);
    mem_free(from);
    mem_free(to);
    return ok;
}

/* Chunks whose base may be in a damaged pack are stored in full. */
static bool salvage_frame(struct fsck *fsck, const struct pack *pack, uint32_t number,
                          struct directory_decoder *decoder, struct err *err)
{
    struct err ignored = ERR_INIT;
    uint32_t offset = 0;
    bool ok = true;

    if (!directory_read_frame(fsck->directory, pack, number, decoder, &ignored))
        return true;
    for (size_t i = 0; ok && i < decoder->frame.count; i++) {
        const struct frame_chunk *chunk = &decoder->frame.chunks[i];
        struct span bytes = {decoder->frame.plain + offset, chunk->size};
        struct hash hash = hash_of(bytes);
        offset += chunk->size;
        if (hash_equal(&hash, &chunk->id))
            ok = gather_add(&fsck->gather, &chunk->id, bytes, NULL, err);
    }
    return ok;
}

static bool salvage_pack(struct fsck *fsck, const char *name, struct err *err)
{
    struct directory_decoder *decoder;
    struct err ignored = ERR_INIT;
    struct pack *pack;
    bool ok = true;

    if (!pack_open(fsck->directory->packs_folder, name, &pack, &ignored))
        return true;
    decoder = directory_take_decoder(fsck->directory);
    for (uint32_t i = 0; ok && i < pack_frame_count(pack); i++)
        ok = salvage_frame(fsck, pack, i, decoder, err);
    directory_give_decoder(fsck->directory, decoder);
    pack_close(pack);
    return ok;
}

static const char *next_name(const char *name)
{
    return name + strlen(name) + 1;
}

static bool repair_packs(struct fsck *fsck, struct err *err)
{
    struct packer *packer = packer_new(fsck->directory);
    const char *name = (const char *)fsck->damaged.data;
    bool ok = true;

    fsck->gather = (struct gather){.packer = packer};
    for (size_t i = 0; ok && i < fsck->damaged_count; i++, name = next_name(name))
        ok = salvage_pack(fsck, name, err);
    ok = ok && gather_flush(&fsck->gather, err) && packer_keep(packer, err);
    gather_drop(&fsck->gather);
    name = (const char *)fsck->damaged.data;
    for (size_t i = 0; ok && i < fsck->damaged_count; i++, name = next_name(name)) {
        if (strcmp(name, packer_name(packer)) == 0)
            continue; /* came out the same, whole */
        ok = move_away(fsck, fsck->directory->packs_folder, name, err);
        if (ok)
            finding(fsck, ERR_NONE, "pack %s was moved to %s, what is sound in it stored anew",
                    name, fsck->directory->damaged_folder);
    }
    packer_free(packer);
    return ok && directory_list_packs(fsck->directory, err);
}

static bool repair_manifests(struct fsck *fsck, struct err *err)
{
    struct hash_list list;
    bool ok = directory_manifest_list(fsck->directory, &list, err);

    for (size_t i = 0; ok && i < list.count; i++) {
        struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
        struct err why = ERR_INIT;
        if (!directory_manifest_get(fsck->directory, &list.items[i], &manifest, &why) &&
            why.kind == ERR_CORRUPT)
            ok = move_away(fsck, fsck->directory->manifests_folder, hash_hex(&list.items[i]).text,
                           err);
        buf_release(&manifest);
    }
    hash_list_release(&list);
    return ok;
}

/* ---- the whole ---- */

/* Others may be writing. The manifests are listed before the packs: what one of them needs was
 * there before it. */
static bool check_all(struct fsck *fsck, struct err *err)
{
    struct name_list manifests;
    bool ok;

    if (!folder_list(fsck->directory->manifests_folder, &manifests, err))
        return false;
    ok = directory_list_packs(fsck->directory, err) && check_packs(fsck, err) &&
         check_tags(fsck, err);
    if (ok)
        check_manifests(fsck, &manifests);
    name_list_release(&manifests);
    if (!ok || !fsck->options->repair)
        return ok;
    return repair_manifests(fsck, err) && (fsck->damaged_count == 0 || repair_packs(fsck, err));
}

/* A store that may only be read is checked without the lock: what a gc moves meanwhile may be
 * reported. */
static bool lock_store(struct fsck *fsck, struct file_lock *lock, struct err *err)
{
    return file_lock(lock, fsck->directory->lock_path, fsck->options->repair, true, err) ||
           (err->kind == ERR_ACCESS && !fsck->options->repair);
}

bool directory_fsck(void *context, const struct fsck_options *options, struct fsck_report *out,
                    struct err *err)
{
    static const struct fsck_options defaults;
    struct fsck fsck = {.directory = context, .options = options != NULL ? options : &defaults};
    struct file_lock lock = FILE_LOCK_INIT;
    bool ok;

    fsck.damaged = (struct buf)BUF_INIT(64u << 20);
    if (!lock_store(&fsck, &lock, err))
        return err_wrap(err, "cannot check the store %s", fsck.directory->root);
    ok = check_all(&fsck, err);
    file_unlock(&lock);
    store_tag_list_release(&fsck.tags);
    hash_map_release(&fsck.good);
    buf_release(&fsck.damaged);
    if (ok)
        *out = fsck.report;
    return ok || err_wrap(err, "fsck of %s", fsck.directory->root);
}
