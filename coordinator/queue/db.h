/* db.h — SQLite with one way to fail: the first fault sticks, everything after it does nothing, and
 * whoever opened the transaction finds out when it is to be committed. So code between reads like
 * code that cannot fail: a query that finds no row and one that failed look the same to it, and
 * what it then does is never written.
 *
 * Statements are prepared once (sql.h lists them) and used by number. */
#ifndef THAW_COORDINATOR_QUEUE_DB_H
#define THAW_COORDINATOR_QUEUE_DB_H

#include "coordinator/queue/sql.h"
#include "storage/base/hash.h"

#include <sqlite3.h>

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT]; /* NULL: not prepared yet */
    bool faulty;
    struct err fault; /* the first one */
};

bool db_open(struct db *db, const char *path, const char *vfs, struct err *err);
void db_close(struct db *db);
/* Several statements, none with parameters or rows. */
bool db_exec(struct db *db, const char *sql);
/* False, with the fault, if there was one. */
bool db_ok(const struct db *db, struct err *err);
void db_forgive(struct db *db);

/* A statement, ready to be bound: parameters from 1. It must not be in use. */
sqlite3_stmt *db_use(struct db *db, enum sql statement);
void db_u64(sqlite3_stmt *statement, int at, uint64_t value);
void db_i64(sqlite3_stmt *statement, int at, int64_t value);
void db_text(sqlite3_stmt *statement, int at, const char *text); /* NULL: NULL */
void db_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t size);
void db_hash(sqlite3_stmt *statement, int at, const struct hash *hash); /* zero: NULL */
/* Binds these from 1 on, as numbers. */
#define DB_NUMBERS(statement, ...)                                                                 \
    db_numbers((statement), (const uint64_t[]){__VA_ARGS__},                                       \
               (int)(sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)))
void db_numbers(sqlite3_stmt *statement, const uint64_t *values, int count);

/* Runs it to its end. */
bool db_run(struct db *db, sqlite3_stmt *statement);
/* The next row; false at the end (or at a fault), and then the statement is free for its next use.
 * db_end frees it before. */
bool db_row(struct db *db, sqlite3_stmt *statement);
void db_end(sqlite3_stmt *statement);
/* Columns of the row, from 0. Texts are never NULL. */
uint64_t db_get(sqlite3_stmt *statement, int column);
const char *db_get_text(sqlite3_stmt *statement, int column);
struct span db_get_blob(sqlite3_stmt *statement, int column);
void db_get_hash(sqlite3_stmt *statement, int column, struct hash *out); /* NULL: zero */
/* The one number that a statement finds; `otherwise` if none. */
uint64_t db_number(struct db *db, sqlite3_stmt *statement, uint64_t otherwise);

#endif
