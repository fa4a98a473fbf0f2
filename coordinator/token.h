/* token.h — who may use the API: bearer tokens with roles, checked by the HTTP threads.
 *
 * The truth is the queue's database (coordinator/queue/tokens.h); this is a copy in memory that any
 * thread may ask. Only hashes are kept; they are compared in constant time, all of them, so that
 * neither the time nor the order tells anything. A token is "thaw_" and 64 hex digits of the
 * system's randomness, so a plain SHA-256 of it is as good as a slow one.
 *
 * Who fails often waits: each address has TOKEN_FAILURES_MAX failures in store, one comes back
 * every TOKEN_FAILURE_MS. A right token is taken all the same (else anybody behind the same address
 * could lock out the others), unless none is given. */
#ifndef THAW_COORDINATOR_TOKEN_H
#define THAW_COORDINATOR_TOKEN_H

#include "coordinator/queue/tokens.h"
#include "storage/base/clock.h"

#define TOKENS_MAX         65536u
#define TOKEN_TEXT_SIZE    (5 + 64 + 1)
#define TOKEN_FAILURES_MAX 20
#define TOKEN_FAILURE_MS   3000
#define TOKEN_ADDRESSES    4096 /* remembered; a failure more takes the place of an older one */

struct token_text {
    char text[TOKEN_TEXT_SIZE];
};
/* A new token, and the hash to keep. ERR_IO if the system has no randomness. */
bool token_make(struct token_text *text, struct hash *hash, struct err *err);
struct hash token_hash(const char *text);

struct token_table; /* opaque; safe between threads */
struct token_table *token_table_new(const struct clock_source *clock);
void token_table_free(struct token_table *table);
/* Changes the copy: after the queue has committed. Adding replaces one of that name. ERR_TOO_BIG
 * over TOKENS_MAX. */
bool token_table_add(struct token_table *table, const struct queue_token *token, struct err *err);
void token_table_remove(struct token_table *table, const char *name);

/* Who shows this token. ERR_ACCESS: unknown or expired; ERR_CONFLICT: so, and too often from this
 * address. `name` has QUEUE_TAG_MAX + 1 bytes. */
struct token_identity {
    enum queue_role role;
    char name[QUEUE_TAG_MAX + 1];
};
bool token_table_check(struct token_table *table, const char *text, const char *address,
                       struct token_identity *out, struct err *err);

struct token_figures {
    uint64_t tokens; /* now */
    uint64_t failures, limited;
};
void token_table_figures(struct token_table *table, struct token_figures *out);

#endif
