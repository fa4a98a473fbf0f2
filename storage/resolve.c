#include "storage/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_MIN   4
#define LISTED_MAX   5 /* candidates named in a message */
#define SUGGEST_MAX  3
#define DISTANCE_MAX 3

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits (Levenshtein) from one name to the other. */
static size_t distance(const char *a, const char *b)
{
    size_t row[STORE_NAME_MAX + 1];
    size_t a_size = strlen(a), b_size = strlen(b);

    if (a_size > STORE_NAME_MAX || b_size > STORE_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_size];
}

static bool is_similar(const char *name, const char *text)
{
    size_t edits = distance(name, text), size = strlen(text);

    if (size >= 3 && (strstr(name, text) != NULL || strstr(text, name) != NULL))
        return true;
    return edits <= DISTANCE_MAX && edits < size;
}

static bool is_hex(const char *text)
{
    return strspn(text, "0123456789abcdef") == strlen(text);
}

static bool unknown(struct store *store, const char *text, struct err *err)
{
    struct store_tag_list tags;
    struct err ignored = ERR_INIT;
    char names[SUGGEST_MAX * (STORE_NAME_MAX + 8)] = "";
    size_t found = 0, used = 0;

    if (!store_tag_list(store, &tags, NULL, &ignored))
        tags = (struct store_tag_list){0};
    for (size_t i = 0; i < tags.count && found < SUGGEST_MAX; i++) {
        if (!is_similar(tags.items[i].name, text))
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", found ? ", " : "",
                                 tags.items[i].name);
        found++;
    }
    store_tag_list_release(&tags);
    if (found != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "\"%.140s\" is no tag and no checkpoint in %s; did you mean %s?", text,
                       store_location(store), names);
    return err_set(err, ERR_NOT_FOUND,
                   "\"%.140s\" is no tag and no checkpoint in %s (thaw ls lists them)", text,
                   store_location(store));
}

static bool ambiguous(const char *text, const struct hash *ids, size_t count, struct err *err)
{
    char list[(LISTED_MAX + 1) * HASH_HEX_SIZE] = "";
    size_t used = 0, named = count < LISTED_MAX ? count : LISTED_MAX;

    for (size_t i = 0; i < named; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.16s", i ? ", " : "",
                                 hash_hex(&ids[i]).text);
    return err_set(err, ERR_USAGE, "\"%s\" begins %zu checkpoints: %s%s; give more digits", text,
                   count, list, named < count ? ", …" : "");
}

/* The ids come sorted: those that begin alike stand together. */
static bool resolve_prefix(struct store *store, const char *text, struct hash *out, struct err *err)
{
    struct hash_list list;
    size_t first = 0, count = 0;
    bool ok;

    if (!store_manifest_list(store, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (strncmp(hash_hex(&list.items[i]).text, text, strlen(text)) != 0)
            continue;
        if (count++ == 0)
            first = i;
    }
    if (count == 0)
        ok = unknown(store, text, err);
    else if (count > 1)
        ok = ambiguous(text, list.items + first, count, err);
    else
        ok = true;
    if (ok)
        *out = list.items[first];
    hash_list_release(&list);
    return ok;
}

bool store_resolve(struct store *store, const char *text, struct hash *out, struct err *err)
{
    struct err tag_err = ERR_INIT;
    struct store_tag tag;
    size_t size = strlen(text);

    if (store_tag_get(store, text, &tag, &tag_err)) {
        *out = tag.checkpoint;
        store_tag_release(&tag);
        return true;
    }
    if (tag_err.kind != ERR_NOT_FOUND && tag_err.kind != ERR_USAGE) {
        *err = tag_err;
        return false;
    }
    if (is_hex(text) && size >= PREFIX_MIN && size <= 2 * HASH_SIZE)
        return resolve_prefix(store, text, out, err);
    if (is_hex(text) && size != 0 && size < PREFIX_MIN)
        return unknown(store, text, err) ||
               err_wrap(err, "an id's beginning needs %d digits or more", PREFIX_MIN);
    return unknown(store, text, err);
}
