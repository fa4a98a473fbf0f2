/* job_parallel.c — `variables:` and `parallel:` of a test. */
#include "jobs/job_keys.h"

#include "jobs/console_command.h"
#include "jobs/job_spec_internal.h"
#include "jobs/suggest.h"
#include "jobs/units.h"

#include <stdlib.h>
#include <string.h>

#define QUANTUM_MAX UINT64_C(1000000000)

static const struct {
    const char *name;
    enum job_axis_kind kind;
} axis_kinds[] = {
    {"host", JOB_AXIS_HOST}, {"tags", JOB_AXIS_TAGS},       {"checkpoint", JOB_AXIS_CHECKPOINT},
    {"seed", JOB_AXIS_SEED}, {"quantum", JOB_AXIS_QUANTUM},
};
#define AXIS_KINDS (sizeof axis_kinds / sizeof axis_kinds[0])

static bool is_machine_parameter(const char *name)
{
    for (size_t i = 0; i < machine_parameter_count; i++) {
        if (strcmp(name, machine_parameter_names[i]) == 0)
            return true;
    }
    return false;
}

bool job_axis_kind_of(const char *name, enum job_axis_kind *out)
{
    for (size_t i = 0; i < AXIS_KINDS; i++) {
        if (strcmp(name, axis_kinds[i].name) == 0) {
            *out = axis_kinds[i].kind;
            return true;
        }
    }
    *out = is_machine_parameter(name) ? JOB_AXIS_MACHINE : JOB_AXIS_VARIABLE;
    if (*out == JOB_AXIS_MACHINE)
        return true;
    /* Small letters are parameters: so a misspelt one is noticed. */
    return job_variable_name_is_valid(name) && (name[0] < 'a' || name[0] > 'z');
}

bool job_tag_is_valid(const char *tag)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._:=+-";
    size_t size = strlen(tag);

    return size > 0 && size <= JOB_TAG_MAX && strspn(tag, known) == size;
}

bool job_axis_check(const char *name, const char *value, struct err *err)
{
    enum job_axis_kind kind = JOB_AXIS_VARIABLE;
    uint64_t number;

    job_axis_kind_of(name, &kind);
    if (strlen(value) > JOB_VALUE_MAX)
        return err_set(err, ERR_INVALID, "`%s:` has a value over %d bytes", name, JOB_VALUE_MAX);
    if (!console_command_check(value, err))
        return false;
    if (value[0] == '\0' && kind != JOB_AXIS_VARIABLE)
        return err_set(err, ERR_INVALID, "`%s:` has an empty value", name);
    if (kind == JOB_AXIS_HOST && !job_tag_is_valid(value))
        return err_set(err, ERR_INVALID, JOB_TAG_RULE, value);
    if (kind == JOB_AXIS_SEED)
        return units_number(value, &number, err);
    if (kind == JOB_AXIS_QUANTUM)
        return units_instructions(value, &number, err) &&
               ((number > 0 && number <= QUANTUM_MAX) ||
                err_set(err, ERR_INVALID, "`quantum:` is out of range: 1 to 1000000000"));
    return kind != JOB_AXIS_MACHINE || machine_parameter_set(NULL, name, value, err);
}

bool job_test_has_variable(const struct job_test *test, const char *name)
{
    for (size_t i = 0; i < test->variable_count; i++) {
        if (strcmp(test->variables[i].name, name) == 0)
            return true;
    }
    for (size_t i = 0; i < test->matrix_count; i++) {
        for (size_t j = 0; j < test->matrices[i].axis_count; j++) {
            if (strcmp(test->matrices[i].axes[j].name, name) == 0)
                return true;
        }
    }
    return false;
}

static int compare_variables(const void *a, const void *b)
{
    const struct job_variable *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static bool read_variable(struct yaml *yaml, const struct yaml_entry *entry,
                          struct job_variable *out)
{
    struct err err = ERR_INIT;

    out->name = entry->key->text;
    if (!job_variable_name_is_valid(out->name))
        return yaml_error(
            yaml, entry->key,
            "`%.60s` is not the name of a variable: letters, digits and `_`, no digit "
            "first",
            out->name);
    if (!yaml_node_text(yaml, entry->value, &out->value))
        return false;
    if (strlen(out->value) > JOB_VALUE_MAX)
        return yaml_error(yaml, entry->value, "a variable has at most %d bytes", JOB_VALUE_MAX);
    return console_command_check(out->value, &err) ||
           yaml_error(yaml, entry->value, "%s", err.text);
}

void job_variables_read(struct yaml_map *map, struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(map, "variables");
    struct job_variable *all;
    struct yaml_map inner;
    size_t count = 0;

    if (node == NULL || !yaml_map_open(map->yaml, node, "`variables:`", &inner))
        return;
    if (test->variable_count + node->count > JOB_VARIABLES_MAX) {
        yaml_error(map->yaml, node, "more than %d variables", JOB_VARIABLES_MAX);
        return;
    }
    all = pool_array(yaml_pool(map->yaml), test->variable_count + node->count, sizeof *all);
    for (size_t i = 0; i < node->count; i++)
        count += read_variable(map->yaml, &node->entries[i], &all[count]) ? 1 : 0;
    for (size_t i = 0, own = count; i < test->variable_count; i++) {
        bool replaced = false;

        for (size_t j = 0; j < own; j++)
            replaced = replaced || strcmp(all[j].name, test->variables[i].name) == 0;
        if (!replaced)
            all[count++] = test->variables[i];
    }
    qsort(all, count, sizeof *all, compare_variables);
    test->variables = all;
    test->variable_count = count;
}

/* `1..20`, unquoted. */
static bool is_range(const struct yaml_node *node, uint64_t *first, uint64_t *last)
{
    const char *dots = node->kind == YAML_SCALAR && node->plain ? strstr(node->text, "..") : NULL;
    char left[24];
    size_t size;
    struct err err = ERR_INIT;

    if (dots == NULL)
        return false;
    size = (size_t)(dots - node->text);
    if (size == 0 || size >= sizeof left || strspn(node->text, "0123456789") != size ||
        dots[2] == '\0' || strspn(dots + 2, "0123456789") != strlen(dots + 2))
        return false;
    memcpy(left, node->text, size);
    left[size] = '\0';
    return units_number(left, first, &err) && units_number(dots + 2, last, &err);
}

/* How many values a list has, ranges counted out; 0 after noting a mistake. */
static size_t count_values(struct yaml *yaml, const struct yaml_node *list)
{
    uint64_t total = 0, first, last;

    for (size_t i = 0; i < yaml_list_count(list); i++) {
        const struct yaml_node *node = yaml_list_at(list, i);
        uint64_t more = 1;

        if (is_range(node, &first, &last)) {
            if (last < first) {
                yaml_error(yaml, node, "the range runs backwards");
                return 0;
            }
            more = last - first < JOB_AXIS_VALUES_MAX ? last - first + 1 : JOB_AXIS_VALUES_MAX + 1;
        }
        total += more;
        if (total > JOB_AXIS_VALUES_MAX) {
            yaml_error(yaml, node, "more than %d values of one key", JOB_AXIS_VALUES_MAX);
            return 0;
        }
    }
    if (total == 0)
        yaml_error(yaml, list, "no values: a list of one at least");
    return (size_t)total;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_values(struct yaml *yaml, const struct yaml_node *list,
                         const struct job_axis *axis)
{
    const char **sorted = mem_array(axis->count, sizeof *sorted);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < axis->count; i++) {
        sorted[i] = axis->values[i];
        if (err.kind == ERR_NONE && !job_axis_check(axis->name, axis->values[i], &err))
            yaml_error(yaml, list, "%s", err.text);
    }
    qsort(sorted, axis->count, sizeof *sorted, compare_texts);
    for (size_t i = 1; i < axis->count; i++) {
        if (strcmp(sorted[i], sorted[i - 1]) == 0) {
            yaml_error(yaml, list, "`%s:` has the value `%.60s` twice", axis->name, sorted[i]);
            break;
        }
    }
    mem_free(sorted);
}

static bool read_values(struct yaml *yaml, const struct yaml_node *list, struct job_axis *axis)
{
    size_t total = count_values(yaml, list), count = 0;
    const char **values = pool_array(yaml_pool(yaml), total, sizeof *values);
    uint64_t first, last;

    for (size_t i = 0; total > 0 && i < yaml_list_count(list); i++) {
        const struct yaml_node *node = yaml_list_at(list, i);

        if (!is_range(node, &first, &last)) {
            if (!yaml_node_text(yaml, node, &values[count++]))
                return false;
            continue;
        }
        for (uint64_t n = 0; n <= last - first; n++)
            values[count++] = pool_format(yaml_pool(yaml), "%llu", (unsigned long long)(first + n));
    }
    axis->values = values;
    axis->count = count;
    if (count > 0)
        check_values(yaml, list, axis);
    return count > 0;
}

static void unknown_axis(struct yaml *yaml, const struct yaml_node *key)
{
    const char *names[AXIS_KINDS + 16];
    size_t count = 0;
    const char *near;

    for (size_t i = 0; i < AXIS_KINDS; i++)
        names[count++] = axis_kinds[i].name;
    for (size_t i = 0; i < machine_parameter_count; i++)
        names[count++] = machine_parameter_names[i];
    near = suggest_name(key->text, names, count);
    if (near != NULL)
        yaml_error(yaml, key, "`%.60s` is not a parameter; did you mean `%s`?", key->text, near);
    else
        yaml_error(yaml, key, "`%.60s` is not a parameter; a variable begins with a capital letter",
                   key->text);
}

static void read_matrix(struct yaml *yaml, const struct yaml_node *node, struct job_matrix *out)
{
    struct job_axis *axes;
    struct yaml_map map;

    if (!yaml_map_open(yaml, node, "a part of a matrix", &map))
        return;
    if (node->count == 0 || node->count > JOB_AXES_MAX) {
        yaml_error(yaml, node, "a part of a matrix has 1 to %d keys", JOB_AXES_MAX);
        return;
    }
    axes = pool_array(yaml_pool(yaml), node->count, sizeof *axes);
    for (size_t i = 0; i < node->count; i++) {
        enum job_axis_kind kind;

        axes[out->axis_count].name = node->entries[i].key->text;
        if (!job_axis_kind_of(axes[out->axis_count].name, &kind))
            unknown_axis(yaml, node->entries[i].key);
        else if (read_values(yaml, node->entries[i].value, &axes[out->axis_count]))
            out->axis_count++;
    }
    out->axes = axes;
}

void job_parallel_read(struct yaml_map *outer, struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(outer, "parallel");
    const struct yaml_node *list;
    struct job_matrix *matrices;
    struct yaml_map map;
    size_t count, errors;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`parallel:`", &map))
        return;
    list = yaml_get_list(&map, "matrix", JOB_MATRICES_MAX);
    count = yaml_list_count(list);
    matrices = pool_array(yaml_pool(outer->yaml), count, sizeof *matrices);
    for (size_t i = 0; i < count; i++)
        read_matrix(outer->yaml, yaml_list_at(list, i), &matrices[i]);
    errors = yaml_error_count(outer->yaml);
    yaml_map_close(&map);
    /* After a misspelt key this would only repeat it. */
    if (count == 0 && yaml_error_count(outer->yaml) == errors)
        yaml_error(outer->yaml, node, "`matrix:` is missing: a list of maps of keys and values");
    test->matrices = matrices;
    test->matrix_count = count;
}
