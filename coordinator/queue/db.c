#include "coordinator/queue/db.h"

#include "storage/base/check.h"

#include <string.h>

static const char *const texts[SQL_COUNT] = {
#define SQL_TEXT(name, text) [SQL_##name] = (text),
    QUEUE_SQL(SQL_TEXT)
#undef SQL_TEXT
};

static enum err_kind kind_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return ERR_ACCESS;
    default:
        return ERR_IO;
    }
}

static void fault(struct db *db, int code)
{
    if (db->faulty)
        return;
    db->faulty = true;
    err_set(&db->fault, kind_of(code), "queue database: %s", sqlite3_errmsg(db->handle));
}

bool db_open(struct db *db, const char *path, const char *vfs, struct err *err)
{
    *db = (struct db){.fault = ERR_INIT};
    int code = sqlite3_open_v2(
        path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    if (code != SQLITE_OK) {
        err_set(err, code == SQLITE_CANTOPEN ? ERR_NOT_FOUND : kind_of(code), "%s: %s", path,
                db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
        sqlite3_close(db->handle);
        db->handle = NULL;
        return false;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    return true;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    CHECK(sqlite3_close(db->handle) == SQLITE_OK);
    *db = (struct db){.fault = ERR_INIT};
}

bool db_exec(struct db *db, const char *sql)
{
    if (db->faulty)
        return false;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        fault(db, code);
    return code == SQLITE_OK;
}

bool db_ok(const struct db *db, struct err *err)
{
    if (db->faulty)
        *err = db->fault;
    return !db->faulty;
}

void db_forgive(struct db *db)
{
    db->faulty = false;
}

sqlite3_stmt *db_use(struct db *db, enum sql statement)
{
    sqlite3_stmt **slot = &db->statements[statement];

    if (!*slot && !db->faulty) {
        int code = sqlite3_prepare_v3(db->handle, texts[statement], -1, SQLITE_PREPARE_PERSISTENT,
                                      slot, NULL);
        /* Only what the disk or the memory does may stop a statement of ours. */
        CHECK(code != SQLITE_ERROR);
        if (code != SQLITE_OK)
            fault(db, code);
    }
    CHECK(!*slot || !sqlite3_stmt_busy(*slot));
    return *slot;
}

void db_u64(sqlite3_stmt *statement, int at, uint64_t value)
{
    db_i64(statement, at, (int64_t)value);
}

void db_i64(sqlite3_stmt *statement, int at, int64_t value)
{
    if (statement)
        CHECK(sqlite3_bind_int64(statement, at, value) == SQLITE_OK);
}

void db_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (statement && text)
        CHECK(sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT) == SQLITE_OK);
    else if (statement)
        CHECK(sqlite3_bind_null(statement, at) == SQLITE_OK);
}

void db_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t size)
{
    if (statement)
        CHECK(sqlite3_bind_blob64(statement, at, bytes, size, SQLITE_TRANSIENT) == SQLITE_OK);
}

void db_hash(sqlite3_stmt *statement, int at, const struct hash *hash)
{
    if (statement && hash_is_zero(hash))
        CHECK(sqlite3_bind_null(statement, at) == SQLITE_OK);
    else
        db_blob(statement, at, hash->bytes, HASH_SIZE);
}

void db_numbers(sqlite3_stmt *statement, const uint64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        db_u64(statement, i + 1, values[i]);
}

bool db_run(struct db *db, sqlite3_stmt *statement)
{
    while (db_row(db, statement))
        ;
    return !db->faulty;
}

bool db_row(struct db *db, sqlite3_stmt *statement)
{
    if (!statement)
        return false;
    if (db->faulty) {
        db_end(statement);
        return false;
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fault(db, code);
    db_end(statement);
    return false;
}

void db_end(sqlite3_stmt *statement)
{
    if (statement)
        sqlite3_reset(statement);
}

uint64_t db_get(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

const char *db_get_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

struct span db_get_blob(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);

    return (struct span){bytes, (size_t)sqlite3_column_bytes(statement, column)};
}

void db_get_hash(sqlite3_stmt *statement, int column, struct hash *out)
{
    struct span bytes = db_get_blob(statement, column);

    *out = (struct hash){{0}};
    if (bytes.size == HASH_SIZE)
        memcpy(out->bytes, bytes.data, HASH_SIZE);
}

uint64_t db_number(struct db *db, sqlite3_stmt *statement, uint64_t otherwise)
{
    if (db_row(db, statement)) {
        otherwise = db_get(statement, 0);
        db_end(statement);
    }
    return otherwise;
}
