/* yaml_internal.h — shared by yaml.c, yaml_report.c and yaml_get.c only. */
#ifndef THAW_JOBS_YAML_INTERNAL_H
#define THAW_JOBS_YAML_INTERNAL_H

#include "jobs/yaml.h"

struct yaml_mistake {
    uint32_t line, column, width; /* line 0: the file as a whole */
    const char *text;
};

struct yaml {
    struct pool *pool;
    struct span text;
    const char *name;
    const struct yaml_node *root;
    struct yaml_mistake mistakes[YAML_ERRORS_MAX];
    size_t mistake_count; /* kept */
    size_t error_count;   /* all */
};

void yaml_note(struct yaml *yaml, struct yaml_mistake place, const char *text);

#endif
