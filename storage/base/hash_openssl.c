/* SHA-256 by OpenSSL, which knows what the processor has for it. */
#include "storage/base/hash.h"

#include "storage/base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

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
