#include "coordinator/token.h"

#include "storage/base/check.h"
#include "storage/base/clock.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct token {
    struct hash hash;
    char name[QUEUE_TAG_MAX + 1];
    enum queue_role role;
    uint64_t expires_ms;
};

/* Failures of one address, or of all addresses that share the place. */
struct offender {
    struct hash address;
    uint64_t since_ns; /* failures are counted down from here */
    uint32_t failures;
};

struct token_table {
    const struct clock_source *clock;
    pthread_mutex_t lock; /* guards all that follows */
    struct token *tokens;
    size_t count, capacity;
    struct offender offenders[TOKEN_ADDRESSES];
    struct token_figures figures;
};

struct hash token_hash(const char *text)
{
    return hash_of(span_of_text(text));
}

bool token_make(struct token_text *text, struct hash *hash, struct err *err)
{
    struct hash random;
    size_t used = 0;

    while (used < sizeof random.bytes) {
        ssize_t got = getrandom(random.bytes + used, sizeof random.bytes - used, 0);

        if (got < 0 && errno != EINTR)
            return err_set_errno(err, errno, "no randomness for a token");
        used += got > 0 ? (size_t)got : 0;
    }
    snprintf(text->text, sizeof text->text, "thaw_%s", hash_hex(&random).text);
    *hash = token_hash(text->text);
    return true;
}

struct token_table *token_table_new(const struct clock_source *clock)
{
    struct token_table *table = mem_alloc(sizeof *table);

    table->clock = clock;
    CHECK(pthread_mutex_init(&table->lock, NULL) == 0);
    return table;
}

void token_table_free(struct token_table *table)
{
    if (table == NULL)
        return;
    pthread_mutex_destroy(&table->lock);
    mem_free(table->tokens);
    mem_free(table);
}

static void remove_name(struct token_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->tokens[i].name, name) != 0)
            continue;
        table->tokens[i] = table->tokens[--table->count];
        return;
    }
}

static void grow(struct token_table *table)
{
    size_t capacity = table->capacity != 0 ? 2 * table->capacity : 16;
    struct token *more = mem_array(capacity, sizeof *more);

    if (table->count != 0)
        memcpy(more, table->tokens, table->count * sizeof *more);
    mem_free(table->tokens);
    table->tokens = more;
    table->capacity = capacity;
}

bool token_table_add(struct token_table *table, const struct queue_token *token, struct err *err)
{
    struct token *place;
    bool ok;

    pthread_mutex_lock(&table->lock);
    remove_name(table, token->name);
    ok = table->count < TOKENS_MAX;
    if (ok && table->count == table->capacity)
        grow(table);
    if (ok) {
        place = &table->tokens[table->count++];
        *place = (struct token){token->hash, "", token->role, token->expires_ms};
        snprintf(place->name, sizeof place->name, "%s", token->name);
    }
    pthread_mutex_unlock(&table->lock);
    return ok || err_set(err, ERR_TOO_BIG, "there are %u tokens: remove some", TOKENS_MAX);
}

void token_table_remove(struct token_table *table, const char *name)
{
    pthread_mutex_lock(&table->lock);
    remove_name(table, name);
    pthread_mutex_unlock(&table->lock);
}

/* With the lock held. The failure of an address that nobody else has failed from since. */
static struct offender *offender_of(struct token_table *table, const char *address)
{
    struct hash hash = hash_of(span_of_text(address));
    size_t place = (size_t)(hash.bytes[0] | hash.bytes[1] << 8) % TOKEN_ADDRESSES;
    struct offender *offender = &table->offenders[place];

    if (!hash_equal(&offender->address, &hash))
        *offender = (struct offender){hash, 0, 0};
    return offender;
}

/* With the lock held. False: it has failed too often. */
static bool count_failure(struct token_table *table, const char *address)
{
    uint64_t now_ns = clock_monotonic_ns(table->clock);
    struct offender *offender = offender_of(table, address);
    uint64_t passed_ns = now_ns > offender->since_ns ? now_ns - offender->since_ns : 0;
    uint64_t back = passed_ns / (TOKEN_FAILURE_MS * NS_PER_MS);

    table->figures.failures++;
    if (offender->failures == 0 || back >= offender->failures)
        *offender = (struct offender){offender->address, now_ns, 0};
    else if (back != 0) {
        offender->failures -= (uint32_t)back;
        offender->since_ns += back * TOKEN_FAILURE_MS * NS_PER_MS;
    }
    if (offender->failures >= TOKEN_FAILURES_MAX) {
        table->figures.limited++;
        return false;
    }
    offender->failures++;
    return true;
}

/* With the lock held. Looks at every token, whatever it finds. */
static const struct token *find(const struct token_table *table, const struct hash *hash)
{
    const struct token *found = NULL;

    for (size_t i = 0; i < table->count; i++)
        if (CRYPTO_memcmp(table->tokens[i].hash.bytes, hash->bytes, HASH_SIZE) == 0)
            found = &table->tokens[i];
    return found;
}

bool token_table_check(struct token_table *table, const char *text, const char *address,
                       struct token_identity *out, struct err *err)
{
    struct hash hash = token_hash(text);
    uint64_t now_ms = clock_wall_ns(table->clock) / NS_PER_MS;
    const struct token *token;
    bool known, expired = false, again = true;

    pthread_mutex_lock(&table->lock);
    token = find(table, &hash);
    known = token != NULL;
    if (known) {
        expired = token->expires_ms != 0 && token->expires_ms <= now_ms;
        out->role = token->role;
        memcpy(out->name, token->name, sizeof out->name);
    }
    if (!known || expired)
        again = count_failure(table, address);
    pthread_mutex_unlock(&table->lock);
    if (known && !expired)
        return true;
    if (!again)
        return err_set(err, ERR_CONFLICT, "too many wrong tokens from %s: wait a while", address);
    return err_set(err, ERR_ACCESS,
                   expired ? "this token has expired: ask for another one"
                           : "this token is not known here");
}

void token_table_figures(struct token_table *table, struct token_figures *out)
{
    pthread_mutex_lock(&table->lock);
    *out = table->figures;
    out->tokens = table->count;
    pthread_mutex_unlock(&table->lock);
}
