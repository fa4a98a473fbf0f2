/* F and D: the unprivileged manual's chapters. Constants worked out by hand from IEEE 754; the
 * broad comparison against SoftFloat is the simulator's own test, this one is for what the manual
 * adds: NaN boxing, canonical NaNs, flags, rounding modes, conversions out of range, FS. */
#include "isa.h"

enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
enum { RNE = 0, RTZ = 1, RDN = 2, RUP = 3, RMM = 4 };

#define ONE      0x3ff0000000000000u
#define TWO      0x4000000000000000u
#define THREE    0x4008000000000000u
#define HALF     0x3fe0000000000000u
#define TENTH    0x3fb999999999999au
#define INFINITE 0x7ff0000000000000u
#define QUIET    0x7ff8000000000000u
#define SIGNAL   0x7ff0000000000001u
#define LARGEST  0x7fefffffffffffffu
#define SMALLEST 1u
#define MINUS    0x8000000000000000u
#define BOX      0xffffffff00000000u

/* A D instruction on bit patterns; flags are cleared before. */
#define D2(name, a, b)                                                                             \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n fmv.d.x ft0, %1\n fmv.d.x ft1, %2\n " name           \
                         " ft2, ft0, ft1\n fmv.x.d %0, ft2"                                        \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a)), "r"((uint64_t)(b))                                  \
                         : "ft0", "ft1", "ft2");                                                   \
        to_;                                                                                       \
    })
#define D3(name, a, b, c)                                                                          \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n fmv.d.x ft0, %1\n fmv.d.x ft1, %2\n fmv.d.x ft3, "   \
                         "%3\n " name " ft2, ft0, ft1, ft3\n fmv.x.d %0, ft2"                      \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a)), "r"((uint64_t)(b)), "r"((uint64_t)(c))              \
                         : "ft0", "ft1", "ft2", "ft3");                                            \
        to_;                                                                                       \
    })
#define D1(name, a)                                                                                \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n fmv.d.x ft0, %1\n " name                             \
                         " ft2, ft0\n fmv.x.d %0, ft2"                                             \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a))                                                      \
                         : "ft0", "ft2");                                                          \
        to_;                                                                                       \
    })
/* FP to integer register, one or two operands; and integer to FP. */
#define DX1(name, a)                                                                               \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n fmv.d.x ft0, %1\n " name                             \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a))                                                      \
                         : "ft0");                                                                 \
        to_;                                                                                       \
    })
#define DX2(name, a, b)                                                                            \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n fmv.d.x ft0, %1\n fmv.d.x ft1, %2\n " name           \
                         " %0, ft0, ft1"                                                           \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a)), "r"((uint64_t)(b))                                  \
                         : "ft0", "ft1");                                                          \
        to_;                                                                                       \
    })
#define XD(name, a)                                                                                \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile("csrw fflags, zero\n " name " ft2, %1\n fmv.x.d %0, ft2"                  \
                         : "=r"(to_)                                                               \
                         : "r"((uint64_t)(a))                                                      \
                         : "ft2");                                                                 \
        to_;                                                                                       \
    })
#define FLAGS(expression, want, want_flags)                                                        \
    do {                                                                                           \
        uint64_t got_ = (expression);                                                              \
        CHECK_EQUAL(got_, want);                                                                   \
        CHECK_EQUAL(CSR_READ(fflags), want_flags);                                                 \
    } while (0)

static void arithmetic(void)
{
    FLAGS(D2("fadd.d", ONE, TWO), THREE, 0);
    FLAGS(D2("fsub.d", ONE, ONE), 0, 0);
    FLAGS(D2("fmul.d", TWO, HALF), ONE, 0);
    FLAGS(D2("fdiv.d", ONE, THREE), 0x3fd5555555555555u, NX);
    FLAGS(D2("fdiv.d", ONE, 0), INFINITE, DZ);
    FLAGS(D2("fdiv.d", ONE, MINUS), INFINITE | MINUS, DZ);
    FLAGS(D2("fdiv.d", 0, 0), QUIET, NV);
    FLAGS(D2("fsub.d", INFINITE, INFINITE), QUIET, NV);
    FLAGS(D2("fmul.d", INFINITE, 0), QUIET, NV);
    FLAGS(D2("fadd.d", LARGEST, LARGEST), INFINITE, OF | NX);
    FLAGS(D2("fmul.d", SMALLEST, HALF), 0, UF | NX);
    FLAGS(D2("fmul.d", 0x0010000000000000u, HALF), 0x0008000000000000u, 0);
    /* Any NaN gives the canonical one, a signalling one raises NV. */
    FLAGS(D2("fadd.d", QUIET | MINUS | 5u, ONE), QUIET, 0);
    FLAGS(D2("fadd.d", SIGNAL, ONE), QUIET, NV);
    FLAGS(D1("fsqrt.d", 0x4010000000000000u), TWO, 0);
    FLAGS(D1("fsqrt.d", TWO), 0x3ff6a09e667f3bcdu, NX);
    FLAGS(D1("fsqrt.d", ONE | MINUS), QUIET, NV);
    FLAGS(D1("fsqrt.d", MINUS), MINUS, 0);
    /* Fused: 1.1 * 1.1 - 1.21 with one rounding. */
    FLAGS(D3("fmadd.d", TWO, THREE, ONE), 0x401c000000000000u, 0);
    FLAGS(D3("fmsub.d", TWO, THREE, ONE), 0x4014000000000000u, 0);
    FLAGS(D3("fnmadd.d", TWO, THREE, ONE), 0xc01c000000000000u, 0);
    FLAGS(D3("fnmsub.d", TWO, THREE, ONE), 0xc014000000000000u, 0);
    FLAGS(D3("fmsub.d", 0x3ff0000000000001u, 0x3ff0000000000001u, 0x3ff0000000000002u),
          0x3970000000000000u, 0);
    /* inf * 0 + quiet NaN raises NV. */
    FLAGS(D3("fmadd.d", INFINITE, 0, QUIET), QUIET, NV);
}

static void rounding(void)
{
    static const uint64_t want_third[5] = {0x3fd5555555555555u, 0x3fd5555555555555u,
                                           0x3fd5555555555555u, 0x3fd5555555555556u,
                                           0x3fd5555555555555u};
    static const uint64_t want_large[5] = {INFINITE, LARGEST, LARGEST, INFINITE, INFINITE};
    static const int64_t want_whole[5] = {2, 2, 2, 3, 3}; /* 2.5 */

    for (uint64_t mode = 0; mode < 5; mode++) {
        CSR_WRITE(frm, mode);
        CHECK_EQUAL(CSR_READ(fcsr) >> 5, mode);
        FLAGS(D2("fdiv.d", ONE, THREE), want_third[mode], NX);
        FLAGS(D2("fadd.d", LARGEST, LARGEST), want_large[mode], OF | NX);
        FLAGS(DX1("fcvt.l.d %0, ft0, dyn", 0x4004000000000000u), want_whole[mode], NX);
        /* x - x is +0 but for rounding down. */
        FLAGS(D2("fsub.d", ONE, ONE), mode == RDN ? MINUS : 0, 0);
    }
    CSR_WRITE(frm, 0);
    FLAGS(DX1("fcvt.l.d %0, ft0, rtz", 0xc004000000000000u), -2, NX);
    FLAGS(DX1("fcvt.l.d %0, ft0, rdn", 0xc004000000000000u), -3, NX);
    FLAGS(DX1("fcvt.l.d %0, ft0, rmm", 0xc004000000000000u), -3, NX);
    /* Reserved modes: in the instruction (5), and dynamic with frm 5 to 7. Instructions that do not
     * round do not look. */
    CHECK_TRAPS(CAUSE_ILLEGAL,
                __asm__ volatile(".word 0x02105053")); /* fadd.d ft0, ft0, ft1, rm 5 */
    for (uint64_t mode = 5; mode < 8; mode++) {
        CSR_WRITE(frm, mode);
        CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("fadd.d ft0, ft0, ft1, dyn" ::: "ft0"));
        CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("fcvt.w.s t0, ft1, dyn" ::: "t0"));
        CHECK_NO_TRAP(__asm__ volatile("fsgnj.d ft0, ft0, ft1\n feq.d t0, ft0, ft1" ::
                                           : "ft0", "t0"));
    }
    CSR_WRITE(fcsr, 0);
}

static void comparing(void)
{
    FLAGS(D2("fmin.d", 0, MINUS), MINUS, 0);
    FLAGS(D2("fmax.d", MINUS, 0), 0, 0);
    FLAGS(D2("fmin.d", QUIET, ONE), ONE, 0);
    FLAGS(D2("fmax.d", ONE, SIGNAL), ONE, NV);
    FLAGS(D2("fmin.d", QUIET | MINUS, QUIET | 3u), QUIET, 0);
    FLAGS(DX2("feq.d", 0, MINUS), 1, 0);
    FLAGS(DX2("feq.d", QUIET, ONE), 0, 0);
    FLAGS(DX2("feq.d", SIGNAL, ONE), 0, NV);
    FLAGS(DX2("flt.d", QUIET, ONE), 0, NV);
    FLAGS(DX2("fle.d", ONE, QUIET), 0, NV);
    FLAGS(DX2("flt.d", MINUS | ONE, ONE), 1, 0);
    FLAGS(DX2("fle.d", ONE, ONE), 1, 0);
    FLAGS(D2("fsgnj.d", ONE, MINUS), ONE | MINUS, 0);
    FLAGS(D2("fsgnjn.d", SIGNAL, MINUS), SIGNAL, 0);
    FLAGS(D2("fsgnjx.d", ONE | MINUS, MINUS), ONE, 0);
    static const struct {
        uint64_t value, class;
    } classes[] = {
        {INFINITE | MINUS, 0}, {ONE | MINUS, 1}, {SMALLEST | MINUS, 2}, {MINUS, 3},  {0, 4},
        {SMALLEST, 5},         {ONE, 6},         {INFINITE, 7},         {SIGNAL, 8}, {QUIET, 9},
    };
    for (unsigned i = 0; i < 10; i++)
        FLAGS(DX1("fclass.d %0, ft0", classes[i].value), 1u << classes[i].class, 0);
}

static void converting(void)
{
    FLAGS(DX1("fcvt.w.d %0, ft0, rne", INFINITE), 0x7fffffff, NV);
    FLAGS(DX1("fcvt.w.d %0, ft0, rne", INFINITE | MINUS), sign32(0x80000000), NV);
    FLAGS(DX1("fcvt.w.d %0, ft0, rne", QUIET | MINUS), 0x7fffffff, NV);
    FLAGS(DX1("fcvt.wu.d %0, ft0, rne", QUIET), ~0ull, NV);
    FLAGS(DX1("fcvt.wu.d %0, ft0, rne", ONE | MINUS), 0, NV);
    FLAGS(DX1("fcvt.wu.d %0, ft0, rtz", HALF | MINUS), 0, NX);
    FLAGS(DX1("fcvt.wu.d %0, ft0, rne", 0x41efffffffe00000u), ~0ull, 0);
    FLAGS(DX1("fcvt.l.d %0, ft0, rne", 0x43e0000000000000u), 0x7fffffffffffffffu, NV);
    FLAGS(DX1("fcvt.l.d %0, ft0, rne", 0xc3e0000000000000u), MINUS, 0);
    FLAGS(DX1("fcvt.lu.d %0, ft0, rne", 0x43e0000000000000u), MINUS, 0);
    FLAGS(DX1("fcvt.lu.d %0, ft0, rne", 0x43f0000000000000u), ~0ull, NV);
    FLAGS(DX1("fcvt.lu.d %0, ft0, rne", INFINITE | MINUS), 0, NV);
    FLAGS(XD("fcvt.d.w", 0xffffffffu), ONE | MINUS, 0);
    FLAGS(XD("fcvt.d.wu", 0xffffffffffffffffu), 0x41efffffffe00000u, 0);
    FLAGS(XD("fcvt.d.l", MINUS), 0xc3e0000000000000u, 0);
    FLAGS(XD("fcvt.d.lu", ~0ull), 0x43f0000000000000u, NX);
    FLAGS(XD("fcvt.s.lu", ~0ull), BOX | 0x5f800000u, NX);
    FLAGS(XD("fcvt.s.w", 16777217), BOX | 0x4b800000u, NX);
    FLAGS(D1("fcvt.s.d", TENTH), BOX | 0x3dcccccdu, NX);
    FLAGS(D1("fcvt.s.d", SIGNAL), BOX | 0x7fc00000u, NV);
    FLAGS(D1("fcvt.s.d", LARGEST), BOX | 0x7f800000u, OF | NX);
    FLAGS(D1("fcvt.d.s", BOX | 0x3dcccccdu), 0x3fb99999a0000000u, 0);
    FLAGS(D1("fcvt.d.s", BOX | 0x7f800001u), QUIET, NV);
    FLAGS(D1("fcvt.d.s", BOX | 1u), 0x36a0000000000000u, 0);
}

static void boxing(void)
{
    static uint64_t cell;
    uint64_t got;

    /* A single not boxed in ones reads as the canonical NaN, in arithmetic, comparison and sign
     * injection. */
    FLAGS(D2("fadd.s", BOX | 0x3f800000u, BOX | 0x40000000u), BOX | 0x40400000u, 0);
    FLAGS(D2("fadd.s", 0x3f800000u, BOX | 0x40000000u), BOX | 0x7fc00000u, 0);
    FLAGS(D2("fsgnj.s", 0x3f800000u, BOX | 0x80000000u), BOX | 0xffc00000u, 0);
    FLAGS(D2("fmax.s", 0x3f800000u, BOX | 0x40000000u), BOX | 0x40000000u, 0);
    FLAGS(DX2("feq.s", 0x3f800000u, 0x3f800000u), 0, 0);
    FLAGS(DX1("fclass.s %0, ft0", 0x3f800000u), 1u << 9, 0);
    /* FMV.X.W takes the low bits as they are, sign-extended; FLW boxes, FSW does not look. */
    FLAGS(DX1("fmv.x.w %0, ft0", 0x12345678bf800000u), sign32(0xbf800000u), 0);
    FLAGS(XD("fmv.w.x", 0x12345678bf800000u), BOX | 0xbf800000u, 0);
    cell = 0x1234567840490fdbu;
    __asm__ volatile("flw ft0, 0(%1)\n fmv.x.d %0, ft0" : "=r"(got) : "r"(&cell) : "ft0", "memory");
    CHECK_EQUAL(got, BOX | 0x40490fdbu);
    __asm__ volatile("fmv.d.x ft0, %1\n fsw ft0, 4(%0)" ::"r"(&cell), "r"(0x1111222233334444u)
                     : "ft0", "memory");
    CHECK_EQUAL(cell, 0x3333444440490fdbu);
    __asm__ volatile("fmv.d.x ft0, %1\n fsd ft0, 0(%0)\n fld ft1, 0(%0)\n fmv.x.d %0, ft1"
                     : "=r"(got)
                     : "r"(SIGNAL), "0"(&cell)
                     : "ft0", "ft1", "memory");
    CHECK_EQUAL(got, SIGNAL);
    FLAGS(D2("fdiv.s", BOX | 0x3f800000u, BOX | 0x40400000u), BOX | 0x3eaaaaabu, NX);
    FLAGS(D1("fsqrt.s", BOX | 0x40000000u), BOX | 0x3fb504f3u, NX);
    FLAGS(D2("fmul.s", BOX | 0x00000001u, BOX | 0x3f000000u), BOX | 0u, UF | NX);
    /* Tininess is after rounding: just below the smallest normal, rounded up to it, is no
     * underflow. */
    FLAGS(D2("fmul.s", BOX | 0x3f7fffffu, BOX | 0x00800001u), BOX | 0x00800000u, NX);
    FLAGS(D3("fmadd.s", BOX | 0x3f800001u, BOX | 0x3f800001u, BOX | 0xbf800002u), BOX | 0x28800000u,
          0);
}

static void state_field(void)
{
    CSR_CLEAR(mstatus, MSTATUS_FS);
    CHECK_EQUAL(CSR_READ(mstatus) >> 63, 0);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("fadd.d ft0, ft0, ft0" ::: "ft0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("flw ft0, 0(sp)" ::: "ft0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, fcsr" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, fflags" ::: "t0"));
    CSR_SET(mstatus, 1u << 13);
    CHECK_NO_TRAP(__asm__ volatile("fmv.d.x ft0, zero" ::: "ft0"));
    CHECK_EQUAL(CSR_READ(mstatus) & MSTATUS_FS, MSTATUS_FS); /* dirty now */
    CHECK_EQUAL(CSR_READ(mstatus) >> 63, 1);                 /* SD */
    CSR_CLEAR(mstatus, MSTATUS_FS);
    CSR_SET(mstatus, 2u << 13);
    CSR_WRITE(fflags, 0);
    CHECK_EQUAL(CSR_READ(mstatus) & MSTATUS_FS, MSTATUS_FS);
    CSR_WRITE(fcsr, ~0ull);
    CHECK_EQUAL(CSR_READ(fcsr), 0xff);
    CHECK_EQUAL(CSR_READ(fflags), 0x1f);
    CSR_WRITE(fcsr, 0);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    CSR_WRITE(fcsr, 0);
    arithmetic();
    rounding();
    comparing();
    converting();
    boxing();
    state_field();
    return 0;
}
