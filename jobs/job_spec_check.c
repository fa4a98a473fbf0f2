/* job_spec_check.c — the rules of a job's test, and of its blobs. */
#include "jobs/job_spec_internal.h"

#include "jobs/console_command.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

bool job_variable_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= JOB_NAME_MAX && strspn(name, LETTERS DIGITS "_") == size &&
           (name[0] < '0' || name[0] > '9');
}

static bool check_blobs(const struct job_spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->blob_count; i++) {
        const char *name = spec->blobs[i].name;

        if (name == NULL || name[0] == '\0' || name[0] == '.' ||
            strspn(name, LETTERS DIGITS "._-") != strlen(name))
            return err_set(err, ERR_INVALID, "blob %zu has no proper name", i);
        if (i > 0 && strcmp(spec->blobs[i - 1].name, name) >= 0)
            return err_set(err, ERR_INVALID, "blob %s is out of order", name);
        if (hash_is_zero(&spec->blobs[i].hash))
            return err_set(err, ERR_INVALID, "blob %s has no hash", name);
    }
    return true;
}

struct path_check {
    const struct job_spec *spec;
    struct err *err;
};

static bool check_path(void *context, const char **path)
{
    const struct path_check *check = context;

    return job_spec_blob(check->spec, *path) != NULL ||
           err_set(check->err, ERR_INVALID, "`%.80s` is not one of the job's blobs", *path);
}

/* As the job file has it: names end up in file names, XML and tables. */
static bool check_job_name(const char *what, const char *name, struct err *err)
{
    if (name == NULL || name[0] == '\0' || name[0] == '.' || name[0] == '@')
        return err_set(err, ERR_INVALID, "the job has no proper name of its %s", what);
    for (const char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == '/' || *at == 0x7f)
            return err_set(err, ERR_INVALID, "the name of a %s holds `/` or a control character",
                           what);
    }
    return true;
}

static bool check_texts(const char *const *texts, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i][0] == '\0')
            return err_set(err, ERR_INVALID, "an empty path among the results");
        if (!console_command_check(texts[i], err))
            return false;
    }
    return true;
}

static bool check_steps(const struct job_test *test, struct err *err)
{
    for (size_t i = 0; i < test->step_count; i++) {
        const struct console_step *step = &test->steps[i];
        bool wants_text = step->kind == CONSOLE_EXPECT || step->kind == CONSOLE_EXPECT_NOT ||
                          step->kind == CONSOLE_COMMAND;

        if (wants_text && step->text == NULL)
            return err_set(err, ERR_INVALID, "step %zu has no text", i + 1);
        if (step->kind == CONSOLE_COMMAND && !console_command_check(step->text, err))
            return err_wrap(err, "step %zu", i + 1);
    }
    return true;
}

static bool check_variables(const struct job_test *test, struct err *err)
{
    for (size_t i = 0; i < test->variable_count; i++) {
        const struct job_variable *variable = &test->variables[i];

        if (variable->name == NULL || variable->value == NULL ||
            !job_variable_name_is_valid(variable->name))
            return err_set(err, ERR_INVALID, "variable %zu has no proper name or no value", i);
        if (i > 0 && strcmp(test->variables[i - 1].name, variable->name) >= 0)
            return err_set(err, ERR_INVALID, "variable %s is out of order", variable->name);
        if (!console_command_check(variable->value, err))
            return err_wrap(err, "variable %s", variable->name);
    }
    return true;
}

bool job_monitors_check(const struct monitor_choice *monitors, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if ((monitors[i].set == NULL) == (monitors[i].pattern == NULL))
            return err_set(err, ERR_INVALID, "a monitor is either a set or a pattern");
        if (monitors[i].set != NULL && !monitor_set_exists(monitors[i].set))
            return err_set(err, ERR_UNSUPPORTED, "unknown monitor `%.40s`; known: %s",
                           monitors[i].set, monitor_set_names());
    }
    return true;
}

static bool check_disks(const struct job_test *test, struct err *err)
{
    for (size_t i = 0; i < test->disk_count; i++) {
        const struct job_disk *disk = &test->disks[i];

        if (disk->name == NULL || disk->file == NULL || !job_object_name_is_valid(disk->name))
            return err_set(err, ERR_INVALID, "disk %zu has no proper name or no content", i);
    }
    return true;
}

static bool check_test(const struct job_spec *spec, struct err *err)
{
    const struct job_test *test = &spec->test;
    bool bare = test->elf != NULL, script = test->script != NULL;

    if (!check_job_name("suite", spec->suite, err) || !check_job_name("job", spec->name, err))
        return false;
    if (spec->work == NULL || spec->work[0] == '\0')
        return err_set(err, ERR_INVALID, "the job has no work folder");
    if (bare + script + (test->step_count > 0) != 1 && !test->skip)
        return err_set(err, ERR_INVALID,
                       "a test has either steps, or a bare-metal program, or a script");
    if (script && test->payload_count + test->result_count + test->disk_count > 0)
        return err_set(err, ERR_INVALID, "a script takes no payload, disks or results");
    if (bare && test->payload_count + test->result_count > 0)
        return err_set(err, ERR_INVALID, "a bare-metal program takes no payload");
    if (test->seed != 0 && !test->has_seed)
        return err_set(err, ERR_INVALID, "a seed that is not given");
    return check_steps(test, err) && check_disks(test, err) && check_variables(test, err) &&
           check_texts(test->results, test->result_count, err) &&
           console_command_check(spec->work, err) &&
           (spec->job_disk == NULL || console_command_check(spec->job_disk, err)) &&
           (spec->result_disk == NULL || console_command_check(spec->result_disk, err)) &&
           job_monitors_check(test->monitors, test->monitor_count, err);
}

bool job_spec_check(const struct job_spec *spec, struct err *err)
{
    struct path_check check = {spec, err};

    if (!check_blobs(spec, err))
        return false;
    if (!spec_walk_paths(job_spec_table(spec->kind), (void *)(uintptr_t)spec, check_path, &check))
        return false;
    return spec->kind == JOB_BOOT ? job_machine_check(&spec->machine, err) : check_test(spec, err);
}
