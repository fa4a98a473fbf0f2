/* job_needs.c — `needs:`: tests that wait for tests. */
#include "jobs/job_keys.h"

#include "jobs/suggest.h"

#include <stdlib.h>
#include <string.h>

static int compare_tests(const void *a, const void *b, void *context)
{
    const struct job_file *file = context;

    return strcmp(file->tests[*(const uint32_t *)a].name, file->tests[*(const uint32_t *)b].name);
}

uint32_t *job_names_sort(const struct job_file *file)
{
    uint32_t *sorted = mem_array(file->test_count, sizeof *sorted);

    for (uint32_t i = 0; i < file->test_count; i++)
        sorted[i] = i;
    qsort_r(sorted, file->test_count, sizeof *sorted, compare_tests, (void *)(uintptr_t)file);
    return sorted;
}

size_t job_name_find(const struct job_file *file, const uint32_t *sorted, const char *name)
{
    size_t low = 0, high = file->test_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, file->tests[sorted[middle]].name);

        if (order == 0)
            return sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return file->test_count;
}

struct walk {
    struct yaml *yaml;
    const struct yaml_node *list;
    const struct job_file *file;
    uint32_t *sorted;
    uint8_t *state; /* of each test: 0 not seen, 1 on the way, 2 done */
    uint32_t *path; /* tests on the way */
    uint32_t *next; /* of each: its need that is looked at next */
};

static void note_unknown(const struct walk *walk, size_t index, const char *name)
{
    const char **names = mem_array(walk->file->test_count, sizeof *names);
    const char *near;

    for (size_t i = 0; i < walk->file->test_count; i++)
        names[i] = walk->file->tests[i].name;
    near = suggest_name(name, names, walk->file->test_count);
    if (near != NULL)
        yaml_error(walk->yaml, yaml_list_at(walk->list, index),
                   "`needs:` there is no test `%.100s`; did you mean `%s`?", name, near);
    else
        yaml_error(walk->yaml, yaml_list_at(walk->list, index),
                   "`needs:` there is no test `%.100s`", name);
    mem_free(names);
}

/* One step down from the last test of the path; false if there is none left. */
static bool descend(struct walk *walk, size_t *depth)
{
    uint32_t here = walk->path[*depth - 1];
    const struct job_test *test = &walk->file->tests[here];
    const char *name;
    size_t need;

    if (walk->next[here] == test->need_count)
        return false;
    name = test->needs[walk->next[here]++];
    need = job_name_find(walk->file, walk->sorted, name);
    if (need == walk->file->test_count) {
        note_unknown(walk, here, name);
    } else if (walk->state[need] == 1) {
        yaml_error(walk->yaml, yaml_list_at(walk->list, here),
                   "`needs:` goes round in a circle: `%s` waits for `%s`, which waits for it",
                   test->name, name);
    } else if (walk->state[need] == 0) {
        walk->state[need] = 1;
        walk->path[(*depth)++] = (uint32_t)need;
    }
    return true;
}

static void walk_from(struct walk *walk, uint32_t start)
{
    size_t depth = 1;

    if (walk->state[start] != 0)
        return;
    walk->state[start] = 1;
    walk->path[0] = start;
    while (depth > 0) {
        if (!descend(walk, &depth))
            walk->state[walk->path[--depth]] = 2;
    }
}

void job_needs_check(struct yaml *yaml, const struct yaml_node *list, const struct job_file *file)
{
    struct walk walk = {.yaml = yaml,
                        .list = list,
                        .file = file,
                        .sorted = job_names_sort(file),
                        .state = mem_array(file->test_count, 1),
                        .path = mem_array(file->test_count, sizeof(uint32_t)),
                        .next = mem_array(file->test_count, sizeof(uint32_t))};

    for (uint32_t i = 0; i < file->test_count; i++)
        walk_from(&walk, i);
    mem_free(walk.sorted);
    mem_free(walk.state);
    mem_free(walk.path);
    mem_free(walk.next);
}
