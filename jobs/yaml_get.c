#include "jobs/pattern.h"
#include "jobs/suggest.h"
#include "jobs/units.h"
#include "jobs/yaml_internal.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

#define KNOWN_MAX 800 /* bytes of a list of keys in a message */

bool yaml_node_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text_size == 0 || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

bool yaml_map_open(struct yaml *yaml, const struct yaml_node *node, const char *what,
                   struct yaml_map *out)
{
    *out = (struct yaml_map){.yaml = yaml, .node = node};
    if (node == NULL)
        return false; /* noted already */
    if (node->kind != YAML_MAP)
        return yaml_error(yaml, node, "%s is a map of `key: value` pairs, not %s", what,
                          node->kind == YAML_LIST ? "a list" : "one value");
    return true;
}

static const struct yaml_entry *find_entry(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->entries[i].key->text, key) == 0)
            return &map->entries[i];
    }
    return NULL;
}

const struct yaml_node *yaml_map_find(struct yaml_map *map, const char *key)
{
    const struct yaml_entry *entry = find_entry(map->node, key);
    size_t i = 0;

    while (i < map->asked_count && strcmp(map->asked[i], key) != 0)
        i++;
    if (i == map->asked_count) {
        CHECK(map->asked_count < YAML_KEYS_MAX);
        map->asked[map->asked_count++] = key;
    }
    return entry == NULL || yaml_node_is_null(entry->value) ? NULL : entry->value;
}

const struct yaml_node *yaml_map_need(struct yaml_map *map, const char *key)
{
    const struct yaml_node *node = yaml_map_find(map, key);

    if (node == NULL)
        yaml_error(map->yaml, map->node, "`%s:` is missing", key);
    return node;
}

const struct yaml_node *yaml_map_key(const struct yaml_map *map, const char *key)
{
    const struct yaml_entry *entry = find_entry(map->node, key);

    return entry == NULL ? NULL : entry->key;
}

static bool was_asked(const struct yaml_map *map, const char *key)
{
    for (size_t i = 0; i < map->asked_count; i++) {
        if (strcmp(map->asked[i], key) == 0)
            return true;
    }
    return false;
}

/* "`a`, `b`, …": what could have been meant. */
static void list_asked(const struct yaml_map *map, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < map->asked_count; i++) {
        if (used + strlen(map->asked[i]) + 8 > size) {
            snprintf(out + used, size - used, ", …");
            return;
        }
        used +=
            (size_t)snprintf(out + used, size - used, "%s`%s`", i == 0 ? "" : ", ", map->asked[i]);
    }
}

void yaml_map_close(struct yaml_map *map)
{
    char known[KNOWN_MAX];

    for (size_t i = 0; i < map->node->count; i++) {
        const struct yaml_node *key = map->node->entries[i].key;
        const char *near;

        if (was_asked(map, key->text))
            continue;
        near = suggest_name(key->text, map->asked, map->asked_count);
        if (near != NULL) {
            yaml_error(map->yaml, key, "unknown key `%.60s`; did you mean `%s`?", key->text, near);
            continue;
        }
        list_asked(map, known, sizeof known);
        yaml_error(map->yaml, key, "unknown key `%.60s`; known here: %s", key->text, known);
    }
}

bool yaml_node_text(struct yaml *yaml, const struct yaml_node *node, const char **out)
{
    if (node->kind != YAML_SCALAR)
        return yaml_error(yaml, node, "one value is expected here, not a %s",
                          node->kind == YAML_MAP ? "map" : "list");
    if (strlen(node->text) != node->text_size)
        return yaml_error(yaml, node, "a NUL byte has no place here");
    *out = node->text;
    return true;
}

bool yaml_node_pattern(struct yaml *yaml, const struct yaml_node *node, const char **out)
{
    struct err err = ERR_INIT;
    struct pattern *pattern;
    const char *text;

    if (!yaml_node_text(yaml, node, &text))
        return false;
    pattern = pattern_new(text, &err);
    if (pattern == NULL)
        return yaml_error(yaml, node, "%s", err.text);
    pattern_free(pattern);
    *out = text;
    return true;
}

/* The text under a key, and its node for messages; false if absent or no text. */
static bool find_text(struct yaml_map *map, const char *key, const struct yaml_node **node,
                      const char **out)
{
    *node = yaml_map_find(map, key);
    return *node != NULL && yaml_node_text(map->yaml, *node, out);
}

bool yaml_get_text(struct yaml_map *map, const char *key, const char **out)
{
    const struct yaml_node *node;

    return find_text(map, key, &node, out);
}

bool yaml_get_bool(struct yaml_map *map, const char *key, bool *out)
{
    struct err err = ERR_INIT;
    const struct yaml_node *node;
    const char *text;

    if (!find_text(map, key, &node, &text))
        return false;
    return units_bool(text, out, &err) || yaml_error(map->yaml, node, "`%s:` %s", key, err.text);
}

typedef bool parse_unit(const char *text, uint64_t *out, struct err *err);

static bool get_unit(struct yaml_map *map, const char *key, parse_unit *parse, uint64_t *out,
                     struct yaml_range range)
{
    struct err err = ERR_INIT;
    const struct yaml_node *node;
    const char *text;
    uint64_t value;

    if (!find_text(map, key, &node, &text))
        return false;
    if (!parse(text, &value, &err))
        return yaml_error(map->yaml, node, "`%s:` %s", key, err.text);
    if (value < range.min || value > range.max)
        return yaml_error(map->yaml, node, "`%s:` %s is out of range: %llu to %llu", key, text,
                          (unsigned long long)range.min, (unsigned long long)range.max);
    *out = value;
    return true;
}

bool yaml_get_number(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range)
{
    return get_unit(map, key, units_number, out, range);
}

bool yaml_get_instructions(struct yaml_map *map, const char *key, uint64_t *out,
                           struct yaml_range range)
{
    return get_unit(map, key, units_instructions, out, range);
}

bool yaml_get_bytes(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range)
{
    return get_unit(map, key, units_bytes, out, range);
}

bool yaml_get_hertz(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range)
{
    return get_unit(map, key, units_hertz, out, range);
}

bool yaml_get_duration_ns(struct yaml_map *map, const char *key, uint64_t *out,
                          struct yaml_range range)
{
    return get_unit(map, key, units_duration_ns, out, range);
}

bool yaml_get_date(struct yaml_map *map, const char *key, uint64_t *seconds)
{
    return get_unit(map, key, units_date, seconds, YAML_ANY);
}

bool yaml_get_choice(struct yaml_map *map, const char *key, const char *const *names, size_t count,
                     size_t *out)
{
    const struct yaml_node *node;
    const char *text, *near;
    char list[200] = "";

    if (!find_text(map, key, &node, &text))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
        if (strlen(list) + strlen(names[i]) + 5 < sizeof list) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s`%s`", i == 0 ? "" : ", ", names[i]);
        }
    }
    near = suggest_name(text, names, count);
    if (near != NULL)
        return yaml_error(map->yaml, node, "`%s:` unknown value `%.60s`; did you mean `%s`?", key,
                          text, near);
    return yaml_error(map->yaml, node, "`%s:` unknown value `%.60s`; one of %s", key, text, list);
}

bool yaml_get_pattern(struct yaml_map *map, const char *key, const char **out)
{
    const struct yaml_node *node = yaml_map_find(map, key);

    return node != NULL && yaml_node_pattern(map->yaml, node, out);
}

const struct yaml_node *yaml_get_list(struct yaml_map *map, const char *key, size_t max)
{
    const struct yaml_node *node = yaml_map_find(map, key);

    if (yaml_list_count(node) <= max)
        return node;
    yaml_error(map->yaml, node, "`%s:` %zu values; the limit is %zu", key, node->count, max);
    return NULL;
}

size_t yaml_list_count(const struct yaml_node *list)
{
    if (list == NULL)
        return 0;
    return list->kind == YAML_LIST ? list->count : 1;
}

const struct yaml_node *yaml_list_at(const struct yaml_node *list, size_t index)
{
    CHECK(index < yaml_list_count(list));
    return list->kind == YAML_LIST ? list->entries[index].value : list;
}

bool yaml_get_texts(struct yaml_map *map, const char *key, size_t max, const char *const **out,
                    size_t *count)
{
    const struct yaml_node *list = yaml_get_list(map, key, max);
    const char **texts;
    size_t total = yaml_list_count(list);

    if (list == NULL)
        return false;
    texts = pool_array(map->yaml->pool, total, sizeof *texts);
    for (size_t i = 0; i < total; i++) {
        if (!yaml_node_text(map->yaml, yaml_list_at(list, i), &texts[i]))
            return false;
    }
    *out = texts;
    *count = total;
    return true;
}
