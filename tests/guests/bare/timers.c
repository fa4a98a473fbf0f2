/* timers.c - timers at the moments at which a checkpoint may lose them: an interrupt pending, a
 * deadline or the time itself written an instruction ago, a hart asleep until the deadline. Each
 * phase stores to the magic word where a freeze would hurt and judges for itself what comes after:
 * interrupts come exactly once, not early and not late; time neither stands still nor jumps.
 *
 * The mark's value is how many cycles later the hart sleeps in the midst of its wait; 0: it does
 * not. Ends the machine with 0, or with the number of the phase that went wrong. Harts other than 0
 * tick by their own timers meanwhile. */
#include "bare.h"

#define MAGIC_WORD   0x102000u
#define MTIME        (CLINT + 0xbff8u)
#define NEVER        (~0ull)
#define MENVCFG_STCE (1ull << 63)

enum { MSI = 3, STI = 5, MTI = 7, LATE = 3 /* ticks from deadline to handler at most */ };
enum { CYCLES_A_TICK = 100, SLEEP_TICKS = 1000 };

/* Hart 0's interrupts, by cause, and the time of the last. */
static volatile uint64_t seen[16], seen_at, order;
static volatile uint64_t ticks[HARTS_MAX];
static uint64_t phase, hart_count;

static void stimecmp_write(uint64_t time)
{
    __asm__ volatile("csrw 0x14d, %0" ::"r"(time) : "memory");
}

static inline void mark(uint64_t asleep_after)
{
    *(volatile uint64_t *)(uintptr_t)MAGIC_WORD = asleep_after;
}

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    print_text("timers: phase ");
    print_decimal(phase);
    print_text(": ");
    print_text(what);
    print_text("\n");
    guest_finish(phase);
}

void guest_handle_trap(struct trap_frame *frame)
{
    uint64_t cause = CSR_READ(mcause), hart = CSR_READ(mhartid), now = mtime_read();

    (void)frame;
    if (cause >> 63 == 0)
        guest_finish(100 + cause);
    cause &= 15;
    if (cause == MSI)
        msip_write(hart, 0);
    if (hart != 0) {
        ticks[hart]++;
        mtimecmp_write(hart, now + 40 + hart);
        return;
    }
    seen[cause]++;
    seen_at = now;
    order = order << 4 | cause;
    if (cause == MTI)
        mtimecmp_write(0, NEVER);
    if (cause == STI)
        stimecmp_write(NEVER);
}

static void begin(void)
{
    phase++;
    CSR_CLEAR(mstatus, 8);
    CSR_WRITE(mie, 1u << MSI | 1u << STI | 1u << MTI);
    mtimecmp_write(0, NEVER);
    stimecmp_write(NEVER);
    for (uint32_t i = 0; i < 16; i++)
        seen[i] = 0;
    order = 0;
}

static void came_once(uint32_t cause, uint64_t due)
{
    must(seen[MSI] + seen[STI] + seen[MTI] == 1, "not exactly one interrupt");
    must(seen[cause] == 1, "another interrupt");
    must(seen_at >= due, "early");
    must(seen_at <= due + LATE, "late");
}

static void compare_write(uint32_t cause, uint64_t due)
{
    if (cause == MTI)
        mtimecmp_write(0, due);
    else
        stimecmp_write(due);
}

/* Pending since before the freeze, and let in after it. */
static void pending_is_kept(uint32_t cause)
{
    begin();
    compare_write(cause, mtime_read() - 1);
    must((CSR_READ(mip) >> cause & 1) == 1, "not pending");
    mark(0);
    must((CSR_READ(mip) >> cause & 1) == 1, "pending no more");
    uint64_t before = mtime_read();
    CSR_SET(mstatus, 8);
    __asm__ volatile("nop");
    came_once(cause, before);
}

static void written_just_before(uint32_t cause)
{
    begin();
    CSR_SET(mstatus, 8);
    uint64_t due = mtime_read() + 60;
    mark(0);
    compare_write(cause, due);
    mark(0);
    while (seen[cause] == 0 && mtime_read() < due + 100) {
    }
    came_once(cause, due);
}

static void asleep_until_due(uint32_t cause)
{
    begin();
    uint64_t due = mtime_read() + SLEEP_TICKS;
    compare_write(cause, due);
    mark(SLEEP_TICKS / 2 * CYCLES_A_TICK);
    __asm__ volatile("wfi");
    must(mtime_read() >= due, "woken early");
    CSR_SET(mstatus, 8);
    __asm__ volatile("nop");
    came_once(cause, due);
}

/* The sooner deadline was taken back before the freeze. */
static void postponed_is_forgotten(uint32_t cause)
{
    begin();
    CSR_SET(mstatus, 8);
    uint64_t due = mtime_read() + 100;
    compare_write(cause, due - 60);
    compare_write(cause, due);
    mark(0);
    while (seen[cause] == 0 && mtime_read() < due + 100) {
    }
    came_once(cause, due);
}

static void time_write(uint64_t time)
{
    *(volatile uint64_t *)(uintptr_t)MTIME = time;
}

/* The others' deadlines mean nothing any more. */
static void tell_others(void)
{
    for (uint64_t hart = 1; hart < hart_count; hart++)
        msip_write(hart, 1);
}

static void time_written_just_before(uint32_t cause, uint64_t time)
{
    begin();
    CSR_SET(mstatus, 8);
    uint64_t due = time + 50;
    mark(0);
    time_write(time);
    mark(0);
    uint64_t now = mtime_read();
    must(now >= time && now <= time + LATE, "not the time that was written");
    compare_write(cause, due);
    while (seen[cause] == 0 && mtime_read() < due + 100) {
    }
    came_once(cause, due);
    tell_others();
}

/* Time jumps over a deadline: the interrupt is due at once. */
static void time_written_past_deadline(uint32_t cause)
{
    begin();
    uint64_t due = mtime_read() + 100000;
    compare_write(cause, due);
    time_write(due + 5);
    mark(0);
    must((CSR_READ(mip) >> cause & 1) == 1, "not pending");
    CSR_SET(mstatus, 8);
    __asm__ volatile("nop");
    came_once(cause, due + 5);
    tell_others();
}

/* And back before it: due no more. */
static void time_written_before_deadline(uint32_t cause)
{
    begin();
    uint64_t due = mtime_read();
    compare_write(cause, due);
    time_write(due - 70);
    mark(0);
    must((CSR_READ(mip) >> cause & 1) == 0, "still pending");
    CSR_SET(mstatus, 8);
    while (seen[cause] == 0 && mtime_read() < due + 100) {
    }
    came_once(cause, due);
    tell_others();
}

static void software_interrupt_is_kept(void)
{
    begin();
    msip_write(0, 1);
    mark(0);
    CSR_SET(mstatus, 8);
    while (seen[MSI] == 0) {
    }
    came_once(MSI, mtime_read() - LATE);
}

static void all_pending_come_in_order(void)
{
    begin();
    compare_write(STI, 0);
    compare_write(MTI, 0);
    msip_write(0, 1);
    while ((CSR_READ(mip) & 0xa8u) != 0xa8u) {
    }
    mark(0);
    CSR_SET(mstatus, 8);
    __asm__ volatile("nop");
    must(order == (MSI << 8 | MTI << 4 | STI), "another order");
}

/* Across the mark mtime, the time CSR and mcycle go on at the same pace. */
static void time_goes_on(void)
{
    begin();
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t cycle = CSR_READ(mcycle), time = mtime_read();
        if (i == 10)
            mark(0);
        uint64_t csr = CSR_READ(time), after = mtime_read();
        must(csr >= time && csr <= after, "the two clocks differ");
        must(after - time <= LATE, "time jumped");
        for (volatile uint32_t spin = 0; spin < 200; spin++) {
        }
        uint64_t passed = (mtime_read() - time) * CYCLES_A_TICK;
        uint64_t cycles = CSR_READ(mcycle) - cycle;
        must(passed + 2 * CYCLES_A_TICK > cycles, "time stood still");
        must(passed < cycles + 2 * CYCLES_A_TICK, "time jumped");
    }
}

static void others_tick(void)
{
    phase++;
    for (uint64_t hart = 1; hart < hart_count; hart++) {
        uint64_t from = ticks[hart], start = mtime_read();
        mark(0);
        while (ticks[hart] < from + 3)
            must(mtime_read() - start < 100000, "a hart's timer is lost");
    }
}

static void rest_of_hart(uint64_t hart)
{
    CSR_WRITE(mie, 1u << MSI | 1u << MTI);
    mtimecmp_write(hart, mtime_read() + 40);
    CSR_SET(mstatus, 8);
    for (;;)
        __asm__ volatile("wfi");
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    static const uint32_t causes[2] = {MTI, STI};

    CSR_SET(0x30a, MENVCFG_STCE);
    stimecmp_write(NEVER);
    if (hart != 0)
        rest_of_hart(hart);
    hart_count = guest_hart_count(tree);
    for (uint32_t i = 0; i < 2; i++) {
        pending_is_kept(causes[i]);
        written_just_before(causes[i]);
        asleep_until_due(causes[i]);
        postponed_is_forgotten(causes[i]);
        time_written_past_deadline(causes[i]);
        time_written_before_deadline(causes[i]);
        time_written_just_before(causes[i], mtime_read() + 1000000000);
        time_written_just_before(causes[i], 1000);
    }
    software_interrupt_is_kept();
    all_pending_come_in_order();
    time_goes_on();
    others_tick();
    print_text("timers: pass\n");
    return 0;
}
