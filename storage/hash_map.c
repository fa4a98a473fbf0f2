#include "storage/hash_map.h"

#include <string.h>

#define SLOTS_FIRST 64

/* The keys are SHA-256 values: any bytes of them are as good as a hash of them. */
static size_t first_slot(const struct hash_map *map, const struct hash *key)
{
    size_t start;

    memcpy(&start, key->bytes, sizeof start);
    return start & (map->slot_count - 1);
}

static struct hash_map_slot *find_slot(const struct hash_map *map, const struct hash *key)
{
    size_t i = first_slot(map, key);

    while (map->slots[i].used && !hash_equal(&map->slots[i].key, key))
        i = (i + 1) & (map->slot_count - 1);
    return &map->slots[i];
}

static void grow(struct hash_map *map)
{
    struct hash_map larger = {.count = map->count};

    larger.slot_count = map->slot_count == 0 ? SLOTS_FIRST : map->slot_count * 2;
    larger.slots = mem_array(larger.slot_count, sizeof *larger.slots);
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].used)
            *find_slot(&larger, &map->slots[i].key) = map->slots[i];
    mem_free(map->slots);
    *map = larger;
}

uint64_t *hash_map_add(struct hash_map *map, const struct hash *key, bool *made)
{
    struct hash_map_slot *slot;
    bool is_new;

    if (map->count >= map->slot_count / 2)
        grow(map);
    slot = find_slot(map, key);
    is_new = !slot->used;
    if (is_new) {
        *slot = (struct hash_map_slot){*key, 0, true};
        map->count++;
    }
    if (made != NULL)
        *made = is_new;
    return &slot->value;
}

uint64_t *hash_map_find(const struct hash_map *map, const struct hash *key)
{
    struct hash_map_slot *slot;

    if (map->slot_count == 0)
        return NULL;
    slot = find_slot(map, key);
    return slot->used ? &slot->value : NULL;
}

void hash_map_release(struct hash_map *map)
{
    mem_free(map->slots);
    *map = (struct hash_map){0};
}
