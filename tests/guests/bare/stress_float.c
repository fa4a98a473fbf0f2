#include "stress.h"

/* Operands lean to where the rules are: zeros, infinities, NaNs, subnormals and near-equal
 * exponents. */
static uint64_t operand(uint64_t *seed)
{
    uint64_t random = next_random(seed), kind = random & 15u, rest = next_random(seed);
    uint64_t sign = random & 0x8000000000000000u;

    switch (kind) {
    case 0:
        return sign;
    case 1:
        return sign | 0x7ff0000000000000u;
    case 2:
        return 0x7ff0000000000000u | rest >> 12 | 1u;
    case 3:
        return sign | rest >> 12;
    case 4:
        return rest;
    default:
        return sign | (uint64_t)(1023 - 8 + (random >> 8 & 15u)) << 52 | rest >> 12;
    }
}

static double as_double(uint64_t bits)
{
    double value;

    __asm__("fmv.d.x %0, %1" : "=f"(value) : "r"(bits));
    return value;
}

static float as_float(uint64_t bits)
{
    float value;

    __asm__("fmv.w.x %0, %1" : "=f"(value) : "r"(bits));
    return value;
}

static uint64_t double_bits(double value)
{
    uint64_t bits;

    __asm__("fmv.x.d %0, %1" : "=r"(bits) : "f"(value));
    return bits;
}

static uint64_t float_bits(float value)
{
    uint64_t bits;

    __asm__("fmv.x.w %0, %1" : "=r"(bits) : "f"(value));
    return bits;
}

#define DOUBLE(text, ...)                                                                          \
    do {                                                                                           \
        double to_;                                                                                \
        __asm__ volatile(text : "=f"(to_) : __VA_ARGS__);                                          \
        sum = mix(sum, double_bits(to_));                                                          \
    } while (0)
#define SINGLE(text, ...)                                                                          \
    do {                                                                                           \
        float to_;                                                                                 \
        __asm__ volatile(text : "=f"(to_) : __VA_ARGS__);                                          \
        sum = mix(sum, float_bits(to_));                                                           \
    } while (0)
#define WHOLE(text, ...)                                                                           \
    do {                                                                                           \
        uint64_t to_;                                                                              \
        __asm__ volatile(text : "=r"(to_) : __VA_ARGS__);                                          \
        sum = mix(sum, to_);                                                                       \
    } while (0)

static uint64_t do_doubles(uint64_t sum, uint64_t x, uint64_t y, uint64_t z)
{
    double a = as_double(x), b = as_double(y), c = as_double(z);

    DOUBLE("fadd.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fsub.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fmul.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fdiv.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fsqrt.d %0, %1", "f"(a));
    DOUBLE("fmadd.d %0, %1, %2, %3", "f"(a), "f"(b), "f"(c));
    DOUBLE("fnmsub.d %0, %1, %2, %3", "f"(a), "f"(b), "f"(c));
    DOUBLE("fmin.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fmax.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fsgnjx.d %0, %1, %2", "f"(a), "f"(b));
    DOUBLE("fcvt.d.l %0, %1", "r"(x));
    DOUBLE("fcvt.d.lu %0, %1", "r"(y));
    WHOLE("fcvt.l.d %0, %1", "f"(a));
    WHOLE("fcvt.wu.d %0, %1", "f"(b));
    WHOLE("feq.d %0, %1, %2", "f"(a), "f"(b));
    WHOLE("flt.d %0, %1, %2", "f"(a), "f"(b));
    WHOLE("fle.d %0, %1, %2", "f"(a), "f"(b));
    WHOLE("fclass.d %0, %1", "f"(a));
    SINGLE("fcvt.s.d %0, %1", "f"(a));
    return sum;
}

static uint64_t do_floats(uint64_t sum, uint64_t x, uint64_t y, uint64_t z)
{
    float a = as_float(x >> 32), b = as_float(y >> 32), c = as_float(z);

    SINGLE("fadd.s %0, %1, %2", "f"(a), "f"(b));
    SINGLE("fmul.s %0, %1, %2", "f"(a), "f"(b));
    SINGLE("fdiv.s %0, %1, %2", "f"(a), "f"(b));
    SINGLE("fsqrt.s %0, %1", "f"(b));
    SINGLE("fmsub.s %0, %1, %2, %3", "f"(a), "f"(b), "f"(c));
    SINGLE("fnmadd.s %0, %1, %2, %3", "f"(a), "f"(b), "f"(c));
    SINGLE("fcvt.s.w %0, %1", "r"(x));
    SINGLE("fcvt.s.lu %0, %1", "r"(y));
    WHOLE("fcvt.w.s %0, %1", "f"(a));
    WHOLE("fcvt.lu.s %0, %1", "f"(b));
    WHOLE("fle.s %0, %1, %2", "f"(a), "f"(b));
    WHOLE("fclass.s %0, %1", "f"(c));
    DOUBLE("fcvt.d.s %0, %1", "f"(a));
    return sum;
}

uint64_t stress_float(uint64_t *seed)
{
    uint64_t sum = 1;

    for (uint64_t mode = 0; mode < 5; mode++) {
        CSR_WRITE(fcsr, mode << 5);
        for (int i = 0; i < 24; i++) {
            uint64_t x = operand(seed), y = operand(seed), z = operand(seed);

            sum = do_doubles(sum, x, y, z);
            sum = do_floats(sum, x, y, z);
            sum = mix(sum, CSR_READ(fcsr));
            if (i % 3 == 0)
                CSR_WRITE(fflags, 0);
        }
    }
    CSR_WRITE(fcsr, 0);
    return sum;
}
