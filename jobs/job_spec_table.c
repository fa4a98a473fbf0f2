/* job_spec_table.c — the fields of a job spec. A key is for ever: what is no longer written leaves
 * a gap, what is new takes the next number. */
#include "jobs/job_spec_internal.h"

_Static_assert(sizeof(enum console_step_kind) == 4 && sizeof(enum machine_device_kind) == 4 &&
                   sizeof(enum job_artifacts_when) == 4,
               "SPEC_U32 reads enums as four bytes");

#define NAME_MAX_BYTES 256
#define DEVICE_LIST    MACHINE_FILE_DEVICES_MAX

static const struct spec_field limits_fields[] = {
    SPEC_FIELD(0, SPEC_U64, struct test_limits, instructions, UINT64_MAX),
    SPEC_FIELD(1, SPEC_U64, struct test_limits, wall_ms, UINT64_MAX),
};
static const struct spec_table limits_table = SPEC_TABLE(struct test_limits, limits_fields);

static const struct spec_field monitor_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct monitor_choice, set, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_TEXT, struct monitor_choice, title, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(2, SPEC_TEXT, struct monitor_choice, pattern, JOB_SPEC_TEXT_MAX),
};
static const struct spec_table monitor_table = SPEC_TABLE(struct monitor_choice, monitor_fields);

static const struct spec_field check_fields[] = {
    SPEC_FIELD(0, SPEC_BOOL, struct console_check, any_status, 0),
    SPEC_FIELD(1, SPEC_U32, struct console_check, exit_status, 255),
    SPEC_FIELD(2, SPEC_TEXT, struct console_check, output, JOB_SPEC_BYTES_MAX),
    SPEC_MANY(3, SPEC_TEXTS, struct console_check, expect, expect_count, JOB_CHECKS_MAX, NULL),
    SPEC_MANY(4, SPEC_TEXTS, struct console_check, reject, reject_count, JOB_CHECKS_MAX, NULL),
};
static const struct spec_table check_table = SPEC_TABLE(struct console_check, check_fields);

static const struct spec_field step_fields[] = {
    SPEC_FIELD(0, SPEC_U32, struct console_step, kind, CONSOLE_HALT),
    SPEC_FIELD(1, SPEC_BYTES, struct console_step, bytes, JOB_SPEC_TEXT_MAX + 1),
    SPEC_FIELD(2, SPEC_TEXT, struct console_step, text, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(3, SPEC_U64, struct console_step, instructions, UINT64_MAX),
    SPEC_INNER(4, struct console_step, check, &check_table),
};
static const struct spec_table step_table = SPEC_TABLE(struct console_step, step_fields);

static const struct spec_field disk_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct job_disk, name, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_PATH, struct job_disk, file, JOB_BLOB_NAME_MAX),
};
static const struct spec_table disk_table = SPEC_TABLE(struct job_disk, disk_fields);

static const struct spec_field variable_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct job_variable, name, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_TEXT, struct job_variable, value, JOB_VALUE_MAX),
};
static const struct spec_table variable_table = SPEC_TABLE(struct job_variable, variable_fields);

static const struct spec_field test_fields[] = {
    SPEC_MANY(0, SPEC_LIST, struct job_test, steps, step_count, CONSOLE_STEPS_MAX, &step_table),
    SPEC_FIELD(1, SPEC_PATH, struct job_test, elf, JOB_BLOB_NAME_MAX),
    SPEC_INNER(2, struct job_test, check, &check_table),
    SPEC_MANY(3, SPEC_PATHS, struct job_test, payload, payload_count, 1, NULL),
    SPEC_MANY(4, SPEC_TEXTS, struct job_test, results, result_count, JOB_RESULTS_MAX, NULL),
    SPEC_MANY(5, SPEC_ARRAY, struct job_test, disks, disk_count, JOB_DISKS_MAX, &disk_table),
    SPEC_FIELD(6, SPEC_BOOL, struct job_test, expect_failure, 0),
    SPEC_FIELD(7, SPEC_TEXT, struct job_test, reason, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(8, SPEC_BOOL, struct job_test, skip, 0),
    SPEC_INNER(9, struct job_test, limits, &limits_table),
    SPEC_FIELD(10, SPEC_BOOL, struct job_test, has_seed, 0),
    SPEC_FIELD(11, SPEC_U64, struct job_test, seed, UINT64_MAX),
    SPEC_MANY(12, SPEC_LIST, struct job_test, monitors, monitor_count, MONITOR_SETS_MAX,
              &monitor_table),
    SPEC_MANY(13, SPEC_LIST, struct job_test, variables, variable_count, JOB_VARIABLES_MAX,
              &variable_table),
    SPEC_FIELD(14, SPEC_U64, struct job_test, quantum, 1000000000),
    SPEC_FIELD(15, SPEC_U32, struct job_test, artifacts_when, JOB_ARTIFACTS_ON_SUCCESS),
    SPEC_FIELD(16, SPEC_U64, struct job_test, verify_every, UINT64_MAX),
    SPEC_FIELD(17, SPEC_PATH, struct job_test, script, JOB_BLOB_NAME_MAX),
};
static const struct spec_table test_table = SPEC_TABLE(struct job_test, test_fields);

static const struct spec_field device_fields[] = {
    SPEC_FIELD(0, SPEC_U32, struct machine_device, kind, MACHINE_DEVICE_RESULT_DISK),
    SPEC_FIELD(1, SPEC_TEXT, struct machine_device, name, NAME_MAX_BYTES),
    SPEC_FIELD(2, SPEC_PATH, struct machine_device, file, JOB_BLOB_NAME_MAX),
    SPEC_FIELD(3, SPEC_U64, struct machine_device, size_bytes, MACHINE_FILE_DISK_MAX),
    SPEC_FIELD(4, SPEC_BOOL, struct machine_device, read_only, 0),
    SPEC_FIELD(5, SPEC_TEXT, struct machine_device, guest, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(6, SPEC_FIXED, struct machine_device, mac, 6),
    SPEC_FIELD(7, SPEC_TEXT, struct machine_device, link, NAME_MAX_BYTES),
};
static const struct spec_table device_table = SPEC_TABLE(struct machine_device, device_fields);

static const struct spec_field board_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct machine_board, name, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_U32, struct machine_board, hart_count, MACHINE_FILE_HARTS_MAX),
    SPEC_FIELD(2, SPEC_U64, struct machine_board, memory_bytes, MACHINE_FILE_MEMORY_MAX),
    SPEC_FIELD(3, SPEC_U64, struct machine_board, rtc_seconds, UINT32_MAX *UINT64_C(100)),
    SPEC_FIELD(4, SPEC_BOOL, struct machine_board, svadu, 0),
    SPEC_FIELD(5, SPEC_U32, struct machine_board, satp_mode_max, 10),
    SPEC_FIELD(6, SPEC_PATH, struct machine_board, firmware, JOB_BLOB_NAME_MAX),
    SPEC_FIELD(7, SPEC_PATH, struct machine_board, kernel, JOB_BLOB_NAME_MAX),
    SPEC_FIELD(8, SPEC_BOOL, struct machine_board, kernel_is_raw, 0),
    SPEC_FIELD(9, SPEC_PATH, struct machine_board, initrd, JOB_BLOB_NAME_MAX),
    SPEC_FIELD(10, SPEC_TEXT, struct machine_board, command_line, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(11, SPEC_PATH, struct machine_board, elf, JOB_BLOB_NAME_MAX),
    SPEC_MANY(12, SPEC_ARRAY, struct machine_board, devices, device_count, DEVICE_LIST,
              &device_table),
};
static const struct spec_table board_table = SPEC_TABLE(struct machine_board, board_fields);

static const struct spec_field freeze_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct machine_freeze, console, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(1, SPEC_U64, struct machine_freeze, instructions, UINT64_MAX),
    SPEC_FIELD(2, SPEC_BOOL, struct machine_freeze, magic, 0),
    SPEC_FIELD(3, SPEC_U64, struct machine_freeze, settle, UINT64_MAX),
    SPEC_FIELD(4, SPEC_U64, struct machine_freeze, within, UINT64_MAX),
};
static const struct spec_table freeze_table = SPEC_TABLE(struct machine_freeze, freeze_fields);

static const struct spec_field machine_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct machine_file, name, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_U64, struct machine_file, clock_hz, UINT64_C(100000000000)),
    SPEC_FIELD(2, SPEC_U64, struct machine_file, quantum, 1000000000),
    SPEC_FIELD(3, SPEC_U64, struct machine_file, seed, UINT64_MAX),
    SPEC_FIELD(4, SPEC_TEXT, struct machine_file, engine, NAME_MAX_BYTES),
    SPEC_MANY(5, SPEC_LIST, struct machine_file, boards, board_count, MACHINE_FILE_BOARDS_MAX,
              &board_table),
    SPEC_MANY(6, SPEC_TEXTS, struct machine_file, switches, switch_count, MACHINE_FILE_SWITCHES_MAX,
              NULL),
    SPEC_FIELD(7, SPEC_TEXT, struct machine_file, console, NAME_MAX_BYTES),
    SPEC_INNER(8, struct machine_file, freeze, &freeze_table),
    SPEC_FIELD(9, SPEC_TEXT, struct machine_file, prompt, JOB_SPEC_TEXT_MAX),
    SPEC_INNER(10, struct machine_file, limits, &limits_table),
    SPEC_FIELD(11, SPEC_U64, struct machine_file, boot_wall_ms, UINT64_MAX),
    SPEC_MANY(12, SPEC_LIST, struct machine_file, monitors, monitor_count, MONITOR_SETS_MAX,
              &monitor_table),
};
static const struct spec_table machine_table = SPEC_TABLE(struct machine_file, machine_fields);

static const struct spec_field blob_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct job_blob, name, JOB_BLOB_NAME_MAX),
    SPEC_FIELD(1, SPEC_FIXED, struct job_blob, hash, HASH_SIZE),
    SPEC_FIELD(2, SPEC_U64, struct job_blob, size, INT64_MAX),
};
static const struct spec_table blob_table = SPEC_TABLE(struct job_blob, blob_fields);

static const struct spec_field test_spec_fields[] = {
    SPEC_FIELD(0, SPEC_TEXT, struct job_spec, suite, NAME_MAX_BYTES),
    SPEC_FIELD(1, SPEC_TEXT, struct job_spec, name, 1024),
    SPEC_FIELD(2, SPEC_BOOL, struct job_spec, digest, 0),
    SPEC_INNER(3, struct job_spec, test, &test_table),
    SPEC_FIELD(4, SPEC_TEXT, struct job_spec, prompt, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(5, SPEC_TEXT, struct job_spec, work, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(6, SPEC_TEXT, struct job_spec, job_disk, JOB_SPEC_TEXT_MAX),
    SPEC_FIELD(7, SPEC_TEXT, struct job_spec, result_disk, JOB_SPEC_TEXT_MAX),
    SPEC_MANY(8, SPEC_LIST, struct job_spec, blobs, blob_count, JOB_SPEC_BLOBS_MAX, &blob_table),
};
static const struct spec_field boot_spec_fields[] = {
    SPEC_INNER(0, struct job_spec, machine, &machine_table),
    SPEC_MANY(1, SPEC_LIST, struct job_spec, blobs, blob_count, JOB_SPEC_BLOBS_MAX, &blob_table),
};

const struct spec_table *job_spec_table(enum job_kind kind)
{
    static const struct spec_table tables[] = {
        SPEC_TABLE(struct job_spec, test_spec_fields),
        SPEC_TABLE(struct job_spec, boot_spec_fields),
    };

    return &tables[kind];
}
