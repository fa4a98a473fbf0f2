#include "storage/base/hash.h"

#include "storage/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* Looking an algorithm up costs more than hashing a page, and so does making a context: each thread
 * keeps one of each, for its lifetime. */
static _Thread_local EVP_MD_CTX *thread_context;
static _Thread_local EVP_MD *thread_algorithm;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* holds nothing; its destructor runs in the thread that ends */

static void free_thread(void *unused)
{
    (void)unused;
    EVP_MD_CTX_free(thread_context);
    EVP_MD_free(thread_algorithm);
    thread_context = NULL;
    thread_algorithm = NULL;
}

static void make_key(void)
{
    CHECK(pthread_key_create(&key, free_thread) == 0);
}

/* The host's OpenSSL configuration file is not read: it costs a thaw a millisecond, and says
 * nothing that may change a SHA-256. */
static const EVP_MD *algorithm(void)
{
    if (thread_algorithm == NULL) {
        CHECK(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1);
        thread_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
        CHECK(pthread_once(&key_once, make_key) == 0);
        CHECK(pthread_setspecific(key, &thread_algorithm) == 0);
    }
    CHECK(thread_algorithm != NULL);
    return thread_algorithm;
}

static void digest(EVP_MD_CTX *context, struct span bytes, struct hash *out)
{
    unsigned size = HASH_SIZE;

    CHECK(EVP_DigestInit_ex2(context, algorithm(), NULL) == 1);
    CHECK(EVP_DigestUpdate(context, bytes.data, bytes.size) == 1);
    CHECK(EVP_DigestFinal_ex(context, out->bytes, &size) == 1);
}

struct hash hash_of(struct span bytes)
{
    struct hash out;

    if (thread_context == NULL)
        thread_context = EVP_MD_CTX_new();
    CHECK(thread_context != NULL);
    digest(thread_context, bytes, &out);
    return out;
}

struct hasher {
    EVP_MD_CTX *context;
};

struct hasher *hasher_new(void)
{
    struct hasher *hasher = mem_alloc(sizeof *hasher);

    hasher->context = EVP_MD_CTX_new();
    CHECK(hasher->context != NULL);
    CHECK(EVP_DigestInit_ex2(hasher->context, algorithm(), NULL) == 1);
    return hasher;
}

void hasher_add(struct hasher *hasher, struct span bytes)
{
    CHECK(EVP_DigestUpdate(hasher->context, bytes.data, bytes.size) == 1);
}

struct hash hasher_finish(struct hasher *hasher)
{
    struct hash out;
    unsigned size = HASH_SIZE;

    CHECK(EVP_DigestFinal_ex(hasher->context, out.bytes, &size) == 1);
    CHECK(EVP_DigestInit_ex2(hasher->context, algorithm(), NULL) == 1);
    return out;
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MD_CTX_free(hasher->context);
    mem_free(hasher);
}

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
