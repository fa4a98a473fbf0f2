#include "sim/hart/pmp.h"

#include "sim/hart/csr_numbers.h"

enum {
    PMP_R = 1,
    PMP_W = 2,
    PMP_X = 4,
    PMP_A = 0x18,
    PMP_A_SHIFT = 3,
    PMP_L = 0x80,
    PMP_WRITABLE = PMP_R | PMP_W | PMP_X | PMP_A | PMP_L,
};
enum { MATCH_OFF, MATCH_TOR, MATCH_NA4, MATCH_NAPOT };
#define ADDRESS_BITS ((UINT64_C(1) << 54) - 1)

bool pmp_is_csr(uint32_t number)
{
    return number == CSR_PMPCFG0 || number == CSR_PMPCFG2 ||
           (number >= CSR_PMPADDR0 && number < CSR_PMPADDR0 + HART_PMP_COUNT);
}

uint64_t pmp_csr_read(const struct hart *hart, uint32_t number)
{
    const struct hart_state *state = hart->state;
    uint32_t first = number == CSR_PMPCFG2 ? 8 : 0;
    uint64_t value = 0;

    if (number >= CSR_PMPADDR0)
        return state->pmpaddr[number - CSR_PMPADDR0];
    for (uint32_t i = 0; i < 8; i++)
        value |= (uint64_t)state->pmpcfg[first + i] << 8 * i;
    return value;
}

static uint32_t match_of(uint8_t config)
{
    return (uint32_t)(config & PMP_A) >> PMP_A_SHIFT;
}

static bool address_locked(const struct hart_state *state, uint32_t index)
{
    if ((state->pmpcfg[index] & PMP_L) != 0)
        return true;
    return index + 1 < HART_PMP_COUNT && (state->pmpcfg[index + 1] & PMP_L) != 0 &&
           match_of(state->pmpcfg[index + 1]) == MATCH_TOR;
}

void pmp_csr_write(struct hart *hart, uint32_t number, uint64_t value)
{
    struct hart_state *state = hart->state;
    uint32_t first = number == CSR_PMPCFG2 ? 8 : 0;

    hart->changed |= HART_CHANGED_PROTECTION;
    if (number >= CSR_PMPADDR0) {
        if (!address_locked(state, number - CSR_PMPADDR0))
            state->pmpaddr[number - CSR_PMPADDR0] = value & ADDRESS_BITS;
        return;
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t config = (uint8_t)(value >> 8 * i) & PMP_WRITABLE;
        if ((state->pmpcfg[first + i] & PMP_L) != 0)
            continue;
        if ((config & (PMP_R | PMP_W)) == PMP_W)
            config &= (uint8_t)~PMP_W; /* W without R is reserved */
        state->pmpcfg[first + i] = config;
    }
}

/* The range an entry covers, [low, high) in units of 4 bytes. */
static void range_of(const struct hart_state *state, uint32_t index, uint64_t *low, uint64_t *high)
{
    uint64_t address = state->pmpaddr[index];
    uint64_t ones;

    switch (match_of(state->pmpcfg[index])) {
    case MATCH_TOR:
        *low = index == 0 ? 0 : state->pmpaddr[index - 1];
        *high = address;
        return;
    case MATCH_NA4:
        *low = address;
        *high = address + 1;
        return;
    default:
        ones = address ^ (address + 1); /* the trailing ones and the zero above them */
        *low = address & ~ones;
        *high = *low + ones + 1;
        return;
    }
}

bool pmp_allows(const struct hart *hart, uint64_t physical, uint64_t size, enum access access,
                uint32_t privilege)
{
    static const uint8_t needed[] = {
        [ACCESS_LOAD] = PMP_R, [ACCESS_STORE] = PMP_W, [ACCESS_FETCH] = PMP_X};
    const struct hart_state *state = hart->state;
    uint64_t first = physical >> 2, last = (physical + size - 1) >> 2;

    for (uint32_t i = 0; i < HART_PMP_COUNT; i++) {
        uint64_t low, high;
        if (match_of(state->pmpcfg[i]) == MATCH_OFF)
            continue;
        range_of(state, i, &low, &high);
        /* An empty TOR range matches nothing, not even an access across it (II 3.7.1.2). */
        if (low >= high || last < low || first >= high)
            continue;
        /* The lowest entry that matches any byte decides, and must match all (II 3.7.1.3). */
        if (first < low || last >= high)
            return false;
        if (privilege == PRIVILEGE_M && (state->pmpcfg[i] & PMP_L) == 0)
            return true;
        return (state->pmpcfg[i] & needed[access]) != 0;
    }
    return privilege == PRIVILEGE_M;
}
