#include "coordinator/peer_table.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

void peer_table_init(struct peer_table *table, size_t agents_max, size_t enrol_max)
{
    size_t buckets = 64;

    CHECK(agents_max + enrol_max <= UINT16_MAX);
    while (buckets < agents_max)
        buckets *= 2;
    table->agents_max = agents_max;
    table->enrol_max = enrol_max;
    table->bucket_count = buckets;
    table->seed = seal_random();
    table->buckets = mem_array(buckets, sizeof *table->buckets);
    table->peers = mem_array(agents_max + enrol_max, sizeof *table->peers);
}

static void peer_free(struct peer *peer)
{
    for (int i = 0; i < SEAL_CHANNELS; i++)
        buf_release(&peer->conversations[i].answer);
    seal_wipe(&peer->pair, sizeof peer->pair);
    mem_free(peer);
}

void peer_table_release(struct peer_table *table)
{
    for (size_t i = 0; i < table->agents_max + table->enrol_max; i++)
        if (table->peers[i] != NULL)
            peer_free(table->peers[i]);
    mem_free(table->peers);
    mem_free(table->buckets);
}

static struct peer **bucket_of(const struct peer_table *table, struct span sender)
{
    uint64_t hash = table->seed;

    for (size_t i = 0; i + 8 <= sender.size; i += 8) {
        hash = (hash ^ load_le64(sender.data + i)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static struct span sender_of(const struct peer *peer)
{
    return (struct span){peer->sender, peer->sender_size};
}

struct peer *peer_table_find(const struct peer_table *table, struct span sender)
{
    struct peer *peer = *bucket_of(table, sender);

    while (peer != NULL && !span_equal(sender_of(peer), sender))
        peer = peer->next;
    return peer;
}

static void table_remove(struct peer_table *table, struct peer *peer)
{
    struct peer **link = bucket_of(table, sender_of(peer));

    while (*link != peer)
        link = &(*link)->next;
    *link = peer->next;
    table->peers[peer->index] = NULL;
    peer_free(peer);
}

static bool is_touched(const struct peer *peer)
{
    for (int i = 0; i < SEAL_CHANNELS; i++)
        if (peer->conversations[i].touched)
            return true;
    return false;
}

/* A free index of [first, first + count), made free if need be; SIZE_MAX if all are in use. */
static size_t make_room(struct peer_table *table, size_t first, size_t count)
{
    struct peer *oldest = NULL;
    size_t index;

    for (size_t i = first; i < first + count; i++) {
        struct peer *peer = table->peers[i];

        if (peer == NULL)
            return i;
        if (!is_touched(peer) && (oldest == NULL || peer->heard < oldest->heard))
            oldest = peer;
    }
    if (oldest == NULL)
        return SIZE_MAX;
    index = oldest->index;
    table_remove(table, oldest);
    return index;
}

struct peer *peer_table_add(struct peer_table *table, struct span sender)
{
    bool enrols = sender.size == SEAL_KEY_SIZE;
    size_t index = enrols ? make_room(table, table->agents_max, table->enrol_max)
                          : make_room(table, 0, table->agents_max);
    struct peer **bucket = bucket_of(table, sender);
    struct peer *peer;

    if (index == SIZE_MAX)
        return NULL;
    peer = mem_alloc(sizeof *peer);
    memcpy(peer->sender, sender.data, sender.size);
    peer->sender_size = sender.size;
    peer->index = (uint32_t)index;
    for (int i = 0; i < SEAL_CHANNELS; i++)
        peer->conversations[i].answer = (struct buf)BUF_INIT(SEAL_BYTES_MAX);
    peer->next = *bucket;
    *bucket = peer;
    table->peers[index] = peer;
    return peer;
}

struct peer *peer_table_at(const struct peer_table *table, uint32_t index)
{
    return index < table->agents_max + table->enrol_max ? table->peers[index] : NULL;
}
