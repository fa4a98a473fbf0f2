/* schema.h — the tables of the database and their versions (PRAGMA user_version).
 *
 * | table     | one row a                                                                       |
 * |-----------|---------------------------------------------------------------------------------|
 * | meta      | number that outlives the process, by name                                       |
 * | agent     | agent that was ever enrolled                                                    |
 * | run       | run; its counts are kept in `counts` (load.c), written once a bracket           |
 * | part      | submission of jobs: places of a run -> ids of jobs                              |
 * | lane      | queue within a run: jobs that ask the same of an agent and start the same       |
 * | test      | suite and name, for ever; how long it takes                                     |
 * | job       | job                                                                             |
 * | need      | job that waits for another                                                      |
 * | attempt   | lease that was ever given, with its result                                      |
 * | artifact  | file of a result                                                                |
 * | cache     | job key whose result is known                                                   |
 * | boot      | boot key                                                                        |
 * | history   | verdict of a test in a run                                                      |
 * | baseline  | name of a run                                                                   |
 * | schedule  | schedule (nights.c);  slot: each time that it started                           |
 * | api_token, enrolment | token (tokens.c)                                                     |
 *
 * A change of the tables is a new migration at the end of the list in schema.c, never a change of
 * an old one. */
#ifndef THAW_COORDINATOR_QUEUE_SCHEMA_H
#define THAW_COORDINATOR_QUEUE_SCHEMA_H

#include "coordinator/queue/db.h"

#define SCHEMA_VERSION 1

/* Makes the tables, or brings them to this version, in one transaction. ERR_UNSUPPORTED: newer. */
bool schema_prepare(struct db *db, struct err *err);

#endif
