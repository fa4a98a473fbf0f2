#include "jobs/payload.h"

#include "storage/base/check.h"
#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct header {
    uint64_t size;
    uint8_t type;
    uint64_t mode;
};

struct payload_reader payload_reader(struct span bytes)
{
    return (struct payload_reader){.bytes = bytes};
}

/* Octal digits, blanks or NUL around them; or base 256 with the top bit set (GNU, for large
 * values). */
static bool read_number(const uint8_t *field, size_t size, uint64_t *out)
{
    size_t at = 0;

    *out = 0;
    if (field[0] & 0x80) {
        for (size_t i = 1; i < size; i++) {
            if (*out >> 56)
                return false;
            *out = *out << 8 | field[i];
        }
        return field[0] == 0x80;
    }
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *out = *out << 3 | (uint64_t)(field[at] - '0');
    for (; at < size; at++) {
        if (field[at] != ' ' && field[at] != '\0')
            return false;
    }
    return true;
}

static bool checksum_holds(const uint8_t *header)
{
    uint64_t stored, sum = 0;

    for (size_t i = 0; i < PAYLOAD_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return read_number(header + 148, 8, &stored) && stored == sum;
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < PAYLOAD_BLOCK; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

/* Adds to a path that must fit; false if it does not. */
static bool path_add(char *path, const char *part, size_t size)
{
    size_t used = strlen(path);

    if (size > PAYLOAD_PATH_MAX - used)
        return false;
    memcpy(path + used, part, size);
    path[used + size] = '\0';
    return true;
}

static bool header_path(const uint8_t *header, char *path)
{
    const char *name = (const char *)header, *prefix = name + 345;
    size_t prefix_size = strnlen(prefix, 155);

    path[0] = '\0';
    /* GNU's old format has other fields there. */
    if (memcmp(header + 257, "ustar\0", 6) == 0 && prefix_size > 0 &&
        (!path_add(path, prefix, prefix_size) || !path_add(path, "/", 1)))
        return false;
    return path_add(path, name, strnlen(name, 100));
}

/* Rewrites the path without `./`, repeated and final slashes; refuses what could lead elsewhere. An
 * empty result is the folder itself. */
static bool path_clean(char *path, struct err *err)
{
    char *out = path, *at = path;
    int depth = 0;

    if (path[0] == '/')
        return err_set(err, ERR_INVALID, "the archive has the absolute path `%s`", path);
    while (*at != '\0') {
        size_t size = strcspn(at, "/");

        for (size_t i = 0; i < size; i++) {
            if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f || at[i] == '\\')
                return err_set(err, ERR_INVALID, "the archive has a path with a control character");
        }
        if (size == 2 && memcmp(at, "..", 2) == 0)
            return err_set(err, ERR_INVALID, "the archive has a path with `..`");
        if (size > 0 && !(size == 1 && at[0] == '.')) {
            if (++depth > PAYLOAD_DEPTH_MAX)
                return err_set(err, ERR_TOO_BIG, "the archive has a path of more than %d parts",
                               PAYLOAD_DEPTH_MAX);
            if (out != path)
                *out++ = '/';
            memmove(out, at, size);
            out += size;
        }
        at += size;
        while (*at == '/')
            at++;
    }
    *out = '\0';
    return true;
}

/* The `path` record of a pax header: "LENGTH path=VALUE\n" lines. */
static bool pax_path(struct payload_reader *reader, struct span records, struct err *err)
{
    size_t at = 0;

    while (at < records.size) {
        size_t length = 0, digits = at, start;

        for (; digits < records.size && records.data[digits] >= '0' &&
               records.data[digits] <= '9' && length < records.size;
             digits++)
            length = length * 10 + (size_t)(records.data[digits] - '0');
        start = digits + 1;
        if (digits == at || digits == records.size || records.data[digits] != ' ' ||
            length > records.size - at || at + length <= start ||
            records.data[at + length - 1] != '\n')
            return err_set(err, ERR_INVALID, "the archive has a broken pax header");
        if (at + length - start > 5 && memcmp(records.data + start, "path=", 5) == 0) {
            const char *value = (const char *)records.data + start + 5;
            size_t size = at + length - 1 - start - 5;

            reader->next_path[0] = '\0';
            if (memchr(value, '\0', size) != NULL || !path_add(reader->next_path, value, size))
                return err_set(err, ERR_TOO_BIG, "the archive has a path over %d bytes",
                               PAYLOAD_PATH_MAX);
            reader->has_next_path = true;
        }
        at += length;
    }
    return true;
}

static bool gnu_path(struct payload_reader *reader, struct span name, struct err *err)
{
    reader->next_path[0] = '\0';
    if (name.size == 0 || !path_add(reader->next_path, (const char *)name.data,
                                    strnlen((const char *)name.data, name.size)))
        return err_set(err, ERR_TOO_BIG, "the archive has a path over %d bytes", PAYLOAD_PATH_MAX);
    reader->has_next_path = true;
    return true;
}

/* Reads the header at the offset and moves behind the entry's content. False at the end, too. */
static bool next_header(struct payload_reader *reader, const uint8_t **out, struct header *header,
                        struct span *content, struct err *err)
{
    uint64_t left = reader->bytes.size - reader->offset;
    const uint8_t *block;

    err->kind = ERR_NONE;
    if (left == 0)
        return false;
    if (left < PAYLOAD_BLOCK)
        return err_set(err, ERR_CORRUPT, "the archive is cut short");
    block = reader->bytes.data + reader->offset;
    if (is_zero(block))
        return false;
    if (!checksum_holds(block))
        return err_set(err, ERR_CORRUPT, "the archive has a header with a wrong checksum");
    if (++reader->entry_count > PAYLOAD_ENTRIES_MAX)
        return err_set(err, ERR_TOO_BIG, "the archive has more than %d entries",
                       PAYLOAD_ENTRIES_MAX);
    if (!read_number(block + 124, 12, &header->size) || !read_number(block + 100, 8, &header->mode))
        return err_set(err, ERR_INVALID, "the archive has a header that is no ustar header");
    header->type = block[156];
    left -= PAYLOAD_BLOCK;
    if (header->size > left)
        return err_set(err, ERR_CORRUPT, "the archive is cut short");
    *content = (struct span){block + PAYLOAD_BLOCK, (size_t)header->size};
    /* Never past the end, even if the last block is not padded. */
    header->size = (header->size + PAYLOAD_BLOCK - 1) / PAYLOAD_BLOCK * PAYLOAD_BLOCK;
    reader->offset += PAYLOAD_BLOCK + (header->size > left ? left : header->size);
    *out = block;
    return true;
}

static bool is_plain(uint8_t type)
{
    return type == '0' || type == '\0' || type == '7';
}

bool payload_next(struct payload_reader *reader, struct payload_item *out, struct err *err)
{
    const uint8_t *block = NULL;
    struct header header = {0, 0, 0};
    struct span content = {NULL, 0};

    while (next_header(reader, &block, &header, &content, err)) {
        if (header.type == 'x' || header.type == 'L') {
            if (header.type == 'x' ? !pax_path(reader, content, err)
                                   : !gnu_path(reader, content, err))
                return false;
            continue;
        }
        if (header.type == 'g' || header.type == 'K')
            continue;
        if (reader->has_next_path)
            memcpy(reader->path, reader->next_path, sizeof reader->path);
        else if (!header_path(block, reader->path))
            return err_set(err, ERR_TOO_BIG, "the archive has a path over %d bytes",
                           PAYLOAD_PATH_MAX);
        reader->has_next_path = false;
        if (!is_plain(header.type) && header.type != '5') {
            reader->skipped++;
            continue;
        }
        /* Old archives mark folders by a final slash only. */
        out->folder = header.type == '5' ||
                      (reader->path[0] != '\0' && reader->path[strlen(reader->path) - 1] == '/');
        if (!path_clean(reader->path, err))
            return false;
        if (reader->path[0] == '\0' && out->folder)
            continue;
        if (reader->path[0] == '\0')
            return err_set(err, ERR_INVALID, "the archive has a file without a name");
        out->path = reader->path;
        out->content = out->folder ? (struct span){NULL, 0} : content;
        out->executable = (header.mode & 0111) != 0;
        return true;
    }
    return false;
}

bool payload_size(struct span bytes, uint64_t *out, struct err *err)
{
    struct payload_reader reader = payload_reader(bytes);
    struct payload_item item;
    uint64_t end;

    while (payload_next(&reader, &item, err)) {
    }
    if (err->kind != ERR_NONE)
        return false;
    end = reader.offset + 2 * PAYLOAD_BLOCK;
    *out = end < bytes.size ? end : bytes.size;
    return true;
}

/* Opens (and makes) the folder of `path` below `folder_fd`, one part at a time and never through a
 * link; *name is set to the last part. Returns -1 on failure. */
static int open_parent(int folder_fd, char *path, char **name, struct err *err)
{
    int fd = dup(folder_fd);
    char *at = path;

    for (char *slash = strchr(at, '/'); fd >= 0 && slash != NULL; slash = strchr(at, '/')) {
        int inner;

        *slash = '\0';
        if (mkdirat(fd, at, 0755) != 0 && errno != EEXIST) {
            err_set_errno(err, errno, "%s", at);
            close(fd);
            return -1;
        }
        inner = openat(fd, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0)
            err_set_errno(err, errno, "%s", at);
        close(fd);
        fd = inner;
        at = slash + 1;
    }
    if (fd < 0 && err->kind == ERR_NONE)
        err_set_errno(err, errno, "%s", path);
    *name = at;
    return fd;
}

static bool write_file(int folder_fd, const char *name, const struct payload_item *item,
                       struct err *err)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    item->executable ? 0755 : 0644);
    bool ok;

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INVALID, "the archive has `%s` twice", name);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", name);
    ok = file_write_all(fd, item->content, name, err);
    if (close(fd) != 0 && ok)
        ok = err_set_errno(err, errno, "%s", name);
    return ok;
}

static bool write_item(int folder_fd, const struct payload_item *item, struct err *err)
{
    char path[PAYLOAD_PATH_MAX + 1];
    char *name;
    int parent;
    bool ok = true;

    memcpy(path, item->path, strlen(item->path) + 1);
    err->kind = ERR_NONE;
    parent = open_parent(folder_fd, path, &name, err);
    if (parent < 0)
        return false;
    if (!item->folder)
        ok = write_file(parent, name, item, err);
    else if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
        ok = err_set_errno(err, errno, "%s", name);
    close(parent);
    return ok;
}

static bool write_all(struct span bytes, int folder_fd, uint32_t *files, struct err *err)
{
    struct payload_reader reader = payload_reader(bytes);
    struct payload_item item;

    while (payload_next(&reader, &item, err)) {
        if (!write_item(folder_fd, &item, err))
            return err_wrap(err, "%s", item.path);
        if (files != NULL && !item.folder)
            (*files)++;
    }
    return err->kind == ERR_NONE;
}

static bool check_empty(const char *folder, struct err *err)
{
    struct name_list list;
    size_t count;

    if (!folder_list(folder, &list, err))
        return false;
    count = list.count;
    name_list_release(&list);
    return count == 0 || err_set(err, ERR_CONFLICT, "%s is not empty", folder);
}

bool payload_to_host(struct span bytes, const char *folder, uint32_t *files, uint32_t *skipped,
                     struct err *err)
{
    struct payload_reader reader = payload_reader(bytes);
    struct payload_item item;
    bool ok;
    int fd;

    if (bytes.size > PAYLOAD_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "an archive of %zu bytes", bytes.size);
    while (payload_next(&reader, &item, err)) {
    }
    if (err->kind != ERR_NONE)
        return false;
    if (files != NULL)
        *files = 0;
    if (skipped != NULL)
        *skipped = reader.skipped;
    if (!folder_make(folder, err) || !check_empty(folder, err))
        return false;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", folder);
    ok = write_all(bytes, fd, files, err);
    close(fd);
    return ok;
}
