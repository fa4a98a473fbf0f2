/* The store is freed of what the database does not name, and of nothing else. */
#include "coordinator/sweeper.h"

#include "coordinator/queue/history.h"
#include "coordinator/queue/nights.h"
#include "storage/base/file.h"
#include "storage/blob.h"
#include "tests/support/jobs_spec.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOBS_MAX 16

struct rig {
    struct queue_farm farm;
    struct store *store;
    uint64_t now_s; /* two days after all that is put by `put` */
};

static int set_up(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    const struct store_options options = {.create = true};
    char *path;

    queue_farm_open(&rig->farm);
    path = path_join(rig->farm.folder, "store");
    BASE_OK(store_open(path, &options, &rig->store, &rig->farm.err), &rig->farm.err);
    mem_free(path);
    rig->now_s = 1700000000;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    store_close(rig->store);
    queue_farm_close(&rig->farm);
    mem_free(rig);
    return 0;
}

static void date(struct rig *rig, const struct hash *id, uint64_t age_s)
{
    char *path = store_blob_path(rig->store, id);
    const struct timespec when = {(time_t)(rig->now_s - age_s), 0};
    const struct timespec times[2] = {when, when};

    assert_int_equal(utimensat(0, path, times, 0), 0);
    mem_free(path);
}

static struct hash put(struct rig *rig, struct span bytes)
{
    struct hash id;

    BASE_OK(store_blob_put(rig->store, bytes, &id, &rig->farm.err), &rig->farm.err);
    date(rig, &id, 2 * SWEEPER_GRACE_S);
    return id;
}

static bool is_there(struct rig *rig, struct hash id)
{
    struct err ignored = ERR_INIT;

    return store_blob_size(rig->store, &id, NULL, &ignored);
}

static uint64_t sweep(struct rig *rig)
{
    const struct sweeper_task task = {
        .database = rig->farm.path, .store = rig->store, .now_s = rig->now_s, .checkpoints = true};
    uint64_t removed;

    BASE_OK(sweeper_run(&task, &removed, &rig->farm.err), &rig->farm.err);
    return removed;
}

/* A spec in the store, with blobs that it needs. */
struct parts {
    struct hash spec;
    struct hash blobs[BLOBS_MAX];
    size_t count;
};

static struct parts put_spec(struct rig *rig, const char *what)
{
    struct job_spec spec = jobs_spec_test();
    struct job_blob blobs[BLOBS_MAX];
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct parts parts = {.count = spec.blob_count};
    char text[64];

    assert_in_range(spec.blob_count, 1, BLOBS_MAX);
    memcpy(blobs, spec.blobs, spec.blob_count * sizeof blobs[0]);
    for (size_t i = 0; i < spec.blob_count; i++) {
        snprintf(text, sizeof text, "%s %zu", what, i);
        parts.blobs[i] = put(rig, span_of_text(text));
        blobs[i].hash = parts.blobs[i];
        blobs[i].size = strlen(text);
    }
    spec.blobs = blobs;
    BASE_OK(job_spec_encode(&spec, &bytes, &rig->farm.err), &rig->farm.err);
    parts.spec = put(rig, buf_span(&bytes));
    buf_release(&bytes);
    return parts;
}

static void assert_parts(struct rig *rig, const struct parts *parts, bool there)
{
    assert_int_equal(is_there(rig, parts->spec), there);
    for (size_t i = 0; i < parts->count; i++)
        assert_int_equal(is_there(rig, parts->blobs[i]), there);
}

static void what_runs_name_stays_and_the_rest_goes(void **state)
{
    struct rig *rig = *state;
    struct queue_job_request job = queue_farm_job("a");
    struct parts wanted = put_spec(rig, "wanted"), orphan = put_spec(rig, "orphan");
    struct queue_farm_agent agent = queue_farm_agent(&rig->farm, 1);
    struct queue_artifact artifact = {.name = "log", .size = 3};

    artifact.hash = put(rig, span_of_text("log"));
    job.spec = wanted.spec;
    uint64_t run = queue_farm_submit(&rig->farm, &job, 1);
    struct queue_grant grant = queue_farm_take(&rig->farm, &agent);
    struct queue_result result = queue_farm_result_of(&grant, VERDICT_PASS);
    result.console = put(rig, span_of_text("console"));
    result.console_size = 7;
    result.artifacts = &artifact;
    result.artifact_count = 1;
    queue_farm_record(&rig->farm, &agent, &result);
    assert_int_equal(sweep(rig), orphan.count + 1);
    assert_parts(rig, &wanted, true);
    assert_parts(rig, &orphan, false);
    assert_true(is_there(rig, result.console) && is_there(rig, artifact.hash));
    /* When the run goes, what it named goes too. */
    queue_farm_begin(&rig->farm);
    BASE_OK(queue_run_remove(rig->farm.queue, run, &rig->farm.err), &rig->farm.err);
    queue_farm_commit(&rig->farm);
    assert_int_equal(sweep(rig), wanted.count + 3);
    assert_false(is_there(rig, result.console) || is_there(rig, artifact.hash));
}

static void what_a_schedule_submits_stays(void **state)
{
    struct rig *rig = *state;
    struct parts wanted = put_spec(rig, "wanted");
    struct queue_schedule schedule = {
        .name = "nightly", .cron = "0 3 * * *", .time_zone = "UTC", .missed = JOB_MISSED_RUN};
    char text[512];
    uint64_t id;

    snprintf(text, sizeof text,
             "{\"name\": \"nightly\", \"jobs\": [{\"name\": \"a\", \"suite\": \"s\","
             " \"spec\": \"%s\"}]}",
             hash_hex(&wanted.spec).text);
    schedule.request = span_of_text(text);
    queue_farm_begin(&rig->farm);
    BASE_OK(queue_schedule_set(rig->farm.queue, &schedule, &id, &rig->farm.err), &rig->farm.err);
    queue_farm_commit(&rig->farm);
    assert_int_equal(sweep(rig), 0);
    assert_parts(rig, &wanted, true);
}

static void what_was_put_or_asked_for_lately_stays(void **state)
{
    struct rig *rig = *state;
    struct hash old = put(rig, span_of_text("old")), young = put(rig, span_of_text("young"));
    struct hash again = put(rig, span_of_text("again")), asked = put(rig, span_of_text("asked"));
    struct hash ignored;

    date(rig, &young, SWEEPER_GRACE_S - 1);
    date(rig, &old, SWEEPER_GRACE_S);
    /* These are of this very moment, which is later than any in the test. */
    BASE_OK(store_blob_put(rig->store, span_of_text("again"), &ignored, &rig->farm.err),
            &rig->farm.err);
    store_blob_touch(rig->store, &asked);
    assert_int_equal(sweep(rig), 1);
    assert_false(is_there(rig, old));
    assert_true(is_there(rig, young) && is_there(rig, again) && is_there(rig, asked));
}

static void nothing_goes_when_it_is_not_known_what_is_needed(void **state)
{
    struct rig *rig = *state;
    const struct sweeper_task task = {
        .database = rig->farm.path, .store = rig->store, .now_s = rig->now_s};
    struct queue_job_request job = queue_farm_job("a");
    struct hash orphan = put(rig, span_of_text("orphan"));
    struct sweeper_task nowhere = task;
    uint64_t removed;

    job.spec = put(rig, span_of_text("no spec at all"));
    queue_farm_submit(&rig->farm, &job, 1);
    assert_false(sweeper_run(&task, &removed, &rig->farm.err));
    assert_int_equal(removed, 0);
    assert_true(is_there(rig, orphan));
    rig->farm.err = (struct err)ERR_INIT;
    nowhere.database = "/nowhere/queue.db";
    assert_false(sweeper_run(&nowhere, &removed, &rig->farm.err));
    assert_true(is_there(rig, orphan));
    rig->farm.err = (struct err)ERR_INIT;
    /* A spec that is gone needs nothing: that is no reason to keep everything for ever. */
    struct err ignored = ERR_INIT;
    char *path = store_blob_path(rig->store, &job.spec);
    file_remove(path, &ignored);
    mem_free(path);
    assert_int_equal(sweep(rig), 1);
}

static void a_thread_does_it_beside_the_core(void **state)
{
    struct rig *rig = *state;
    const struct sweeper_task task = {
        .database = rig->farm.path, .store = rig->store, .now_s = rig->now_s};
    struct queue_job_request job = queue_farm_job("a");
    struct hash orphan = put(rig, span_of_text("orphan"));
    struct sweeper *sweeper = sweeper_start(&task);

    assert_non_null(sweeper);
    queue_farm_submit(&rig->farm, &job, 1);
    sweeper_end(sweeper);
    assert_false(is_there(rig, orphan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_runs_name_stays_and_the_rest_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_schedule_submits_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_put_or_asked_for_lately_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_goes_when_it_is_not_known_what_is_needed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thread_does_it_beside_the_core, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
