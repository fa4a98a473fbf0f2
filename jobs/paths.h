/* paths.h — texts with `${VAR}` and paths relative to a file. */
#ifndef THAW_JOBS_PATHS_H
#define THAW_JOBS_PATHS_H

#include "jobs/machine_file.h"
#include "jobs/yaml.h"

#define PATHS_TEXT_MAX 4096

/* Replaces `${VAR}` and `${VAR:-default}`; `$$` is a dollar sign, any other `$` stands for itself.
 * ERR_INVALID if a variable is not set (or empty) and there is no default, or for an open `${`. */
bool paths_expand(const char *text, const struct variables *variables, struct pool *pool,
                  const char **out, struct err *err);
/* The folder of a file's path: "." for a bare name. In the pool. */
const char *paths_folder(const char *path, struct pool *pool);
/* `path` if absolute, else `folder`/`path`. In the pool. */
const char *paths_join(const char *folder, const char *path, struct pool *pool);

/* Reads a key that holds a path: expanded, and joined to `folder`. */
struct path_reader {
    const char *folder;
    const struct variables *variables;
};
bool paths_get(struct yaml_map *map, const char *key, const struct path_reader *reader,
               const char **out);
bool paths_node(struct yaml *yaml, const struct yaml_node *node, const struct path_reader *reader,
                const char **out);

#endif
