#include "coordinator/rate.h"

#include "storage/base/buf.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

void rate_table_init(struct rate_table *table, uint32_t rate, uint32_t burst, size_t keys)
{
    CHECK(rate >= 1 && burst >= 1 && keys >= 1);
    table->size = 16;
    while (table->size < 2 * keys)
        table->size *= 2;
    table->count = 0;
    table->token_ns = rate > NS_PER_S ? 1 : NS_PER_S / rate;
    table->burst_ns = table->token_ns * burst;
    table->buckets = mem_array(table->size, sizeof *table->buckets);
}

void rate_table_release(struct rate_table *table)
{
    mem_free(table->buckets);
    table->buckets = NULL;
}

/* The place of the key, or the free one where it would be. */
static struct rate_bucket *find(const struct rate_table *table, uint32_t key)
{
    size_t at = (key * UINT32_C(2654435769)) & (table->size - 1);

    while (table->buckets[at].full_ns != 0 && table->buckets[at].key != key)
        at = (at + 1) & (table->size - 1);
    return &table->buckets[at];
}

/* Leaves out everybody whose bucket is full. */
static void make_room(struct rate_table *table, uint64_t now_ns)
{
    struct rate_bucket *old = table->buckets;

    table->buckets = mem_array(table->size, sizeof *table->buckets);
    table->count = 0;
    for (size_t i = 0; i < table->size; i++) {
        if (old[i].full_ns <= now_ns)
            continue;
        *find(table, old[i].key) = old[i];
        table->count++;
    }
    mem_free(old);
}

bool rate_take(struct rate_table *table, uint32_t key, uint64_t now_ns)
{
    struct rate_bucket *bucket = find(table, key);

    if (bucket->full_ns == 0) {
        if (table->count >= table->size / 2) {
            make_room(table, now_ns);
            bucket = find(table, key);
        }
        if (table->count >= table->size / 2)
            return false;
        table->count++;
        *bucket = (struct rate_bucket){now_ns + table->token_ns, key};
        return true;
    }
    if (bucket->full_ns < now_ns)
        bucket->full_ns = now_ns;
    if (bucket->full_ns + table->token_ns > now_ns + table->burst_ns)
        return false;
    bucket->full_ns += table->token_ns;
    return true;
}
