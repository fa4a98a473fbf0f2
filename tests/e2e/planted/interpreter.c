/* interpreter.c — the interpreter with a fault planted in it, one of three kinds that unlike hosts
 * have had: `thaw verify` must find each and name its instruction. */
#include "sim/hart/interpreter.h"
#include "sim/hart/arithmetic.h"
#include "sim/hart/fp_fast.h"

#include "storage/base/bytes.h"

#if defined(PLANTED_ROUNDING)
/* An x87 rounds twice: to 64 bits, then to 53; once in 2048 times that is one too many. */
static inline uint64_t planted_mul(uint64_t a, uint64_t b, uint32_t rm, uint8_t *flags)
{
    uint64_t right = fp_fast_d_mul(a, b, rm, flags);
    uint64_t low = (a | UINT64_C(1) << 52) * (b | UINT64_C(1) << 52);

    return (low >> 41 & 0x7ff) == 0x400 && fp_d_is_plain(right) ? right ^ 1 : right;
}
#define fp_fast_d_mul planted_mul
#elif defined(PLANTED_ORDER)
/* Bytes of a word the wrong way round, where its two halves are much alike; and only where the page
 * was written to before: the interpreter's other way to memory is not touched. */
static inline void planted_store(void *p, uint32_t v)
{
    store_le32(p, ((v >> 16 ^ v) & 0xff) == 0x5a ? __builtin_bswap32(v) : v);
}
#define store_le32 planted_store
#elif defined(PLANTED_TRUNCATION)
/* A host of 32 bits that converts by way of its own word. */
static inline uint64_t planted_to_l(uint64_t a, uint32_t rm, uint8_t *flags)
{
    return sext32(fp_fast_d_to_l(a, rm, flags));
}
#define fp_fast_d_to_l planted_to_l
#endif

#include "sim/hart/interpreter.c"
