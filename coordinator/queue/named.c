#include "coordinator/queue/named.h"

#include "coordinator/queue/db.h"

#define BUSY_MS 60000

static bool each_blob(struct db *db, enum sql statement, const struct named *named)
{
    sqlite3_stmt *row = db_use(db, statement);
    struct hash blob;
    bool ok = true;

    while (ok && db_row(db, row)) {
        db_get_hash(row, 0, &blob);
        ok = named->blob(named->context, &blob, statement == SQL_BLOBS_SPEC);
    }
    db_end(row);
    return ok;
}

static bool each_request(struct db *db, const struct named *named)
{
    sqlite3_stmt *row = db_use(db, SQL_SCHEDULE_ALL);
    bool ok = true;

    while (ok && db_row(db, row))
        ok = named->request(named->context, db_get_blob(row, 9));
    db_end(row);
    return ok;
}

bool named_each(const char *database, const struct named *named, struct err *err)
{
    struct db db;
    bool ok;

    if (!db_open(&db, database, NULL, err))
        return false;
    sqlite3_busy_timeout(db.handle, BUSY_MS);
    db_exec(&db, "BEGIN"); /* one moment for all of it */
    ok = each_blob(&db, SQL_BLOBS_SPEC, named) && each_blob(&db, SQL_BLOBS_CONSOLE, named) &&
         each_blob(&db, SQL_BLOBS_ARTIFACT, named) && each_request(&db, named);
    db_exec(&db, "COMMIT");
    ok = db_ok(&db, err) && ok;
    db_close(&db);
    return ok;
}
