/* M: multiplication and division, the unprivileged manual's chapter. Products are checked by sums
 * of 32-bit ones. */
#include "isa.h"

static uint64_t high_unsigned(uint64_t a, uint64_t b)
{
    uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (middle & 0xffffffffu);

    return ah * bh + (middle >> 32) + (other >> 32);
}

static uint64_t high_mixed(uint64_t a, uint64_t b)
{
    return high_unsigned(a, b) - ((int64_t)a < 0 ? b : 0);
}

static uint64_t high_signed(uint64_t a, uint64_t b)
{
    return high_mixed(a, b) - ((int64_t)b < 0 ? a : 0);
}

/* By shift and subtract, so that no division instruction checks another. */
static uint64_t divide(uint64_t a, uint64_t b, uint64_t *rest)
{
    uint64_t quotient = 0, r = 0;

    for (int bit = 63; bit >= 0; bit--) {
        uint64_t carry = r >> 63;

        r = r << 1 | (a >> bit & 1u);
        if (carry || r >= b) {
            r -= b;
            quotient |= 1ull << bit;
        }
    }
    *rest = r;
    return quotient;
}

static uint64_t want_div(uint64_t a, uint64_t b, bool want_rest)
{
    uint64_t rest, quotient, x = (int64_t)a < 0 ? -a : a, y = (int64_t)b < 0 ? -b : b;

    if (b == 0)
        return want_rest ? a : ~0ull;
    quotient = divide(x, y, &rest);
    if (want_rest)
        return (int64_t)a < 0 ? -rest : rest;
    return (int64_t)(a ^ b) < 0 ? -quotient : quotient;
}

static uint64_t want_divu(uint64_t a, uint64_t b, bool want_rest)
{
    uint64_t rest, quotient;

    if (b == 0)
        return want_rest ? a : ~0ull;
    quotient = divide(a, b, &rest);
    return want_rest ? rest : quotient;
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    CHECK_PAIRS("mulhu", high_unsigned(a, b));
    CHECK_PAIRS("mulhsu", high_mixed(a, b));
    CHECK_PAIRS("mulh", high_signed(a, b));
    CHECK_PAIRS("mul", (a & 0xffffffffu) * (b & 0xffffffffu) +
                           (((a >> 32) * (b & 0xffffffffu) + (b >> 32) * (a & 0xffffffffu)) << 32));
    CHECK_PAIRS("mulw", sign32((a & 0xffffffffu) * (b & 0xffffffffu)));
    CHECK_PAIRS("div", want_div(a, b, false));
    CHECK_PAIRS("rem", want_div(a, b, true));
    CHECK_PAIRS("divu", want_divu(a, b, false));
    CHECK_PAIRS("remu", want_divu(a, b, true));
    CHECK_PAIRS("divw", sign32(want_div(sign32(a), sign32(b), false)));
    CHECK_PAIRS("remw", sign32(want_div(sign32(a), sign32(b), true)));
    CHECK_PAIRS("divuw", sign32(want_divu((uint32_t)a, (uint32_t)b, false)));
    CHECK_PAIRS("remuw", sign32(want_divu((uint32_t)a, (uint32_t)b, true)));
    return 0;
}
