#include "tests/sim/device/rig.h"

#define RBR (RIG_UART + 0)
#define IER (RIG_UART + 1)
#define IIR (RIG_UART + 2)
#define LCR (RIG_UART + 3)
#define MCR (RIG_UART + 4)
#define LSR (RIG_UART + 5)
#define MSR (RIG_UART + 6)
#define SCR (RIG_UART + 7)

static uint64_t get(struct rig *rig, uint64_t reg)
{
    return rig_read(rig, reg, 1);
}

static void set(struct rig *rig, uint64_t reg, uint8_t value)
{
    rig_write(rig, reg, 1, value);
}

static size_t type(struct rig *rig, const char *text)
{
    return rig_input(rig, "board.uart", "console", span_of_text(text));
}

static void bytes_sent_reach_the_host(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, RBR, 'h');
    set(rig, RBR, 'i');
    assert_int_equal(rig->console.size, 2);
    assert_memory_equal(rig->console.data, "hi", 2);
    assert_int_equal(get(rig, LSR), 0x60);
    rig_free(rig);
}

static void divisor_hides_behind_dlab(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, LCR, 0x83);
    set(rig, RBR, 12);
    set(rig, IER, 34);
    assert_int_equal(get(rig, RBR), 12);
    assert_int_equal(get(rig, IER), 34);
    set(rig, LCR, 0x03);
    assert_int_equal(get(rig, IER), 0);
    assert_int_equal(rig->console.size, 0);
    set(rig, SCR, 0x5a);
    assert_int_equal(get(rig, SCR), 0x5a);
    rig_free(rig);
}

static void received_bytes_wait_on_the_wire_without_fifo(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    type(rig, "abc");
    assert_int_equal(get(rig, LSR), 0x61);
    assert_int_equal(get(rig, RBR), 'a');
    assert_int_equal(get(rig, RBR), 'b');
    assert_int_equal(get(rig, RBR), 'c');
    assert_int_equal(get(rig, LSR), 0x60);
    assert_int_equal(get(rig, RBR), 0);
    type(rig, "def");
    set(rig, IIR, 0x01); /* switching the FIFO on clears the one byte that had arrived */
    assert_int_equal(get(rig, RBR), 'e');
    rig_free(rig);
}

static void fifo_interrupts_at_its_trigger_and_times_out_below(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, IIR, 0x41); /* enabled, trigger 4 */
    set(rig, IER, 0x01);
    assert_int_equal(get(rig, IIR), 0xc1);
    type(rig, "abcd");
    assert_int_equal(get(rig, IIR), 0xc4);
    assert_true(rig_wire(rig, RIG_IRQ_UART));
    get(rig, RBR);
    assert_int_equal(get(rig, IIR), 0xcc);
    get(rig, RBR);
    get(rig, RBR);
    get(rig, RBR);
    assert_int_equal(get(rig, IIR), 0xc1);
    assert_false(rig_wire(rig, RIG_IRQ_UART));
    rig_free(rig);
}

static void clearing_the_fifo_drops_its_bytes_but_not_the_wires(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, IIR, 0x01);
    type(rig, "0123456789abcdefXY");
    set(rig, IIR, 0x03);
    assert_int_equal(get(rig, RBR), 'X');
    assert_int_equal(get(rig, RBR), 'Y');
    assert_int_equal(get(rig, LSR), 0x60);
    rig_free(rig);
}

static void transmitter_interrupt_comes_when_enabled_and_after_each_byte(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, IER, 0x02);
    assert_true(rig_wire(rig, RIG_IRQ_UART));
    assert_int_equal(get(rig, IIR), 0x02);
    assert_false(rig_wire(rig, RIG_IRQ_UART)); /* reading it clears it */
    assert_int_equal(get(rig, IIR), 0x01);
    set(rig, RBR, 'x');
    assert_int_equal(get(rig, IIR), 0x02);
    /* Linux's test for a lost THRE interrupt: off and on again must raise it anew. */
    set(rig, IER, 0x00);
    set(rig, IER, 0x02);
    assert_int_equal(get(rig, IIR), 0x02);
    set(rig, IER, 0x02);
    assert_int_equal(get(rig, IIR), 0x01);
    rig_free(rig);
}

static void reading_another_cause_keeps_the_transmitters(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, IER, 0x03);
    type(rig, "a");
    assert_int_equal(get(rig, IIR), 0x04);
    get(rig, RBR);
    assert_int_equal(get(rig, IIR), 0x02);
    rig_free(rig);
}

/* Old xv6 enables the transmitter's interrupt and never reads IIR. On a PLIC that looked at the
 * wire again after each completion it would be interrupted for ever. */
static void handler_that_only_reads_lsr_is_not_interrupted_for_ever(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_PLIC + 4 * RIG_IRQ_UART, 4, 1);
    rig_write(rig, RIG_PLIC + 0x2080, 4, 1 << RIG_IRQ_UART);
    set(rig, IER, 0x03);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    assert_int_equal(rig_read(rig, RIG_PLIC + 0x201004, 4), RIG_IRQ_UART);
    assert_int_equal(get(rig, LSR), 0x60);
    rig_write(rig, RIG_PLIC + 0x201004, 4, RIG_IRQ_UART);
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    type(rig, "a");
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    rig_free(rig);
}

static void loopback_connects_the_modem_lines(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_int_equal(get(rig, MSR), 0xb0);
    set(rig, MCR, 0x1a); /* Linux's probe: LOOP, OUT2, RTS */
    assert_int_equal(get(rig, MSR) & 0xf0, 0x90);
    get(rig, MSR);
    set(rig, MCR, 0x1f);
    assert_int_equal(get(rig, MSR), 0xf2); /* DSR changed; RI's rise is not told */
    assert_int_equal(get(rig, MSR), 0xf0);
    set(rig, IER, 0x08);
    set(rig, MCR, 0x1b);
    assert_true(rig_wire(rig, RIG_IRQ_UART));
    assert_int_equal(get(rig, IIR), 0x00);
    assert_int_equal(get(rig, MSR), 0xb4); /* RI fell */
    assert_int_equal(get(rig, IIR), 0x01);
    rig_free(rig);
}

static void loopback_receives_what_it_sends_and_overruns(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    set(rig, MCR, 0x10);
    type(rig, "wire");
    set(rig, IER, 0x04);
    set(rig, RBR, 'a');
    set(rig, RBR, 'b');
    assert_int_equal(rig->console.size, 0);
    assert_int_equal(get(rig, IIR), 0x06);
    assert_int_equal(get(rig, LSR), 0x63);
    assert_int_equal(get(rig, LSR), 0x61);
    assert_int_equal(get(rig, RBR), 'a');
    set(rig, MCR, 0x00);
    assert_int_equal(get(rig, RBR), 'w');
    rig_free(rig);
}

static void backlog_has_a_limit_and_loses_nothing(void **state)
{
    struct rig *rig = rig_new();
    static uint8_t bytes[6000];

    (void)state;
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 251);
    set(rig, IIR, 0x01);
    size_t taken = rig_input(rig, "board.uart", "console", (struct span){bytes, sizeof bytes});
    assert_int_equal(taken, UART_BACKLOG_MAX + UART_FIFO_MAX);
    assert_int_equal(rig_input(rig, "board.uart", "console", (struct span){bytes, 1}), 0);
    for (uint32_t i = 0; i < taken; i++)
        assert_int_equal(get(rig, RBR), i % 251);
    assert_int_equal(get(rig, LSR), 0x60);
    rig_free(rig);
}

static void other_input_is_refused(void **state)
{
    struct rig *rig = rig_new();
    size_t taken = 0;

    (void)state;
    assert_false(machine_input(rig->machine, machine_find(rig->machine, "board.uart"), "media",
                               span_of_text("x"), &taken, &rig->err));
    assert_int_equal(rig->err.kind, ERR_USAGE);
    assert_int_equal(get(rig, LSR), 0x60);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    if (i == 0)
        set(rig, IIR, 0x81);
    type(rig, "0123456789");
    set(rig, IER, (uint8_t)(i & 0x0f));
    set(rig, RBR, (uint8_t)('a' + i % 26));
    for (uint32_t n = 0; n < i % 9; n++)
        get(rig, RBR);
    if (i % 7 == 3)
        set(rig, MCR, i % 2 == 0 ? 0x1b : 0x0b);
    get(rig, i % 2 == 0 ? IIR : MSR);
    rig_run(rig, 100);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 40);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    rig_check_refused("board.uart", "rx_count", 0, 2); /* of one without FIFO */
    rig_check_refused("board.uart", "rx_count", 0, 0xffffffff);
    rig_check_refused("board.uart", "backlog_count", 0, UART_BACKLOG_MAX + 1);
    rig_check_refused("board.uart", "rx", 3, 1);
    rig_check_refused("board.uart", "backlog", 9, 1);
    rig_check_refused("board.uart", "fcr", 0, 0x02);
    rig_check_refused("board.uart", "ier", 0, 0x10);
    rig_check_refused("board.uart", "mcr", 0, 0x20);
    rig_check_refused("board.uart", "msr_delta", 0, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_sent_reach_the_host),
        cmocka_unit_test(divisor_hides_behind_dlab),
        cmocka_unit_test(received_bytes_wait_on_the_wire_without_fifo),
        cmocka_unit_test(fifo_interrupts_at_its_trigger_and_times_out_below),
        cmocka_unit_test(clearing_the_fifo_drops_its_bytes_but_not_the_wires),
        cmocka_unit_test(transmitter_interrupt_comes_when_enabled_and_after_each_byte),
        cmocka_unit_test(reading_another_cause_keeps_the_transmitters),
        cmocka_unit_test(handler_that_only_reads_lsr_is_not_interrupted_for_ever),
        cmocka_unit_test(loopback_connects_the_modem_lines),
        cmocka_unit_test(loopback_receives_what_it_sends_and_overruns),
        cmocka_unit_test(backlog_has_a_limit_and_loses_nothing),
        cmocka_unit_test(other_input_is_refused),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
