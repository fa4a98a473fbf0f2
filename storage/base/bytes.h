/* bytes.h — integers at fixed byte orders in byte arrays, whatever the host's order or
 * alignment. */
#ifndef THAW_BASE_BYTES_H
#define THAW_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_LE16(v) (v)
#define BYTES_LE32(v) (v)
#define BYTES_LE64(v) (v)
#else
#define BYTES_LE16(v) __builtin_bswap16(v)
#define BYTES_LE32(v) __builtin_bswap32(v)
#define BYTES_LE64(v) __builtin_bswap64(v)
#endif

static inline uint16_t load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return BYTES_LE16(v);
}
static inline uint32_t load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return BYTES_LE32(v);
}
static inline uint64_t load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return BYTES_LE64(v);
}
static inline void store_le16(void *p, uint16_t v) { v = BYTES_LE16(v); memcpy(p, &v, 2); }
static inline void store_le32(void *p, uint32_t v) { v = BYTES_LE32(v); memcpy(p, &v, 4); }
static inline void store_le64(void *p, uint64_t v) { v = BYTES_LE64(v); memcpy(p, &v, 8); }

static inline uint16_t load_be16(const void *p) { return __builtin_bswap16(load_le16(p)); }
static inline uint32_t load_be32(const void *p) { return __builtin_bswap32(load_le32(p)); }
static inline uint64_t load_be64(const void *p) { return __builtin_bswap64(load_le64(p)); }
static inline void store_be16(void *p, uint16_t v) { store_le16(p, __builtin_bswap16(v)); }
static inline void store_be32(void *p, uint32_t v) { store_le32(p, __builtin_bswap32(v)); }
static inline void store_be64(void *p, uint64_t v) { store_le64(p, __builtin_bswap64(v)); }

#endif
