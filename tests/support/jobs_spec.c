#include "tests/support/jobs_spec.h"

static const char *const expect[] = {"^sea 3$"};
static const char *const payload[] = {"payload"};
static const char *const results[] = {"report.txt"};
static const struct console_step steps[] = {
    {.kind = CONSOLE_SEND, .bytes = {(const uint8_t *)"\r", 1}},
    {.kind = CONSOLE_WAIT, .instructions = 5000000},
    {.kind = CONSOLE_COMMAND,
     .text = "./wordcount",
     .check = {.exit_status = 3, .output = "", .expect = expect, .expect_count = 1}},
};
static const struct monitor_choice monitors[] = {{.set = "linux"},
                                                 {.title = "t", .pattern = "BUG"}};
static const struct job_variable variables[] = {{"quantum", "100"}, {"seed", "7"}};
static struct job_blob test_blobs[] = {
    {"disk.data", {{0x11}}, 512},
    {"payload", {{0x22}}, 1024},
};
static struct job_blob boot_blobs[] = {
    {"board0.disk.data", {{0x11}}, 512},
    {"board0.firmware", {{0x33}}, 3},
    {"board0.initrd", {{0x44}}, 4},
    {"board0.kernel", {{0x55}}, 5},
};
static const char *const switches[] = {"lan"};
static struct machine_board boards[] = {{
    .name = "board0",
    .hart_count = 3,
    .memory_bytes = UINT64_C(512) << 20,
    .rtc_seconds = 1767225600,
    .svadu = true,
    .satp_mode_max = 10,
    .firmware = "board0.firmware",
    .kernel = "board0.kernel",
    .initrd = "board0.initrd",
    .command_line = "console=ttyS0",
    .devices =
        {
            {.kind = MACHINE_DEVICE_BLOCK,
             .name = "data",
             .file = "board0.disk.data",
             .size_bytes = 512,
             .guest = "/dev/vda"},
            {.kind = MACHINE_DEVICE_NET,
             .name = "net0",
             .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
             .link = "lan"},
            {.kind = MACHINE_DEVICE_JOB_DISK, .name = "job", .read_only = true},
        },
    .device_count = 3,
}};

struct job_spec jobs_spec_test(void)
{
    return (struct job_spec){
        .kind = JOB_TEST,
        .suite = "smoke",
        .name = "a program [quantum=100, seed=7]",
        .digest = true,
        .test = {.steps = steps,
                 .step_count = 3,
                 .payload = payload,
                 .payload_count = 1,
                 .results = results,
                 .result_count = 1,
                 .disks = {{"data", "disk.data"}},
                 .disk_count = 1,
                 .limits = {4000000000, 120000},
                 .has_seed = true,
                 .seed = 7,
                 .monitors = monitors,
                 .monitor_count = 2,
                 .variables = variables,
                 .variable_count = 2,
                 .quantum = 100,
                 .artifacts_when = JOB_ARTIFACTS_ON_FAILURE},
        .work = "/tmp/job",
        .prompt = "~ # $",
        .blobs = test_blobs,
        .blob_count = 2,
    };
}

struct job_spec jobs_spec_boot(void)
{
    return (struct job_spec){
        .kind = JOB_BOOT,
        .machine = {.name = "debian",
                    .clock_hz = 1000000000,
                    .quantum = 10000,
                    .engine = "interpreter",
                    .boards = boards,
                    .board_count = 1,
                    .switches = switches,
                    .switch_count = 1,
                    .console = "board0.uart0",
                    .freeze = {.console = "~ # $", .settle = 1000, .within = 20000000000},
                    .prompt = "~ # $",
                    .limits = {20000000000, 300000},
                    .boot_wall_ms = 900000,
                    .monitors = monitors,
                    .monitor_count = 1},
        .blobs = boot_blobs,
        .blob_count = 4,
    };
}
