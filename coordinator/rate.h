/* rate.h — how often each of many peers may do something: a bucket of tokens for each key. Bounded:
 * a key whose bucket is full again is as good as one that was never seen, and makes room. */
#ifndef THAW_COORDINATOR_RATE_H
#define THAW_COORDINATOR_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_bucket {
    uint64_t full_ns; /* when it will be full again; 0: the place is free */
    uint32_t key;
};
struct rate_table {
    struct rate_bucket *buckets;
    size_t size;  /* a power of two */
    size_t count; /* in use */
    uint64_t token_ns;
    uint64_t burst_ns;
};

/* `rate` tokens a second, at most `burst` saved up, for up to `keys` keys. Each at least 1. */
void rate_table_init(struct rate_table *table, uint32_t rate, uint32_t burst, size_t keys);
void rate_table_release(struct rate_table *table);
/* Takes a token. False if there is none, or no room for one key more. Time never runs back. */
bool rate_take(struct rate_table *table, uint32_t key, uint64_t now_ns);

#endif
