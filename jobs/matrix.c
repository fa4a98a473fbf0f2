#include "jobs/matrix.h"

#include "jobs/job_keys.h"
#include "jobs/job_substitute.h"
#include "jobs/matrix_internal.h"
#include "jobs/units.h"
#include "storage/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_VALUE_MAX 48u /* bytes of a value in a name; longer ones are cut and hashed */

static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t out;

    return __builtin_mul_overflow(a, b, &out) ? UINT64_MAX : out;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t out;

    return __builtin_add_overflow(a, b, &out) ? UINT64_MAX : out;
}

static uint64_t matrix_size(const struct job_matrix *matrix)
{
    uint64_t size = 1;

    for (size_t i = 0; i < matrix->axis_count; i++)
        size = multiply(size, matrix->axes[i].count);
    return size;
}

static uint64_t test_size(const struct job_test *test)
{
    uint64_t size = test->matrix_count == 0 ? 1 : 0;

    for (size_t i = 0; i < test->matrix_count; i++)
        size = add(size, matrix_size(&test->matrices[i]));
    return size;
}

uint64_t job_count(const struct job_file *file)
{
    uint64_t count = 0;

    for (size_t i = 0; i < file->test_count; i++)
        count = add(count, test_size(&file->tests[i]));
    return count;
}

/* A name holds no `/`; a long value is cut, and told from others by its hash. */
static const char *shown_value(const char *value, struct pool *pool)
{
    size_t size = strlen(value);
    struct hash hash;
    char *text;

    if (size <= SHOWN_VALUE_MAX) {
        text = pool_text(pool, value);
    } else {
        hash = hash_of(span_of_text(value));
        text =
            pool_format(pool, "%.*s~%.8s", (int)SHOWN_VALUE_MAX - 8, value, hash_hex(&hash).text);
    }
    for (char *at = text; *at != '\0'; at++)
        *at = (unsigned char)*at < 0x20 || *at == '/' || *at == 0x7f ? '_' : *at;
    return text;
}

static const char *entry_name(const struct job_entry *entry, struct pool *pool)
{
    struct buf text = BUF_INIT(JOB_ENTRY_NAME_MAX);
    struct err err = ERR_INIT;
    const char *name = NULL;
    bool ok = buf_format(&text, &err, "%s [", entry->group);

    for (size_t i = 0; ok && i < entry->parameter_count; i++)
        ok = buf_format(&text, &err, "%s%s=%s", i == 0 ? "" : ", ", entry->parameters[i].name,
                        shown_value(entry->parameters[i].value, pool));
    if (ok && buf_append_text(&text, "]", &err))
        name = pool_bytes(pool, text.data, text.size);
    buf_release(&text);
    return name;
}

/* The values of the combination `number`: the last axis changes fastest. */
static void set_parameters(const struct job_matrix *matrix, uint64_t number,
                           struct job_entry *entry, struct pool *pool)
{
    struct job_variable *values = pool_array(pool, matrix->axis_count, sizeof *values);

    for (size_t i = matrix->axis_count; i-- > 0;) {
        const struct job_axis *axis = &matrix->axes[i];

        values[i] = (struct job_variable){axis->name, axis->values[number % axis->count]};
        number /= axis->count;
    }
    entry->parameters = values;
    entry->parameter_count = matrix->axis_count;
}

static const char *const *with_text(const char *const *texts, size_t count, const char *text,
                                    struct pool *pool)
{
    const char **copy = pool_array(pool, count + 1, sizeof *copy);

    if (count > 0)
        memcpy(copy, texts, count * sizeof *copy);
    copy[count] = text;
    return copy;
}

/* Values were checked when the file was read. */
static void apply(struct job_test *test, const struct job_variable *parameter, struct pool *pool)
{
    enum job_axis_kind kind = JOB_AXIS_VARIABLE;
    struct err err = ERR_INIT;

    job_axis_kind_of(parameter->name, &kind);
    switch (kind) {
    case JOB_AXIS_HOST:
        test->host = with_text(test->host, test->host_count++, parameter->value, pool);
        return;
    case JOB_AXIS_TAGS:
        test->tags = with_text(test->tags, test->tag_count++, parameter->value, pool);
        return;
    case JOB_AXIS_CHECKPOINT:
        test->checkpoint = parameter->value;
        return;
    case JOB_AXIS_SEED:
        test->has_seed = units_number(parameter->value, &test->seed, &err);
        return;
    case JOB_AXIS_QUANTUM:
        units_instructions(parameter->value, &test->quantum, &err);
        return;
    case JOB_AXIS_MACHINE:
    case JOB_AXIS_VARIABLE:
        return;
    }
}

static int compare_variables(const void *a, const void *b)
{
    const struct job_variable *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* The test's variables and those of the matrix, which come first; all of its keys if `all`, else
 * the plain variables only: those are what the guest sees. */
static struct job_names names_of(const struct job_entry *entry, bool all, struct pool *pool)
{
    const struct job_test *test = &entry->test;
    struct job_variable *out =
        pool_array(pool, test->variable_count + entry->parameter_count, sizeof *out);
    size_t count = 0, own;

    for (size_t i = 0; i < entry->parameter_count; i++) {
        enum job_axis_kind kind = JOB_AXIS_VARIABLE;

        job_axis_kind_of(entry->parameters[i].name, &kind);
        if (all || kind == JOB_AXIS_VARIABLE)
            out[count++] = entry->parameters[i];
    }
    own = count;
    for (size_t i = 0; i < test->variable_count; i++) {
        bool replaced = false;

        for (size_t j = 0; j < own; j++)
            replaced = replaced || strcmp(out[j].name, test->variables[i].name) == 0;
        if (!replaced)
            out[count++] = test->variables[i];
    }
    qsort(out, count, sizeof *out, compare_variables);
    return (struct job_names){out, count};
}

static bool make_entry(const struct job_test *test, const struct job_matrix *matrix,
                       uint64_t number, struct job_entry *out, struct matrix_work *work)
{
    struct pool *pool = &work->out->pool;
    struct job_names names;

    *out = (struct job_entry){
        .name = test->name, .test = *test, .group = test->name, .boot = JOB_NO_BOOT};
    if (matrix != NULL) {
        set_parameters(matrix, number, out, pool);
        out->name = entry_name(out, pool);
        if (out->name == NULL)
            return err_set(work->err, ERR_TOO_BIG, "a job's name has over %d bytes",
                           JOB_ENTRY_NAME_MAX);
        for (size_t i = 0; i < out->parameter_count; i++)
            apply(&out->test, &out->parameters[i], pool);
    }
    names = names_of(out, true, pool);
    if (!job_test_substitute(&out->test, &names, pool, work->err))
        return false;
    if (out->parameter_count > 0) {
        names = names_of(out, false, pool);
        out->test.variables = names.variables;
        out->test.variable_count = names.count;
    }
    out->test.name = out->name;
    if (out->test.host_count > JOB_HOST_MAX || out->test.tag_count > JOB_TAGS_MAX + 1 ||
        out->test.variable_count > JOB_VARIABLES_MAX)
        return err_set(work->err, ERR_TOO_BIG, "more tags or variables than a job can have");
    if (pool->total > MATRIX_BYTES_MAX)
        return err_set(work->err, ERR_TOO_BIG,
                       "%zu jobs so far take over %u MiB: fewer combinations, or a payload instead "
                       "of long texts",
                       work->count, MATRIX_BYTES_MAX >> 20);
    return matrix_find_boot(work, out);
}

static bool expand_test(const struct job_test *test, struct matrix_work *work)
{
    if (test->matrix_count == 0)
        return make_entry(test, NULL, 0, &work->all[work->count++], work);
    for (size_t i = 0; i < test->matrix_count; i++) {
        uint64_t size = matrix_size(&test->matrices[i]);

        for (uint64_t number = 0; number < size; number++) {
            if (!make_entry(test, &test->matrices[i], number, &work->all[work->count++], work))
                return false;
        }
    }
    return true;
}

static bool expand_all(struct matrix_work *work)
{
    const struct job_file *file = work->out->file;

    for (size_t i = 0; i < file->test_count; i++) {
        work->first[i] = (uint32_t)work->count;
        if (!expand_test(&file->tests[i], work))
            return err_wrap(work->err, "%s:%u: test %s", file->path, file->tests[i].line,
                            file->tests[i].name);
    }
    work->first[file->test_count] = (uint32_t)work->count;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_unique(const struct matrix_work *work)
{
    size_t count = work->count + work->out->boot_count;
    const char **names = mem_array(count, sizeof *names);
    bool ok = true;

    for (size_t i = 0; i < work->count; i++)
        names[i] = work->all[i].name;
    for (size_t i = 0; i < work->out->boot_count; i++)
        names[work->count + i] = work->out->boots[i].name;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; ok && i < count; i++) {
        if (strcmp(names[i], names[i - 1]) == 0)
            ok = err_set(work->err, ERR_INVALID, "%s: two jobs named `%s`", work->out->file->path,
                         names[i]);
    }
    mem_free(names);
    return ok;
}

bool job_expand(const struct job_file *file, const char *const *selectors, size_t selector_count,
                struct job_expanded **out, struct err *err)
{
    uint64_t total = job_count(file);
    struct matrix_work work = {.err = err};
    bool ok;

    if (total > JOB_JOBS_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: the matrices make %s%llu jobs; the limit is %d",
                       file->path, total == UINT64_MAX ? "over " : "", (unsigned long long)total,
                       JOB_JOBS_MAX);
    work.out = mem_alloc(sizeof *work.out);
    work.out->file = file;
    work.out->pool = (struct pool)POOL_INIT;
    work.out->boots = pool_array(&work.out->pool, JOB_BOOTS_MAX, sizeof *work.out->boots);
    work.all = mem_array((size_t)total, sizeof *work.all);
    work.first = mem_array(file->test_count + 1, sizeof *work.first);
    work.chosen = mem_array((size_t)total, 1);
    ok = expand_all(&work) && check_unique(&work) &&
         matrix_select(&work, selectors, selector_count) && matrix_link(&work);
    mem_free(work.all);
    mem_free(work.first);
    mem_free(work.chosen);
    if (ok)
        *out = work.out;
    else
        job_expanded_free(work.out);
    return ok;
}

void job_expanded_free(struct job_expanded *expanded)
{
    if (expanded == NULL)
        return;
    pool_release(&expanded->pool);
    mem_free(expanded);
}
