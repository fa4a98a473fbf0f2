/* hash.h — SHA-256 (FIPS 180-4), by OpenSSL's EVP: the name of every chunk, manifest and state. */
#ifndef THAW_BASE_HASH_H
#define THAW_BASE_HASH_H

#include "storage/base/buf.h"

#define HASH_SIZE     32
#define HASH_HEX_SIZE (2 * HASH_SIZE + 1)

struct hash {
    uint8_t bytes[HASH_SIZE]; /* all zero means "no bytes but zeros" where a format says so */
};
struct hash_hex {
    char text[HASH_HEX_SIZE];
};

struct hash hash_of(struct span bytes);
/* Hashes pieces one after the other. */
struct hasher; /* opaque, heap */
struct hasher *hasher_new(void);
void hasher_add(struct hasher *hasher, struct span bytes);
struct hash hasher_finish(struct hasher *hasher); /* the hasher starts anew */
void hasher_free(struct hasher *hasher);

bool hash_equal(const struct hash *a, const struct hash *b);
bool hash_is_zero(const struct hash *hash);
int hash_compare(const struct hash *a, const struct hash *b);
struct hash_hex hash_hex(const struct hash *hash);
/* 64 lower-case hex digits, no more, no less. ERR_INVALID otherwise. */
bool hash_parse(const char *text, struct hash *out, struct err *err);

#endif
