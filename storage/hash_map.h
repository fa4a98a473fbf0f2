/* hash_map.h — hashes to numbers, in memory. Grows as needed; entries are never taken out. Not
 * shared between threads by itself. */
#ifndef THAW_STORAGE_HASH_MAP_H
#define THAW_STORAGE_HASH_MAP_H

#include "storage/base/hash.h"

struct hash_map_slot {
    struct hash key;
    uint64_t value;
    bool used;
};
struct hash_map { /* zero-initialised: empty */
    struct hash_map_slot *slots;
    size_t slot_count; /* 0 or a power of two */
    size_t count;
};

/* The value's place, made with value 0 if there is none (*made says so; NULL is fine). Valid until
 * the next hash_map_add. */
uint64_t *hash_map_add(struct hash_map *map, const struct hash *key, bool *made);
/* NULL if there is none. */
uint64_t *hash_map_find(const struct hash_map *map, const struct hash *key);
static inline bool hash_map_has(const struct hash_map *map, const struct hash *key)
{
    return hash_map_find(map, key) != NULL;
}
void hash_map_release(struct hash_map *map);

#endif
