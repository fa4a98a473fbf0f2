/* matrix_select.c — which jobs are run, and which wait for which. */
#include "jobs/job_keys.h"
#include "jobs/matrix_internal.h"

#include <string.h>

static bool is_asked(const struct job_entry *entry, const char *const *selectors, size_t count)
{
    struct job_test by_group = {.name = entry->group};

    for (size_t i = 0; i < count; i++) {
        if (job_test_selected(&entry->test, selectors[i]) ||
            (selectors[i][0] != '@' && job_test_selected(&by_group, selectors[i])))
            return true;
    }
    return count == 0;
}

/* All jobs of the tests that this one needs, and on from there. `pending` holds indices of tests.
 */
static void choose_needed(struct matrix_work *work, const uint32_t *sorted, uint32_t *pending,
                          size_t pending_count)
{
    const struct job_file *file = work->out->file;
    uint8_t *seen = mem_array(file->test_count, 1);

    for (size_t i = 0; i < pending_count; i++)
        seen[pending[i]] = 1;
    while (pending_count > 0) {
        const struct job_test *test = &file->tests[pending[--pending_count]];

        for (size_t i = 0; i < test->need_count; i++) {
            size_t need = job_name_find(file, sorted, test->needs[i]);

            memset(work->chosen + work->first[need], 1, work->first[need + 1] - work->first[need]);
            if (seen[need] == 0) {
                seen[need] = 1;
                pending[pending_count++] = (uint32_t)need;
            }
        }
    }
    mem_free(seen);
}

bool matrix_select(struct matrix_work *work, const char *const *selectors, size_t count)
{
    const struct job_file *file = work->out->file;
    uint32_t *sorted = job_names_sort(file);
    uint32_t *pending = mem_array(file->test_count, sizeof *pending);
    size_t pending_count = 0;

    for (uint32_t test = 0; test < file->test_count; test++) {
        bool any = false;

        for (uint32_t i = work->first[test]; i < work->first[test + 1]; i++) {
            work->chosen[i] = is_asked(&work->all[i], selectors, count) ? 1 : 0;
            any = any || work->chosen[i] != 0;
        }
        if (any)
            pending[pending_count++] = test;
    }
    choose_needed(work, sorted, pending, pending_count);
    mem_free(pending);
    mem_free(sorted);
    if (pending_count > 0)
        return true;
    if (count == 0)
        return err_set(work->err, ERR_USAGE, "%s: there is no test in it", file->path);
    return err_set(work->err, ERR_USAGE,
                   "%s: no test is selected by \"%s\"%s; `thaw jobs expand` lists their names",
                   file->path, selectors[0], count > 1 ? " or what follows" : "");
}

/* The entries' indices after those not chosen are left out. */
static uint32_t *renumber(const struct matrix_work *work)
{
    uint32_t *number = mem_array(work->count + 1, sizeof *number);
    uint32_t next = 0;

    for (size_t i = 0; i < work->count; i++) {
        number[i] = next;
        next += work->chosen[i];
    }
    number[work->count] = next;
    return number;
}

/* How many jobs each job of the test waits for. */
static uint64_t count_needs(const struct matrix_work *work, const struct job_test *test,
                            const uint32_t *sorted)
{
    uint64_t count = 0;

    for (size_t i = 0; i < test->need_count; i++) {
        size_t need = job_name_find(work->out->file, sorted, test->needs[i]);

        count += work->first[need + 1] - work->first[need];
    }
    return count;
}

/* Those jobs: one list for all jobs of the test. */
static const uint32_t *list_needs(struct matrix_work *work, const struct job_test *test,
                                  const uint32_t *sorted, const uint32_t *number, uint64_t count)
{
    uint32_t *list = pool_array(&work->out->pool, (size_t)count, sizeof *list);
    size_t used = 0;

    for (size_t i = 0; i < test->need_count; i++) {
        size_t need = job_name_find(work->out->file, sorted, test->needs[i]);

        for (uint32_t j = work->first[need]; j < work->first[need + 1]; j++)
            list[used++] = number[j];
    }
    return list;
}

static bool link_test(struct matrix_work *work, uint32_t index, const uint32_t *sorted,
                      const uint32_t *number, uint64_t *total)
{
    const struct job_test *test = &work->out->file->tests[index];
    uint32_t first = work->first[index], end = work->first[index + 1];
    uint64_t jobs = number[end] - number[first];
    uint64_t count = count_needs(work, test, sorted);
    const uint32_t *needs;

    if (jobs == 0 || count == 0)
        return true;
    *total += jobs * count;
    if (*total > MATRIX_NEEDS_MAX)
        return err_set(work->err, ERR_TOO_BIG,
                       "%s:%u: `needs:` of all jobs together name more than %d jobs",
                       work->out->file->path, test->line, MATRIX_NEEDS_MAX);
    needs = list_needs(work, test, sorted, number, count);
    for (uint32_t i = number[first]; i < number[end]; i++) {
        work->out->entries[i].needs = needs;
        work->out->entries[i].need_count = (size_t)count;
    }
    return true;
}

/* Boots that no chosen entry starts from are left out. */
static void keep_used_boots(struct job_expanded *out)
{
    size_t number[JOB_BOOTS_MAX], kept = 0;
    bool used[JOB_BOOTS_MAX] = {false};

    for (size_t i = 0; i < out->count; i++) {
        if (out->entries[i].boot != JOB_NO_BOOT)
            used[out->entries[i].boot] = true;
    }
    for (size_t i = 0; i < out->boot_count; i++) {
        number[i] = kept;
        if (used[i])
            out->boots[kept++] = out->boots[i];
    }
    out->boot_count = kept;
    for (size_t i = 0; i < out->count; i++) {
        if (out->entries[i].boot != JOB_NO_BOOT)
            out->entries[i].boot = number[out->entries[i].boot];
    }
}

bool matrix_link(struct matrix_work *work)
{
    struct job_expanded *out = work->out;
    uint32_t *number = renumber(work), *sorted = job_names_sort(out->file);
    uint64_t total = 0;
    bool ok = true;

    out->count = number[work->count];
    out->entries = pool_array(&out->pool, out->count, sizeof *out->entries);
    for (size_t i = 0; i < work->count; i++) {
        if (work->chosen[i] != 0)
            out->entries[number[i]] = work->all[i];
    }
    for (uint32_t i = 0; ok && i < out->file->test_count; i++)
        ok = link_test(work, i, sorted, number, &total);
    keep_used_boots(out);
    mem_free(number);
    mem_free(sorted);
    return ok;
}
