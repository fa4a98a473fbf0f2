/* backup.h — a copy of the database as it is at one moment, taken while a coordinator works with
 * it, and put back.
 *
 * Whoever may read the database's file can take one: another process, without the coordinator's
 * help or notice. What was committed before it began is in it. */
#ifndef THAW_COORDINATOR_QUEUE_BACKUP_H
#define THAW_COORDINATOR_QUEUE_BACKUP_H

#include "storage/base/err.h"

/* Writes a copy, whole and durable, or not there. ERR_CONFLICT: `path` is there already.
 * ERR_NOT_FOUND: there is no such database. */
bool backup_take(const char *database, const char *path, struct err *err);

/* Puts a copy in the place of the database, which no coordinator may have open; one that is there
 * is kept beside it as DATABASE.before. ERR_CONFLICT: so is that. ERR_CORRUPT: the copy is damaged,
 * or no database of a queue; ERR_UNSUPPORTED: of a newer version.
 *
 * Numbers of runs, jobs and leases that were given after the backup are not given again: agents may
 * still report on them, people may have written them down. */
bool backup_restore(const char *path, const char *database, struct err *err);

#define BACKUP_RUNS_SKIPPED 1000

#endif
