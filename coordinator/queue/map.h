/* map.h — from a number to a pointer, in memory: open addressing, grows by doubling. */
#ifndef THAW_COORDINATOR_QUEUE_MAP_H
#define THAW_COORDINATOR_QUEUE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    uint64_t key;
    void *value; /* NULL: free */
};
struct map {
    struct map_entry *entries;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

#define MAP_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void *map_get(const struct map *map, uint64_t key);
/* Replaces what is there. `value` is not NULL. */
void map_put(struct map *map, uint64_t key, void *value);
/* Returns what was there, or NULL. */
void *map_take(struct map *map, uint64_t key);
/* All values in no order: start with *at = 0; NULL at the end. The map must not change meanwhile.
 */
void *map_next(const struct map *map, size_t *at);
void map_release(struct map *map);

#endif
