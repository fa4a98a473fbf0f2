/* Svadu and Svade, Svnapot, Svpbmt: the privileged manual, "Svadu", "Svnapot", "Svpbmt" and
 * menvcfg. */
#include "space.inc.c"

#define MENVCFG_ADUE  (1ull << 61)
#define MENVCFG_PBMTE (1ull << 62)
enum { MENVCFG = 0x30a };

static uint64_t menvcfg_read(void)
{
    uint64_t value;

    __asm__ volatile("csrr %0, 0x30a" : "=r"(value));
    return value;
}

static void menvcfg_write(uint64_t value)
{
    __asm__ volatile("csrw 0x30a, %0" ::"r"(value) : "memory");
    sfence();
}

static void by_software(void)
{
    menvcfg_write(0);
    leaf[0] = pte(frames[0], PTE_V | PTE_R | PTE_W);
    flush(PAGE(0));
    CHECK_EQUAL(try_load(PAGE(0)), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(try_store(PAGE(0)), CAUSE_STORE_PAGE);
    leaf[0] |= PTE_A;
    flush(PAGE(0));
    CHECK_EQUAL(try_load(PAGE(0)), FINE);
    CHECK_EQUAL(try_store(PAGE(0)), CAUSE_STORE_PAGE);
    CHECK_EQUAL(leaf[0], pte(frames[0], PTE_V | PTE_R | PTE_W | PTE_A));
    leaf[0] |= PTE_D;
    flush(PAGE(0));
    CHECK_EQUAL(try_store(PAGE(0)), FINE);
}

static void by_hardware(void)
{
    menvcfg_write(MENVCFG_ADUE);
    if (!(menvcfg_read() & MENVCFG_ADUE))
        return; /* Svade only */
    leaf[1] = pte(frames[1], PTE_V | PTE_R | PTE_W);
    flush(PAGE(1));
    CHECK_EQUAL(try_load(PAGE(1)), FINE);
    CHECK_EQUAL(leaf[1] & (PTE_A | PTE_D), PTE_A);
    /* The load cached the page; the store must set D all the same. */
    CHECK_EQUAL(try_store(PAGE(1)), FINE);
    CHECK_EQUAL(leaf[1] & (PTE_A | PTE_D), PTE_A | PTE_D);
    leaf[2] = pte(frames[2], PTE_V | PTE_R);
    flush(PAGE(2));
    CHECK_EQUAL(try_store(PAGE(2)), CAUSE_STORE_PAGE);
    CHECK_EQUAL(leaf[2] & (PTE_A | PTE_D), 0);
    frames[3][0] = 0x8082;
    __asm__ volatile("fence.i" ::: "memory");
    leaf[3] = pte(frames[3], PTE_V | PTE_X);
    flush(PAGE(3));
    CHECK_EQUAL(try_fetch(PAGE(3)), FINE);
    CHECK_EQUAL(leaf[3] & (PTE_A | PTE_D), PTE_A);
    menvcfg_write(0);
}

/* Sixteen pages by one NAPOT entry, repeated in each of its sixteen places; the frame's low bits
 * say 64 KiB. */
static void napot(void)
{
    uint64_t base = ((uint64_t)(uintptr_t)frames + 0xffffu) & ~0xffffull, value;
    volatile uint64_t *last = (volatile uint64_t *)(uintptr_t)(base + 13 * 4096u + 24);

    for (unsigned i = 16; i < 32; i++)
        leaf[i] = (base >> 12 | 8u) << 10 | PTE_RW | PTE_N;
    sfence();
    *last = 0x4242;
    enter_mode(MODE_S);
    value = *(volatile uint64_t *)(uintptr_t)(PAGE(29) + 24);
    leave_mode();
    CHECK_EQUAL(value, 0x4242);
    CHECK_EQUAL(try_store(PAGE(31) + 8), FINE);
    /* Any other pattern of low bits is reserved, and N above the last level too. */
    leaf[20] = (base >> 12 | 4u) << 10 | PTE_RW | PTE_N;
    leaf[21] = (base >> 12) << 10 | PTE_RW | PTE_N;
    sfence();
    CHECK_EQUAL(try_load(PAGE(20)), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(try_load(PAGE(21)), CAUSE_LOAD_PAGE);
    megabyte[1] = pte((void *)0x80000000u, PTE_RW) | PTE_N;
    sfence();
    CHECK_EQUAL(try_load(WINDOW + 0x200000u), CAUSE_LOAD_PAGE);
    megabyte[1] = pte(leaf, PTE_V) | PTE_N;
    sfence();
    CHECK_EQUAL(try_load(WINDOW + 0x210000u), CAUSE_LOAD_PAGE);
}

static void memory_types(void)
{
    leaf[4] = pte(frames[4], PTE_RW) | 1ull << PTE_PBMT_SHIFT;
    leaf[5] = pte(frames[4], PTE_RW) | 2ull << PTE_PBMT_SHIFT;
    leaf[6] = pte(frames[4], PTE_RW) | 3ull << PTE_PBMT_SHIFT;
    menvcfg_write(0);
    CHECK_EQUAL(try_load(PAGE(4)), CAUSE_LOAD_PAGE);
    menvcfg_write(MENVCFG_PBMTE);
    CHECK_EQUAL(menvcfg_read() & MENVCFG_PBMTE, MENVCFG_PBMTE);
    CHECK_EQUAL(try_load(PAGE(4)), FINE);
    CHECK_EQUAL(try_store(PAGE(5)), FINE);
    CHECK_EQUAL(try_load(PAGE(6)), CAUSE_LOAD_PAGE);
    megabyte[1] = pte(leaf, PTE_V) | 1ull << PTE_PBMT_SHIFT;
    sfence();
    CHECK_EQUAL(try_load(WINDOW + 0x204000u), CAUSE_LOAD_PAGE);
    megabyte[1] = 0;
    menvcfg_write(0);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    CHECK_EQUAL(space_init(SATP_39), 1);
    by_software();
    by_hardware();
    napot();
    memory_types();
    return 0;
}
