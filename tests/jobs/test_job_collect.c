#include "jobs/matrix.h"
#include "jobs/payload.h"
#include "storage/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOBS_MAX 64

/* A folder with a job file's inputs, and all blobs that the sink was given. */
struct fixture {
    char folder[64];
    struct {
        struct hash hash;
        struct buf bytes;
    } blobs[BLOBS_MAX];
    size_t count;
    size_t files;           /* handed over by path */
    size_t calls, fails_at; /* of the sink; 0: never */
    struct job_file *file;
    struct job_expanded *expanded;
    struct job_submissions jobs;
};

static const char *path_of(const struct fixture *f, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    struct err err = ERR_INIT;

    if (!file_write(path_of(f, name), span_of_text(text), &err))
        fail_msg("%s", err.text);
}

static bool take_bytes(void *context, struct span bytes, struct hash *id, struct err *err)
{
    struct fixture *f = context;

    if (++f->calls == f->fails_at)
        return err_set(err, ERR_NO_SPACE, "the store is full");
    assert_true(f->count < BLOBS_MAX);
    *id = f->blobs[f->count].hash = hash_of(bytes);
    f->blobs[f->count].bytes = (struct buf)BUF_INIT(1u << 20);
    return buf_append(&f->blobs[f->count++].bytes, bytes.data, bytes.size, err);
}

static bool take_file(void *context, const char *path, struct hash *id, uint64_t *size,
                      struct err *err)
{
    struct buf bytes = BUF_INIT(1u << 20);
    struct fixture *f = context;
    bool ok = file_read(path, &bytes, err) && take_bytes(context, buf_span(&bytes), id, err);

    f->files++;
    *size = bytes.size;
    buf_release(&bytes);
    return ok;
}

static struct span blob(const struct fixture *f, const struct hash *hash)
{
    for (size_t i = 0; i < f->count; i++) {
        if (hash_equal(&f->blobs[i].hash, hash))
            return buf_span(&f->blobs[i].bytes);
    }
    fail_msg("no such blob");
    return (struct span){NULL, 0};
}

static const char machine[] = "machine: tiny\n"
                              "firmware: fw\n"
                              "kernel: ker\n"
                              "devices: [{blk: {name: data, file: disk}}]\n"
                              "job_disk: true\n"
                              "freeze: {instructions: 100}\n";
static const char jobs[] = "checkpoints: {tiny: {tag: tiny-booted, machine: tiny.yaml}}\n"
                           "defaults: {checkpoint: tiny}\n"
                           "tests:\n"
                           "  - name: a\n"
                           "    payload: [prog, disk]\n"
                           "    command: ./prog\n"
                           "    parallel: {matrix: [{harts: [1, 2], seed: [7, 8]}]}\n"
                           "  - {name: b, command: x, disks: {data: disk}}\n"
                           "  - {name: c, elf: prog}\n";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    strcpy(f->folder, "/tmp/thaw-collect-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    put(f, "fw", "firmware");
    put(f, "ker", "kernel");
    put(f, "disk", "disk");
    put(f, "prog", "program");
    put(f, "tiny.yaml", machine);
    put(f, "jobs.yaml", jobs);
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_release(&f->blobs[i].bytes);
    f->count = f->files = f->calls = 0;
    job_submissions_release(&f->jobs);
    job_expanded_free(f->expanded);
    job_file_free(f->file);
    f->expanded = NULL;
    f->file = NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    forget(f);
    file_remove(f->folder, &err);
    free(f);
    return 0;
}

static bool collect(struct fixture *f, struct err *err)
{
    const struct job_sink sink = {take_bytes, take_file, f};

    return job_file_load(path_of(f, "jobs.yaml"), &variables_environment, &f->file, NULL, err) &&
           job_expand(f->file, NULL, 0, &f->expanded, err) &&
           job_spec_collect(f->expanded, &sink, &f->jobs, err);
}

static void collect_well(struct fixture *f)
{
    struct err err = ERR_INIT;

    if (!collect(f, &err))
        fail_msg("%s", err.text);
}

static struct job_spec *spec_of(const struct fixture *f, size_t index)
{
    struct job_spec *spec = NULL;
    struct err err = ERR_INIT;

    if (!job_spec_decode(blob(f, &f->jobs.items[index].spec), &spec, &err))
        fail_msg("%s", err.text);
    return spec;
}

static void boots_come_first_and_tests_name_their_keys(void **state)
{
    struct fixture *f = *state;
    const struct job_submission *items;

    collect_well(f);
    items = f->jobs.items;
    assert_int_equal(f->jobs.count, 3 + 6);
    assert_int_equal(items[0].kind, JOB_BOOT);
    assert_string_equal(items[0].name, "boot tiny [harts=1]");
    assert_string_equal(items[1].name, "boot tiny [harts=2]");
    assert_string_equal(items[2].name, "boot tiny");
    assert_string_equal(items[3].name, "a [harts=1, seed=7]");
    assert_true(hash_equal(&items[3].boot_key, &items[0].spec));
    assert_true(hash_equal(&items[4].boot_key, &items[0].spec));
    assert_true(hash_equal(&items[5].boot_key, &items[1].spec));
    assert_true(hash_equal(&items[7].boot_key, &items[2].spec));
    /* the machine has one hart anyway: equal inputs have one key, whatever they are called */
    assert_true(hash_equal(&items[0].spec, &items[2].spec));
    assert_false(hash_equal(&items[0].spec, &items[1].spec));
    assert_true(hash_is_zero(&items[8].boot_key));
}

static const char hosts[] = "checkpoints: {tiny: {tag: tiny-booted, machine: tiny.yaml}}\n"
                            "defaults: {checkpoint: tiny}\n"
                            "tests:\n"
                            "  - name: a\n"
                            "    command: x\n"
                            "    verify: {every: 2M}\n"
                            "    parallel: {matrix: [{host: [arm64, s390x], seed: [7, 8]}]}\n"
                            "  - name: b\n"
                            "    command: x\n"
                            "    parallel: {matrix: [{host: [arm64, s390x]}]}\n";

/* One spec is one key, and results of one key are compared (the queue does that). */
static void jobs_that_verify_differ_in_their_host_alone_and_have_one_spec(void **state)
{
    struct fixture *f = *state;
    const struct job_submission *items;
    struct job_spec *spec;

    put(f, "jobs.yaml", hosts);
    collect_well(f);
    items = f->jobs.items;
    assert_int_equal(f->jobs.count, 1 + 4 + 2);
    assert_string_equal(items[1].name, "a [host=arm64, seed=7]");
    assert_string_equal(items[3].name, "a [host=s390x, seed=7]");
    assert_true(hash_equal(&items[1].spec, &items[3].spec));
    assert_true(hash_equal(&items[2].spec, &items[4].spec));
    assert_false(hash_equal(&items[1].spec, &items[2].spec));
    assert_false(hash_equal(&items[5].spec, &items[6].spec));
    spec = spec_of(f, 1);
    assert_int_equal(spec->test.verify_every, 2000000);
    assert_string_equal(spec->name, "a");
    job_spec_free(spec);
}

static void a_spec_holds_all_that_its_job_needs(void **state)
{
    struct fixture *f = *state;
    struct payload_reader reader;
    struct payload_item item;
    struct job_spec *spec;
    struct err err = ERR_INIT;

    collect_well(f);
    spec = spec_of(f, 1);
    assert_int_equal(spec->machine.boards[0].hart_count, 2);
    assert_string_equal(spec->machine.boards[0].kernel, "board0.kernel");
    assert_true(
        span_equal(blob(f, &job_spec_blob(spec, "board0.kernel")->hash), span_of_text("kernel")));
    assert_true(
        span_equal(blob(f, &job_spec_blob(spec, "board0.disk.data")->hash), span_of_text("disk")));
    job_spec_free(spec);
    spec = spec_of(f, 4);
    assert_string_equal(spec->suite, "jobs");
    assert_int_equal(spec->test.seed, 8);
    reader = payload_reader(blob(f, &job_spec_blob(spec, "payload")->hash));
    assert_true(payload_next(&reader, &item, &err));
    assert_string_equal(item.path, "disk");
    assert_true(payload_next(&reader, &item, &err));
    assert_string_equal(item.path, "prog");
    job_spec_free(spec);
    spec = spec_of(f, 7);
    assert_string_equal(spec->test.disks[0].file, "disk.data");
    job_spec_free(spec);
    spec = spec_of(f, 8);
    assert_true(span_equal(blob(f, &job_spec_blob(spec, "elf")->hash), span_of_text("program")));
    assert_int_equal(job_spec_blob(spec, "elf")->size, 7);
    job_spec_free(spec);
}

static void every_file_is_read_once(void **state)
{
    struct fixture *f = *state;

    collect_well(f);
    assert_int_equal(f->files, 4);         /* fw, ker, disk, prog: for 9 jobs */
    assert_int_equal(f->count, 4 + 1 + 9); /* one payload */
}

/* The boot key is the hash of all inputs: nothing else, and nothing less. */
static void a_boot_key_changes_with_every_input_and_with_nothing_else(void **state)
{
    static const struct {
        const char *name, *text;
        bool changes;
    } edits[] = {
        {"ker", "kernel 2", true},
        {"fw", "firmware 2", true},
        {"disk", "other", true},
        {"tiny.yaml",
         "# a comment\nkernel: ker\nfirmware: fw\nmachine: tiny\n"
         "devices: [{blk: {name: data, file: disk}}]\njob_disk: true\nfreeze: {instructions: "
         "100}\n",
         false},
        {"tiny.yaml",
         "kernel: ker\nfirmware: fw\nmachine: tiny\n"
         "devices: [{blk: {name: data, file: disk}}]\njob_disk: true\nfreeze: {instructions: "
         "101}\n",
         true},
        {"prog", "program 2", false},
    };
    struct fixture *f = *state;
    struct hash before;

    collect_well(f);
    before = f->jobs.items[0].spec;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        forget(f);
        put(f, edits[i].name, edits[i].text);
        collect_well(f);
        if (hash_equal(&f->jobs.items[0].spec, &before) == edits[i].changes)
            fail_msg("edit %zu", i);
        before = f->jobs.items[0].spec;
    }
}

static void a_missing_file_is_named_with_its_job(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    file_remove(path_of(f, "ker"), &err);
    assert_false(collect(f, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "boot tiny [harts=1]: board0.kernel: "));
    forget(f);
    put(f, "ker", "kernel");
    file_remove(path_of(f, "prog"), &err);
    err = (struct err)ERR_INIT;
    assert_false(collect(f, &err));
    assert_non_null(strstr(err.text, "test a [harts=1, seed=7]: payload: "));
}

/* Whichever blob the store refuses, that is the error, and nothing is left behind. */
static void a_sink_that_fails_at_any_call_is_an_error(void **state)
{
    struct fixture *f = *state;
    size_t calls;

    collect_well(f);
    calls = f->calls;
    assert_int_equal(calls, 4 + 1 + 9);
    for (size_t i = 1; i <= calls; i++) {
        struct err err = ERR_INIT;

        forget(f);
        f->fails_at = i;
        assert_false(collect(f, &err));
        assert_int_equal(err.kind, ERR_NO_SPACE);
        assert_non_null(strstr(err.text, "the store is full"));
        assert_null(f->jobs.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(boots_come_first_and_tests_name_their_keys, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            jobs_that_verify_differ_in_their_host_alone_and_have_one_spec, setup, teardown),
        cmocka_unit_test_setup_teardown(a_spec_holds_all_that_its_job_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(every_file_is_read_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_boot_key_changes_with_every_input_and_with_nothing_else,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_sink_that_fails_at_any_call_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_named_with_its_job, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
