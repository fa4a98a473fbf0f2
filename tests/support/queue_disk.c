#include "tests/support/queue_disk.h"

#include "storage/base/buf.h"
#include "storage/base/check.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX  4
#define SHM_MAX    16
#define SHM_REGION 32768

/* A write that is not durable yet: what was there before, to take it back. */
struct pending {
    size_t offset, size, size_before;
    uint8_t *before; /* of what was there; shorter than size if the file was */
};

struct file {
    char name[64]; /* "": free */
    uint8_t *bytes;
    size_t size, capacity;
    struct pending *pending;
    size_t pending_count, pending_capacity;
};

struct queue_disk {
    sqlite3_vfs vfs;
    struct file files[FILES_MAX];
    void *shm[SHM_MAX];
    uint64_t random;
    uint64_t fuse, full;
    uint64_t operations;
    uint32_t open;
    bool dead;
};

struct handle {
    sqlite3_file base;
    struct queue_disk *disk;
    struct file *file;
};

static uint64_t next_random(struct queue_disk *disk)
{
    uint64_t z = disk->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct file *find(struct queue_disk *disk, const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static void drop_pending(struct file *file)
{
    for (size_t i = 0; i < file->pending_count; i++)
        mem_free(file->pending[i].before);
    file->pending_count = 0;
}

static void remove_file(struct file *file)
{
    drop_pending(file);
    file->name[0] = 0;
    file->size = 0;
}

static void resize(struct file *file, size_t size)
{
    if (size > file->capacity) {
        size_t capacity = 2 * size + 4096;
        uint8_t *more = mem_alloc(capacity);
        if (file->size)
            memcpy(more, file->bytes, file->size);
        mem_free(file->bytes);
        file->bytes = more;
        file->capacity = capacity;
    }
    if (size > file->size)
        memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
}

/* Burns the fuse. False: the disk is dead. */
static bool operate(struct queue_disk *disk)
{
    disk->operations++;
    if (disk->fuse && --disk->fuse == 0)
        disk->dead = true;
    return !disk->dead;
}

static int disk_close(sqlite3_file *base)
{
    ((struct handle *)base)->disk->open--;
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *base, void *out, int count, sqlite3_int64 offset)
{
    const struct handle *handle = (struct handle *)base;
    const struct file *file = handle->file;
    size_t at = (size_t)offset, size = (size_t)count;
    size_t there = at >= file->size ? 0 : file->size - at;

    if (handle->disk->dead)
        return SQLITE_IOERR_READ;
    if (there > size)
        there = size;
    if (there)
        memcpy(out, file->bytes + at, there);
    memset((uint8_t *)out + there, 0, size - there);
    return there == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static void keep_before(struct file *file, size_t offset, size_t size)
{
    if (file->pending_count == file->pending_capacity) {
        size_t capacity = 2 * file->pending_capacity + 32;
        struct pending *more = mem_array(capacity, sizeof(*more));
        if (file->pending_count)
            memcpy(more, file->pending, file->pending_count * sizeof(*more));
        mem_free(file->pending);
        file->pending = more;
        file->pending_capacity = capacity;
    }
    struct pending *pending = &file->pending[file->pending_count++];
    *pending = (struct pending){offset, size, file->size, mem_alloc(size)};
    if (offset < file->size) {
        size_t there = file->size - offset;
        memcpy(pending->before, file->bytes + offset, there < size ? there : size);
    }
}

static int disk_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset)
{
    struct handle *handle = (struct handle *)base;
    struct file *file = handle->file;
    size_t at = (size_t)offset, size = (size_t)count;

    if (!operate(handle->disk))
        return SQLITE_IOERR_WRITE;
    if (handle->disk->full && --handle->disk->full == 0)
        return SQLITE_FULL;
    keep_before(file, at, size);
    if (at + size > file->size)
        resize(file, at + size);
    memcpy(file->bytes + at, bytes, size);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *handle = (struct handle *)base;

    if (!operate(handle->disk))
        return SQLITE_IOERR_TRUNCATE;
    resize(handle->file, (size_t)size);
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags)
{
    struct handle *handle = (struct handle *)base;

    (void)flags;
    if (!operate(handle->disk))
        return SQLITE_IOERR_FSYNC;
    drop_pending(handle->file);
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct handle *)base)->file->size;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *base)
{
    (void)base;
    return 512;
}

static int disk_traits(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int disk_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct queue_disk *disk = ((struct handle *)base)->disk;

    CHECK(region < SHM_MAX && size <= SHM_REGION);
    if (!disk->shm[region] && extend)
        disk->shm[region] = mem_alloc(SHM_REGION);
    *out = disk->shm[region];
    return SQLITE_OK;
}

static int disk_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK; /* there is one connection */
}

static void disk_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static void forget_shm(struct queue_disk *disk)
{
    for (size_t i = 0; i < SHM_MAX; i++) {
        mem_free(disk->shm[i]);
        disk->shm[i] = NULL;
    }
}

static int disk_shm_unmap(sqlite3_file *base, int remove)
{
    struct queue_disk *disk = ((struct handle *)base)->disk;

    if (remove)
        forget_shm(disk);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_lock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_traits,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags,
                    int *flags_out)
{
    struct queue_disk *disk = vfs->pAppData;
    struct handle *handle = (struct handle *)out;
    struct file *file = name ? find(disk, name) : NULL;

    handle->base.pMethods = NULL;
    if (disk->dead || !name)
        return SQLITE_CANTOPEN;
    if (!file) {
        file = find(disk, "");
        CHECK(file && strlen(name) < sizeof(file->name));
        snprintf(file->name, sizeof(file->name), "%s", name);
    }
    handle->base.pMethods = &methods;
    handle->disk = disk;
    handle->file = file;
    disk->open++;
    if (flags_out)
        *flags_out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct queue_disk *disk = vfs->pAppData;
    struct file *file = find(disk, name);

    (void)sync;
    if (!operate(disk))
        return SQLITE_IOERR_DELETE;
    if (!file)
        return SQLITE_IOERR_DELETE_NOENT;
    remove_file(file);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct file *file = find(vfs->pAppData, name);

    *out = file && (flags != SQLITE_ACCESS_EXISTS || file->size > 0);
    return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int size, char *out)
{
    for (int i = 0; i < size; i++)
        out[i] = (char)next_random(vfs->pAppData);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return 0;
}

struct queue_disk *queue_disk_new(uint64_t random)
{
    struct queue_disk *disk = mem_alloc(sizeof(*disk));

    disk->random = random;
    disk->vfs = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = 64,
                              .zName = QUEUE_DISK_VFS,
                              .pAppData = disk,
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_path,
                              .xRandomness = vfs_random,
                              .xSleep = vfs_sleep,
                              .xCurrentTime = vfs_time,
                              .xGetLastError = vfs_error};
    CHECK(sqlite3_vfs_register(&disk->vfs, 0) == SQLITE_OK);
    return disk;
}

void queue_disk_reset(struct queue_disk *disk, uint64_t random)
{
    CHECK(disk->open == 0);
    for (size_t i = 0; i < FILES_MAX; i++)
        remove_file(&disk->files[i]);
    forget_shm(disk);
    disk->random = random;
    disk->fuse = disk->full = disk->operations = 0;
    disk->dead = false;
}

void queue_disk_free(struct queue_disk *disk)
{
    queue_disk_reset(disk, 0);
    sqlite3_vfs_unregister(&disk->vfs);
    for (size_t i = 0; i < FILES_MAX; i++) {
        mem_free(disk->files[i].bytes);
        mem_free(disk->files[i].pending);
    }
    mem_free(disk);
}

void queue_disk_put(struct queue_disk *disk, const char *name, const void *bytes, size_t size)
{
    struct file *file = find(disk, name);

    if (!file)
        file = find(disk, "");
    CHECK(file);
    remove_file(file);
    snprintf(file->name, sizeof(file->name), "%s", name);
    resize(file, size);
    memcpy(file->bytes, bytes, size);
}

const void *queue_disk_get(const struct queue_disk *disk, const char *name, size_t *size)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (strcmp(disk->files[i].name, name) != 0)
            continue;
        *size = disk->files[i].size;
        return disk->files[i].bytes;
    }
    return NULL;
}

void queue_disk_fuse(struct queue_disk *disk, uint64_t operations)
{
    disk->fuse = operations;
}

void queue_disk_full(struct queue_disk *disk, uint64_t operations)
{
    disk->full = operations;
}

void queue_disk_kill(struct queue_disk *disk)
{
    disk->dead = true;
}

bool queue_disk_dead(const struct queue_disk *disk)
{
    return disk->dead;
}

uint64_t queue_disk_operations(const struct queue_disk *disk)
{
    return disk->operations;
}

/* Takes a write back, wholly or from some byte on. Newer ones were taken back before, or stay: then
 * the bytes that they share are theirs. */
static void lose(struct queue_disk *disk, struct file *file, size_t index)
{
    struct pending *lost = &file->pending[index];
    size_t from = next_random(disk) % 3 == 0 ? (size_t)(next_random(disk) % lost->size) : 0;

    for (size_t i = from; i < lost->size; i++) {
        size_t at = lost->offset + i;
        bool is_newer = false;
        for (size_t n = index + 1; !is_newer && n < file->pending_count; n++) {
            const struct pending *newer = &file->pending[n];
            is_newer = newer->size && at >= newer->offset && at < newer->offset + newer->size;
        }
        if (!is_newer && at < file->size)
            file->bytes[at] = lost->before[i];
    }
    lost->size = from; /* the ones before it show through the rest */
}

void queue_disk_revive(struct queue_disk *disk, bool power_loss)
{
    CHECK(disk->open == 0);
    for (size_t f = 0; f < FILES_MAX; f++) {
        struct file *file = &disk->files[f];
        for (size_t i = file->pending_count; power_loss && i-- > 0;) {
            if (next_random(disk) % 2)
                lose(disk, file, i);
        }
        drop_pending(file);
    }
    forget_shm(disk);
    disk->fuse = disk->full = 0;
    disk->dead = false;
}
