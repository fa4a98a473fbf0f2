#include "agent/farm/spool.h"

#include "storage/base/cbor.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SENTINEL  "thaw-spool"
#define VERSION   1
#define SUFFIX    ".result"
#define DIGITS    16
#define FILE_MAX  (MESSAGE_BYTES_MAX + 128)
#define NAME_SIZE (DIGITS + sizeof SUFFIX + sizeof ".damaged")

struct spool {
    char *folder;
    struct file_lock lock;
};

static char *path_of(const struct spool *spool, uint64_t lease)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%016" PRIx64 SUFFIX, lease);
    return path_join(spool->folder, name);
}

bool spool_open(const char *folder, struct spool **out, struct err *err)
{
    struct spool *spool;
    char *lock;
    bool ok;

    if (!folder_make(folder, err))
        return err_wrap(err, "spool");
    spool = mem_alloc(sizeof *spool);
    spool->folder = mem_text(folder);
    spool->lock = (struct file_lock)FILE_LOCK_INIT;
    lock = path_join(folder, "lock");
    ok = file_lock(&spool->lock, lock, true, false, err);
    mem_free(lock);
    if (ok)
        *out = spool;
    else
        spool_close(spool);
    return ok || err_wrap(err, "another agent may be using the spool %s", folder);
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    file_unlock(&spool->lock);
    mem_free(spool->folder);
    mem_free(spool);
}

static bool encode(const struct message_job_result *result, struct buf *out, struct err *err)
{
    struct message *message = mem_alloc(sizeof *message);
    struct buf inner = BUF_INIT(MESSAGE_BYTES_MAX);
    struct cbor_writer writer = cbor_writer(out, err);
    struct hash hash;
    bool ok;

    message_init(message, MESSAGE_RESULT);
    memset(&message->u.result.incarnation, 0xff, sizeof message->u.result.incarnation);
    message->u.result.results[0] = *result;
    message->u.result.result_count = 1;
    ok = message_encode(message, &inner, err);
    mem_free(message);
    if (ok) {
        hash = hash_of(buf_span(&inner));
        cbor_write_array(&writer, 4);
        cbor_write_text(&writer, SENTINEL);
        cbor_write_uint(&writer, VERSION);
        cbor_write_bytes(&writer, buf_span(&inner));
        cbor_write_bytes(&writer, (struct span){hash.bytes, HASH_SIZE});
        ok = writer.ok;
    }
    buf_release(&inner);
    return ok;
}

bool spool_put(struct spool *spool, const struct message_job_result *result, struct err *err)
{
    struct buf bytes = BUF_INIT(FILE_MAX);
    char *path = path_of(spool, result->lease);
    bool ok = encode(result, &bytes, err) && file_write(path, buf_span(&bytes), err);

    mem_free(path);
    buf_release(&bytes);
    return ok || err_wrap(err, "spool");
}

static bool decode(struct span bytes, uint64_t lease, struct message *message, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct span sentinel, inner, hash;
    struct hash expected;
    uint64_t version;
    size_t count;

    if (!cbor_read_array(&reader, 4, &count) || !cbor_read_text(&reader, 32, &sentinel) ||
        !cbor_read_uint(&reader, &version))
        return false;
    if (count != 4 || !cbor_text_is(sentinel, SENTINEL) || version != VERSION)
        return cbor_fail(&reader, ERR_CORRUPT, "it is no spooled result of version %d", VERSION);
    if (!cbor_read_bytes(&reader, MESSAGE_BYTES_MAX, &inner) ||
        !cbor_read_bytes(&reader, HASH_SIZE, &hash))
        return false;
    expected = hash_of(inner);
    if (hash.size != HASH_SIZE || memcmp(hash.data, expected.bytes, HASH_SIZE) != 0 ||
        reader.offset != bytes.size)
        return cbor_fail(&reader, ERR_CORRUPT, "its bytes do not match their hash");
    if (!message_decode(inner, message, err))
        return false;
    return (message->kind == MESSAGE_RESULT && message->u.result.result_count == 1 &&
            message->u.result.results[0].lease == lease) ||
           err_set(err, ERR_CORRUPT, "it is not the result of its lease");
}

static void set_aside(const char *path, struct err *err)
{
    struct buf aside = BUF_INIT(8192);
    struct err ignored = ERR_INIT;

    if (buf_format(&aside, &ignored, "%s.damaged%c", path, 0) &&
        rename(path, (const char *)aside.data) == 0)
        err_wrap(err, "%s, put aside as it is damaged", (const char *)aside.data);
    else
        err_wrap(err, "%s, which is damaged and cannot be put aside", path);
    buf_release(&aside);
}

bool spool_get(struct spool *spool, uint64_t lease, struct buf *bytes, struct message *message,
               struct err *err)
{
    char *path = path_of(spool, lease);
    bool ok;

    buf_clear(bytes);
    bytes->max = FILE_MAX;
    ok = file_read(path, bytes, err);
    if (ok || err->kind == ERR_TOO_BIG) {
        ok = ok && decode(buf_span(bytes), lease, message, err);
        if (!ok) {
            err->kind = ERR_CORRUPT;
            set_aside(path, err);
        }
    }
    mem_free(path);
    return ok;
}

bool spool_remove(struct spool *spool, uint64_t lease, struct err *err)
{
    char *path = path_of(spool, lease);
    bool ok = unlink(path) == 0 || errno == ENOENT ||
              err_set_errno(err, errno, "cannot remove the spooled result %s", path);

    mem_free(path);
    return ok;
}

static bool lease_of_name(const char *name, uint64_t *out)
{
    if (strlen(name) != DIGITS + sizeof SUFFIX - 1 || strcmp(name + DIGITS, SUFFIX) != 0 ||
        strspn(name, "0123456789abcdef") < DIGITS)
        return false;
    *out = strtoull(name, NULL, 16);
    return true;
}

bool spool_leases(struct spool *spool, struct spool_list *out, struct err *err)
{
    struct name_list names;

    if (!folder_list(spool->folder, &names, err))
        return err_wrap(err, "spool");
    out->leases = mem_array(names.count, sizeof *out->leases);
    out->count = 0;
    for (size_t i = 0; i < names.count; i++)
        if (lease_of_name(names.names[i], &out->leases[out->count]))
            out->count++;
    name_list_release(&names);
    return true;
}

void spool_list_release(struct spool_list *list)
{
    mem_free(list->leases);
    *list = (struct spool_list){NULL, 0};
}

bool spool_has_room(struct spool *spool, uint64_t bytes)
{
    struct statvfs info;

    if (statvfs(spool->folder, &info) != 0)
        return false;
    return (uint64_t)info.f_bavail * info.f_frsize >= bytes &&
           (info.f_files == 0 || info.f_favail != 0);
}
