#include "storage/image_cache.h"

#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/base/log.h"
#include "storage/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCKS         64u
#define SUFFIX        ".image"
#define NAME_MAX_SIZE (HASH_HEX_SIZE + 32)

struct image_cache {
    struct store *store;
    char *folder;
    uint64_t max_bytes;
    struct boot_id boot;
    pthread_mutex_t mutex; /* guards the counts */
    uint64_t hits, builds, in_memory;
};

bool image_cache_new(struct store *store, const struct image_cache_options *options,
                     struct image_cache **out, struct err *err)
{
    struct image_cache *cache;
    const char *folder = options != NULL ? options->folder : NULL;
    struct err ignored = ERR_INIT;

    if (store == NULL && folder == NULL)
        return err_set(err, ERR_USAGE, "an image cache without a store needs a folder");
    cache = mem_alloc(sizeof *cache);
    cache->store = store;
    cache->folder = folder != NULL ? mem_text(folder) : path_join(store_location(store), "cache");
    cache->max_bytes =
        options != NULL && options->max_bytes != 0 ? options->max_bytes : IMAGE_CACHE_BYTES;
    cache->boot = boot_id_of_host();
    CHECK(pthread_mutex_init(&cache->mutex, NULL) == 0);
    if (!file_exists(cache->folder))
        (void)folder_make(cache->folder, &ignored);
    *out = cache;
    return true;
}

void image_cache_free(struct image_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->mutex);
    mem_free(cache->folder);
    mem_free(cache);
}

static void count(struct image_cache *cache, uint64_t *what)
{
    pthread_mutex_lock(&cache->mutex);
    (*what)++;
    pthread_mutex_unlock(&cache->mutex);
}

static bool source_open(void *context, const struct hash *root, uint64_t size,
                        struct image_mapping *out, struct err *err)
{
    return image_cache_open(context, root, size, out, err);
}

struct image_source image_cache_source(struct image_cache *cache)
{
    return (struct image_source){source_open, cache};
}

static char *image_path(const struct image_cache *cache, const struct image_file_layout *layout)
{
    char name[NAME_MAX_SIZE];

    snprintf(name, sizeof name, "%s-%" PRIu64 SUFFIX, hash_hex(&layout->root).text,
             layout->shape.size);
    return path_join(cache->folder, name);
}

/* Maps the file if it is there and whole. A file that is not is as good as none. */
static bool open_cached(struct image_cache *cache, const struct image_file_layout *layout,
                        struct image_mapping *out)
{
    char *path = image_path(cache, layout);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err ignored = ERR_INIT;
    bool ok;

    mem_free(path);
    if (fd < 0)
        return false;
    ok = image_file_map(fd, layout, &cache->boot, out, &ignored);
    if (ok)
        (void)futimens(fd, NULL); /* the least recently used go first */
    close(fd);
    return ok;
}

/* The lock of an image, and the name under which it is built while the lock is held: what a killed
 * builder left there is written over. */
struct building {
    struct file_lock lock;
    char *path;
};

static bool building_begin(struct image_cache *cache, const struct hash *root, bool wait,
                           struct building *out, struct err *err)
{
    char name[32];
    char *path;
    bool ok;

    out->lock = (struct file_lock)FILE_LOCK_INIT;
    snprintf(name, sizeof name, "lock-%02x", root->bytes[0] % LOCKS);
    path = path_join(cache->folder, name);
    ok = file_lock(&out->lock, path, true, wait, err);
    mem_free(path);
    if (!ok)
        return false;
    snprintf(name, sizeof name, "building-%02x", root->bytes[0] % LOCKS);
    out->path = path_join(cache->folder, name);
    return true;
}

static void building_end(struct building *building)
{
    mem_free(building->path);
    file_unlock(&building->lock);
}

struct cached_file {
    char *path;
    uint64_t bytes;
    struct timespec used;
};

static int compare_used(const void *a, const void *b)
{
    const struct cached_file *left = a, *right = b;

    if (left->used.tv_sec != right->used.tv_sec)
        return left->used.tv_sec < right->used.tv_sec ? -1 : 1;
    if (left->used.tv_nsec != right->used.tv_nsec)
        return left->used.tv_nsec < right->used.tv_nsec ? -1 : 1;
    return strcmp(left->path, right->path);
}

static bool is_image_name(const char *name)
{
    size_t size = strlen(name), suffix = strlen(SUFFIX);

    return size > suffix && strcmp(name + size - suffix, SUFFIX) == 0;
}

/* The cached files, least recently used first. Each path is the caller's. */
static size_t list_files(struct image_cache *cache, struct cached_file **out)
{
    struct name_list names;
    struct err ignored = ERR_INIT;
    struct cached_file *files;
    size_t found = 0;

    *out = NULL;
    if (!folder_list(cache->folder, &names, &ignored))
        return 0;
    files = mem_array(names.count, sizeof *files);
    for (size_t i = 0; i < names.count; i++) {
        char *path = path_join(cache->folder, names.names[i]);
        struct stat info;
        if (!is_image_name(names.names[i]) || stat(path, &info) != 0) {
            mem_free(path);
            continue;
        }
        files[found++] = (struct cached_file){path, (uint64_t)info.st_blocks * 512, info.st_mtim};
    }
    name_list_release(&names);
    if (found != 0)
        qsort(files, found, sizeof *files, compare_used);
    *out = files;
    return found;
}

static void free_files(struct cached_file *files, size_t file_count)
{
    for (size_t i = 0; i < file_count; i++)
        mem_free(files[i].path);
    mem_free(files);
}

/* Removes what killed builders left: what nobody holds the lock of. */
static void sweep_leftovers(struct image_cache *cache)
{
    for (uint8_t i = 0; i < LOCKS; i++) {
        const struct hash root = {{i}};
        struct err ignored = ERR_INIT;
        struct building building;
        char name[32];
        char *path;
        snprintf(name, sizeof name, "building-%02x", i);
        path = path_join(cache->folder, name);
        if (file_exists(path) && building_begin(cache, &root, false, &building, &ignored)) {
            (void)unlink(building.path);
            building_end(&building);
        }
        mem_free(path);
    }
}

/* Removes the least recently used until at most max_bytes are left, sparing one file (NULL: none).
 */
static void evict(struct image_cache *cache, uint64_t max_bytes, const char *spared)
{
    struct cached_file *files;
    size_t file_count = list_files(cache, &files);
    uint64_t total = 0;

    for (size_t i = 0; i < file_count; i++)
        total += files[i].bytes;
    for (size_t i = 0; i < file_count && total > max_bytes; i++) {
        if (spared != NULL && strcmp(files[i].path, spared) == 0)
            continue;
        if (unlink(files[i].path) == 0 || errno == ENOENT)
            total -= files[i].bytes;
    }
    sweep_leftovers(cache);
    free_files(files, file_count);
}

/* What fills a file: the store, or memory. */
struct origin {
    struct store *store;
    const uint8_t *data; /* NULL: from the store */
    const struct hash *nodes;
};

static bool fill_file(struct image_cache *cache, int fd, const struct image_file_layout *layout,
                      const struct origin *origin, struct err *err)
{
    const struct image_target target = {.fd = fd, .name = "a cached image"};

    if (ftruncate(fd, (off_t)layout->file_size) != 0)
        return err_set_errno(err, errno, "cannot size a cached image");
    if (origin->data != NULL) {
        if (!image_target_copy(&target, layout, origin->data, origin->nodes, err))
            return false;
    } else if (!image_target_fill(&target, layout, origin->store, err)) {
        return false;
    }
    return image_file_finish(fd, layout, &cache->boot, target.name, err);
}

/* Builds the file at building->path and puts it in its place. */
static bool build_once(struct image_cache *cache, const struct building *building,
                       const struct image_file_layout *layout, const struct origin *origin,
                       struct err *err)
{
    int fd = open(building->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char *path = image_path(cache, layout);
    bool ok;

    if (fd < 0) {
        ok = err_set_errno(err, errno, "cannot make %s", building->path);
        goto out;
    }
    ok = fill_file(cache, fd, layout, origin, err);
    if (close(fd) != 0 && ok)
        ok = err_set_errno(err, errno, "cannot close %s", building->path);
    if (ok && rename(building->path, path) != 0)
        ok = err_set_errno(err, errno, "cannot put %s in its place", path);
    if (ok)
        evict(cache, cache->max_bytes, path);
    else
        (void)unlink(building->path);
out:
    mem_free(path);
    return ok;
}

/* A full disk may be full of older images. */
static bool build(struct image_cache *cache, const struct building *building,
                  const struct image_file_layout *layout, const struct origin *origin,
                  struct err *err)
{
    struct err first = ERR_INIT;

    if (build_once(cache, building, layout, origin, &first)) {
        count(cache, &cache->builds);
        return true;
    }
    *err = first;
    if (first.kind != ERR_NO_SPACE)
        return false;
    evict(cache, 0, NULL);
    if (!build_once(cache, building, layout, origin, err))
        return false;
    count(cache, &cache->builds);
    return true;
}

/* True if the image is in its place afterwards. */
static bool build_locked(struct image_cache *cache, const struct image_file_layout *layout,
                         const struct origin *origin, struct image_mapping *out, struct err *err)
{
    struct building building;
    bool ok;

    if (!building_begin(cache, &layout->root, true, &building, err))
        return false;
    ok = open_cached(cache, layout, out); /* somebody built it meanwhile */
    if (!ok)
        ok = build(cache, &building, layout, origin, err) &&
             (open_cached(cache, layout, out) ||
              err_set(err, ERR_CONFLICT, "a cached image went away while it was opened"));
    building_end(&building);
    return ok;
}

/* Whether the failure is the cache's and not the checkpoint's. */
static bool is_cache_failure(const struct err *err)
{
    return err->kind == ERR_NO_SPACE || err->kind == ERR_ACCESS || err->kind == ERR_IO ||
           err->kind == ERR_CONFLICT;
}

static bool open_in_memory(struct image_cache *cache, const struct image_file_layout *layout,
                           struct image_mapping *out, struct err *err)
{
    if (!image_memory_map(layout, cache->store, out, err))
        return false;
    count(cache, &cache->in_memory);
    return true;
}

bool image_cache_open(struct image_cache *cache, const struct hash *root, uint64_t size,
                      struct image_mapping *out, struct err *err)
{
    const struct origin origin = {.store = cache->store};
    struct image_file_layout layout;
    struct err why = ERR_INIT;

    if (!image_file_layout(root, size, &layout, err))
        return false;
    if (open_cached(cache, &layout, out)) {
        count(cache, &cache->hits);
        return true;
    }
    if (cache->store == NULL)
        return err_set(err, ERR_NOT_FOUND, "the image %s is not in the cache %s",
                       hash_hex(root).text, cache->folder);
    if (build_locked(cache, &layout, &origin, out, &why))
        return true;
    /* A cache that cannot be written, or went away: its folder is looked for below ERR_NOT_FOUND's
     * name. */
    if (is_cache_failure(&why) || !file_exists(cache->folder)) {
        log_message(LOG_INFO, "%s: the image is made in memory", why.text);
        return open_in_memory(cache, &layout, out, err);
    }
    *err = why;
    return false;
}

bool image_cache_adopt(struct image_cache *cache, const uint8_t *data, const struct hash *nodes,
                       uint64_t size, struct err *err)
{
    struct origin origin = {.data = data, .nodes = nodes};
    struct image_file_layout layout;
    struct image_mapping mapping;
    struct image_shape shape;

    if (!image_shape(size, &shape, err) ||
        !image_file_layout(&nodes[shape.total - 1], size, &layout, err))
        return false;
    if (!build_locked(cache, &layout, &origin, &mapping, err))
        return false;
    mapping.release(&mapping);
    return true;
}

bool image_cache_statistics(struct image_cache *cache, struct image_cache_statistics *out,
                            struct err *err)
{
    struct cached_file *files;

    (void)err;
    pthread_mutex_lock(&cache->mutex);
    *out = (struct image_cache_statistics){cache->hits, cache->builds, cache->in_memory, 0, 0};
    pthread_mutex_unlock(&cache->mutex);
    out->files = list_files(cache, &files);
    for (size_t i = 0; i < out->files; i++)
        out->bytes += files[i].bytes;
    free_files(files, (size_t)out->files);
    return true;
}

/* Root and size from a path ".../ROOT-SIZE.image". */
static bool layout_of_path(const char *path, struct image_file_layout *out)
{
    const char *name = strrchr(path, '/') + 1;
    struct err ignored = ERR_INIT;
    char hex[HASH_HEX_SIZE];
    struct hash root;
    char *end;
    uint64_t size;

    snprintf(hex, sizeof hex, "%.64s", name);
    if (strlen(name) <= 2 * HASH_SIZE || name[2 * HASH_SIZE] != '-' ||
        !hash_parse(hex, &root, &ignored))
        return false;
    size = strtoull(name + 2 * HASH_SIZE + 1, &end, 10);
    return strcmp(end, SUFFIX) == 0 && image_file_layout(&root, size, out, &ignored);
}

static bool file_is_good(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct image_file_layout layout;
    struct err why = ERR_INIT;
    bool ok;

    if (fd < 0)
        return errno == ENOENT; /* evicted since it was listed */
    ok = layout_of_path(path, &layout) && image_file_check(fd, &layout, &why);
    close(fd);
    return ok;
}

bool image_cache_check(struct image_cache *cache, size_t *files, size_t *damaged, struct err *err)
{
    struct cached_file *list;
    bool ok = true;

    *files = list_files(cache, &list);
    *damaged = 0;
    for (size_t i = 0; ok && i < *files; i++) {
        if (file_is_good(list[i].path))
            continue;
        (*damaged)++;
        ok = file_remove(list[i].path, err);
    }
    free_files(list, *files);
    return ok;
}

bool image_cache_clear(struct image_cache *cache, struct err *err)
{
    struct cached_file *list;
    size_t file_count = list_files(cache, &list);
    bool ok = true;

    for (size_t i = 0; ok && i < file_count; i++)
        ok = file_remove(list[i].path, err);
    free_files(list, file_count);
    return ok;
}
