/* What goes out: parts of a store as files, and which a checkpoint needs. */
#include "storage/exchange.h"

#include "storage/directory.h"
#include "storage/exchange_place.h"
#include "storage/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool exchange_name_is_valid(enum exchange_kind kind, const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == HASH_HEX_SIZE - 1 &&
           strcmp(name + digits, kind == EXCHANGE_PACK ? PACK_SUFFIX : "") == 0;
}

bool exchange_check_name(enum exchange_kind kind, const char *name, struct err *err)
{
    if (exchange_name_is_valid(kind, name))
        return true;
    return err_set(err, ERR_USAGE, "\"%.80s\" is not the name of a %s: 64 hex digits%s", name,
                   kind == EXCHANGE_PACK   ? "pack"
                   : kind == EXCHANGE_BLOB ? "blob"
                                           : "manifest",
                   kind == EXCHANGE_PACK ? " and \".pack\"" : "");
}

char *exchange_path(struct store *store, enum exchange_kind kind, const char *name)
{
    struct directory *directory = directory_of(store);
    struct err ignored = ERR_INIT;
    struct hash id;

    if (kind == EXCHANGE_PACK)
        return path_join(directory->packs_folder, name);
    if (kind == EXCHANGE_MANIFEST || !hash_parse(name, &id, &ignored))
        return path_join(directory->manifests_folder, name);
    return store_blob_path(store, &id);
}

/* Whoever asks for a blob may be about to name it. */
static void touch_blob(struct store *store, enum exchange_kind kind, const char *name)
{
    struct err ignored = ERR_INIT;
    struct hash id;

    if (kind == EXCHANGE_BLOB && hash_parse(name, &id, &ignored))
        store_blob_touch(store, &id);
}

bool exchange_has(struct store *store, enum exchange_kind kind, const char *name)
{
    char *path;
    bool has;

    if (!exchange_name_is_valid(kind, name))
        return false;
    touch_blob(store, kind, name);
    path = exchange_path(store, kind, name);
    has = file_exists(path);
    mem_free(path);
    return has;
}

static bool open_part(const char *path, const char *name, int *fd, uint64_t *size, struct err *err)
{
    struct stat status;

    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s is not in the store", name);
    if (*fd < 0)
        return err_set_errno(err, errno, "cannot open %s", path);
    if (fstat(*fd, &status) == 0) {
        *size = (uint64_t)status.st_size;
        return true;
    }
    err_set_errno(err, errno, "cannot look at %s", path);
    close(*fd);
    *fd = -1;
    return false;
}

bool exchange_open(struct store *store, enum exchange_kind kind, const char *name, int *fd,
                   uint64_t *size, struct err *err)
{
    char *path;
    bool ok;

    if (!exchange_check_name(kind, name, err))
        return false;
    touch_blob(store, kind, name);
    path = exchange_path(store, kind, name);
    ok = open_part(path, name, fd, size, err);
    mem_free(path);
    return ok;
}

/* The walk over a checkpoint that notes packs. */
struct gathering {
    struct directory *directory;
    struct hash_map seen;  /* chunk -> level it was followed at, + 1 */
    struct hash_map packs; /* hash of a pack's name -> 1 */
    struct exchange_pack_list list;
    size_t room;
};

static void note_pack(struct gathering *gathering, const struct pack *pack)
{
    struct hash key = hash_of(span_of_text(pack_name(pack)));
    struct exchange_pack *item;
    bool made;

    (void)hash_map_add(&gathering->packs, &key, &made);
    if (!made)
        return;
    if (gathering->list.count == gathering->room) {
        size_t room = gathering->room == 0 ? 16 : 2 * gathering->room;
        struct exchange_pack *items = mem_array(room, sizeof *items);
        if (gathering->list.count != 0)
            memcpy(items, gathering->list.items, gathering->list.count * sizeof *items);
        mem_free(gathering->list.items);
        gathering->list.items = items;
        gathering->room = room;
    }
    item = &gathering->list.items[gathering->list.count++];
    memcpy(item->name, pack_name(pack), strlen(pack_name(pack)) + 1);
    item->bytes = pack_bytes(pack);
}

static bool note_chunk(struct gathering *gathering, const struct hash *id)
{
    const struct pack *pack;
    struct hash self, base;
    uint32_t index;

    if (!directory_preferred(gathering->directory, id, &pack, &index))
        return false;
    note_pack(gathering, pack);
    pack_chunk_ids(pack, index, &self, &base);
    if (hash_is_zero(&base))
        return true;
    if (!directory_preferred(gathering->directory, &base, &pack, &index))
        return false;
    note_pack(gathering, pack);
    return true;
}

static enum walk_answer visit(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err)
{
    struct gathering *gathering = context;
    bool made;
    uint64_t *level = hash_map_add(&gathering->seen, id, &made);

    if (!made && *level > place->level)
        return WALK_SKIP;
    *level = (uint64_t)place->level + 1;
    if (note_chunk(gathering, id))
        return WALK_DOWN;
    err_set(err, ERR_CORRUPT, "%s: chunk %s is not in the store, or its base is not",
            walk_place_text(place).text, hash_hex(id).text);
    return WALK_STOP;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_get(((struct gathering *)context)->directory, id, out, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct exchange_pack *)a)->name, ((const struct exchange_pack *)b)->name);
}

bool exchange_packs(struct store *store, const struct hash *checkpoint,
                    struct exchange_pack_list *out, struct err *err)
{
    struct gathering gathering = {.directory = directory_of(store)};
    const struct walk walk = {visit, node, &gathering};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    bool ok = directory_list_packs(gathering.directory, err) &&
              directory_manifest_get(gathering.directory, checkpoint, &manifest, err) &&
              walk_manifest(&walk, buf_span(&manifest), err);

    buf_release(&manifest);
    hash_map_release(&gathering.seen);
    hash_map_release(&gathering.packs);
    if (!ok) {
        exchange_pack_list_release(&gathering.list);
        return false;
    }
    if (gathering.list.count != 0)
        qsort(gathering.list.items, gathering.list.count, sizeof *gathering.list.items, by_name);
    *out = gathering.list;
    return true;
}

void exchange_pack_list_release(struct exchange_pack_list *list)
{
    mem_free(list->items);
    *list = (struct exchange_pack_list){0};
}
