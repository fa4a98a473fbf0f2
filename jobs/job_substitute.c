#include "jobs/job_substitute.h"

#include "jobs/console_command.h"
#include "jobs/pattern.h"
#include "jobs/yaml.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX YAML_FILE_BYTES_MAX /* of a text, names replaced */

struct substitution {
    const struct job_names *names;
    struct pool *pool;
    struct err *err;
};

static const struct job_variable *find(const struct job_names *names, const char *name, size_t size)
{
    size_t low = 0, high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct job_variable *variable = &names->variables[middle];
        int order = strncmp(name, variable->name, size);

        if (order == 0 && variable->name[size] == '\0')
            return variable;
        if (order < 0 || order == 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The variable whose `${NAME}` begins here, and where it ends; NULL: none does. */
static const struct job_variable *variable_at(const struct job_names *names, struct span text,
                                              size_t at, size_t *end)
{
    const uint8_t *close;

    if (text.size - at < 4 || text.data[at] != '$' || text.data[at + 1] != '{')
        return NULL;
    close = memchr(text.data + at + 2, '}', text.size - at - 2);
    if (close == NULL)
        return NULL;
    *end = (size_t)(close - text.data) + 1;
    return find(names, (const char *)text.data + at + 2, *end - at - 3);
}

/* Replaces in bytes; `*changed` tells if anything was. In a path an absolute value takes the place
 * of all before it: the folder was put there when the file was read. */
static bool replace(const struct substitution *with, struct span *text, bool path, bool *changed)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    size_t copied = 0, end = 0;
    bool ok = true;

    *changed = false;
    for (size_t at = 0; ok && at < text->size; at++) {
        const struct job_variable *variable = variable_at(with->names, *text, at, &end);

        if (variable == NULL)
            continue;
        ok = buf_append(&out, text->data + copied, at - copied, with->err);
        if (path && variable->value[0] == '/')
            buf_clear(&out);
        ok = ok && buf_append_text(&out, variable->value, with->err);
        copied = end;
        at = end - 1;
        *changed = true;
    }
    if (ok && *changed) {
        ok = buf_append(&out, text->data + copied, text->size - copied, with->err);
        if (ok)
            *text = (struct span){(uint8_t *)pool_bytes(with->pool, out.data, out.size), out.size};
    }
    buf_release(&out);
    return ok;
}

static bool replace_text(const struct substitution *with, const char **text, bool path,
                         bool *changed)
{
    struct span bytes;

    *changed = false;
    if (*text == NULL || strstr(*text, "${") == NULL)
        return true;
    bytes = span_of_text(*text);
    if (!replace(with, &bytes, path, changed))
        return false;
    *text = (const char *)bytes.data;
    return true;
}

static bool check_pattern(const char *text, struct err *err)
{
    struct pattern *pattern = pattern_new(text, err);

    pattern_free(pattern);
    return pattern != NULL;
}

enum text_kind { TEXT_PLAIN, TEXT_PATH, TEXT_PATTERN, TEXT_COMMAND };

static bool replace_checked(const struct substitution *with, const char **text, enum text_kind kind)
{
    bool changed;

    if (!replace_text(with, text, kind == TEXT_PATH, &changed))
        return false;
    if (!changed || kind == TEXT_PLAIN || kind == TEXT_PATH)
        return true;
    return kind == TEXT_PATTERN ? check_pattern(*text, with->err)
                                : console_command_check(*text, with->err);
}

/* A list of texts: copied when one of them has a name in it. */
static bool replace_list(const struct substitution *with, const char *const **list, size_t count,
                         enum text_kind kind)
{
    const char **copy = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *text = (*list)[i];

        if (!replace_checked(with, &text, kind))
            return false;
        if (text == (*list)[i])
            continue;
        if (copy == NULL) {
            copy = pool_array(with->pool, count, sizeof *copy);
            memcpy(copy, *list, count * sizeof *copy);
            *list = copy;
        }
        copy[i] = text;
    }
    return true;
}

static bool replace_check(const struct substitution *with, struct console_check *check)
{
    return replace_checked(with, &check->output, TEXT_PLAIN) &&
           replace_list(with, &check->expect, check->expect_count, TEXT_PATTERN) &&
           replace_list(with, &check->reject, check->reject_count, TEXT_PATTERN);
}

static bool replace_step(const struct substitution *with, struct console_step *step)
{
    bool pattern = step->kind == CONSOLE_EXPECT || step->kind == CONSOLE_EXPECT_NOT;
    bool changed;

    return replace_checked(with, &step->text, pattern ? TEXT_PATTERN : TEXT_COMMAND) &&
           (step->bytes.size == 0 || replace(with, &step->bytes, false, &changed)) &&
           replace_check(with, &step->check);
}

static bool step_has_name(const struct console_step *step)
{
    bool found = step->text != NULL && strstr(step->text, "${") != NULL;

    found = found || (step->bytes.size > 0 && memmem(step->bytes.data, step->bytes.size, "${", 2));
    found = found || (step->check.output != NULL && strstr(step->check.output, "${") != NULL);
    for (size_t i = 0; i < step->check.expect_count; i++)
        found = found || strstr(step->check.expect[i], "${") != NULL;
    for (size_t i = 0; i < step->check.reject_count; i++)
        found = found || strstr(step->check.reject[i], "${") != NULL;
    return found;
}

static bool replace_steps(const struct substitution *with, struct job_test *test)
{
    struct console_step *steps;
    bool any = false;

    for (size_t i = 0; i < test->step_count; i++)
        any = any || step_has_name(&test->steps[i]);
    if (!any)
        return true;
    steps = pool_array(with->pool, test->step_count, sizeof *steps);
    memcpy(steps, test->steps, test->step_count * sizeof *steps);
    test->steps = steps;
    for (size_t i = 0; i < test->step_count; i++) {
        if (!replace_step(with, &steps[i]))
            return err_wrap(with->err, "step %zu", i + 1);
    }
    return true;
}

bool job_test_substitute(struct job_test *test, const struct job_names *names, struct pool *pool,
                         struct err *err)
{
    struct substitution with = {names, pool, err};

    if (names->count == 0)
        return true;
    for (size_t i = 0; i < test->disk_count; i++) {
        if (!replace_checked(&with, &test->disks[i].file, TEXT_PATH))
            return false;
    }
    return replace_steps(&with, test) && replace_check(&with, &test->check) &&
           replace_list(&with, &test->payload, test->payload_count, TEXT_PATH) &&
           replace_list(&with, &test->results, test->result_count, TEXT_COMMAND) &&
           replace_checked(&with, &test->elf, TEXT_PATH) &&
           replace_checked(&with, &test->checkpoint, TEXT_PLAIN) &&
           replace_checked(&with, &test->reason, TEXT_PLAIN);
}
