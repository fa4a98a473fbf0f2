#include "jobs/machine_file.h"
#include "storage/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char linux_file[] = "machine: debian\n"
                                 "board: virt\n"
                                 "harts: 2\n"
                                 "memory: 512 MiB\n"
                                 "clock: 1 GHz\n"
                                 "quantum: 20k\n"
                                 "seed: 7\n"
                                 "rtc: 2026-01-01T00:00:00Z\n"
                                 "isa: {svadu: false, paging: sv48}\n"
                                 "engine: interpreter\n"
                                 "firmware: ${THAW_GUEST}/fw_jump.bin\n"
                                 "kernel: ${THAW_GUEST}/vmlinux\n"
                                 "initrd: ${NOT_SET:-guest}/initramfs.cpio\n"
                                 "command_line: console=ttyS0 quiet\n"
                                 "devices:\n"
                                 "  - blk: {name: data, size: 16 MiB}\n"
                                 "  - rng:\n"
                                 "  - console: {}\n"
                                 "  - blk: {file: /tmp/x.img, read_only: yes}\n"
                                 "  - net: {link: lan, mac: '52:54:00:12:34:56'}\n"
                                 "job_disk: true\n"
                                 "result_disk: 4 MiB\n"
                                 "switches: [lan]\n"
                                 "prompt: '^~ # $'\n"
                                 "freeze: {console: 'guest: ready', settle: 10M, within: 20 G}\n"
                                 "limits: {instructions: 5G, wall: 60 s}\n"
                                 "monitors: [linux, {pattern: 'my bug', title: mine}]\n";

static const char *variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "THAW_GUEST") == 0 ? "/cache/guest" : NULL;
}

static const struct variables variables = {variable, NULL};

static struct machine_file *parse(const char *text)
{
    struct err err = ERR_INIT;
    struct machine_file *file = NULL;

    if (!machine_file_parse(span_of_text(text), "m/linux.yaml", &variables, &file, &err))
        fail_msg("%s", err.text);
    return file;
}

static void refuses(const char *text, const char *because)
{
    struct err err = ERR_INIT;
    struct machine_file *file = NULL;

    if (machine_file_parse(span_of_text(text), "m/linux.yaml", &variables, &file, &err))
        fail_msg("taken: %s", text);
    assert_null(file);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s; expected: %s", err.text, because);
}

static void every_key_is_read(void **state)
{
    struct machine_file *file = parse(linux_file);
    const struct machine_board *board = &file->boards[0];

    (void)state;
    assert_string_equal(file->name, "debian");
    assert_int_equal(file->clock_hz, 1000000000);
    assert_int_equal(file->quantum, 20000);
    assert_int_equal(file->seed, 7);
    assert_string_equal(file->console, "board0.uart0");
    assert_string_equal(file->prompt, "^~ # $");
    assert_string_equal(file->freeze.console, "guest: ready");
    assert_int_equal(file->freeze.settle, 10000000);
    assert_int_equal(file->freeze.within, 20000000000);
    assert_int_equal(file->limits.instructions, 5000000000);
    assert_int_equal(file->limits.wall_ms, 60000);
    assert_int_equal(file->monitor_count, 2);
    assert_string_equal(file->monitors[0].set, "linux");
    assert_string_equal(file->monitors[1].pattern, "my bug");
    assert_int_equal(file->board_count, 1);
    assert_int_equal(board->hart_count, 2);
    assert_int_equal(board->memory_bytes, 512 << 20);
    assert_int_equal(board->rtc_seconds, 1767225600);
    assert_false(board->svadu);
    assert_int_equal(board->satp_mode_max, 9);
    assert_string_equal(board->firmware, "/cache/guest/fw_jump.bin");
    assert_string_equal(board->kernel, "/cache/guest/vmlinux");
    assert_string_equal(board->initrd, "m/guest/initramfs.cpio");
    assert_string_equal(board->command_line, "console=ttyS0 quiet");
    machine_file_free(file);
}

static void devices_keep_their_order_and_get_names(void **state)
{
    static const char *const names[] = {"data", "rng0", "console0", "disk1",
                                        "net0", "job",  "result"};
    static const char *const guests[] = {"/dev/vda", NULL,       NULL,      "/dev/vdb",
                                         NULL,       "/dev/vdc", "/dev/vdd"};
    struct machine_file *file = parse(linux_file);
    const struct machine_device *devices = file->boards[0].devices;

    (void)state;
    assert_int_equal(file->boards[0].device_count, 7);
    for (int i = 0; i < 7; i++) {
        assert_string_equal(devices[i].name, names[i]);
        if (guests[i] != NULL)
            assert_string_equal(devices[i].guest, guests[i]);
    }
    assert_int_equal(devices[0].size_bytes, 16 << 20);
    assert_string_equal(devices[3].file, "/tmp/x.img");
    assert_true(devices[3].read_only);
    assert_int_equal(devices[4].mac[5], 0x56);
    assert_string_equal(devices[4].link, "lan");
    assert_int_equal(devices[5].kind, MACHINE_DEVICE_JOB_DISK);
    assert_int_equal(devices[6].size_bytes, 4 << 20);
    machine_file_free(file);
}

static void defaults_make_a_small_file_enough(void **state)
{
    struct machine_file *file = parse("elf: prog.elf\n");

    (void)state;
    assert_string_equal(file->boards[0].elf, "m/prog.elf");
    assert_string_equal(file->boards[0].name, "board0");
    assert_int_equal(file->boards[0].hart_count, 1);
    assert_int_equal(file->boards[0].memory_bytes, 512 << 20);
    assert_true(file->boards[0].svadu);
    assert_null(file->freeze.console);
    machine_file_free(file);
    file = machine_file_bare("x.elf");
    assert_string_equal(file->boards[0].elf, "x.elf");
    assert_string_equal(file->console, "board0.uart0");
    machine_file_free(file);
}

static void several_boards_share_one_file(void **state)
{
    struct machine_file *file =
        parse("switches: lan\n"
              "boards:\n"
              "  - &b {name: server, elf: a, devices: [{net: {link: lan}}]}\n"
              "  - {<<: *b, name: client, elf: b}\n"
              "console: client.uart0\n");

    (void)state;
    assert_int_equal(file->board_count, 2);
    assert_string_equal(file->boards[0].name, "server");
    assert_string_equal(file->boards[1].name, "client");
    assert_string_equal(file->boards[1].elf, "m/b");
    assert_memory_not_equal(file->boards[0].devices[0].mac, file->boards[1].devices[0].mac, 6);
    assert_string_equal(file->console, "client.uart0");
    machine_file_free(file);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuses("elf: a\nmemry: 1 MiB\n",
            "linux.yaml:2:1: unknown key `memry`; did you mean `memory`?");
    refuses("elf: a\nharts: 9\n", "out of range: 1 to 8");
    refuses("elf: a\nharts: 0\n", "out of range");
    refuses("elf: a\nmemory: 100 KiB\n", "out of range");
    refuses("elf: a\nmemory: 1.5 MiB\n", "multiple of 1 MiB");
    refuses("elf: a\nboard: vrit\n", "did you mean `virt`?");
    refuses("harts: 1\n", "nothing to run");
    refuses("elf: a\nkernel: b\n", "starts alone");
    refuses("firmware: f\ninitrd: b\n", "`initrd:` without `kernel:`");
    refuses("kernel: ${NOPE}/x\n", "the environment variable NOPE is not set");
    refuses("kernel: ${NOPE\n", "`${` without `}`");
    refuses("kernel: ${a b}\n", "is not the name of a variable");
    refuses("kernel: ''\n", "an empty path");
    refuses("elf: a\nprompt: '['\n", "regular expression");
    refuses("elf: a\nfreeze: {}\n", "a freeze point needs");
    refuses("elf: a\nfreeze: {consle: x}\n", "did you mean `console`?");
    refuses("elf: a\nmonitors: [linx]\n", "unknown monitor `linx`");
    refuses("elf: a\nconsole: b7.uart0\n", "no board of that name");
    refuses("- 1\n", "a machine file is a map");
    refuses("hello\n", "a machine file is a map");
}

static void mistakes_in_devices_are_named(void **state)
{
    (void)state;
    refuses("elf: a\ndevices: [{blok: {size: 1 MiB}}]\n", "did you mean `blk`?");
    refuses("elf: a\ndevices: [{blk: {}}]\n", "needs `file:` or `size:`");
    refuses("elf: a\ndevices: [{blk: {size: 100}}]\n", "out of range");
    refuses("elf: a\ndevices: [{blk: {size: 1000}}]\n", "multiple of 512");
    refuses("elf: a\ndevices: [{net: {}}]\n", "`link:` is missing");
    refuses("elf: a\ndevices: [{net: {link: lan}}]\n", "no switch `lan`");
    refuses("elf: a\nswitches: lan\ndevices: [{net: {link: lan, mac: '1:2'}}]\n",
            "is not the address");
    refuses("elf: a\nswitches: lan\ndevices: [{net: {link: lan, mac: '01:00:00:00:00:00'}}]\n",
            "is not the address");
    refuses("elf: a\ndevices: [{rng: {name: a}}, {rng: {name: a}}]\n", "two devices named `a`");
    refuses("elf: a\ndevices: [{rng: {name: uart0}}]\n", "has a `uart0` already");
    refuses("elf: a\ndevices: [{rng: {name: hart7}}]\n", "has a `hart7` already");
    refuses("elf: a\ndevices: [{rng: {name: virtio0}}]\n", "has a `virtio0` already");
    machine_file_free(parse("elf: a\ndevices: [{rng: {name: virtio8}}, {rng: {name: hart}}]\n"));
    refuses("elf: a\ndevices: [{rng: {name: A b}}]\n", "is not a name");
    refuses("elf: a\ndevices: [{rng: }, {rng: }, {rng: }, {rng: }, {rng: }, {rng: }, {rng: }, "
            "{rng: }]\n"
            "job_disk: true\n",
            "more than 8 devices");
    refuses("elf: a\nresult_disk: {guest: /dev/vda}\n", "`size:` is missing");
    refuses("elf: a\ndevices: [{rng: , blk: {size: 1 MiB}}]\n", "a device is one of");
}

static void every_truncation_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof linux_file - 1; size++) {
        char *text = malloc(size + 1);
        struct machine_file *file = NULL;
        struct err err = ERR_INIT;

        memcpy(text, linux_file, size);
        if (machine_file_parse((struct span){(uint8_t *)text, size}, "m/linux.yaml", &variables,
                               &file, &err)) {
            assert_non_null(file);
            machine_file_free(file);
        } else {
            assert_null(file);
            assert_int_equal(err.kind, ERR_INVALID);
            assert_non_null(strstr(err.text, "m/linux.yaml"));
        }
        free(text);
    }
}

static void a_file_that_is_not_there_is_said_so(void **state)
{
    struct machine_file *file = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_false(machine_file_load("/nowhere/at/all.yaml", &variables, &file, NULL, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(devices_keep_their_order_and_get_names),
        cmocka_unit_test(defaults_make_a_small_file_enough),
        cmocka_unit_test(several_boards_share_one_file),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(mistakes_in_devices_are_named),
        cmocka_unit_test(every_truncation_is_read_or_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_said_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
