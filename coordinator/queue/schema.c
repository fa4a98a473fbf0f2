#include "coordinator/queue/schema.h"

#include <stdio.h>

/* Numbers in the partial indices are those of enum job_state (queue.h): 1 waiting, 2 ready. */
static const char version_1_runs[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE agent(id INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE, key BLOB NOT NULL,"
    " name TEXT NOT NULL, incarnation BLOB, version TEXT, arch TEXT, os TEXT, word_bits INTEGER,"
    " big_endian INTEGER, cores INTEGER, memory_mib INTEGER, slots INTEGER, tags TEXT,"
    " draining INTEGER NOT NULL DEFAULT 0, revoked INTEGER NOT NULL DEFAULT 0,"
    " enrolled_ms INTEGER NOT NULL);"
    "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " submitter TEXT NOT NULL, priority INTEGER NOT NULL, state INTEGER NOT NULL,"
    " cancelled INTEGER NOT NULL DEFAULT 0, reason TEXT, created_ms INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER NOT NULL DEFAULT 0,"
    " jobs INTEGER NOT NULL DEFAULT 0, counts BLOB, max_failures INTEGER, job_order INTEGER,"
    " no_cache INTEGER, rerun INTEGER, slower INTEGER, baseline TEXT, webhook_url TEXT,"
    " webhook_secret TEXT, command TEXT, keep_runs INTEGER, keep_run_s INTEGER,"
    " keep_artifacts_s INTEGER, keep_checkpoints_s INTEGER, schedule INTEGER, slot_s INTEGER,"
    " hook_done INTEGER NOT NULL DEFAULT 0, artifacts_gone INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX run_name ON run(name, id);"
    "CREATE INDEX run_state ON run(state);"
    "CREATE TABLE part(run INTEGER NOT NULL, place INTEGER NOT NULL, job INTEGER NOT NULL,"
    " PRIMARY KEY(run, place)) WITHOUT ROWID;"
    "CREATE TABLE lane(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
    " requirement TEXT NOT NULL, checkpoint BLOB, avoid INTEGER NOT NULL, unlike INTEGER NOT NULL,"
    " boot INTEGER NOT NULL, ready INTEGER NOT NULL);"
    "CREATE INDEX lane_run ON lane(run);"
    "CREATE TABLE test(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, suite TEXT NOT NULL,"
    " name TEXT NOT NULL, expected_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX test_hash ON test(hash);";
static const char version_1_jobs[] =
    "CREATE TABLE job(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
    " place INTEGER NOT NULL, test INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    " verdict INTEGER, lane INTEGER NOT NULL, rank INTEGER NOT NULL, blocked INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, infra INTEGER NOT NULL, lost INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, retry INTEGER NOT NULL, result INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, submitted_ms INTEGER NOT NULL, expected_us INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL, spec BLOB NOT NULL, checkpoint BLOB, boot BLOB, reason TEXT,"
    " requirement TEXT, quarantine_owner TEXT, quarantine_reason TEXT, quarantine_until INTEGER,"
    " job_group TEXT, parameters TEXT, tag TEXT);"
    "CREATE INDEX job_run ON job(run);"
    "CREATE UNIQUE INDEX job_test ON job(run, test);"
    "CREATE INDEX job_ready ON job(lane, rank) WHERE state = 2;"
    "CREATE INDEX job_boot ON job(boot) WHERE state = 1 AND checkpoint IS NULL;"
    "CREATE INDEX job_result ON job(result) WHERE flags & 1;"
    "CREATE TABLE need(needed INTEGER NOT NULL, job INTEGER NOT NULL, PRIMARY KEY(needed, job))"
    " WITHOUT ROWID;"
    "CREATE TABLE attempt(lease INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL,"
    " number INTEGER NOT NULL, agent INTEGER NOT NULL, ending INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL DEFAULT 0, verdict INTEGER,"
    " exit_status INTEGER, instructions INTEGER, virtual_ns INTEGER, thaw_ns INTEGER,"
    " wall_ns INTEGER, state_id BLOB, checkpoint BLOB, signature BLOB, signature_title TEXT,"
    " console BLOB, console_size INTEGER, reason TEXT);"
    "CREATE UNIQUE INDEX attempt_job ON attempt(job, number);"
    "CREATE INDEX attempt_held ON attempt(lease) WHERE ending = 0;"
    "CREATE TABLE artifact(lease INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL,"
    " size INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(lease, place)) WITHOUT ROWID;"
    "CREATE TABLE cache(key BLOB PRIMARY KEY, lease INTEGER NOT NULL, verdict INTEGER NOT NULL,"
    " state_id BLOB, diverged INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX cache_lease ON cache(lease);"
    "CREATE TABLE boot(key BLOB PRIMARY KEY, state INTEGER NOT NULL, job INTEGER NOT NULL,"
    " checkpoint BLOB, lease INTEGER NOT NULL, boot_ns INTEGER NOT NULL, used_ms INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, reason TEXT) WITHOUT ROWID;"
    "CREATE INDEX boot_checkpoint ON boot(checkpoint);"
    "CREATE TABLE history(test INTEGER NOT NULL, run INTEGER NOT NULL,"
    " series INTEGER NOT NULL, job INTEGER NOT NULL, verdict INTEGER NOT NULL, flags INTEGER NOT "
    "NULL, instructions INTEGER NOT NULL,"
    " wall_ns INTEGER NOT NULL, state_id BLOB, ended_ms INTEGER NOT NULL, PRIMARY KEY(test, run))"
    " WITHOUT ROWID;";
static const char version_1_more[] =
    "CREATE TABLE baseline(name TEXT PRIMARY KEY, run INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE schedule(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " cron TEXT NOT NULL, time_zone TEXT NOT NULL, missed INTEGER NOT NULL, paused INTEGER NOT "
    "NULL,"
    " next_s INTEGER NOT NULL, last_slot_s INTEGER NOT NULL, last_run INTEGER NOT NULL,"
    " error TEXT, request BLOB NOT NULL);"
    "CREATE TABLE slot(schedule INTEGER NOT NULL, slot_s INTEGER NOT NULL, run INTEGER NOT NULL,"
    " PRIMARY KEY(schedule, slot_s)) WITHOUT ROWID;"
    "CREATE TABLE api_token(name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role INTEGER NOT "
    "NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE enrolment(hash BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL, key BLOB, uid BLOB)"
    " WITHOUT ROWID;";

/* Statements in order; a step brings the database to `version`. */
static const struct {
    uint64_t version;
    const char *sql;
} steps[] = {
    {1, version_1_runs},
    {1, version_1_jobs},
    {1, version_1_more},
};

static bool migrate(struct db *db, uint64_t version)
{
    char pragma[64];

    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", SCHEMA_VERSION);
    db_exec(db, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i].version > version)
            db_exec(db, steps[i].sql);
    db_exec(db, pragma);
    return db_exec(db, "COMMIT");
}

bool schema_prepare(struct db *db, struct err *err)
{
    db_exec(db, "PRAGMA journal_mode = WAL");
    db_exec(db, "PRAGMA synchronous = FULL");
    db_exec(db, "PRAGMA foreign_keys = OFF");
    db_exec(db, "PRAGMA cache_size = -131072"); /* KiB */
    db_exec(db, "PRAGMA wal_autocheckpoint = 4000");
    db_exec(db, "PRAGMA temp_store = MEMORY");
    uint64_t version = db_number(db, db_use(db, SQL_VERSION), 0);
    if (!db_ok(db, err))
        return false;
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "queue database: it is of version %llu, this program knows %d",
                       (unsigned long long)version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION)
        migrate(db, version);
    return db_ok(db, err);
}
