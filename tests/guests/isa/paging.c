/* Sv39, Sv48 and Sv57: the privileged manual, "Supervisor-level address translation" (10.3
 * to 10.6). */
#include "space.inc.c"

enum { RETURN_CODE = 0x8082 };

static void map(unsigned page, uint64_t entry)
{
    leaf[page] = entry;
    flush(PAGE(page));
}

static void permissions(void)
{
    static const struct {
        uint64_t bits;
        uint16_t load, store, fetch;
    } cases[] = {
        {PTE_RW | PTE_X, FINE, FINE, FINE},
        {PTE_RW, FINE, FINE, CAUSE_FETCH_PAGE},
        {PTE_V | PTE_R | PTE_A | PTE_D, FINE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_V | PTE_X | PTE_A | PTE_D, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, FINE},
        {PTE_V | PTE_R | PTE_X | PTE_A | PTE_D, FINE, CAUSE_STORE_PAGE, FINE},
        /* not valid; reserved: W without R; a pointer where only a leaf may be */
        {PTE_RWX & ~PTE_V, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_V | PTE_W | PTE_A | PTE_D, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_V | PTE_W | PTE_X | PTE_A | PTE_D, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE,
         CAUSE_FETCH_PAGE},
        {PTE_V, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        /* global and the two bits for software change nothing */
        {PTE_RWX | PTE_G | 0x300u, FINE, FINE, FINE},
        /* U pages: not for S mode, least of all for its fetches */
        {PTE_RWX | PTE_U, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        /* reserved bits 60 to 54; N and PBMT while those extensions are off or their values
           reserved */
        {PTE_RWX | 1ull << 54, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_RWX | 1ull << 60, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_RWX | 3ull << PTE_PBMT_SHIFT, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
        {PTE_RWX | PTE_N, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE},
    };

    /* A frame whose number would be a right NAPOT one is none of these. */
    frames[1][0] = RETURN_CODE;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        map(3, pte(frames[1], cases[i].bits));
        frames[1][0] = RETURN_CODE;
        __asm__ volatile("fence.i" ::: "memory");
        check_equal(1000 + i, try_load(PAGE(3)), cases[i].load);
        check_equal(1100 + i, try_fetch(PAGE(3)), cases[i].fetch);
        check_equal(1200 + i, try_store(PAGE(3)), cases[i].store);
        if (cases[i].load != FINE)
            check_equal(1300 + i, seen.tval, PAGE(3));
    }
}

static void user_pages(void)
{
    map(4, pte(frames[2], PTE_RWX | PTE_U));
    frames[2][0] = RETURN_CODE;
    CSR_SET(mstatus, MSTATUS_SUM);
    CHECK_EQUAL(try_load(PAGE(4)), FINE);
    frames[2][0] = RETURN_CODE;
    CHECK_EQUAL(try_fetch(PAGE(4)), CAUSE_FETCH_PAGE);
    CHECK_EQUAL(try_store(PAGE(4)), FINE);
    CSR_CLEAR(mstatus, MSTATUS_SUM);
    CHECK_EQUAL(try_load(PAGE(4)), CAUSE_LOAD_PAGE);
    /* MXR: what may be executed may be read, by S mode's rules of U all the same. */
    map(5, pte(frames[2], PTE_V | PTE_X | PTE_A | PTE_D));
    CHECK_EQUAL(try_load(PAGE(5)), CAUSE_LOAD_PAGE);
    CSR_SET(mstatus, MSTATUS_MXR);
    CHECK_EQUAL(try_load(PAGE(5)), FINE);
    CHECK_EQUAL(try_store(PAGE(5)), CAUSE_STORE_PAGE);
    CHECK_EQUAL(try_load(PAGE(4)), CAUSE_LOAD_PAGE);
    CSR_CLEAR(mstatus, MSTATUS_MXR);
}

/* MPRV: M mode's loads and stores go by MPP's rules, its fetches do not. */
static void borrowed_mode(void)
{
    uint64_t value;

    map(6, pte(frames[3], PTE_RW));
    map(7, pte(frames[4], PTE_RW | PTE_U));
    frames[3][0] = 33;
    frames[4][0] = 44;
    CSR_CLEAR(mstatus, MSTATUS_MPP);
    CSR_SET(mstatus, 1u << 11);
    seen.count = 0;
    __asm__ volatile("li t0, 1 << 17\n csrs mstatus, t0\n ld %0, 0(%1)\n csrc mstatus, t0"
                     : "=&r"(value)
                     : "r"(PAGE(6))
                     : "t0", "memory");
    CHECK_EQUAL(seen.count, 0);
    CHECK_EQUAL(value, 33);
    /* As U mode: its own page. */
    CSR_CLEAR(mstatus, MSTATUS_MPP);
    __asm__ volatile("li t0, 1 << 17\n csrs mstatus, t0\n ld %0, 0(%1)\n csrc mstatus, t0"
                     : "=&r"(value)
                     : "r"(PAGE(7))
                     : "t0", "memory");
    CHECK_EQUAL(value, 44);
    CHECK_EQUAL(seen.count, 0);
}

static void superpages(void)
{
    /* 2 MiB at the window's second megapage, 1 GiB at gigabyte 3. */
    megabyte[1] = pte((void *)0x80000000u, PTE_RW);
    gigabyte[3] = pte((void *)0x80000000u, PTE_RW);
    sfence();
    frames[5][7] = 0x1122;
    uint64_t offset = (uint64_t)(uintptr_t)&frames[5][7] - 0x80000000u, value = 0;
    enter_mode(MODE_S);
    value = *(volatile uint64_t *)(uintptr_t)(WINDOW + 0x200000u + (offset & 0x1fffffu));
    leave_mode();
    if (offset < 0x200000u)
        CHECK_EQUAL(value, 0x1122);
    enter_mode(MODE_S);
    value = *(volatile uint64_t *)(uintptr_t)(3ull * 0x40000000u + offset);
    leave_mode();
    CHECK_EQUAL(value, 0x1122);
    /* A superpage whose frame number is not aligned to its size. */
    megabyte[1] = pte((void *)0x80001000u, PTE_RW);
    gigabyte[3] = pte((void *)0x80200000u, PTE_RW);
    sfence();
    CHECK_EQUAL(try_load(WINDOW + 0x200000u), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(try_store(3ull * 0x40000000u), CAUSE_STORE_PAGE);
    /* A pointer with A, D or U is reserved. */
    megabyte[1] = pte(leaf, PTE_V | PTE_A);
    flush(WINDOW + 0x200000u);
    CHECK_EQUAL(try_load(WINDOW + 0x203000u), CAUSE_LOAD_PAGE);
    megabyte[1] = pte(leaf, PTE_V | PTE_U);
    flush(WINDOW + 0x200000u);
    CHECK_EQUAL(try_load(WINDOW + 0x206000u), CAUSE_LOAD_PAGE);
    megabyte[1] = pte(leaf, PTE_V);
    flush(WINDOW + 0x200000u);
    CHECK_EQUAL(try_load(WINDOW + 0x206000u), FINE);
    /* Tables outside memory: an access fault, of the kind of the access. */
    gigabyte[3] = pte((void *)(1ull << 45), PTE_V);
    sfence();
    CHECK_EQUAL(try_load(3ull * 0x40000000u), CAUSE_LOAD_ACCESS);
    CHECK_EQUAL(try_store(3ull * 0x40000000u), CAUSE_STORE_ACCESS);
    gigabyte[3] = 0;
    megabyte[1] = 0;
    sfence();
}

static void addresses(uint64_t satp_mode)
{
    unsigned bits = 39 + 9 * (unsigned)(satp_mode - SATP_39);

    /* The bits above must equal the highest one used. */
    map(8, pte(frames[6], PTE_RW));
    CHECK_EQUAL(try_load(PAGE(8)), FINE);
    CHECK_EQUAL(try_load(PAGE(8) | 1ull << bits), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(seen.tval, PAGE(8) | 1ull << bits);
    CHECK_EQUAL(try_load(PAGE(8) | 1ull << 63), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(try_store(PAGE(8) | ~0ull << bits), CAUSE_STORE_PAGE);
    CHECK_EQUAL(try_fetch(PAGE(8) | 1ull << (bits - 1)), CAUSE_FETCH_PAGE);
}

/* Misaligned over a page's end: whole or not at all, and mtval names the page that is missing. */
static void straddling(void)
{
    map(9, pte(frames[7], PTE_RWX));
    map(10, pte(frames[9], PTE_RWX));
    frames[7][511] = 0x1111111111111111u;
    frames[9][0] = 0x2222222222222222u;
    uint64_t value = 0, at = PAGE(10) - 4;
    enter_mode(MODE_S);
    __asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(at) : "memory");
    __asm__ volatile("sd %0, 0(%1)" ::"r"(0x8877665544332211u), "r"(at) : "memory");
    leave_mode();
    CHECK_EQUAL(value, 0x2222222211111111u);
    CHECK_EQUAL(frames[7][511], 0x4433221111111111u);
    CHECK_EQUAL(frames[9][0], 0x2222222288776655u);
    map(10, 0);
    CHECK_EQUAL(try_load(at), CAUSE_LOAD_PAGE);
    CHECK_EQUAL(seen.tval, PAGE(10));
    CHECK_EQUAL(try_store(at), CAUSE_STORE_PAGE);
    CHECK_EQUAL(seen.tval, PAGE(10));
    CHECK_EQUAL(frames[7][511], 0x4433221111111111u);
    /* An instruction over the end: mepc is its start, mtval where the fault is. */
    frames[7][511] = 0x0513ull << 48;
    __asm__ volatile("fence.i" ::: "memory");
    CHECK_EQUAL(try_fetch(PAGE(10) - 2), CAUSE_FETCH_PAGE);
    CHECK_EQUAL(seen.epc, PAGE(10) - 2);
    CHECK_EQUAL(seen.tval, PAGE(10));
}

/* A changed entry counts after SFENCE.VMA, by address, by ASID or whole. */
static void changes(uint64_t satp_mode)
{
    uint64_t value, satp = CSR_READ(satp);

    frames[10][0] = 10;
    frames[11][0] = 11;
    map(11, pte(frames[10], PTE_RW));
    for (unsigned i = 0; i < 12; i++) {
        leaf[11] = pte(frames[10 + (i & 1u)], PTE_RW);
        if (i % 3 == 0)
            flush(PAGE(11));
        else if (i % 3 == 1)
            sfence();
        else
            __asm__ volatile("sfence.vma zero, %0" ::"r"(0ull) : "memory");
        enter_mode(MODE_S);
        value = *(volatile uint64_t *)(uintptr_t)PAGE(11);
        leave_mode();
        CHECK_EQUAL(value, 10 + (i & 1u));
    }
    /* Another ASID sees the tables anew; coming back needs no flush when nothing changed. */
    CSR_WRITE(satp, satp | 5ull << 44);
    if (CSR_READ(satp) == (satp | 5ull << 44)) {
        leaf[11] = pte(frames[10], PTE_RW);
        enter_mode(MODE_S);
        value = *(volatile uint64_t *)(uintptr_t)PAGE(11);
        leave_mode();
        CHECK_EQUAL(value, 10);
    }
    CSR_WRITE(satp, satp);
    sfence();
    CHECK_EQUAL(CSR_READ(satp) >> 60, satp_mode);
    CHECK_NO_TRAP(
        __asm__ volatile(".insn r 0x73, 0, 0x0b, x0, %0, x0\n .insn r 0x73, 0, 0x0c, x0, x0, x0\n"
                         ".insn r 0x73, 0, 0x0c, x0, x0, x1" ::"r"(PAGE(11))
                         : "memory")); /* sinval.vma, sfence.w.inval, sfence.inval.ir */
}

/* AMOs and LR/SC through translation: store faults for AMO and SC, load faults for LR. */
static void atomics(void)
{
    uint64_t value, at = PAGE(12);

    map(12, pte(frames[12], PTE_V | PTE_R | PTE_A | PTE_D));
    seen.count = 0;
    enter_mode(MODE_S);
    __asm__ volatile("amoadd.d %0, zero, (%1)" : "=r"(value) : "r"(at) : "memory");
    leave_mode();
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.cause, CAUSE_STORE_PAGE);
    seen.count = 0;
    enter_mode(MODE_S);
    __asm__ volatile("lr.d %0, (%1)" : "=r"(value) : "r"(at) : "memory");
    leave_mode();
    CHECK_EQUAL(seen.count, 0);
    map(12, 0);
    seen.count = 0;
    enter_mode(MODE_S);
    __asm__ volatile("lr.w %0, (%1)" : "=r"(value) : "r"(at) : "memory");
    leave_mode();
    CHECK_EQUAL(seen.cause, CAUSE_LOAD_PAGE);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    for (uint64_t mode = SATP_39; mode <= SATP_57; mode++) {
        CHECK_EQUAL(space_init(mode), 1);
        permissions();
        user_pages();
        borrowed_mode();
        superpages();
        addresses(mode);
        straddling();
        changes(mode);
        atomics();
        CSR_WRITE(satp, 0);
        sfence();
    }
    return 0;
}
