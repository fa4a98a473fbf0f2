#include "storage/directory.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

#define FORMAT_NAME "format"
#define FORMAT_TEXT "thaw store 1\n"
#define FORMAT_MAX  256

static const char *const folders[] = {"blobs",     "cache", "damaged", "incoming",
                                      "manifests", "packs", "tags",    "tmp"};
#define FOLDER_COUNT (sizeof folders / sizeof folders[0])

static bool is_our_name(const char *name)
{
    for (size_t i = 0; i < FOLDER_COUNT; i++)
        if (strcmp(folders[i], name) == 0)
            return true;
    return strcmp(name, "lock") == 0 || strncmp(name, FORMAT_NAME, strlen(FORMAT_NAME)) == 0;
}

/* A folder with nothing in it, or with what an interrupted creation leaves. */
static bool check_only_ours(const char *path, struct err *err)
{
    struct name_list list;
    bool ok = true;

    if (!folder_list(path, &list, err))
        return false;
    for (size_t i = 0; ok && i < list.count; i++)
        if (!is_our_name(list.names[i]))
            ok = err_set(err, ERR_INVALID,
                         "%s is not a store and not empty (there is \"%s\"): name another folder",
                         path, list.names[i]);
    name_list_release(&list);
    return ok;
}

/* The format file comes last: with it the folder is a store. */
static bool create(const char *path, const char *format_path, struct err *err)
{
    bool ok = folder_make(path, err) && check_only_ours(path, err);

    for (size_t i = 0; ok && i < FOLDER_COUNT; i++) {
        char *folder = path_join(path, folders[i]);
        ok = folder_make(folder, err);
        mem_free(folder);
    }
    return ok && file_write(format_path, span_of_text(FORMAT_TEXT), err);
}

static bool check_format(const char *path, const char *format_path, struct err *err)
{
    struct buf text = BUF_INIT(FORMAT_MAX);
    bool ok = file_read(format_path, &text, err);

    if (ok && !span_equal(buf_span(&text), span_of_text(FORMAT_TEXT))) {
        if (text.size > 11 && memcmp(text.data, "thaw store ", 11) == 0)
            ok = err_set(err, ERR_UNSUPPORTED,
                         "the store %s has another format than this build reads: use a newer thaw",
                         path);
        else
            ok = err_set(err, ERR_CORRUPT, "%s does not say what a store's should", format_path);
    }
    buf_release(&text);
    return ok;
}

static bool find_store(const char *path, bool may_create, struct err *err)
{
    char *format_path = path_join(path, FORMAT_NAME);
    bool ok = check_format(path, format_path, err);

    if (!ok && err->kind == ERR_NOT_FOUND) {
        if (may_create)
            ok = create(path, format_path, err) || err_wrap(err, "cannot make a store in %s", path);
        else if (!file_exists(path))
            err_set(err, ERR_NOT_FOUND, "there is no store in %s", path);
        else
            err_set(err, ERR_INVALID, "%s is not a store: it has no file \"%s\"", path,
                    FORMAT_NAME);
    }
    mem_free(format_path);
    return ok;
}

bool directory_open(const char *path, const struct store_options *options, struct directory **out,
                    struct err *err)
{
    struct directory *directory;

    if (!find_store(path, options->create, err))
        return false;
    directory = mem_alloc(sizeof *directory);
    directory->root = mem_text(path);
    directory->packs_folder = path_join(path, "packs");
    directory->manifests_folder = path_join(path, "manifests");
    directory->tags_folder = path_join(path, "tags");
    directory->temp_folder = path_join(path, "tmp");
    directory->damaged_folder = path_join(path, "damaged");
    directory->blobs_folder = path_join(path, "blobs");
    directory->incoming_folder = path_join(path, "incoming");
    directory->lock_path = path_join(path, "lock");
    directory->level = options->level;
    CHECK(pthread_mutex_init(&directory->mutex, NULL) == 0);
    *out = directory;
    return true;
}

void directory_close(struct directory *directory)
{
    for (size_t i = 0; i < directory->pack_count; i++)
        pack_close(directory->packs[i]);
    for (size_t i = 0; i < directory->decoder_count; i++) {
        frame_coder_free(directory->decoders[i]->coder);
        mem_free(directory->decoders[i]);
    }
    for (size_t i = 0; i < DIRECTORY_CACHED_FRAMES; i++)
        mem_free(directory->cached[i].plain);
    hash_map_release(&directory->chunks);
    hash_map_release(&directory->bad);
    pthread_mutex_destroy(&directory->mutex);
    mem_free(directory->packs);
    mem_free(directory->gone);
    mem_free(directory->root);
    mem_free(directory->packs_folder);
    mem_free(directory->manifests_folder);
    mem_free(directory->tags_folder);
    mem_free(directory->temp_folder);
    mem_free(directory->damaged_folder);
    mem_free(directory->blobs_folder);
    mem_free(directory->incoming_folder);
    mem_free(directory->lock_path);
    mem_free(directory);
}

static void count_packs(struct directory *directory, struct store_statistics *out)
{
    pthread_mutex_lock(&directory->mutex);
    for (size_t i = 0; i < directory->pack_count; i++) {
        if (directory->gone[i])
            continue;
        out->packs++;
        out->stored_bytes += pack_bytes(directory->packs[i]);
        out->chunks += pack_chunk_count(directory->packs[i]);
        for (uint32_t f = 0; f < pack_frame_count(directory->packs[i]); f++)
            out->plain_bytes += pack_frame_plain(directory->packs[i], f);
    }
    pthread_mutex_unlock(&directory->mutex);
}

bool directory_statistics(void *context, struct store_statistics *out, struct err *err)
{
    struct directory *directory = context;
    struct store_statistics statistics = {0};
    struct hash_list manifests;
    struct name_list tags;

    if (!directory_list_packs(directory, err) ||
        !directory_manifest_list(directory, &manifests, err))
        return false;
    for (size_t i = 0; i < manifests.count; i++) {
        char *path = directory_manifest_path(directory, &manifests.items[i]);
        struct err ignored = ERR_INIT;
        uint64_t bytes;
        if (file_size(path, &bytes, &ignored))
            statistics.stored_bytes += bytes;
        mem_free(path);
    }
    statistics.manifests = manifests.count;
    hash_list_release(&manifests);
    if (!directory_tag_names(directory, &tags, err))
        return false;
    statistics.tags = tags.count;
    name_list_release(&tags);
    count_packs(directory, &statistics);
    *out = statistics;
    return true;
}

static void ops_close(void *context)
{
    directory_close(context);
}

static bool ops_get(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_get(context, id, out, err);
}

/* Another process may have brought the chunk since: before saying no, look again. */
static bool ops_look(void *context, const struct hash *id, struct chunk_facts *out)
{
    struct err ignored = ERR_INIT;

    return directory_look(context, id, out) ||
           (directory_list_packs(context, &ignored) && directory_look(context, id, out));
}

static bool ops_manifest_get(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_manifest_get(context, id, out, err);
}

static bool ops_manifest_list(void *context, struct hash_list *out, struct err *err)
{
    return directory_manifest_list(context, out, err);
}

static bool ops_manifest_remove(void *context, const struct hash *id, struct err *err)
{
    return directory_manifest_remove(context, id, err);
}

static bool ops_tag_get(void *context, const char *name, struct store_tag *out, struct err *err)
{
    return directory_tag_get(context, name, out, err);
}

static bool ops_tag_names(void *context, struct name_list *out, struct err *err)
{
    return directory_tag_names(context, out, err);
}

struct directory *directory_of(struct store *store)
{
    CHECK(store->ops == &directory_ops);
    return store->context;
}

const struct store_ops directory_ops = {
    .close = ops_close,
    .get = ops_get,
    .look = ops_look,
    .batch_begin = directory_batch_begin,
    .batch_put = directory_batch_put,
    .batch_commit = directory_batch_commit,
    .batch_abort = directory_batch_abort,
    .manifest_get = ops_manifest_get,
    .manifest_list = ops_manifest_list,
    .manifest_remove = ops_manifest_remove,
    .pin = directory_pin,
    .tag_get = ops_tag_get,
    .tag_set = directory_tag_set,
    .tag_remove = directory_tag_remove,
    .tag_names = ops_tag_names,
    .statistics = directory_statistics,
    .gc = directory_gc,
    .fsck = directory_fsck,
};
