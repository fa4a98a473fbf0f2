#include "jobs/job_file.h"

#include "jobs/console_command.h"
#include "jobs/job_keys.h"
#include "jobs/job_steps.h"
#include "jobs/machine_device.h"
#include "jobs/paths.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_INSTRUCTIONS UINT64_C(20000000000)
#define DEFAULT_WALL_MS      UINT64_C(300000)

/* What the whole file says for every test. */
struct defaults {
    struct job_test test;
    const struct path_reader *reader;
};

static const char *name_of_path(const char *path, struct pool *pool)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');

    return pool_bytes(pool, name, dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name));
}

/* Names end up in file names, XML and tables. */
void job_name_check(struct yaml *yaml, const struct yaml_node *node, const char *name)
{
    if (name[0] == '\0' || strlen(name) > JOB_NAME_MAX)
        yaml_error(yaml, node, "a name has 1 to %d bytes", JOB_NAME_MAX);
    for (const char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == '/' || *at == 0x7f) {
            yaml_error(yaml, node, "a name has no `/` and no control characters");
            return;
        }
    }
    if (name[0] == '.' || name[0] == '@')
        yaml_error(yaml, node, "a name does not begin with `%c`", name[0]);
}

static void read_paths(struct yaml_map *map, const char *key, const struct path_reader *reader,
                       const char *const **out, size_t *out_count)
{
    const struct yaml_node *list = yaml_get_list(map, key, JOB_PAYLOAD_MAX);
    size_t count = yaml_list_count(list);
    const char **paths;

    if (list == NULL)
        return;
    paths = pool_array(yaml_pool(map->yaml), count, sizeof *paths);
    for (size_t i = 0; i < count; i++) {
        if (!paths_node(map->yaml, yaml_list_at(list, i), reader, &paths[i]))
            paths[i] = "";
    }
    *out = paths;
    *out_count = count;
}

/* `disks: {data: FILE}` */
static void read_disks(struct yaml_map *map, const struct path_reader *reader,
                       struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(map, "disks");
    struct yaml_map disks;

    if (node == NULL || !yaml_map_open(map->yaml, node, "`disks:`", &disks))
        return;
    if (node->count > JOB_DISKS_MAX) {
        yaml_error(map->yaml, node, "more than %d disks", JOB_DISKS_MAX);
        return;
    }
    test->disk_count = 0;
    for (size_t i = 0; i < node->count; i++) {
        struct job_disk *disk = &test->disks[test->disk_count];

        disk->name = node->entries[i].key->text;
        if (paths_node(map->yaml, node->entries[i].value, reader, &disk->file))
            test->disk_count++;
    }
}

void job_results_read(struct yaml_map *map, const char *key, struct job_test *test)
{
    yaml_get_texts(map, key, JOB_RESULTS_MAX, &test->results, &test->result_count);
    for (size_t i = 0; i < test->result_count; i++) {
        struct err err = ERR_INIT;

        if (test->results[i][0] == '\0' || !console_command_check(test->results[i], &err))
            yaml_error(map->yaml, yaml_map_find(map, key), "`%s:` are paths in the guest", key);
    }
}

/* Keys that the file may give for all tests, and each test for itself. */
static void read_common(struct yaml_map *map, const struct path_reader *reader,
                        struct job_test *test)
{
    yaml_get_text(map, "checkpoint", &test->checkpoint);
    machine_limits_read(map, &test->limits);
    if (yaml_get_number(map, "seed", &test->seed, YAML_ANY))
        test->has_seed = true;
    read_paths(map, "payload", reader, &test->payload, &test->payload_count);
    job_results_read(map, "results", test);
    read_disks(map, reader, test);
    machine_monitors_read(map, &test->monitors, &test->monitor_count);
    yaml_get_texts(map, "tags", JOB_TAGS_MAX, &test->tags, &test->tag_count);
}

/* `${NAME}` of the test's own variables stays as it is in a path, until a job is made of it; other
 * names are the environment's. */
struct own_names {
    const struct job_test *test;
    const struct variables *others;
    struct pool *pool;
};

static const char *own_or_other(void *context, const char *name)
{
    const struct own_names *names = context;

    if (job_test_has_variable(names->test, name))
        return pool_format(names->pool, "${%s}", name);
    return names->others->get(names->others->context, name);
}

/* All keys that the suite may give for every test, and each test for itself. */
static void read_shared(struct yaml_map *map, const struct path_reader *reader,
                        struct job_test *test)
{
    struct own_names names = {test, reader->variables, yaml_pool(map->yaml)};
    struct variables variables = {own_or_other, &names};
    struct path_reader own = {reader->folder, &variables};

    job_variables_read(map, test);
    job_parallel_read(map, test);
    read_common(map, &own, test);
    job_farm_keys_read(map, test);
}

/* `expect_failure: true` with `reason:`; `skip: why`. */
static void read_marks(struct yaml_map *map, struct job_test *test)
{
    const char *why = NULL;

    yaml_get_bool(map, "expect_failure", &test->expect_failure);
    yaml_get_text(map, "reason", &test->reason);
    if (test->expect_failure && test->reason == NULL)
        yaml_error(map->yaml, yaml_map_key(map, "expect_failure"),
                   "a test that must fail says why: `reason:` is missing");
    if (yaml_get_text(map, "skip", &why)) {
        test->skip = true;
        test->reason = why;
    }
    if (!test->expect_failure && !test->skip && test->reason != NULL)
        yaml_error(map->yaml, yaml_map_key(map, "reason"),
                   "`reason:` without `expect_failure: true`");
}

static void read_work(struct yaml_map *map, const struct path_reader *reader, struct job_test *test)
{
    static const char *const kinds[] = {"command", "steps", "elf"};
    int given = 0;

    for (int i = 0; i < 3; i++)
        given += yaml_map_find(map, kinds[i]) != NULL ? 1 : 0;
    if (given > 1)
        yaml_error(map->yaml, map->node, "a test has only one of `command:`, `steps:` and `elf:`");
    job_steps_read(map, test);
    if (paths_get(map, "elf", reader, &test->elf)) {
        job_check_read(map, &test->check);
        if (test->payload_count + test->result_count > 0 &&
            (yaml_map_key(map, "payload") != NULL || yaml_map_key(map, "results") != NULL))
            yaml_error(map->yaml, yaml_map_key(map, "elf"),
                       "a bare-metal program takes no payload and gives no results");
        test->payload_count = 0; /* the suite's are for the others */
        test->result_count = 0;
    }
}

static void read_program(struct yaml_map *map, const struct path_reader *reader,
                         struct job_test *test)
{
    struct own_names names = {test, reader->variables, yaml_pool(map->yaml)};
    struct variables variables = {own_or_other, &names};
    struct path_reader own = {reader->folder, &variables};

    read_work(map, &own, test);
}

static void read_test(struct yaml *yaml, const struct yaml_node *node,
                      const struct defaults *defaults, struct job_test *test)
{
    size_t errors = yaml_error_count(yaml);
    struct yaml_map map;

    *test = defaults->test;
    test->name = "";
    test->line = node->line;
    if (!yaml_map_open(yaml, node, "a test", &map))
        return;
    if (yaml_map_need(&map, "name") != NULL && yaml_get_text(&map, "name", &test->name))
        job_name_check(yaml, yaml_map_find(&map, "name"), test->name);
    read_shared(&map, defaults->reader, test);
    read_marks(&map, test);
    read_program(&map, defaults->reader, test);
    yaml_map_close(&map);
    /* After a misspelt key this would only repeat it. */
    if (test->step_count == 0 && test->elf == NULL && yaml_error_count(yaml) == errors)
        yaml_error(yaml, node, "a test needs one of `command:`, `steps:` and `elf:`");
}

static int compare_names(const void *a, const void *b)
{
    const struct job_test *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);

    return order != 0 ? order : (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

static void check_unique(struct yaml *yaml, const struct yaml_node *list,
                         const struct job_file *file)
{
    const struct job_test **sorted = mem_array(file->test_count, sizeof *sorted);

    for (size_t i = 0; i < file->test_count; i++)
        sorted[i] = &file->tests[i];
    qsort(sorted, file->test_count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < file->test_count; i++) {
        if (sorted[i]->name[0] != '\0' && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
            yaml_error(yaml, yaml_list_at(list, (size_t)(sorted[i] - file->tests)),
                       "two tests named `%s`", sorted[i]->name);
    }
    mem_free(sorted);
}

/* Every job of the matrix says what it starts from. */
static bool matrix_has_checkpoint(const struct job_test *test)
{
    for (size_t i = 0; i < test->matrix_count; i++) {
        bool found = false;

        for (size_t j = 0; j < test->matrices[i].axis_count; j++)
            found = found || strcmp(test->matrices[i].axes[j].name, "checkpoint") == 0;
        if (!found)
            return false;
    }
    return test->matrix_count > 0;
}

/* A test on a console needs something to start from. */
static void check_start(struct yaml_map *map, const struct job_file *file)
{
    for (size_t i = 0; i < file->test_count; i++) {
        const struct job_test *test = &file->tests[i];

        if (test->checkpoint == NULL && test->step_count > 0 && !matrix_has_checkpoint(test) &&
            yaml_map_key(map, "machine") == NULL) {
            yaml_error(
                map->yaml, map->node,
                "nothing to start from: `checkpoint:` (a tag or an id) or `machine:` (a machine "
                "file) is missing");
            return;
        }
    }
}

static void read_tests(struct yaml_map *map, const struct defaults *defaults, struct job_file *file)
{
    const struct yaml_node *list = yaml_map_need(map, "tests");

    if (list == NULL)
        return;
    if (list->kind != YAML_LIST || list->count == 0 || list->count > JOB_TESTS_MAX) {
        yaml_error(map->yaml, list, "`tests:` is a list of 1 to %d tests", JOB_TESTS_MAX);
        return;
    }
    file->test_count = list->count;
    file->tests = pool_array(&file->pool, list->count, sizeof *file->tests);
    for (size_t i = 0; i < list->count; i++)
        read_test(map->yaml, yaml_list_at(list, i), defaults, &file->tests[i]);
    check_unique(map->yaml, list, file);
    check_start(map, file);
    job_needs_check(map->yaml, list, file);
}

/* `defaults:`: what a test says for itself comes before it. */
static void read_defaults(struct yaml_map *outer, const struct path_reader *reader,
                          struct job_test *test)
{
    const struct yaml_node *node = yaml_map_find(outer, "defaults");
    struct yaml_map map;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`defaults:`", &map))
        return;
    read_shared(&map, reader, test);
    yaml_map_close(&map);
}

static void read_root(struct yaml_map *map, const struct path_reader *reader, struct job_file *file)
{
    struct defaults defaults = {.reader = reader};

    defaults.test.limits = (struct test_limits){DEFAULT_INSTRUCTIONS, DEFAULT_WALL_MS};
    defaults.test.retry_infra = JOB_RETRY_DEFAULT;
    if (yaml_get_text(map, "suite", &file->name))
        job_name_check(map->yaml, yaml_map_find(map, "suite"), file->name);
    paths_get(map, "machine", reader, &file->machine);
    yaml_get_pattern(map, "prompt", &file->prompt);
    yaml_get_text(map, "work", &file->work);
    yaml_get_text(map, "job_disk", &file->job_disk);
    yaml_get_text(map, "result_disk", &file->result_disk);
    job_checkpoints_read(map, reader, file);
    job_workflow_read(map, &file->workflow);
    job_variables_read(map, &defaults.test);
    read_common(map, reader, &defaults.test);
    read_defaults(map, reader, &defaults.test);
    file->checkpoint = defaults.test.checkpoint;
    read_tests(map, &defaults, file);
    yaml_map_close(map);
}

static bool read_yaml(struct yaml *yaml, const struct variables *variables, struct job_file *file,
                      struct buf *report, struct err *err)
{
    struct path_reader reader = {paths_folder(file->path, &file->pool), variables};
    struct yaml_map map;

    if (yaml_map_open(yaml, yaml_root(yaml), "a suite file", &map))
        read_root(&map, &reader, file);
    return yaml_finish(yaml, report, err);
}

static struct job_file *file_new(const char *path)
{
    struct job_file *file = mem_alloc(sizeof *file);

    file->pool = (struct pool)POOL_INIT;
    file->path = pool_text(&file->pool, path);
    file->name = name_of_path(path, &file->pool);
    file->work = JOB_WORK_FOLDER;
    return file;
}

bool job_file_load_anyway(const char *path, const struct variables *variables,
                          struct job_file **out, struct buf *report, size_t *mistakes,
                          struct err *err)
{
    struct job_file *file = file_new(path);
    struct yaml *yaml;
    bool ok;

    if (!yaml_open_file(path, &file->pool, &yaml, err)) {
        job_file_free(file);
        return false;
    }
    ok = read_yaml(yaml, variables, file, report, err);
    *mistakes += yaml_error_count(yaml);
    *out = file;
    return ok;
}

bool job_file_load(const char *path, const struct variables *variables, struct job_file **out,
                   struct buf *report, struct err *err)
{
    struct job_file *file = NULL;
    size_t mistakes = 0;

    if (!job_file_load_anyway(path, variables, &file, report, &mistakes, err)) {
        job_file_free(file);
        return false;
    }
    *out = file;
    return true;
}

bool job_file_parse(struct span text, const char *path, const struct variables *variables,
                    struct job_file **out, struct err *err)
{
    struct job_file *file = file_new(path);

    if (!read_yaml(yaml_open(text, file->path, &file->pool), variables, file, NULL, err)) {
        job_file_free(file);
        return false;
    }
    *out = file;
    return true;
}

void job_file_free(struct job_file *file)
{
    if (file == NULL)
        return;
    pool_release(&file->pool);
    mem_free(file);
}

/* `*` is any text, `?` any byte. Goes back to the last star only: linear in practice, quadratic at
 * worst. */
static bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool job_test_selected(const struct job_test *test, const char *selector)
{
    if (selector[0] != '@')
        return glob_matches(selector, test->name);
    for (size_t i = 0; i < test->tag_count; i++) {
        if (glob_matches(selector + 1, test->tags[i]))
            return true;
    }
    return false;
}
