/* job_farm_keys.c — keys of a test that only the farm looks at, and `checkpoints:`. */
#include "jobs/job_keys.h"

#include "storage/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define QUANTUM_MAX UINT64_C(1000000000)

/* `retry: {infra: 2}`, or `retry: 2`. */
static void read_retry(struct yaml_map *outer, struct job_test *test)
{
    const struct yaml_range range = {0, JOB_RETRY_MAX};
    const struct yaml_node *node = yaml_map_find(outer, "retry");
    uint64_t value = test->retry_infra;
    struct yaml_map map;

    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        yaml_get_number(outer, "retry", &value, range);
    } else if (yaml_map_open(outer->yaml, node, "`retry:`", &map)) {
        yaml_get_number(&map, "infra", &value, range);
        yaml_map_close(&map);
    }
    test->retry_infra = (uint32_t)value;
}

static void read_quarantine(struct yaml_map *outer, struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(outer, "quarantine");
    struct yaml_map map;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`quarantine:`", &map))
        return;
    yaml_map_need(&map, "owner");
    yaml_map_need(&map, "reason");
    yaml_map_need(&map, "until");
    yaml_get_text(&map, "owner", &test->quarantine.owner);
    yaml_get_text(&map, "reason", &test->quarantine.reason);
    yaml_get_date(&map, "until", &test->quarantine.until_s);
    yaml_map_close(&map);
}

/* `artifacts: {paths: […], when: on_failure, expire_in: 30 days}`; the paths are `results:`. */
static void read_artifacts(struct yaml_map *outer, struct job_test *test)
{
    static const char *const whens[] = {"always", "on_failure", "on_success"};
    const struct yaml_node *node = yaml_map_find(outer, "artifacts");
    struct yaml_map map;
    size_t when;
    uint64_t ns;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`artifacts:`", &map))
        return;
    job_results_read(&map, "paths", test);
    if (yaml_map_key(&map, "paths") != NULL && yaml_map_key(outer, "elf") != NULL)
        yaml_error(outer->yaml, yaml_map_key(&map, "paths"),
                   "a bare-metal program gives no results");
    if (yaml_map_key(&map, "paths") != NULL && yaml_map_key(outer, "results") != NULL)
        yaml_error(outer->yaml, yaml_map_key(&map, "paths"),
                   "`paths:` beside `results:`: they mean the same");
    if (yaml_get_choice(&map, "when", whens, 3, &when))
        test->artifacts_when = (enum job_artifacts_when)when;
    if (yaml_get_duration_ns(&map, "expire_in", &ns, (struct yaml_range){NS_PER_S, UINT64_MAX}))
        test->artifacts_keep_s = ns / NS_PER_S;
    yaml_map_close(&map);
}

/* More often than this, looking takes longer than running. */
#define VERIFY_EVERY_MIN 100000

static void read_host(struct yaml_map *map, struct job_test *test)
{
    if (!yaml_get_texts(map, "host", JOB_HOST_MAX, &test->host, &test->host_count))
        return;
    for (size_t i = 0; i < test->host_count; i++) {
        if (!job_tag_is_valid(test->host[i]))
            yaml_error(map->yaml, yaml_list_at(yaml_map_find(map, "host"), i), JOB_TAG_RULE,
                       test->host[i]);
    }
}

static void read_verify(struct yaml_map *outer, struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(outer, "verify");
    struct yaml_map map;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`verify:`", &map))
        return;
    if (!yaml_get_instructions(&map, "every", &test->verify_every,
                               (struct yaml_range){VERIFY_EVERY_MIN, UINT64_MAX}) &&
        yaml_map_key(&map, "every") == NULL)
        yaml_error(outer->yaml, node,
                   "`verify:` needs `every:`, instructions between looks at the state");
    yaml_map_close(&map);
}

void job_farm_keys_read(struct yaml_map *map, struct job_test *test)
{
    read_verify(map, test);
    read_host(map, test);
    yaml_get_instructions(map, "quantum", &test->quantum, (struct yaml_range){1, QUANTUM_MAX});
    yaml_get_texts(map, "needs", JOB_NEEDS_MAX, &test->needs, &test->need_count);
    read_retry(map, test);
    read_quarantine(map, test);
    read_artifacts(map, test);
}

static void read_parameters(struct yaml_map *map, struct job_checkpoint *checkpoint)
{
    struct job_variable *parameters =
        pool_array(yaml_pool(map->yaml), machine_parameter_count, sizeof *parameters);

    for (size_t i = 0; i < machine_parameter_count; i++) {
        const char *name = machine_parameter_names[i];
        struct job_variable *parameter = &parameters[checkpoint->parameter_count];
        struct err err = ERR_INIT;

        if (!yaml_get_text(map, name, &parameter->value))
            continue;
        parameter->name = name;
        checkpoint->parameter_count++;
        if (!machine_parameter_set(NULL, name, parameter->value, &err))
            yaml_error(map->yaml, yaml_map_find(map, name), "%s", err.text);
        if (checkpoint->machine == NULL)
            yaml_error(map->yaml, yaml_map_key(map, name), "`%s:` without `machine:`", name);
    }
    checkpoint->parameters = parameters;
}

/* `NAME: TAG`, or `NAME: {tag, id, machine, harts, …}`. */
static void read_checkpoint(struct yaml *yaml, const struct yaml_entry *entry,
                            const struct path_reader *reader, struct job_checkpoint *out)
{
    size_t errors = yaml_error_count(yaml);
    const char *id = NULL;
    struct yaml_map map;

    out->name = entry->key->text;
    out->line = entry->key->line;
    job_name_check(yaml, entry->key, out->name);
    if (entry->value->kind == YAML_SCALAR) {
        if (yaml_node_is_null(entry->value))
            yaml_error(yaml, entry->key,
                       "a checkpoint is a tag, or a map with `tag:`, `id:` or "
                       "`machine:`");
        yaml_node_text(yaml, entry->value, &out->tag);
        return;
    }
    if (!yaml_map_open(yaml, entry->value, "a checkpoint", &map))
        return;
    yaml_get_text(&map, "tag", &out->tag);
    paths_get(&map, "machine", reader, &out->machine);
    read_parameters(&map, out);
    if (yaml_get_text(&map, "id", &id)) {
        if (out->tag != NULL || yaml_map_key(&map, "machine") != NULL)
            yaml_error(yaml, yaml_map_key(&map, "id"),
                       "`id:` names one checkpoint: nothing else "
                       "goes with it");
        out->tag = id;
    }
    yaml_map_close(&map);
    /* After another mistake this would only repeat it. */
    if (out->tag == NULL && out->machine == NULL && yaml_error_count(yaml) == errors)
        yaml_error(yaml, entry->value, "a checkpoint needs one of `tag:`, `id:` and `machine:`");
}

static int compare_checkpoints(const void *a, const void *b)
{
    const struct job_checkpoint *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void job_checkpoints_read(struct yaml_map *map, const struct path_reader *reader,
                          struct job_file *file)
{
    const struct yaml_node *node = yaml_map_find(map, "checkpoints");
    struct yaml_map inner;

    if (node == NULL || !yaml_map_open(map->yaml, node, "`checkpoints:`", &inner))
        return;
    if (node->count > JOB_CHECKPOINTS_MAX) {
        yaml_error(map->yaml, node, "more than %d checkpoints", JOB_CHECKPOINTS_MAX);
        return;
    }
    file->checkpoint_count = node->count;
    file->checkpoints = pool_array(&file->pool, node->count, sizeof *file->checkpoints);
    for (size_t i = 0; i < node->count; i++)
        read_checkpoint(map->yaml, &node->entries[i], reader, &file->checkpoints[i]);
    qsort(file->checkpoints, file->checkpoint_count, sizeof *file->checkpoints,
          compare_checkpoints);
}

const struct job_checkpoint *job_checkpoint_find(const struct job_file *file, const char *name)
{
    struct job_checkpoint wanted = {.name = name};

    if (file->checkpoint_count == 0)
        return NULL;
    return bsearch(&wanted, file->checkpoints, file->checkpoint_count, sizeof wanted,
                   compare_checkpoints);
}
