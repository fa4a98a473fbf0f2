/* yaml.h — YAML files as people write them: read within bounds, walked with typed getters, and
 * every mistake of a file shown at once, with file, line, column and a caret.
 *
 *     struct yaml *yaml = yaml_open(text, "board.yaml", pool);
 *     struct yaml_map map;
 *     if (yaml_map_open(yaml, yaml_root(yaml), "a machine file", &map)) {
 *         yaml_get_text(&map, "name", &name);
 *         yaml_get_bytes(&map, "memory", &memory, (struct yaml_range){MIB, GIB});
 *         yaml_map_close(&map);                            // keys nobody asked for: "did you mean"
 *     }
 *     ok = yaml_finish(yaml, report, err);
 *
 * Getters leave the value untouched (the default) when the key is absent or wrong; what is wrong is
 * noted and the walk goes on. All memory comes from the caller's pool: nodes and texts live as long
 * as it.
 *
 * The YAML is version 1.2 in one document. Anchors, aliases and the merge key `<<` work; what they
 * unfold to is bounded, so a file of a kilobyte cannot become a gigabyte. Tags are refused: nothing
 * needs them. */
#ifndef THAW_JOBS_YAML_H
#define THAW_JOBS_YAML_H

#include "jobs/pool.h"

#define YAML_FILE_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX      32
#define YAML_NODES_MAX      100000 /* aliases unfolded */
#define YAML_ERRORS_MAX     1000   /* shown; more are counted */
#define YAML_KEYS_MAX       64     /* names one map is asked for */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_entry;
struct yaml_node {
    enum yaml_kind kind;
    uint32_t line, column, width; /* from 1; width in characters on that line */
    bool plain;                   /* a scalar without quotes: may be null, a number, … */
    const char *text;             /* scalar, NUL-terminated */
    size_t text_size;             /* bytes; the text may hold NULs */
    const struct yaml_entry *entries;
    size_t count;
    size_t weight; /* private: nodes in it, aliases unfolded */
};
/* One value of a list (key is NULL) or one pair of a map (key is a scalar; no key twice). */
struct yaml_entry {
    const struct yaml_node *key;
    const struct yaml_node *value;
};

struct yaml; /* opaque; in the pool */

/* Parses. Never fails: what is wrong is noted. `text` and `name` must live until yaml_finish. */
struct yaml *yaml_open(struct span text, const char *name, struct pool *pool);
/* Reads a file and parses it. ERR_NOT_FOUND, ERR_TOO_BIG, … */
bool yaml_open_file(const char *path, struct pool *pool, struct yaml **out, struct err *err);
/* NULL if the text is not YAML, or empty. */
const struct yaml_node *yaml_root(const struct yaml *yaml);
struct pool *yaml_pool(struct yaml *yaml);
const char *yaml_name(const struct yaml *yaml);
/* Notes a mistake at `node` (NULL: the file as a whole). Returns false. */
bool yaml_error(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t yaml_error_count(const struct yaml *yaml);
/* True if nothing was wrong. Otherwise `err` gets the first mistake as `file:line:column:
 * sentence`, and `report`, if not NULL, all of them with their source lines and carets, in the
 * order of the file. */
bool yaml_finish(struct yaml *yaml, struct buf *report, struct err *err);

/* A map being read. Plain data on the caller's stack. */
struct yaml_map {
    struct yaml *yaml;
    const struct yaml_node *node;
    const char *asked[YAML_KEYS_MAX]; /* private: names asked for so far; must outlive the map */
    size_t asked_count;
};
/* Notes a mistake and returns false unless `node` is a map. `what`: "a machine file", for the
 * message. */
bool yaml_map_open(struct yaml *yaml, const struct yaml_node *node, const char *what,
                   struct yaml_map *out);
/* The value under the key, or NULL; null values (`key:` and nothing) count as absent. */
const struct yaml_node *yaml_map_find(struct yaml_map *map, const char *key);
/* Like yaml_map_find, and an absence is a mistake. */
const struct yaml_node *yaml_map_need(struct yaml_map *map, const char *key);
/* The key's own node, for messages about it; NULL if absent. */
const struct yaml_node *yaml_map_key(const struct yaml_map *map, const char *key);
/* Notes every key that nobody asked for, with a suggestion, or with all that are known. */
void yaml_map_close(struct yaml_map *map);

struct yaml_range {
    uint64_t min, max;
};
#define YAML_ANY ((struct yaml_range){0, UINT64_MAX})

/* Getters: true if the key is there and well. Ranges are inclusive. Texts hold no NUL. */
bool yaml_get_text(struct yaml_map *map, const char *key, const char **out);
bool yaml_get_bool(struct yaml_map *map, const char *key, bool *out);
bool yaml_get_number(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range);
bool yaml_get_instructions(struct yaml_map *map, const char *key, uint64_t *out,
                           struct yaml_range range);
bool yaml_get_bytes(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range);
bool yaml_get_hertz(struct yaml_map *map, const char *key, uint64_t *out, struct yaml_range range);
bool yaml_get_duration_ns(struct yaml_map *map, const char *key, uint64_t *out,
                          struct yaml_range range);
bool yaml_get_date(struct yaml_map *map, const char *key, uint64_t *seconds);
/* One of `names`; its index goes to *out. */
bool yaml_get_choice(struct yaml_map *map, const char *key, const char *const *names, size_t count,
                     size_t *out);
/* A regular expression (see pattern.h), checked by compiling it. */
bool yaml_get_pattern(struct yaml_map *map, const char *key, const char **out);
/* The list under the key, or NULL. A single value where a list is expected is taken as a list of
 * it: yaml_list_at hides the difference. Notes a mistake if there are more than `max` values. */
const struct yaml_node *yaml_get_list(struct yaml_map *map, const char *key, size_t max);
size_t yaml_list_count(const struct yaml_node *list); /* 0 for NULL */
const struct yaml_node *yaml_list_at(const struct yaml_node *list, size_t index);
/* A list of texts, in the pool. */
bool yaml_get_texts(struct yaml_map *map, const char *key, size_t max, const char *const **out,
                    size_t *count);

/* The same on a node of its own; false after noting a mistake. */
bool yaml_node_text(struct yaml *yaml, const struct yaml_node *node, const char **out);
bool yaml_node_pattern(struct yaml *yaml, const struct yaml_node *node, const char **out);
bool yaml_node_is_null(const struct yaml_node *node);

#endif
