/* SHA-256 (FIPS 180-4, 6.2) for hosts without OpenSSL. */
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/hash.h"

#include <string.h>

#define BLOCK 64

struct hasher {
    uint32_t state[8];
    uint64_t size; /* bytes taken so far */
    uint8_t block[BLOCK];
};

/* FIPS 180-4, 4.2.2: of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, unsigned by)
{
    return word >> by | word << (32 - by);
}

/* 6.2.2, step 1. */
static void schedule(uint32_t *words, const uint8_t *block)
{
    for (unsigned i = 0; i < 16; i++)
        words[i] = load_be32(block + 4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + words[i - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void take_block(uint32_t *state, const uint8_t *block)
{
    uint32_t words[64], s[8];

    schedule(words, block);
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice +
                         constants[i] + words[i];
        uint32_t second = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += first;
        s[0] = first + second;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

static void begin(struct hasher *hasher)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(hasher->state, start, sizeof start);
    hasher->size = 0;
}

void hasher_add(struct hasher *hasher, struct span bytes)
{
    size_t held = (size_t)(hasher->size % BLOCK);

    hasher->size += bytes.size;
    if (held > 0 || bytes.size < BLOCK) {
        size_t most = BLOCK - held, take = bytes.size < most ? bytes.size : most;
        if (take > 0)
            memcpy(hasher->block + held, bytes.data, take);
        bytes.data += take;
        bytes.size -= take;
        if (held + take < BLOCK)
            return;
        take_block(hasher->state, hasher->block);
    }
    for (; bytes.size >= BLOCK; bytes.data += BLOCK, bytes.size -= BLOCK)
        take_block(hasher->state, bytes.data);
    if (bytes.size > 0)
        memcpy(hasher->block, bytes.data, bytes.size);
}

struct hash hasher_finish(struct hasher *hasher)
{
    uint8_t end[BLOCK + 8] = {0x80};
    uint64_t bits = hasher->size * 8;
    size_t fill = (size_t)((BLOCK + 56 - 1 - hasher->size % BLOCK) % BLOCK) + 1;
    struct hash out;

    store_be64(end + fill, bits);
    hasher_add(hasher, (struct span){end, fill + 8});
    for (unsigned i = 0; i < 8; i++)
        store_be32(out.bytes + 4 * i, hasher->state[i]);
    begin(hasher);
    return out;
}

struct hash hash_of(struct span bytes)
{
    struct hasher hasher;

    begin(&hasher);
    hasher_add(&hasher, bytes);
    return hasher_finish(&hasher);
}

struct hasher *hasher_new(void)
{
    struct hasher *hasher = mem_alloc(sizeof *hasher);

    begin(hasher);
    return hasher;
}

void hasher_free(struct hasher *hasher)
{
    mem_free(hasher);
}
