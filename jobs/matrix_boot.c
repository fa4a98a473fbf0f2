/* matrix_boot.c — what jobs start from: which machines are to be booted, with which parameters. */
#include "jobs/job_keys.h"
#include "jobs/matrix_internal.h"

#include <string.h>

/* The checkpoint of an entry, resolved to what the file says of it. */
struct origin {
    const char *name; /* for people */
    const char *tag;
    const char *machine;
    const struct job_variable *parameters;
    size_t parameter_count;
};

static struct origin origin_of(const struct job_file *file, const struct job_test *test)
{
    const struct job_checkpoint *found =
        test->checkpoint == NULL ? NULL : job_checkpoint_find(file, test->checkpoint);
    bool of_suite = test->checkpoint == NULL ||
                    (file->checkpoint != NULL && strcmp(test->checkpoint, file->checkpoint) == 0);

    if (found != NULL)
        return (struct origin){found->name, found->tag, found->machine, found->parameters,
                               found->parameter_count};
    return (struct origin){.name = test->checkpoint != NULL ? test->checkpoint : file->name,
                           .tag = test->checkpoint,
                           .machine = of_suite ? file->machine : NULL};
}

static const char *value_of(const struct job_variable *variables, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].value;
    }
    return NULL;
}

/* The checkpoint's parameters, the matrix's before them, in the order of the table. */
static size_t merge(const struct origin *origin, const struct job_entry *entry,
                    struct job_variable *out, bool *own)
{
    size_t count = 0;

    *own = false;
    for (size_t i = 0; i < machine_parameter_count; i++) {
        const char *name = machine_parameter_names[i];
        const char *value = value_of(entry->parameters, entry->parameter_count, name);

        *own = *own || value != NULL;
        if (value == NULL)
            value = value_of(origin->parameters, origin->parameter_count, name);
        if (value != NULL)
            out[count++] = (struct job_variable){name, value};
    }
    return count;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const struct job_boot *a, const struct job_boot *b)
{
    if (strcmp(a->machine, b->machine) != 0 || !same_text(a->tag, b->tag) ||
        a->parameter_count != b->parameter_count)
        return false;
    for (size_t i = 0; i < a->parameter_count; i++) {
        if (strcmp(a->parameters[i].name, b->parameters[i].name) != 0 ||
            strcmp(a->parameters[i].value, b->parameters[i].value) != 0)
            return false;
    }
    return true;
}

/* "boot debian [harts=3]" */
static const char *boot_name(const struct origin *origin, const struct job_entry *entry,
                             struct pool *pool)
{
    const char *text = pool_format(pool, "boot %s", origin->name);
    bool any = false;

    for (size_t i = 0; i < entry->parameter_count; i++) {
        enum job_axis_kind kind = JOB_AXIS_VARIABLE;

        job_axis_kind_of(entry->parameters[i].name, &kind);
        if (kind != JOB_AXIS_MACHINE)
            continue;
        text = pool_format(pool, "%s%s%s=%.100s", text, any ? ", " : " [",
                           entry->parameters[i].name, entry->parameters[i].value);
        any = true;
    }
    return any ? pool_format(pool, "%s]", text) : text;
}

/* A variant of a machine has a tag of its own: "debian-booted-harts-3". None if a value could not
 * be part of one. */
static const char *variant_tag(const char *tag, const struct job_entry *entry, struct pool *pool)
{
    for (size_t i = 0; tag != NULL && i < entry->parameter_count; i++) {
        const struct job_variable *parameter = &entry->parameters[i];
        enum job_axis_kind kind = JOB_AXIS_VARIABLE;

        job_axis_kind_of(parameter->name, &kind);
        if (kind != JOB_AXIS_MACHINE)
            continue;
        if (strspn(parameter->value, "abcdefghijklmnopqrstuvwxyz0123456789") !=
            strlen(parameter->value))
            return NULL;
        tag = pool_format(pool, "%s-%s-%s", tag, parameter->name, parameter->value);
    }
    return tag;
}

static bool add_boot(struct matrix_work *work, const struct job_boot *boot, struct job_entry *entry)
{
    struct job_expanded *out = work->out;

    for (size_t i = 0; i < out->boot_count; i++) {
        if (is_same(&out->boots[i], boot)) {
            entry->boot = i;
            return true;
        }
    }
    if (out->boot_count == JOB_BOOTS_MAX)
        return err_set(work->err, ERR_TOO_BIG, "more than %d machines are to be booted",
                       JOB_BOOTS_MAX);
    entry->boot = out->boot_count;
    out->boots[out->boot_count++] = *boot;
    return true;
}

bool matrix_find_boot(struct matrix_work *work, struct job_entry *entry)
{
    struct pool *pool = &work->out->pool;
    struct job_test *test = &entry->test;
    struct origin origin;
    struct job_variable *parameters;
    struct job_boot boot;
    bool own;

    if (test->elf != NULL || test->skip) {
        test->checkpoint = NULL;
        return true;
    }
    origin = origin_of(work->out->file, test);
    parameters = pool_array(pool, machine_parameter_count, sizeof *parameters);
    boot = (struct job_boot){.machine = origin.machine, .parameters = parameters};
    boot.parameter_count = merge(&origin, entry, parameters, &own);
    test->checkpoint = origin.tag;
    if (origin.machine == NULL) {
        if (!own)
            return true;
        return err_set(work->err, ERR_INVALID,
                       "`%s:` is a parameter of a machine, and `%s` is a checkpoint without a "
                       "machine file",
                       parameters[0].name, origin.name);
    }
    boot.name = boot_name(&origin, entry, pool);
    boot.tag = own ? variant_tag(origin.tag, entry, pool) : origin.tag;
    test->checkpoint = NULL;
    return add_boot(work, &boot, entry);
}
