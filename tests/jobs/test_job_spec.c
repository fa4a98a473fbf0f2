#include "jobs/job_spec.h"
#include "tests/support/jobs_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf encode(const struct job_spec *spec)
{
    struct buf out = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct err err = ERR_INIT;

    if (!job_spec_encode(spec, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

static struct job_spec *decode(struct span bytes)
{
    struct job_spec *spec = NULL;
    struct err err = ERR_INIT;

    if (!job_spec_decode(bytes, &spec, &err))
        fail_msg("%s", err.text);
    return spec;
}

static void assert_refused(struct span bytes, enum err_kind kind, const char *part)
{
    struct job_spec *spec = NULL;
    struct err err = ERR_INIT;

    assert_false(job_spec_decode(bytes, &spec, &err));
    assert_null(spec);
    assert_int_equal(err.kind, kind);
    if (strstr(err.text, part) == NULL)
        fail_msg("`%s` has no `%s`", err.text, part);
}

static void assert_cannot_be_written(const struct job_spec *spec, const char *part)
{
    struct buf out = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct err err = ERR_INIT;

    assert_false(job_spec_encode(spec, &out, &err));
    assert_int_equal(out.size, 0);
    if (strstr(err.text, part) == NULL)
        fail_msg("`%s` has no `%s`", err.text, part);
    buf_release(&out);
}

/* What the farm stores and hashes: these bytes are for ever. */
/* clang-format off */
static const uint8_t golden[] = {
    /* list of 4 */
    0x84,
    /* "thaw job" */
    0x68, 0x74, 0x68, 0x61, 0x77, 0x20, 0x6a, 0x6f, 0x62,
    /* 1 */
    0x01,
    /* "test" */
    0x64, 0x74, 0x65, 0x73, 0x74,
    /* 7 fields */
    0xa7,
    /* suite: "smoke" */
    0x00, 0x65, 0x73, 0x6d, 0x6f, 0x6b, 0x65,
    /* name: "a program [quantum=100, seed=7]" */
    0x01, 0x78, 0x1f, 0x61, 0x20, 0x70, 0x72, 0x6f, 0x67, 0x72, 0x61, 0x6d, 0x20, 0x5b,
    0x71, 0x75, 0x61, 0x6e, 0x74, 0x75, 0x6d, 0x3d, 0x31, 0x30, 0x30, 0x2c, 0x20, 0x73,
    0x65, 0x65, 0x64, 0x3d, 0x37, 0x5d,
    /* digest: true */
    0x02, 0xf5,
    /* test: 11 fields */
    0x03, 0xab,
    /* steps: list of 3 */
    0x00, 0x83,
    /* 1 fields */
    0xa1,
    /* field 1: 1 bytes */
    0x01, 0x41, 0x0d,
    /* 2 fields */
    0xa2,
    /* field 0: 3 */
    0x00, 0x03,
    /* field 3: 5000000 */
    0x03, 0x1a, 0x00, 0x4c, 0x4b, 0x40,
    /* 3 fields */
    0xa3,
    /* field 0: 4 */
    0x00, 0x04,
    /* field 2: "./wordcount" */
    0x02, 0x6b, 0x2e, 0x2f, 0x77, 0x6f, 0x72, 0x64, 0x63, 0x6f, 0x75, 0x6e, 0x74,
    /* field 4: 3 fields */
    0x04, 0xa3,
    /* field 1: 3 */
    0x01, 0x03,
    /* field 2: "" */
    0x02, 0x60,
    /* field 3: list of 1 */
    0x03, 0x81,
    /* "^sea 3$" */
    0x67, 0x5e, 0x73, 0x65, 0x61, 0x20, 0x33, 0x24,
    /* payload: list of 1 */
    0x03, 0x81,
    /* "payload" */
    0x67, 0x70, 0x61, 0x79, 0x6c, 0x6f, 0x61, 0x64,
    /* results: list of 1 */
    0x04, 0x81,
    /* "report.txt" */
    0x6a, 0x72, 0x65, 0x70, 0x6f, 0x72, 0x74, 0x2e, 0x74, 0x78, 0x74,
    /* disks: list of 1 */
    0x05, 0x81,
    /* 2 fields */
    0xa2,
    /* field 0: "data" */
    0x00, 0x64, 0x64, 0x61, 0x74, 0x61,
    /* field 1: "disk.data" */
    0x01, 0x69, 0x64, 0x69, 0x73, 0x6b, 0x2e, 0x64, 0x61, 0x74, 0x61,
    /* limits: 2 fields */
    0x09, 0xa2,
    /* field 0: 4000000000 */
    0x00, 0x1a, 0xee, 0x6b, 0x28, 0x00,
    /* field 1: 120000 */
    0x01, 0x1a, 0x00, 0x01, 0xd4, 0xc0,
    /* has_seed: true */
    0x0a, 0xf5,
    /* seed: 7 */
    0x0b, 0x07,
    /* monitors: list of 2 */
    0x0c, 0x82,
    /* 1 fields */
    0xa1,
    /* field 0: "linux" */
    0x00, 0x65, 0x6c, 0x69, 0x6e, 0x75, 0x78,
    /* 2 fields */
    0xa2,
    /* field 1: "t" */
    0x01, 0x61, 0x74,
    /* field 2: "BUG" */
    0x02, 0x63, 0x42, 0x55, 0x47,
    /* variables: list of 2 */
    0x0d, 0x82,
    /* 2 fields */
    0xa2,
    /* field 0: "quantum" */
    0x00, 0x67, 0x71, 0x75, 0x61, 0x6e, 0x74, 0x75, 0x6d,
    /* field 1: "100" */
    0x01, 0x63, 0x31, 0x30, 0x30,
    /* 2 fields */
    0xa2,
    /* field 0: "seed" */
    0x00, 0x64, 0x73, 0x65, 0x65, 0x64,
    /* field 1: "7" */
    0x01, 0x61, 0x37,
    /* quantum: 100 */
    0x0e, 0x18, 0x64,
    /* artifacts_when: 1 */
    0x0f, 0x01,
    /* prompt: "~ # $" */
    0x04, 0x65, 0x7e, 0x20, 0x23, 0x20, 0x24,
    /* work: "/tmp/job" */
    0x05, 0x68, 0x2f, 0x74, 0x6d, 0x70, 0x2f, 0x6a, 0x6f, 0x62,
    /* blobs: list of 2 */
    0x08, 0x82,
    /* 3 fields */
    0xa3,
    /* field 0: "disk.data" */
    0x00, 0x69, 0x64, 0x69, 0x73, 0x6b, 0x2e, 0x64, 0x61, 0x74, 0x61,
    /* field 1: 32 bytes */
    0x01, 0x58, 0x20, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    /* field 2: 512 */
    0x02, 0x19, 0x02, 0x00,
    /* 3 fields */
    0xa3,
    /* field 0: "payload" */
    0x00, 0x67, 0x70, 0x61, 0x79, 0x6c, 0x6f, 0x61, 0x64,
    /* field 1: 32 bytes */
    0x01, 0x58, 0x20, 0x22, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    /* field 2: 1024 */
    0x02, 0x19, 0x04, 0x00,
};
/* clang-format on */

static void a_test_has_golden_bytes(void **state)
{
    struct job_spec spec = jobs_spec_test();
    struct buf out = encode(&spec);

    (void)state;
    assert_int_equal(out.size, sizeof golden);
    assert_memory_equal(out.data, golden, sizeof golden);
    buf_release(&out);
}

static void a_boot_has_a_golden_hash(void **state)
{
    struct job_spec spec = jobs_spec_boot();
    struct buf out = encode(&spec);
    struct hash hash = job_spec_hash(buf_span(&out));

    (void)state;
    assert_string_equal(hash_hex(&hash).text,
                        "087e59637c9764a504fc869a8f4684aea334cee9b59c7c397743339054e27b44");
    buf_release(&out);
}

static void a_job_key_covers_the_spec_and_the_checkpoint(void **state)
{
    struct hash spec = {{1}}, checkpoint = {{2}}, key = job_key(&spec, &checkpoint);
    struct hash swapped = job_key(&checkpoint, &spec);

    (void)state;
    assert_false(hash_equal(&key, &swapped));
    /* printf 'thaw job key 1\0' and 01 00… and 02 00… through sha256sum */
    assert_string_equal(hash_hex(&key).text,
                        "8a838831e04d0e1ce0db9c9ecc885065fa8c4849634fc8f68a1f4df24825ba69");
}

static void a_decoded_test_is_the_test(void **state)
{
    struct job_spec spec = jobs_spec_test();
    struct buf out = encode(&spec);
    struct job_spec *read = decode(buf_span(&out));
    struct buf again = encode(read);

    (void)state;
    assert_int_equal(read->kind, JOB_TEST);
    assert_string_equal(read->suite, "smoke");
    assert_string_equal(read->test.name, "a program [quantum=100, seed=7]");
    assert_true(read->digest);
    assert_int_equal(read->test.step_count, 3);
    assert_int_equal(read->test.steps[1].instructions, 5000000);
    assert_string_equal(read->test.steps[2].text, "./wordcount");
    assert_int_equal(read->test.steps[2].check.exit_status, 3);
    assert_string_equal(read->test.steps[2].check.output, "");
    assert_string_equal(read->test.steps[2].check.expect[0], "^sea 3$");
    assert_string_equal(read->test.payload[0], "payload");
    assert_string_equal(read->test.disks[0].file, "disk.data");
    assert_int_equal(read->test.limits.wall_ms, 120000);
    assert_true(read->test.has_seed);
    assert_string_equal(read->test.monitors[1].pattern, "BUG");
    assert_string_equal(read->test.variables[1].value, "7");
    assert_int_equal(read->test.quantum, 100);
    assert_int_equal(read->test.artifacts_when, JOB_ARTIFACTS_ON_FAILURE);
    assert_null(read->test.checkpoint);
    assert_int_equal(job_spec_blob(read, "payload")->size, 1024);
    assert_null(job_spec_blob(read, "elf"));
    assert_true(span_equal(buf_span(&out), buf_span(&again)));
    buf_release(&again);
    buf_release(&out);
    job_spec_free(read);
}

static void a_decoded_boot_is_the_machine(void **state)
{
    struct job_spec spec = jobs_spec_boot();
    struct buf out = encode(&spec);
    struct job_spec *read = decode(buf_span(&out));
    const struct machine_board *board = &read->machine.boards[0];

    (void)state;
    assert_int_equal(read->kind, JOB_BOOT);
    assert_string_equal(read->name, "debian");
    assert_string_equal(read->suite, "");
    assert_string_equal(read->machine.path, "debian");
    assert_int_equal(board->hart_count, 3);
    assert_string_equal(board->kernel, "board0.kernel");
    assert_int_equal(board->device_count, 3);
    assert_int_equal(board->devices[1].mac[5], 0x56);
    assert_int_equal(board->devices[2].kind, MACHINE_DEVICE_JOB_DISK);
    assert_string_equal(read->machine.switches[0], "lan");
    assert_string_equal(read->machine.freeze.console, "~ # $");
    assert_int_equal(read->machine.boot_wall_ms, 900000);
    buf_release(&out);
    job_spec_free(read);
}

static void a_boot_is_named_by_its_inputs_alone(void **state)
{
    struct job_spec one = jobs_spec_boot(), other = jobs_spec_boot();
    struct buf a, b;

    (void)state;
    one.suite = "nightly";
    one.name = "boot debian [harts=3]";
    one.machine.path = "../machines/debian.yaml";
    a = encode(&one);
    b = encode(&other);
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    buf_release(&a);
    buf_release(&b);
}

static void a_placed_blob_is_where_it_was_put(void **state)
{
    struct job_spec spec = jobs_spec_test();
    struct buf out = encode(&spec);
    struct job_spec *read = decode(buf_span(&out));
    struct job_file suite;

    (void)state;
    job_spec_place(read, 0, "/tmp/x/disk");
    job_spec_place(read, 1, "/tmp/x/payload.tar");
    assert_string_equal(read->test.disks[0].file, "/tmp/x/disk");
    assert_string_equal(read->test.payload[0], "/tmp/x/payload.tar");
    job_spec_suite(read, &suite);
    assert_ptr_equal(suite.tests, &read->test);
    assert_string_equal(suite.work, "/tmp/job");
    assert_cannot_be_written(read, "not one of the job's blobs");
    buf_release(&out);
    job_spec_free(read);
}

static void a_path_of_the_host_is_refused(void **state)
{
    static const char *const payload[] = {"/etc/passwd"};
    static struct machine_board board;
    struct job_spec test = jobs_spec_test(), boot = jobs_spec_boot();

    (void)state;
    test.test.payload = payload;
    assert_cannot_be_written(&test, "`/etc/passwd` is not one of the job's blobs");
    board = boot.machine.boards[0];
    board.kernel = "../kernel";
    boot.machine.boards = &board;
    assert_cannot_be_written(&boot, "`../kernel` is not one of the job's blobs");
}

static void rules_of_a_test_are_checked(void **state)
{
    static const struct job_variable bad[] = {{"a b", "1"}};
    static const struct job_variable control[] = {{"a", "\x03"}};
    static const struct console_step step = {.kind = CONSOLE_EXPECT};
    static const struct monitor_choice monitor = {.set = "windows"};
    struct job_spec spec = jobs_spec_test();

    (void)state;
    spec.name = "../x";
    assert_cannot_be_written(&spec, "no proper name");
    spec.name = "a/b";
    assert_cannot_be_written(&spec, "holds `/`");
    spec = jobs_spec_test();
    spec.work = NULL;
    assert_cannot_be_written(&spec, "no work folder");
    spec = jobs_spec_test();
    spec.test.variables = bad;
    spec.test.variable_count = 1;
    assert_cannot_be_written(&spec, "variable 0 has no proper name");
    spec.test.variables = control;
    assert_cannot_be_written(&spec, "variable a");
    spec = jobs_spec_test();
    spec.test.steps = &step;
    spec.test.step_count = 1;
    assert_cannot_be_written(&spec, "step 1 has no text");
    spec.test.step_count = 0;
    assert_cannot_be_written(&spec, "either steps, or a bare-metal program, or a script");
    spec = jobs_spec_test();
    spec.test.monitors = &monitor;
    spec.test.monitor_count = 1;
    assert_cannot_be_written(&spec, "unknown monitor `windows`");
    spec = jobs_spec_test();
    spec.test.has_seed = false;
    assert_cannot_be_written(&spec, "seed");
}

static void rules_of_a_machine_are_checked(void **state)
{
    static struct machine_board boards[2];
    struct job_spec spec = jobs_spec_boot();

    (void)state;
    boards[0] = boards[1] = spec.machine.boards[0];
    spec.machine.boards = boards;
    spec.machine.board_count = 2;
    assert_cannot_be_written(&spec, "two boards named board0");
    spec.machine.board_count = 1;
    boards[0].memory_bytes = 4096;
    assert_cannot_be_written(&spec, "4096 bytes of memory");
    boards[0] = boards[1];
    boards[0].hart_count = 0;
    assert_cannot_be_written(&spec, "0 harts");
    boards[0] = boards[1];
    boards[0].devices[1].link = "wan";
    assert_cannot_be_written(&spec, "plugged into no switch");
    boards[0] = boards[1];
    boards[0].devices[1].name = "data";
    assert_cannot_be_written(&spec, "two devices named data");
    boards[0].devices[1].name = "hart0";
    assert_cannot_be_written(&spec, "has a hart0 already");
    boards[0] = boards[1];
    boards[0].elf = "board0.kernel";
    assert_cannot_be_written(&spec, "a bare program");
    spec.machine.engine = "jit";
    assert_cannot_be_written(&spec, "unknown engine");
    spec.machine.board_count = 0;
    assert_cannot_be_written(&spec, "a board");
}

static void every_truncation_is_refused(void **state)
{
    struct job_spec specs[] = {jobs_spec_test(), jobs_spec_boot()};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf out = encode(&specs[i]);

        for (size_t size = 0; size < out.size; size++) {
            uint8_t *cut = malloc(size + 1); /* its own size, for the address sanitizer */
            struct job_spec *spec = NULL;
            struct err err = ERR_INIT;

            memcpy(cut, out.data, size);
            assert_false(job_spec_decode((struct span){cut, size}, &spec, &err));
            assert_int_not_equal(err.kind, ERR_NONE);
            free(cut);
        }
        assert_true(buf_append(&out, "", 1, &(struct err)ERR_INIT));
        assert_refused(buf_span(&out), ERR_INVALID, "bytes follow");
        out.data[out.size - 1] = 0x5e; /* no item that CBOR's subset has */
        assert_refused(buf_span(&out), ERR_INVALID, "bytes follow");
        buf_release(&out);
    }
}

/* A flipped bit is refused, or is another job with exactly those bytes: never the same job. */
static void every_flipped_bit_is_noticed(void **state)
{
    struct job_spec specs[] = {jobs_spec_test(), jobs_spec_boot()};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf out = encode(&specs[i]);

        for (size_t bit = 0; bit < out.size * 8; bit++) {
            struct job_spec *spec = NULL;
            struct err err = ERR_INIT;

            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (job_spec_decode(buf_span(&out), &spec, &err)) {
                struct buf again = encode(spec);

                assert_true(span_equal(buf_span(&out), buf_span(&again)));
                buf_release(&again);
            }
            job_spec_free(spec);
            out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_release(&out);
    }
}

static void other_versions_and_unknown_fields_are_unsupported(void **state)
{
    /* ["thaw job", 2, "test", {}] and ["thaw job", 1, "test", {23: 0}] */
    static const char version[] = "\x84\x68thaw job\x02\x64test\xa0";
    static const char field[] = "\x84\x68thaw job\x01\x64test\xa1\x17\x00";
    static const char kind[] = "\x84\x68thaw job\x01\x64late\xa0";
    static const char zero[] = "\x84\x68thaw job\x01\x64test\xa1\x02\xf4";
    static const char order[] = "\x84\x68thaw job\x01\x64test\xa2\x01\x61x\x00\x61x";
    static const char other[] = "\x84\x68thaw sob\x01\x64test\xa0";

    (void)state;
    assert_refused(span_of_text(version), ERR_UNSUPPORTED, "version 2");
    assert_refused((struct span){(const uint8_t *)field, sizeof field - 1}, ERR_UNSUPPORTED,
                   "a newer version");
    assert_refused(span_of_text(kind), ERR_UNSUPPORTED, "unknown kind");
    assert_refused(span_of_text(zero), ERR_INVALID, "must be left out");
    assert_refused((struct span){(const uint8_t *)order, sizeof order - 1}, ERR_INVALID,
                   "out of order");
    assert_refused(span_of_text(other), ERR_INVALID, "not a job spec");
}

static void a_spec_over_its_limit_is_refused_before_it_is_read(void **state)
{
    static uint8_t zeros[JOB_SPEC_BYTES_MAX + 1];
    struct job_spec spec = jobs_spec_test();
    struct buf small = BUF_INIT(16);
    struct err err = ERR_INIT;

    (void)state;
    assert_refused((struct span){zeros, sizeof zeros}, ERR_TOO_BIG, "limit");
    assert_false(job_spec_encode(&spec, &small, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_has_golden_bytes),
        cmocka_unit_test(a_boot_has_a_golden_hash),
        cmocka_unit_test(a_job_key_covers_the_spec_and_the_checkpoint),
        cmocka_unit_test(a_decoded_test_is_the_test),
        cmocka_unit_test(a_decoded_boot_is_the_machine),
        cmocka_unit_test(a_boot_is_named_by_its_inputs_alone),
        cmocka_unit_test(a_placed_blob_is_where_it_was_put),
        cmocka_unit_test(a_path_of_the_host_is_refused),
        cmocka_unit_test(rules_of_a_test_are_checked),
        cmocka_unit_test(rules_of_a_machine_are_checked),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(other_versions_and_unknown_fields_are_unsupported),
        cmocka_unit_test(a_spec_over_its_limit_is_refused_before_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
