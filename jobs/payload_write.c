#include "jobs/payload.h"

#include "storage/base/check.h"
#include "storage/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SIZE   100u
#define PREFIX_SIZE 155u

static int compare_entries(const void *a, const void *b)
{
    const struct payload_entry *const *x = a, *const *y = b;

    return strcmp((*x)->path, (*y)->path);
}

/* Splits a long path at a slash, so that prefix and name fit. */
static bool put_path(uint8_t *header, const char *path, struct err *err)
{
    size_t size = strlen(path);

    if (size <= NAME_SIZE) {
        memcpy(header, path, size);
        return true;
    }
    for (size_t at = size - 1; at > 0; at--) {
        if (path[at] != '/' || at > PREFIX_SIZE || size - at - 1 > NAME_SIZE || at == size - 1)
            continue;
        memcpy(header + 345, path, at);
        memcpy(header, path + at + 1, size - at - 1);
        return true;
    }
    return err_set(err, ERR_TOO_BIG, "the path `%.100s…` is too long for an archive", path);
}

static void put_octal(uint8_t *field, int digits, uint64_t value)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 3)
        field[i] = (uint8_t)('0' + (value & 7));
}

static bool put_header(const struct payload_entry *entry, struct buf *out, struct err *err)
{
    uint8_t header[PAYLOAD_BLOCK] = {0};
    uint64_t sum = 0;

    if (!put_path(header, entry->path, err))
        return false;
    put_octal(header + 100, 7, entry->folder || entry->executable ? 0755 : 0644);
    put_octal(header + 108, 7, 0);
    put_octal(header + 116, 7, 0);
    put_octal(header + 124, 11, entry->folder ? 0 : entry->content.size);
    put_octal(header + 136, 11, PAYLOAD_MTIME);
    memset(header + 148, ' ', 8);
    header[156] = entry->folder ? '5' : '0';
    memcpy(header + 257, "ustar\00000", 8);
    memcpy(header + 265, "root", 4);
    memcpy(header + 297, "root", 4);
    put_octal(header + 329, 7, 0);
    put_octal(header + 337, 7, 0);
    for (size_t i = 0; i < sizeof header; i++)
        sum += header[i];
    put_octal(header + 148, 6, sum);
    header[154] = '\0';
    return buf_append(out, header, sizeof header, err);
}

static bool put_entry(const struct payload_entry *entry, struct buf *out, struct err *err)
{
    static const uint8_t zeros[PAYLOAD_BLOCK];
    size_t rest = entry->content.size % PAYLOAD_BLOCK;

    if (!put_header(entry, out, err))
        return false;
    if (entry->folder)
        return true;
    return buf_append(out, entry->content.data, entry->content.size, err) &&
           (rest == 0 || buf_append(out, zeros, PAYLOAD_BLOCK - rest, err));
}

bool payload_write(const struct payload_entry *entries, size_t count, struct buf *out,
                   struct err *err)
{
    static const uint8_t zeros[2 * PAYLOAD_BLOCK];
    const struct payload_entry **sorted = mem_array(count, sizeof *sorted);
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        sorted[i] = &entries[i];
    qsort(sorted, count, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < count && ok; i++) {
        if (i > 0 && strcmp(sorted[i]->path, sorted[i - 1]->path) == 0)
            ok = err_set(err, ERR_INVALID, "the payload has `%.200s` twice", sorted[i]->path);
        else
            ok = put_entry(sorted[i], out, err) ||
                 err_wrap(err, "payload `%.200s`", sorted[i]->path);
    }
    mem_free(sorted);
    return ok && buf_append(out, zeros, sizeof zeros, err);
}

/* What payload_from_host gathers. */
struct gathering {
    struct payload_entry *entries;
    size_t count;
    uint64_t bytes;
    struct pool pool;
};

static bool add_entry(struct gathering *all, const char *path, bool folder,
                      struct payload_entry **out, struct err *err)
{
    if (all->count == PAYLOAD_ENTRIES_MAX)
        return err_set(err, ERR_TOO_BIG, "a payload of more than %d files", PAYLOAD_ENTRIES_MAX);
    if (strlen(path) > PAYLOAD_PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "the path `%.100s…` is too long for an archive", path);
    *out = &all->entries[all->count++];
    **out = (struct payload_entry){.path = pool_text(&all->pool, path), .folder = folder};
    return true;
}

static bool add_file(struct gathering *all, const char *host, const char *path,
                     const struct stat *info, struct err *err)
{
    struct buf content = BUF_INIT((size_t)PAYLOAD_BYTES_MAX);
    struct payload_entry *entry;
    bool ok;

    if (all->bytes + (uint64_t)info->st_size > PAYLOAD_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "a payload of more than %llu bytes",
                       (unsigned long long)PAYLOAD_BYTES_MAX);
    ok = file_read(host, &content, err) && add_entry(all, path, false, &entry, err);
    if (ok) {
        entry->content = (struct span){
            (const uint8_t *)pool_bytes(&all->pool, content.data, content.size), content.size};
        entry->executable = (info->st_mode & 0111) != 0;
        all->bytes += content.size;
    }
    buf_release(&content);
    return ok;
}

static bool add_folder(struct gathering *all, const char *host, const char *path, int depth,
                       struct err *err);

/* One name in a folder; `path` is its path in the archive. */
static bool add_inner(struct gathering *all, const char *host, const char *path, int depth,
                      struct err *err)
{
    struct payload_entry *entry;
    struct stat info;

    if (lstat(host, &info) != 0)
        return err_set_errno(err, errno, "%s", host);
    if (S_ISREG(info.st_mode))
        return add_file(all, host, path, &info, err);
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_UNSUPPORTED, "%s is neither a file nor a folder", host);
    return add_entry(all, path, true, &entry, err) && add_folder(all, host, path, depth + 1, err);
}

static bool add_folder(struct gathering *all, const char *host, const char *path, int depth,
                       struct err *err)
{
    struct name_list list;
    bool ok = true;

    if (depth > PAYLOAD_DEPTH_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: folders nested deeper than %d", host,
                       PAYLOAD_DEPTH_MAX);
    if (!folder_list(host, &list, err))
        return false;
    for (size_t i = 0; i < list.count && ok; i++) {
        const char *inner = path[0] == '\0' ? pool_text(&all->pool, list.names[i])
                                            : pool_format(&all->pool, "%s/%s", path, list.names[i]);
        char *inner_host = path_join(host, list.names[i]);

        ok = add_inner(all, inner_host, inner, depth, err);
        mem_free(inner_host);
    }
    name_list_release(&list);
    return ok;
}

static bool add_top(struct gathering *all, const char *host, struct err *err)
{
    const char *slash = strrchr(host, '/');
    struct stat info;

    if (stat(host, &info) != 0)
        return err_set_errno(err, errno, "%s", host);
    if (S_ISDIR(info.st_mode))
        return add_folder(all, host, "", 1, err);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_UNSUPPORTED, "%s is neither a file nor a folder", host);
    return add_file(all, host, slash == NULL ? host : slash + 1, &info, err);
}

bool payload_from_host(const char *const *paths, size_t count, struct buf *out, struct err *err)
{
    struct gathering all = {.pool = POOL_INIT};
    bool ok = true;

    all.entries = mem_array(PAYLOAD_ENTRIES_MAX, sizeof *all.entries);
    for (size_t i = 0; i < count && ok; i++)
        ok = add_top(&all, paths[i], err);
    ok = ok && payload_write(all.entries, all.count, out, err);
    mem_free(all.entries);
    pool_release(&all.pool);
    return ok || err_wrap(err, "payload");
}
