/* sql.h — every statement that is prepared, by name. States are written as the numbers of enum
 * job_state where a partial index (schema.c) is to be used: 1 waiting, 2 ready. */
#ifndef THAW_COORDINATOR_QUEUE_SQL_H
#define THAW_COORDINATOR_QUEUE_SQL_H

/* clang-format off */
#define COLUMNS_OF_RUN                                                                            \
    "id, name, submitter, priority, state, cancelled, reason, created_ms, started_ms, ended_ms,"   \
    " jobs, counts, max_failures, job_order, no_cache, rerun, slower, baseline, webhook_url,"      \
    " webhook_secret, command, keep_runs, keep_run_s, keep_artifacts_s, keep_checkpoints_s,"       \
    " schedule, slot_s"
#define COLUMNS_OF_AGENT                                                                          \
    "id, uid, name, incarnation, version, arch, os, word_bits, big_endian, cores, memory_mib,"     \
    " slots, tags, draining, revoked, enrolled_ms"
#define VIEW_OF_JOB                                                                               \
    "SELECT j.id, j.run, j.place, t.name, j.job_group, t.suite, j.kind, j.state, j.verdict,"       \
    " j.reason, j.attempts, j.flags, j.quarantine_owner, j.quarantine_reason, j.quarantine_until," \
    " j.spec, j.checkpoint, j.boot, j.parameters, j.result, j.submitted_ms, j.ended_ms,"           \
    " j.expected_us FROM job j JOIN test t ON t.id = j.test"
#define VIEW_OF_ATTEMPT                                                                           \
    "SELECT a.lease, a.job, a.number, g.name, g.arch, a.ending, a.started_ms, a.ended_ms,"         \
    " a.verdict, a.exit_status, a.instructions, a.virtual_ns, a.thaw_ns, a.wall_ns, a.state_id,"   \
    " a.checkpoint, a.signature, a.signature_title, a.console, a.console_size, a.reason"           \
    " FROM attempt a JOIN agent g ON g.id = a.agent"

#define QUEUE_SQL(X)                                                                               \
    X(VERSION, "PRAGMA user_version")                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(META_GET, "SELECT value FROM meta WHERE name = ?1")                                          \
    X(META_SET, "INSERT INTO meta(name, value) VALUES(?1, ?2)"                                     \
                " ON CONFLICT(name) DO UPDATE SET value = ?2")                                     \
    X(SEQUENCE, "SELECT seq FROM sqlite_sequence WHERE name = ?1")                                 \
    /* agents */                                                                                   \
    X(AGENT_ALL, "SELECT " COLUMNS_OF_AGENT " FROM agent")                                        \
    X(AGENT_ROW, "SELECT " COLUMNS_OF_AGENT " FROM agent WHERE uid = ?1")                         \
    X(AGENT_ADD, "INSERT INTO agent(uid, key, name, enrolled_ms) VALUES(?1, ?2, ?3, ?4)"           \
                 " ON CONFLICT(uid) DO UPDATE SET key = ?2, name = ?3, revoked = 0")               \
    X(AGENT_KEY, "SELECT key FROM agent WHERE uid = ?1 AND revoked = 0")                           \
    X(AGENT_HELLO, "UPDATE agent SET name = ?2, incarnation = ?3, version = ?4, arch = ?5,"        \
                   " os = ?6, word_bits = ?7, big_endian = ?8, cores = ?9, memory_mib = ?10,"      \
                   " slots = ?11, tags = ?12 WHERE id = ?1")                                       \
    X(AGENT_FLAGS, "UPDATE agent SET draining = ?2, revoked = ?3 WHERE id = ?1")                   \
    X(AGENT_GONE, "UPDATE agent SET incarnation = NULL WHERE id = ?1")                             \
    /* runs and lanes */                                                                           \
    X(RUN_ADD, "INSERT INTO run(name, submitter, priority, state, created_ms, started_ms,"         \
               " max_failures, job_order, no_cache, rerun, slower, baseline, webhook_url,"         \
               " webhook_secret, command, keep_runs, keep_run_s, keep_artifacts_s,"                \
               " keep_checkpoints_s, schedule, slot_s) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9," \
               " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)")                     \
    X(RUN_ACTIVE, "SELECT " COLUMNS_OF_RUN " FROM run WHERE state < 3")                           \
    X(RUN_ROW, "SELECT " COLUMNS_OF_RUN " FROM run WHERE id = ?1")                                \
    X(RUN_PAGE, "SELECT " COLUMNS_OF_RUN " FROM run WHERE id < ?1 ORDER BY id DESC LIMIT ?2")     \
    X(RUN_PAGE_NAMED, "SELECT " COLUMNS_OF_RUN " FROM run WHERE id < ?1 AND name = ?3"            \
                      " ORDER BY id DESC LIMIT ?2")                                                \
    X(RUN_STORE, "UPDATE run SET state = ?2, cancelled = ?3, reason = ?4, ended_ms = ?5"           \
                 " WHERE id = ?1")                                                                 \
    X(RUN_COUNTS, "UPDATE run SET jobs = ?2, counts = ?3 WHERE id = ?1")                           \
    X(RUN_HOOKS, "SELECT " COLUMNS_OF_RUN " FROM run WHERE state = 3 AND hook_done = 0"           \
                 " AND (webhook_url IS NOT NULL OR command IS NOT NULL) ORDER BY id")              \
    X(RUN_HOOK_DONE, "UPDATE run SET hook_done = 1 WHERE id = ?1")                                 \
    X(PART_ADD, "INSERT INTO part(run, place, job) VALUES(?1, ?2, ?3)")                            \
    X(PART_OF, "SELECT place, job FROM part WHERE run = ?1 AND place <= ?2"                        \
               " ORDER BY place DESC LIMIT 1")                                                     \
    X(LANE_ADD, "INSERT INTO lane(run, requirement, checkpoint, avoid, unlike, boot, ready)"       \
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0)")                                              \
    X(LANE_OF, "SELECT id, requirement, checkpoint, avoid, unlike, boot, ready FROM lane"          \
               " WHERE run = ?1 ORDER BY id")                                                      \
    X(LANE_READY, "UPDATE lane SET ready = ?2 WHERE id = ?1")                                      \
    X(LANE_REMOVE, "DELETE FROM lane WHERE run = ?1")                                              \
    /* tests and jobs */                                                                           \
    X(TEST_FIND, "SELECT id, expected_us, suite, name FROM test WHERE hash = ?1")                  \
    X(TEST_ADD, "INSERT INTO test(hash, suite, name) VALUES(?1, ?2, ?3)")                          \
    X(TEST_EXPECT, "UPDATE test SET expected_us = CASE expected_us WHEN 0 THEN ?2"                 \
                   " ELSE (3 * expected_us + ?2) / 4 END WHERE id = ?1")                           \
    X(TEST_NAME, "SELECT name FROM test WHERE id = ?1")                                            \
    X(JOB_ADD, "INSERT INTO job(id, run, place, test, kind, state, verdict, lane, rank, blocked,"  \
               " attempts, infra, lost, flags, retry, result, ended_ms, submitted_ms,"             \
               " expected_us, wall_ms, spec, checkpoint, boot, reason, requirement,"               \
               " quarantine_owner, quarantine_reason, quarantine_until, job_group, parameters,"    \
               " tag) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, ?11, ?12, ?13,"     \
               " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)")      \
    X(JOB_ROW, "SELECT id, run, test, kind, state, verdict, lane, rank, blocked, attempts, infra," \
               " lost, flags, retry, result, ended_ms, expected_us, wall_ms, spec, checkpoint,"    \
               " boot, reason, requirement FROM job WHERE id = ?1")                                \
    X(JOB_STORE, "UPDATE job SET state = ?2, verdict = ?3, lane = ?4, rank = ?5, blocked = ?6,"    \
                 " attempts = ?7, infra = ?8, lost = ?9, flags = ?10, result = ?11,"               \
                 " ended_ms = ?12, checkpoint = ?13, reason = ?14 WHERE id = ?1")                  \
    X(JOB_FIRST, "SELECT id FROM job WHERE lane = ?1 AND state = 2 ORDER BY rank, id LIMIT 1")     \
    X(JOB_STATE, "SELECT state FROM job WHERE id = ?1")                                            \
    X(JOB_OF_TEST, "SELECT id FROM job WHERE run = ?1 AND test = ?2")                              \
    X(JOB_UNDONE, "SELECT id, state FROM job WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT ?3")     \
    X(JOB_OF_BOOT, "SELECT id FROM job WHERE boot = ?1 AND state = 1 AND checkpoint IS NULL"       \
                   " LIMIT ?2")                                                                    \
    X(JOB_FOLLOWER, "SELECT id FROM job WHERE boot = ?1 AND state = 1 AND checkpoint IS NULL"      \
                    " AND kind = 1 ORDER BY id LIMIT 1")                                           \
    X(JOB_PAGE, VIEW_OF_JOB " WHERE j.run = ?1 AND j.id > ?2 ORDER BY j.id")                      \
    X(JOB_VIEW, VIEW_OF_JOB " WHERE j.id = ?1")                                                   \
    X(NEED_ADD, "INSERT INTO need(needed, job) VALUES(?1, ?2)")                                    \
    X(NEED_OF, "SELECT job FROM need WHERE needed = ?1")                                           \
    /* attempts */                                                                                 \
    X(ATTEMPT_ADD, "INSERT INTO attempt(lease, job, number, agent, ending, started_ms)"            \
                   " VALUES(?1, ?2, ?3, ?4, 0, ?5)")                                               \
    X(ATTEMPT_END, "UPDATE attempt SET ending = ?2, ended_ms = ?3 WHERE lease = ?1")               \
    X(ATTEMPT_RECORD, "UPDATE attempt SET ending = ?2, ended_ms = ?3, verdict = ?4,"               \
                      " exit_status = ?5, instructions = ?6, virtual_ns = ?7, thaw_ns = ?8,"       \
                      " wall_ns = ?9, state_id = ?10, checkpoint = ?11, signature = ?12,"          \
                      " signature_title = ?13, console = ?14, console_size = ?15, reason = ?16"    \
                      " WHERE lease = ?1")                                                         \
    X(ATTEMPT_ROW, "SELECT job, number, agent, ending, verdict, state_id FROM attempt"             \
                   " WHERE lease = ?1")                                                            \
    X(ATTEMPT_HELD, "SELECT a.lease, a.job, a.number, a.agent, j.run, j.lane, j.state,"            \
                    " j.wall_ms FROM attempt a JOIN job j ON j.id = a.job WHERE a.ending = 0"      \
                    " ORDER BY a.lease")                                                           \
    X(ATTEMPT_SHORT, "SELECT a.instructions, a.wall_ns, a.state_id, a.agent, a.verdict, a.reason"  \
                     " FROM attempt a WHERE a.lease = ?1")                                         \
    X(ATTEMPT_PAGE, VIEW_OF_ATTEMPT " WHERE a.job = ?1 ORDER BY a.number")                        \
    X(ATTEMPT_VIEW, VIEW_OF_ATTEMPT " WHERE a.lease = ?1")                                        \
    X(ARTIFACT_ADD, "INSERT INTO artifact(lease, place, name, size, hash)"                         \
                    " VALUES(?1, ?2, ?3, ?4, ?5)")                                                 \
    X(ARTIFACT_PAGE, "SELECT name, size, hash FROM artifact WHERE lease = ?1 ORDER BY place")      \
    /* what is known */                                                                            \
    X(CACHE_FIND, "SELECT lease, verdict, state_id, diverged FROM cache WHERE key = ?1")           \
    X(CACHE_ADD, "INSERT INTO cache(key, lease, verdict, state_id) VALUES(?1, ?2, ?3, ?4)")        \
    X(CACHE_DIVERGED, "UPDATE cache SET diverged = 1 WHERE key = ?1")                              \
    X(BOOT_FIND, "SELECT state, job, checkpoint, lease, verdict, reason FROM boot WHERE key = ?1") \
    X(BOOT_SET, "INSERT INTO boot(key, state, job, checkpoint, lease, boot_ns, used_ms, verdict,"  \
                " reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(key) DO UPDATE"   \
                " SET state = ?2, job = ?3, checkpoint = ?4, lease = ?5, boot_ns = ?6,"            \
                " used_ms = ?7, verdict = ?8, reason = ?9")                                        \
    X(BOOT_USED, "UPDATE boot SET used_ms = ?2 WHERE checkpoint IN"                                \
                 " (SELECT checkpoint FROM lane WHERE run = ?1)")                                  \
    X(BOOT_USED_KEY, "UPDATE boot SET used_ms = ?2 WHERE key = ?1")                                \
    X(BOOT_TIME, "SELECT boot_ns FROM boot WHERE checkpoint = ?1")                                 \
    X(BOOT_OPEN, "SELECT key FROM boot b WHERE state IN (2, 3) AND EXISTS(SELECT 1 FROM job j"     \
                 " WHERE j.boot = b.key AND j.state = 1 AND j.checkpoint IS NULL)")                \
    X(HISTORY_ADD, "INSERT OR REPLACE INTO history(test, run, series, job, verdict, flags,"        \
                   " instructions, wall_ns, state_id, ended_ms)"                                   \
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                             \
    QUEUE_SQL_MORE(X)

/* Attempts whose artifacts go with those of job ?1: its own, and the one that answered it; but none
 * that another run shows whose artifacts are not gone yet. */
#define LEASES_FREE_OF_JOB                                                                         \
    "SELECT a.lease FROM attempt a WHERE (a.job = ?1 OR a.lease IN (SELECT result FROM job"        \
    " WHERE id = ?1 AND flags & 1)) AND NOT EXISTS(SELECT 1 FROM job o JOIN run r ON r.id = o.run" \
    " WHERE o.result = a.lease AND o.flags & 1 AND o.id != ?1 AND r.artifacts_gone = 0)"           \
    " AND NOT EXISTS(SELECT 1 FROM job o JOIN run r ON r.id = o.run WHERE o.id = a.job"            \
    " AND o.id != ?1 AND r.artifacts_gone = 0)"
/* Attempts that go with run ?1: its own, and those that answered it and whose run has gone before;
 * but none that answers a job of another run. */
#define LEASES_FREE_OF_RUN                                                                         \
    "SELECT a.lease FROM attempt a WHERE (a.job IN (SELECT id FROM job WHERE run = ?1)"            \
    " OR (a.lease IN (SELECT result FROM job WHERE run = ?1 AND flags & 1)"                        \
    " AND NOT EXISTS(SELECT 1 FROM job w WHERE w.id = a.job))) AND NOT EXISTS(SELECT 1 FROM job o" \
    " WHERE o.result = a.lease AND o.flags & 1 AND o.run != ?1)"

/* Of history.c, retention.c, nights.c and tokens.c. */
#define QUEUE_SQL_MORE(X)                                                                          \
    /* history.c: verdicts 1 fail, 2 timeout, 6 divergence */                                      \
    X(HISTORY_PAGE, "SELECT run, job, verdict, flags, instructions, wall_ns, state_id, ended_ms"   \
                    " FROM history WHERE test = ?1 ORDER BY run DESC LIMIT ?2")                    \
    X(HISTORY_ROW, "SELECT job, verdict, flags, instructions FROM history"                         \
                   " WHERE test = ?1 AND run = ?2")                                                \
    X(HISTORY_BACK, "SELECT run, job, verdict, instructions FROM history WHERE test = ?1"          \
                    " AND series = ?2 AND run <= ?3 AND verdict IN (0, 1, 2, 6)"                   \
                    " ORDER BY run DESC")                                                          \
    X(COMPARE, "SELECT j.id, t.suite, t.name, j.test, j.flags FROM job j"                          \
               " JOIN test t ON t.id = j.test WHERE j.run = ?1 ORDER BY t.suite, t.name")          \
    X(COMPARE_GONE, "SELECT o.id, t.suite, t.name, o.verdict, o.flags, o.state FROM job o"         \
                    " JOIN test t ON t.id = o.test WHERE o.run = ?2 AND NOT EXISTS(SELECT 1"       \
                    " FROM job j WHERE j.run = ?1 AND j.test = o.test)"                            \
                    " ORDER BY t.suite, t.name")                                                   \
    X(RUN_BEFORE, "SELECT id FROM run WHERE name = (SELECT name FROM run WHERE id = ?1)"           \
                  " AND id < ?1 AND state = 3 ORDER BY id DESC LIMIT 1")                           \
    X(RUN_STATE, "SELECT state, name, slower FROM run WHERE id = ?1")                              \
    X(BASELINE_SET, "INSERT INTO baseline(name, run) VALUES(?1, ?2)"                               \
                    " ON CONFLICT(name) DO UPDATE SET run = ?2")                                   \
    X(BASELINE_GET, "SELECT run FROM baseline WHERE name = ?1")                                    \
    X(BASELINE_REMOVE, "DELETE FROM baseline WHERE name = ?1 RETURNING run")                       \
    X(BASELINE_ALL, "SELECT name, run FROM baseline ORDER BY name")                                \
    X(BASELINE_OF, "SELECT EXISTS(SELECT 1 FROM baseline WHERE run = ?1)")                         \
    /* retention.c */                                                                              \
    X(TESTS_AFTER, "SELECT id FROM test WHERE id > ?1 ORDER BY id LIMIT ?2")                       \
    X(HISTORY_DROP, "DELETE FROM history AS h WHERE test = ?1 AND (ended_ms < ?2 OR"               \
                    " run <= (SELECT run FROM history WHERE test = ?1 ORDER BY run DESC"           \
                    " LIMIT 1 OFFSET ?3))"                                                         \
                    " AND NOT EXISTS(SELECT 1 FROM run WHERE id = h.run)"                          \
                    " AND NOT (verdict = 0 AND EXISTS(SELECT 1 FROM history o WHERE o.test = ?1"   \
                    " AND o.series = h.series AND o.run < h.run AND o.verdict IN (1, 2, 6)"        \
                    " AND EXISTS(SELECT 1 FROM run WHERE id = o.run) AND NOT EXISTS(SELECT 1"      \
                    " FROM history q WHERE q.test = ?1 AND q.series = h.series AND q.verdict = 0"  \
                    " AND q.run > o.run AND q.run < h.run)))")                                     \
    X(OLD_RUNS, "SELECT id, name, ended_ms, keep_runs, keep_run_s, (SELECT count(*) FROM run n"    \
                " WHERE n.name = r.name AND n.id > r.id AND n.state = 3) FROM run r"               \
                " WHERE state = 3 ORDER BY id")                                                    \
    X(OLD_ARTIFACTS, "SELECT id, name, ended_ms, keep_artifacts_s FROM run WHERE state = 3"        \
                     " AND artifacts_gone = 0 ORDER BY id")                                        \
    X(RUN_FAILED, "SELECT test FROM job WHERE run = ?1 AND state = 5 AND verdict IN (1, 2, 6)")    \
    X(RUN_JOBS, "SELECT id, test, verdict FROM job WHERE run = ?1")                                \
    X(ARTIFACTS_DROP, "DELETE FROM artifact WHERE lease IN (" LEASES_FREE_OF_JOB ")")              \
    X(CONSOLE_DROP, "UPDATE attempt SET console = NULL, console_size = 0"                          \
                    " WHERE console IS NOT NULL AND lease IN (" LEASES_FREE_OF_JOB ")")            \
    X(ARTIFACTS_GONE, "UPDATE run SET artifacts_gone = 1 WHERE id = ?1")                           \
    X(REMOVE_ARTIFACTS, "DELETE FROM artifact WHERE lease IN (" LEASES_FREE_OF_RUN ")")            \
    X(REMOVE_CACHE, "DELETE FROM cache WHERE lease IN (" LEASES_FREE_OF_RUN ")")                   \
    X(REMOVE_ATTEMPTS, "DELETE FROM attempt WHERE lease IN (" LEASES_FREE_OF_RUN ")")              \
    X(REMOVE_NEEDS, "DELETE FROM need WHERE needed IN (SELECT id FROM job WHERE run = ?1)")        \
    X(REMOVE_JOBS, "DELETE FROM job WHERE run = ?1")                                               \
    X(REMOVE_PARTS, "DELETE FROM part WHERE run = ?1")                                             \
    X(REMOVE_RUN, "DELETE FROM run WHERE id = ?1")                                                 \
    X(CHECKPOINTS_FAILED, "SELECT j.checkpoint, j.test, j.run, r.name FROM job j"                  \
                          " JOIN run r ON r.id = j.run WHERE j.state = 5"                          \
                          " AND j.verdict IN (1, 2, 6) AND j.checkpoint IS NOT NULL")              \
    X(CHECKPOINTS_HELD, "SELECT checkpoint FROM lane WHERE checkpoint IS NOT NULL"                 \
                        " UNION SELECT j.checkpoint FROM baseline b JOIN job j ON j.run = b.run"   \
                        " WHERE j.checkpoint IS NOT NULL UNION SELECT j.checkpoint FROM run r"     \
                        " JOIN job j ON j.run = r.id WHERE r.state < 3"                            \
                        " AND j.checkpoint IS NOT NULL")                                           \
    X(CHECKPOINTS_OLD, "SELECT checkpoint FROM boot WHERE state = 2 AND used_ms < ?1")             \
    X(CHECKPOINT_FORGET, "UPDATE boot SET state = 0 WHERE checkpoint = ?1 AND state = 2")          \
    X(BLOBS_SPEC, "SELECT DISTINCT spec FROM job")                                                 \
    X(BLOBS_CONSOLE, "SELECT console FROM attempt WHERE console IS NOT NULL")                      \
    X(BLOBS_ARTIFACT, "SELECT hash FROM artifact")                                                 \
    /* nights.c */                                                                                 \
    X(SLOT_FIND, "SELECT EXISTS(SELECT 1 FROM slot WHERE schedule = ?1 AND slot_s = ?2)"           \
                 " FROM schedule WHERE id = ?1")                                                   \
    X(SLOT_ADD, "INSERT INTO slot(schedule, slot_s, run) VALUES(?1, ?2, ?3)")                      \
    X(SCHEDULE_STARTED, "UPDATE schedule SET last_slot_s = ?2, last_run = ?3, error = NULL"        \
                        " WHERE id = ?1")                                                          \
    X(SCHEDULE_ALL, "SELECT id, name, cron, time_zone, missed, paused, next_s, last_slot_s,"       \
                    " last_run, request, error FROM schedule ORDER BY name")                       \
    X(SCHEDULE_ROW, "SELECT id, name, cron, time_zone, missed, paused, next_s, last_slot_s,"       \
                    " last_run, request, error FROM schedule WHERE id = ?1")                       \
    X(SCHEDULE_DUE, "SELECT id FROM schedule WHERE paused = 0 AND next_s <= ?1 AND id > ?2"        \
                    " ORDER BY id LIMIT 1")                                                        \
    X(SCHEDULE_FIRST, "SELECT min(next_s) FROM schedule WHERE paused = 0")                         \
    X(SCHEDULE_SET, "INSERT INTO schedule(name, cron, time_zone, missed, paused, next_s,"          \
                    " last_slot_s, last_run, request) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)"   \
                    " ON CONFLICT(name) DO UPDATE SET cron = ?2, time_zone = ?3, missed = ?4,"     \
                    " paused = ?5, next_s = ?6, request = ?8, error = NULL RETURNING id")          \
    X(SCHEDULE_NEXT, "UPDATE schedule SET next_s = ?2 WHERE id = ?1")                              \
    X(SCHEDULE_ERROR, "UPDATE schedule SET error = ?2 WHERE id = ?1")                              \
    X(SCHEDULE_PAUSE, "UPDATE schedule SET paused = ?2 WHERE name = ?1 RETURNING id")              \
    X(SCHEDULE_REMOVE, "DELETE FROM schedule WHERE name = ?1 RETURNING id")                        \
    X(SLOT_REMOVE, "DELETE FROM slot WHERE schedule = ?1")                                         \
    /* tokens.c */                                                                                 \
    X(TOKEN_ALL, "SELECT name, hash, role, created_ms, expires_ms FROM api_token ORDER BY name")   \
    X(TOKEN_FIND, "SELECT role, expires_ms, name FROM api_token WHERE hash = ?1")                  \
    X(TOKEN_THERE, "SELECT 1 FROM api_token WHERE hash = ?1 OR name = ?2")                         \
    X(TOKEN_ADD, "INSERT INTO api_token(name, hash, role, created_ms, expires_ms)"                 \
                 " VALUES(?1, ?2, ?3, ?4, ?5)")                                                    \
    X(TOKEN_REMOVE, "DELETE FROM api_token WHERE name = ?1 RETURNING 1")                           \
    X(ENROLMENT_ADD, "INSERT OR IGNORE INTO enrolment(hash, expires_ms) VALUES(?1, ?2)"            \
                     " RETURNING 1")                                                               \
    X(ENROLMENT_FIND, "SELECT expires_ms, key, uid FROM enrolment WHERE hash = ?1")                \
    X(ENROLMENT_USE, "UPDATE enrolment SET key = ?2, uid = ?3 WHERE hash = ?1")                    \
    X(ENROLMENT_SWEEP, "DELETE FROM enrolment WHERE expires_ms < ?1 AND key IS NULL")
/* clang-format on */

enum sql {
#define SQL_NAME(name, text) SQL_##name,
    QUEUE_SQL(SQL_NAME)
#undef SQL_NAME
        SQL_COUNT
};

#endif
