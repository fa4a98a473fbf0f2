#include "jobs/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A real oops of a riscv64 Linux, shortened; times, addresses, CPUs and pids vary by run. */
static const char oops[] =
    "~ # echo c > /proc/sysrq-trigger\r\n"
    "[   12.345678] sysrq: Trigger a crash\r\n"
    "[   12.345999] Unable to handle kernel NULL pointer dereference at virtual address "
    "0000000000000010\r\n"
    "[   12.346010] Oops [#1]\r\n"
    "[   12.346020] Modules linked in: virtio_blk virtio_mmio\r\n"
    "[   12.346030] CPU: 0 PID: 77 Comm: sh Not tainted 6.12.0 #1\r\n"
    "[   12.346040] epc : buggy_write.constprop.0+0x1c/0x2a\r\n"
    "[   12.346050]  ra : vfs_write+0x88/0x3c0\r\n"
    "[   12.346060] Call Trace:\r\n"
    "[   12.346070] [<ffffffff8000f3ba>] dump_stack_lvl+0x20/0x2a\r\n"
    "[   12.346080] [<ffffffff8012f3ba>] buggy_write.constprop.0+0x1c/0x2a\r\n"
    "[   12.346090] [<ffffffff8022f3ba>] vfs_write+0x88/0x3c0\r\n"
    "[   12.346100] [<ffffffff8022f8ba>] ksys_write+0x5e/0xd0\r\n"
    "[   12.346110] [<ffffffff8022f9ba>] do_trap_ecall_u+0x1a/0x60\r\n"
    "[   12.346120] ---[ end trace 0000000000000000 ]---\r\n"
    "[   12.346130] Kernel panic - not syncing: Fatal exception\r\n";

static struct monitor *watch(const char *set)
{
    const struct monitor_choice choice = {.set = set};
    struct err err = ERR_INIT;
    struct monitor *monitor = monitor_new(&choice, 1, &err);

    if (monitor == NULL)
        fail_msg("%s", err.text);
    return monitor;
}

static void text_is(const struct monitor *monitor, const char *expected)
{
    struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;

    assert_non_null(monitor_signature(monitor));
    assert_true(signature_text(monitor_signature(monitor), &text, &err));
    if (!span_equal(buf_span(&text), span_of_text(expected)))
        fail_msg("%.*s, expected %s", (int)text.size, (const char *)text.data, expected);
    buf_release(&text);
}

#define OOPS_TEXT                                                                                  \
    "fail: Unable to handle kernel NULL pointer dereference at virtual address ADDR "              \
    "(buggy_write, vfs_write, ksys_write, do_trap_ecall_u)"

static void an_oops_becomes_a_signature_with_its_top_frames(void **state)
{
    struct monitor *monitor = watch("linux");

    (void)state;
    assert_true(monitor_put(monitor, span_of_text(oops), 1000));
    text_is(monitor, OOPS_TEXT);
    assert_non_null(
        memmem(monitor_report(monitor).data, monitor_report(monitor).size, "end trace", 9));
    assert_null(memmem(monitor_report(monitor).data, monitor_report(monitor).size, "Fatal", 5));
    monitor_free(monitor);
}

static void how_output_is_cut_makes_no_difference(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        struct monitor *monitor = watch("linux");

        for (size_t at = 0; at < sizeof oops - 1; at += piece) {
            size_t left = sizeof oops - 1 - at;

            monitor_put(monitor,
                        (struct span){(const uint8_t *)oops + at, piece < left ? piece : left},
                        1000);
        }
        text_is(monitor, OOPS_TEXT);
        monitor_free(monitor);
    }
}

static void the_same_failure_elsewhere_has_the_same_signature(void **state)
{
    static const char *const lines[] = {
        "[    1.000000] BUG: soft lockup - CPU#1 stuck for 26s! [stress:123]\n",
        "[ 9999.123456][  T77] BUG: soft lockup - CPU#7 stuck for 99s! [stress:4567]\n",
        "BUG: soft lockup -   CPU#0 stuck for 22s! [stress:1]\r\n",
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct monitor *monitor = watch("linux");

        monitor_put(monitor, span_of_text(lines[i]), 10);
        assert_true(monitor_finish(monitor));
        text_is(monitor, "fail: BUG: soft lockup - CPU#N stuck for Ns! [stress:N]");
        monitor_free(monitor);
    }
}

static void a_report_that_goes_on_for_ever_ends_at_its_deadline(void **state)
{
    struct monitor *monitor = watch("linux");

    (void)state;
    assert_int_equal(monitor_deadline(monitor), UINT64_MAX);
    assert_false(
        monitor_put(monitor, span_of_text("Kernel panic - not syncing: VFS\nmore\n"), 1000));
    assert_int_equal(monitor_deadline(monitor), 1000 + MONITOR_INSTRUCTIONS);
    assert_false(monitor_advance(monitor, 999 + MONITOR_INSTRUCTIONS));
    assert_null(monitor_signature(monitor));
    assert_true(monitor_advance(monitor, 1000 + MONITOR_INSTRUCTIONS));
    text_is(monitor, "fail: Kernel panic - not syncing: VFS");
    monitor_free(monitor);
}

static void a_flood_after_a_panic_is_bounded(void **state)
{
    struct monitor *monitor = watch("linux");

    (void)state;
    monitor_put(monitor, span_of_text("Kernel panic - not syncing: x\n"), 1000);
    for (int i = 1; i < MONITOR_LINES_MAX; i++) {
        assert_null(monitor_signature(monitor));
        monitor_put(monitor, span_of_text("line\n"), 1000);
    }
    assert_non_null(monitor_signature(monitor));
    monitor_free(monitor);
}

static void ordinary_output_raises_no_alarm(void **state)
{
    static const char text[] = "[    0.000000] Linux version 6.12\r\n"
                               "[    0.1] WARNING: all is well, this is no kernel warning\r\n"
                               "DEBUG: not a BUG\r\n"
                               "the Kernel panic - not syncing book\r\n"
                               "grep 'Oops' log\r\n";
    struct monitor *monitor = watch("linux");

    (void)state;
    assert_false(monitor_put(monitor, span_of_text(text), 1));
    assert_false(monitor_finish(monitor));
    assert_null(monitor_signature(monitor));
    monitor_free(monitor);
}

static void firmware_traps_are_seen(void **state)
{
    struct monitor *monitor = watch("opensbi");

    (void)state;
    monitor_put(monitor,
                span_of_text("\r\nsbi_trap_error: hart0: trap0: unhandled local interrupt (error "
                             "-2)\r\nsbi_trap_error: hart0: trap0: mcause=0x5\r\n"),
                1);
    assert_true(monitor_finish(monitor));
    text_is(monitor, "fail: sbi_trap_error: hart0: trap0: unhandled local interrupt (error -N)");
    monitor_free(monitor);
}

static void patterns_of_ones_own_have_their_title(void **state)
{
    const struct monitor_choice choices[] = {{.pattern = "^ASSERT .*", .title = "assertion"},
                                             {.pattern = "^LEAK (.*)"}};
    struct err err = ERR_INIT;
    struct monitor *monitor = monitor_new(choices, 2, &err);

    (void)state;
    assert_non_null(monitor);
    monitor_put(monitor, span_of_text("ASSERT x == 7\n"), 1);
    monitor_finish(monitor);
    text_is(monitor, "fail: assertion");
    monitor_free(monitor);
    monitor = monitor_new(choices, 2, &err);
    monitor_put(monitor, span_of_text("LEAK of 0xdeadbeef bytes"), 1);
    assert_true(monitor_finish(monitor));
    text_is(monitor, "fail: of ADDR bytes");
    monitor_free(monitor);
}

static void unknown_sets_and_bad_patterns_are_refused(void **state)
{
    const struct monitor_choice unknown = {.set = "windows"}, bad = {.pattern = "("};
    struct err err = ERR_INIT;

    (void)state;
    assert_null(monitor_new(&unknown, 1, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_null(monitor_new(&bad, 1, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(monitor_set_exists("linux"));
    assert_false(monitor_set_exists("Linux"));
}

static void a_title_is_cut_at_a_character(void **state)
{
    char title[SIGNATURE_TITLE_MAX];
    char line[400] = "";

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(line, "\xc3\xa4!");
    signature_title(span_of_text(line), title);
    assert_true(strlen(title) < SIGNATURE_TITLE_MAX);
    assert_true(title[strlen(title) - 1] == '!' || (uint8_t)title[strlen(title) - 1] == 0xa4);
    signature_title(span_of_text(""), title);
    assert_string_equal(title, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_oops_becomes_a_signature_with_its_top_frames),
        cmocka_unit_test(how_output_is_cut_makes_no_difference),
        cmocka_unit_test(the_same_failure_elsewhere_has_the_same_signature),
        cmocka_unit_test(a_report_that_goes_on_for_ever_ends_at_its_deadline),
        cmocka_unit_test(a_flood_after_a_panic_is_bounded),
        cmocka_unit_test(ordinary_output_raises_no_alarm),
        cmocka_unit_test(firmware_traps_are_seen),
        cmocka_unit_test(patterns_of_ones_own_have_their_title),
        cmocka_unit_test(unknown_sets_and_bad_patterns_are_refused),
        cmocka_unit_test(a_title_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
