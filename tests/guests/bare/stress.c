/* stress.c - what a checkpoint must get right, all at once and without end: timer and software
 * interrupts at odd moments, LR/SC and AMOs between harts, FP flags and rounding modes, page faults
 * with page table edits, code that writes code, WFI, misaligned accesses, virtio requests in
 * flight.
 *
 * Each round prints its number and a running checksum, the same on every board and for every
 * interleaving. STRESS_ROUNDS rounds, then a pass; without end if it is 0. What does depend on time
 * (ticks, counters read by handlers) stays in memory, where a digest of the machine sees it. */
#include "stress.h"

#ifndef STRESS_ROUNDS
#define STRESS_ROUNDS 0
#endif

enum { LOCKSTEPS = 200 };

static struct {
    /* Written by the hart itself only. */
    _Alignas(64) uint64_t seed;
    volatile uint64_t ticks, soft, time_sum;
    uint64_t sum;
} harts[HARTS_MAX];

/* Shared, by atomics. */
static volatile uint64_t shared_lrsc, shared_amo, shared_or;
static volatile uint64_t barrier_count, barrier_turn;
static uint64_t hart_count;

/* What nobody expected: said before the machine ends. */
static void stop_at_trap(uint64_t hart)
{
    print_text("stress: unexpected trap on hart ");
    print_decimal(hart);
    print_text(": mcause ");
    print_hex(CSR_READ(mcause));
    print_text(" mepc ");
    print_hex(CSR_READ(mepc));
    print_text(" mtval ");
    print_hex(CSR_READ(mtval));
    print_text("\n");
    guest_finish(CHECK_TRAP);
}

static void set_next_tick(uint64_t hart)
{
    uint64_t now = mtime_read();

    harts[hart].time_sum = mix(harts[hart].time_sum, now ^ CSR_READ(minstret));
    mtimecmp_write(hart, now + 40 + harts[hart].time_sum % 400);
}

static void handle_interrupt(uint64_t hart, uint64_t number)
{
    switch (number) {
    case 3:
        msip_write(hart, 0);
        harts[hart].soft++;
        break;
    case 7:
        harts[hart].ticks++;
        set_next_tick(hart);
        break;
    case 11:
        devices_handle_interrupt();
        break;
    default:
        stop_at_trap(hart);
    }
}

void guest_handle_trap(struct trap_frame *frame)
{
    uint64_t cause = CSR_READ(mcause), hart = CSR_READ(mhartid);

    (void)frame;
    if (cause >> 63) {
        handle_interrupt(hart, cause & 0xffu);
        return;
    }
    switch (cause) {
    case 9: /* ecall from S mode: goes on in M mode, interrupts as they were */
        CSR_WRITE(mepc, CSR_READ(mepc) + 4);
        CSR_SET(mstatus, 0x1800);
        return;
    case 13:
    case 15:
        if (paging_handle_fault(hart, CSR_READ(mtval)))
            return;
    }
    stop_at_trap(hart);
}

static void meet(void)
{
    uint64_t turn = barrier_turn;

    if (__atomic_add_fetch(&barrier_count, 1, __ATOMIC_ACQ_REL) == hart_count) {
        barrier_count = 0;
        __atomic_store_n(&barrier_turn, turn + 1, __ATOMIC_RELEASE);
        return;
    }
    /* The timer always ticks, so a WFI here ends. */
    while (__atomic_load_n(&barrier_turn, __ATOMIC_ACQUIRE) == turn)
        __asm__ volatile("wfi");
}

static void add_by_lrsc(volatile uint64_t *at, uint64_t amount)
{
    uint64_t value, failed;

    __asm__ volatile("1: lr.d.aq %0, (%2)\n"
                     "   add %0, %0, %3\n"
                     "   sc.d.rl %1, %0, (%2)\n"
                     "   bnez %1, 1b"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(at), "r"(amount)
                     : "memory");
}

static void do_atomics(uint64_t hart)
{
    for (uint64_t i = 0; i < LOCKSTEPS; i++) {
        add_by_lrsc(&shared_lrsc, hart + 1);
        __atomic_fetch_add(&shared_amo, i, __ATOMIC_RELAXED);
        __atomic_fetch_or(&shared_or, 1ull << (i % 61), __ATOMIC_RELAXED);
        __asm__ volatile("amomaxu.d zero, %1, (%0)" ::"r"(&shared_or), "r"(i) : "memory");
        __asm__ volatile("amoxor.w zero, %1, (%0)" ::"r"(&harts[hart].time_sum), "r"(i) : "memory");
    }
}

/* Alone on hart 0, between two meetings. */
static uint64_t check_atomics(void)
{
    uint64_t sum = hart_count * (hart_count + 1) / 2 * LOCKSTEPS;

    if (shared_lrsc != sum)
        guest_finish(CHECK_LRSC);
    if (shared_amo != hart_count * (LOCKSTEPS * (LOCKSTEPS - 1) / 2) ||
        shared_or != (1ull << 61) - 1)
        guest_finish(CHECK_AMO);
    shared_lrsc = 0;
    shared_amo = 0;
    shared_or = 0;
    return sum;
}

/* Writes `lui a0, value; srli a0, a0, 12; ret` and runs it. */
static uint64_t do_code(uint64_t hart, uint64_t *seed)
{
    static _Alignas(64) uint32_t code[HARTS_MAX][16];
    uint64_t sum = 4;

    for (int i = 0; i < 8; i++) {
        uint64_t value = next_random(seed) & 0x7ffffu;
        volatile uint32_t *at = code[hart];

        at[0] = (uint32_t)value << 12 | 10u << 7 | 0x37u;
        at[1] = 12u << 20 | 10u << 15 | 5u << 12 | 10u << 7 | 0x13u;
        at[2] = 0x00008067u;
        __asm__ volatile("fence.i" ::: "memory");
        uint64_t got = ((uint64_t(*)(void))(uintptr_t)at)();
        if (got != value)
            guest_finish(CHECK_CODE);
        sum = mix(sum, got);
    }
    return sum;
}

static uint64_t do_misaligned(uint64_t hart, uint64_t *seed)
{
    static _Alignas(4096) uint8_t bytes[HARTS_MAX][8192];
    uint64_t sum = 5;

    for (int i = 0; i < 16; i++) {
        uint64_t random = next_random(seed), back;
        /* Every second one straddles the page. */
        uint8_t *at = &bytes[hart][i % 2 ? 4089u + random % 7u : random % 8000u];

        __asm__ volatile("sd %0, 0(%1)" ::"r"(random), "r"(at) : "memory");
        __asm__ volatile("ld %0, 0(%1)" : "=r"(back) : "r"(at) : "memory");
        if (back != random)
            guest_finish(CHECK_MISALIGNED);
        sum = mix(sum, back);
    }
    return sum;
}

static void interrupt_all(uint64_t round)
{
    for (uint64_t hart = 0; hart < hart_count; hart++)
        msip_write(hart, 1);
    for (uint64_t hart = 0; hart < hart_count; hart++)
        while (harts[hart].soft < round + 1)
            __asm__ volatile("wfi");
    for (uint64_t hart = 0; hart < hart_count; hart++)
        if (harts[hart].soft != round + 1)
            guest_finish(CHECK_SOFTWARE);
}

static void do_round(uint64_t hart, uint64_t round)
{
    uint64_t sum = harts[hart].sum, *seed = &harts[hart].seed;

    if (hart == 0) {
        devices_start(round);
        interrupt_all(round);
    }
    meet();
    do_atomics(hart);
    sum = mix(sum, stress_float(seed));
    sum = mix(sum, stress_paging(hart, seed));
    sum = mix(sum, do_code(hart, seed));
    sum = mix(sum, do_misaligned(hart, seed));
    if (hart == 0)
        sum = mix(sum, devices_finish(round));
    harts[hart].sum = sum;
    meet();
}

static void report(uint64_t round)
{
    uint64_t sum = check_atomics();

    for (uint64_t hart = 0; hart < hart_count; hart++)
        sum = mix(sum, harts[hart].sum);
    print_text("round ");
    print_decimal(round);
    print_text(" sum ");
    print_hex(sum);
    print_text("\n");
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    if (hart == 0)
        hart_count = guest_hart_count(tree);
    else
        while (__atomic_load_n(&hart_count, __ATOMIC_ACQUIRE) == 0) {
        }
    harts[hart].seed = hart * 7919u + 1;
    paging_init(hart);
    if (hart == 0) {
        print_text("stress: harts ");
        print_decimal(hart_count);
        print_text("\n");
        devices_init();
    }
    set_next_tick(hart);
    CSR_SET(mie, 0x88);
    CSR_SET(mstatus, 8);
    meet();
    uint64_t rounds = STRESS_ROUNDS;
    for (uint64_t round = 0; rounds == 0 || round < rounds; round++) {
        do_round(hart, round);
        if (hart == 0)
            report(round);
    }
    meet();
    if (hart == 0)
        print_text("stress: pass\n");
    return 0;
}
