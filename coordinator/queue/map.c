#include "coordinator/queue/map.h"

#include "storage/base/buf.h"

static size_t place_of(const struct map *map, uint64_t key)
{
    uint64_t mixed = key * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: spreads neighbours */

    return (size_t)(mixed >> 32) & (map->capacity - 1);
}

static struct map_entry *find(const struct map *map, uint64_t key)
{
    size_t at = place_of(map, key);

    while (map->entries[at].value && map->entries[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->capacity ? find(map, key)->value : NULL;
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->capacity = old.capacity ? 2 * old.capacity : 16;
    map->entries = mem_array(map->capacity, sizeof(*map->entries));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].value)
            *find(map, old.entries[i].key) = old.entries[i];
    mem_free(old.entries);
}

void map_put(struct map *map, uint64_t key, void *value)
{
    if (4 * (map->count + 1) > 3 * map->capacity)
        grow(map);
    struct map_entry *entry = find(map, key);
    map->count += !entry->value;
    *entry = (struct map_entry){key, value};
}

void *map_take(struct map *map, uint64_t key)
{
    if (!map->capacity)
        return NULL;
    struct map_entry *entry = find(map, key);
    void *value = entry->value;
    if (!value)
        return NULL;
    map->count--;
    entry->value = NULL;
    /* Those that went past this place to find theirs move up, so that none is cut off. */
    size_t at = (size_t)(entry - map->entries);
    for (;;) {
        at = (at + 1) & (map->capacity - 1);
        struct map_entry moved = map->entries[at];
        if (!moved.value)
            return value;
        map->entries[at].value = NULL;
        *find(map, moved.key) = moved;
    }
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->capacity) {
        void *value = map->entries[*at].value;
        ++*at;
        if (value)
            return value;
    }
    return NULL;
}

void map_release(struct map *map)
{
    mem_free(map->entries);
    *map = (struct map)MAP_INIT;
}
