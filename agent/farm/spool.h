/* spool.h — results that the coordinator has not acknowledged: on disk, one file each, until it
 * has.
 *
 * The file of a lease is LEASE.result (16 hex digits), written whole or not at all and flushed: a
 * deterministic CBOR array
 * | entry | value                                                         |
 * |-------|---------------------------------------------------------------|
 * | 0     | text "thaw-spool"                                             |
 * | 1     | 1, the version                                                |
 * | 2     | byte string: a message `result` (message.h) with one result   |
 * | 3     | byte string: SHA-256 of that                                  |
 * What cannot be read is renamed to *.damaged and left for people. One agent at a time has a spool
 * open (a lock). Files are written by one thread and read by another: each call stands alone. */
#ifndef THAW_AGENT_FARM_SPOOL_H
#define THAW_AGENT_FARM_SPOOL_H

#include "jobs/wire/message.h"

struct spool; /* opaque */

/* Makes the folder if need be. ERR_CONFLICT while another process has it open. */
bool spool_open(const char *folder, struct spool **out, struct err *err);
void spool_close(struct spool *spool); /* NULL is fine */

/* Durable when it returns. ERR_NO_SPACE: nothing was written. */
bool spool_put(struct spool *spool, const struct message_job_result *result, struct err *err);
/* Reads one back into `message`, whose spans point into `bytes`. One that is damaged is set aside:
 * ERR_CORRUPT, with the name it has now. ERR_NOT_FOUND. */
bool spool_get(struct spool *spool, uint64_t lease, struct buf *bytes, struct message *message,
               struct err *err);
bool spool_remove(struct spool *spool, uint64_t lease, struct err *err);

struct spool_list {
    uint64_t *leases; /* ascending */
    size_t count;
};
/* What is there; a file that is no result is passed over. */
bool spool_leases(struct spool *spool, struct spool_list *out, struct err *err);
void spool_list_release(struct spool_list *list);
/* Whether the disk has this much room left. */
bool spool_has_room(struct spool *spool, uint64_t bytes);

#endif
