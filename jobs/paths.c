#include "jobs/paths.h"

#include <stdlib.h>
#include <string.h>

#define VARIABLE_MAX 63

static const char *environment_get(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

const struct variables variables_environment = {environment_get, NULL};

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return size > 0 && size <= VARIABLE_MAX;
}

/* `at` points behind "${"; moves it behind "}". */
static bool expand_one(const char **at, const struct variables *variables, struct buf *out,
                       struct err *err)
{
    const char *end = strchr(*at, '}');
    const char *fallback = strstr(*at, ":-");
    char name[VARIABLE_MAX + 1] = "";
    const char *value;
    size_t size;

    if (end == NULL)
        return err_set(err, ERR_INVALID, "`${` without `}`");
    if (fallback != NULL && fallback > end)
        fallback = NULL;
    size = (size_t)((fallback != NULL ? fallback : end) - *at);
    if (!is_name(*at, size))
        return err_set(err, ERR_INVALID, "`${%.*s}` is not the name of a variable",
                       (int)(size > VARIABLE_MAX ? VARIABLE_MAX : size), *at);
    memcpy(name, *at, size);
    *at = end + 1;
    value = variables->get(variables->context, name);
    if (value != NULL && value[0] != '\0')
        return buf_append_text(out, value, err);
    if (fallback == NULL)
        return err_set(err, ERR_INVALID,
                       "the environment variable %s is not set; set it, or write `${%s:-default}`",
                       name, name);
    return buf_append(out, fallback + 2, (size_t)(end - fallback - 2), err);
}

bool paths_expand(const char *text, const struct variables *variables, struct pool *pool,
                  const char **out, struct err *err)
{
    struct buf expanded = BUF_INIT(PATHS_TEXT_MAX);
    const char *at = text;
    bool ok = true;

    while (ok && *at != '\0') {
        if (at[0] == '$' && at[1] == '{') {
            at += 2;
            ok = expand_one(&at, variables, &expanded, err);
            continue;
        }
        ok = buf_append(&expanded, at, 1, err);
        at += at[0] == '$' && at[1] == '$' ? 2 : 1;
    }
    if (ok)
        *out = pool_bytes(pool, expanded.data, expanded.size);
    buf_release(&expanded);
    return ok;
}

const char *paths_folder(const char *path, struct pool *pool)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return ".";
    return pool_bytes(pool, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *paths_join(const char *folder, const char *path, struct pool *pool)
{
    size_t size = strlen(folder);

    if (path[0] == '/' || strcmp(folder, ".") == 0)
        return pool_text(pool, path);
    return pool_format(pool, "%s%s%s", folder, size > 0 && folder[size - 1] == '/' ? "" : "/",
                       path);
}

bool paths_node(struct yaml *yaml, const struct yaml_node *node, const struct path_reader *reader,
                const char **out)
{
    struct err err = ERR_INIT;
    const char *text;

    if (!yaml_node_text(yaml, node, &text))
        return false;
    if (!paths_expand(text, reader->variables, yaml_pool(yaml), &text, &err))
        return yaml_error(yaml, node, "%s", err.text);
    if (text[0] == '\0')
        return yaml_error(yaml, node, "an empty path");
    *out = paths_join(reader->folder, text, yaml_pool(yaml));
    return true;
}

bool paths_get(struct yaml_map *map, const char *key, const struct path_reader *reader,
               const char **out)
{
    const struct yaml_node *node = yaml_map_find(map, key);

    return node != NULL && paths_node(map->yaml, node, reader, out);
}
