/* queue_disk.h — a disk that exists only in memory, as an SQLite VFS, and can lose its power.
 *
 * What was written and not synced is, after a loss of power, there, gone, or torn at any byte, each
 * write for itself. Names of files (making, deleting, cutting them off) are durable at once. A fuse
 * burns down with every write, sync and cut: at its end the disk is dead (every operation fails,
 * and does nothing) until it is revived; or one write fails for want of space. */
#ifndef THAW_TESTS_QUEUE_DISK_H
#define THAW_TESTS_QUEUE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_DISK_VFS "queue-disk"

struct queue_disk; /* one at a time */

/* Registers the VFS. `random` is what tearing is chosen by. */
struct queue_disk *queue_disk_new(uint64_t random);
void queue_disk_free(struct queue_disk *disk);
/* All files gone, the disk alive, no fuse. */
void queue_disk_reset(struct queue_disk *disk, uint64_t random);

/* A file's bytes as they are, to start other disks with. */
void queue_disk_put(struct queue_disk *disk, const char *name, const void *bytes, size_t size);
const void *queue_disk_get(const struct queue_disk *disk, const char *name, size_t *size);

/* The disk dies after so many operations; 0: no fuse. */
void queue_disk_fuse(struct queue_disk *disk, uint64_t operations);
/* The write after so many fails for want of space; 0: none. */
void queue_disk_full(struct queue_disk *disk, uint64_t operations);
/* Dead at once. */
void queue_disk_kill(struct queue_disk *disk);
bool queue_disk_dead(const struct queue_disk *disk);
/* Alive again. All files must be closed. With a loss of power, what was not synced is gambled away.
 */
void queue_disk_revive(struct queue_disk *disk, bool power_loss);
uint64_t queue_disk_operations(const struct queue_disk *disk);

#endif
