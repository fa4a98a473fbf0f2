#include "coordinator/queue/backup.h"

#include "coordinator/queue/schema.h"
#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 60000 /* the file is locked for moments only */

static char *beside(const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *out = mem_alloc(size);

    snprintf(out, size, "%s%s", path, ending);
    return out;
}

/* An existing database; db_open would make it. */
static bool open_existing(struct db *db, const char *path, struct err *err)
{
    if (!file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "%s: there is no such database", path);
    if (!db_open(db, path, NULL, err))
        return false;
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    return true;
}

static bool copy_into(struct db *db, const char *path, struct err *err)
{
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);

    if (sql == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory", path);
    db_exec(db, sql);
    sqlite3_free(sql);
    return db_ok(db, err);
}

static bool sync_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        err_set_errno(err, errno, "%s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The folder that a file is in, to be freed. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *out;

    if (slash == NULL)
        return mem_text(".");
    out = mem_text(path);
    out[slash == path ? 1 : slash - path] = 0;
    return out;
}

/* Durable under its name, or not there. */
static bool put_in_place(const char *part, const char *path, struct err *err)
{
    char *folder = folder_of(path);
    bool ok = sync_file(part, err);

    if (ok && rename(part, path) != 0)
        ok = err_set_errno(err, errno, "%s", path);
    ok = ok && folder_sync(folder, err);
    mem_free(folder);
    return ok;
}

static bool take_part(const char *database, const char *part, struct err *err)
{
    struct db db;
    bool ok;

    if (!file_remove(part, err) || !open_existing(&db, database, err))
        return false;
    ok = copy_into(&db, part, err);
    db_close(&db);
    return ok;
}

bool backup_take(const char *database, const char *path, struct err *err)
{
    struct err ignored = ERR_INIT;
    char *part;
    bool ok;

    if (file_exists(path))
        return err_set(err, ERR_CONFLICT, "%s is there already", path);
    part = beside(path, ".part");
    ok = take_part(database, part, err) && put_in_place(part, path, err);
    if (!ok)
        file_remove(part, &ignored);
    mem_free(part);
    return ok || err_wrap(err, "backup of %s", database);
}

/* ---- putting it back ---- */

static int take_answer(void *context, int columns, char **values, char **names)
{
    (void)names;
    if (columns == 1 && values[0] != NULL)
        snprintf(context, 64, "%s", values[0]);
    return 0;
}

/* The first row of a question; "" if there is none, or the file is no database. */
static void ask(struct db *db, const char *question, char answer[64])
{
    answer[0] = 0;
    sqlite3_exec(db->handle, question, take_answer, answer, NULL);
}

static bool check(struct db *db, const char *path, struct err *err)
{
    char answer[64];
    int version = 0;

    ask(db, "PRAGMA integrity_check(1)", answer);
    if (strcmp(answer, "ok") != 0)
        return err_set(err, ERR_CORRUPT, "%s is damaged, or no database%s%s", path,
                       answer[0] != 0 ? ": " : "", answer);
    ask(db, "PRAGMA user_version", answer);
    if (sscanf(answer, "%d", &version) != 1 || version < 1)
        return err_set(err, ERR_CORRUPT, "%s is no database of a coordinator", path);
    ask(db, "SELECT count(*) FROM sqlite_master WHERE name IN ('run', 'job', 'attempt')", answer);
    if (strcmp(answer, "3") != 0)
        return err_set(err, ERR_CORRUPT, "%s is no database of a coordinator", path);
    return version <= SCHEMA_VERSION ||
           err_set(err, ERR_UNSUPPORTED, "%s is of version %d, this program knows %d", path,
                   version, SCHEMA_VERSION);
}

/* Tables whose rows were never any have no sequence yet. `starts` is what numbers of events are
 * made of (queue.c). */
static bool skip_numbers(const char *path, struct err *err)
{
    struct db db;
    bool ok;

    if (!open_existing(&db, path, err))
        return false;
    db_exec(&db, "INSERT INTO sqlite_sequence(name, seq) SELECT t.name, 0 FROM sqlite_master t"
                 " WHERE t.name IN ('run', 'job', 'attempt')"
                 " AND t.name NOT IN (SELECT name FROM sqlite_sequence)");
    db_exec(&db, "UPDATE sqlite_sequence SET seq = seq + 1000 WHERE name = 'run'");
    db_exec(&db, "UPDATE sqlite_sequence SET seq = seq + 4294967296 WHERE name IN"
                 " ('job', 'attempt')");
    db_exec(&db, "UPDATE meta SET value = value + 1000 WHERE name = 'starts'");
    ok = db_ok(&db, err);
    db_close(&db);
    return ok;
}

static bool restore_part(const char *path, const char *part, struct err *err)
{
    struct db db;
    bool ok;

    if (!file_remove(part, err) || !open_existing(&db, path, err))
        return false;
    ok = check(&db, path, err) && copy_into(&db, part, err);
    db_close(&db);
    return ok && skip_numbers(part, err);
}

/* With what belongs to it; the database itself last, so that it can be done again. */
static bool set_aside(const char *database, const char *before, struct err *err)
{
    static const char *const endings[] = {"-wal", "-shm", ""};
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof endings / sizeof endings[0]; i++) {
        char *from = beside(database, endings[i]), *to = beside(before, endings[i]);
        if (file_exists(from) && rename(from, to) != 0)
            ok = err_set_errno(err, errno, "%s", from);
        mem_free(from);
        mem_free(to);
    }
    return ok;
}

bool backup_restore(const char *path, const char *database, struct err *err)
{
    char *part = beside(database, ".part"), *before = beside(database, ".before");
    struct err ignored = ERR_INIT;
    bool ok = !file_exists(before) ||
              err_set(err, ERR_CONFLICT, "%s is there already: move it away first", before);

    ok = ok && restore_part(path, part, err) && set_aside(database, before, err) &&
         put_in_place(part, database, err);
    if (!ok)
        file_remove(part, &ignored);
    mem_free(part);
    mem_free(before);
    return ok || err_wrap(err, "restore %s", path);
}
