/* space.inc.c - see space.h; included by the tests of translation, which are the only programs that
 * need it. */
#include "space.h"

_Alignas(4096) uint64_t leaf[512];
_Alignas(4096) uint64_t megabyte[512];
_Alignas(4096) uint64_t gigabyte[512];
static _Alignas(4096) uint64_t upper[2][512];
_Alignas(4096) volatile uint64_t frames[32][512];

bool space_init(uint64_t satp_mode)
{
    const uint64_t *root = gigabyte;

    gigabyte[0] = pte((void *)0, PTE_RW);
    gigabyte[1] = pte(megabyte, PTE_V);
    gigabyte[2] = pte((void *)0x80000000u, PTE_RWX);
    megabyte[0] = pte(leaf, PTE_V);
    for (uint64_t level = SATP_39; level < satp_mode; level++) {
        upper[level - SATP_39][0] = pte(root, PTE_V);
        root = upper[level - SATP_39];
    }
    uint64_t want = satp_mode << 60 | (uint64_t)(uintptr_t)root >> 12;
    CSR_WRITE(satp, want);
    if (CSR_READ(satp) != want) {
        CSR_WRITE(satp, 0);
        return false;
    }
    pmp_open();
    sfence();
    return true;
}

#define IN_MODE(mode, statement)                                                                   \
    ({                                                                                             \
        seen.count = 0;                                                                            \
        enter_mode(mode);                                                                          \
        statement;                                                                                 \
        leave_mode();                                                                              \
        check_equal(__LINE__, seen.count <= 1, 1);                                                 \
        seen.count == 0 ? (uint64_t)FINE : seen.cause;                                             \
    })

uint64_t try_load(uint64_t address)
{
    uint64_t value;

    return IN_MODE(MODE_S, __asm__ volatile("ld %0, 0(%1)"
                                            : "=r"(value)
                                            : "r"(address)
                                            : "memory"));
}

uint64_t try_store(uint64_t address)
{
    return IN_MODE(MODE_S, __asm__ volatile("sd zero, 0(%0)" ::"r"(address) : "memory"));
}

/* The frame there must hold a return. */
uint64_t try_fetch(uint64_t address)
{
    uint64_t cause =
        IN_MODE(MODE_S, __asm__ volatile("la ra, 1f\n sd ra, 0(%1)\n jr %0\n 1:" ::"r"(address),
                                         "r"(&resume_at)
                                         : "ra", "memory"));

    resume_at = 0;
    return cause;
}
