#include "storage/base/hash.h"

#include <string.h>

bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

int hash_compare(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_SIZE);
}

bool hash_is_zero(const struct hash *hash)
{
    static const struct hash zero;

    return hash_equal(hash, &zero);
}

struct hash_hex hash_hex(const struct hash *hash)
{
    static const char digits[] = "0123456789abcdef";
    struct hash_hex hex;

    for (size_t i = 0; i < HASH_SIZE; i++) {
        hex.text[2 * i] = digits[hash->bytes[i] >> 4];
        hex.text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    hex.text[2 * HASH_SIZE] = 0;
    return hex;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

bool hash_parse(const char *text, struct hash *out, struct err *err)
{
    struct hash hash;

    if (strlen(text) != 2 * HASH_SIZE)
        return err_set(err, ERR_INVALID, "\"%.80s\" is not an id: 64 lower-case hex digits", text);
    for (size_t i = 0; i < HASH_SIZE; i++) {
        int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "\"%.80s\" is not an id: 64 lower-case hex digits",
                           text);
        hash.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = hash;
    return true;
}
