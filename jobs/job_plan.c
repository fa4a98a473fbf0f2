#include "jobs/job_file.h"

#include <string.h>

/* In single quotes for a shell. */
static bool append_shell_word(struct buf *out, const char *word, struct err *err)
{
    if (!buf_append_text(out, "'", err))
        return false;
    for (; *word != '\0'; word++) {
        if (*word == '\'' ? !buf_append_text(out, "'\\''", err) : !buf_append(out, word, 1, err))
            return false;
    }
    return buf_append_text(out, "'", err);
}

static const char *shell_word(const char *word, struct pool *pool)
{
    struct buf out = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    const char *text;

    /* Plain paths look better, and are shorter to type. */
    if (word[0] != '\0' && word[0] != '-' &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-*?") ==
            strlen(word))
        return word;
    text = append_shell_word(&out, word, &err) ? pool_bytes(pool, out.data, out.size) : word;
    buf_release(&out);
    return text;
}

const char *job_unpack_text(const struct job_guest *guest, struct pool *pool)
{
    const char *work = shell_word(guest->work, pool);

    return pool_format(pool, "mkdir -p %s&&cd %s&&tar -xf %s", work, work,
                       shell_word(guest->job_disk, pool));
}

const char *job_pack_text(const struct job_guest *guest, const char *const *results, size_t count,
                          struct pool *pool)
{
    const char *work = shell_word(guest->work, pool);
    const char *text = pool_format(pool, "mkdir -p %s;cd %s&&tar -cf %s", work, work,
                                   shell_word(guest->result_disk, pool));

    for (size_t i = 0; i < count; i++)
        text = pool_format(pool, "%s %s", text, shell_word(results[i], pool));
    return text;
}

/* `export NAME=value` for every variable, a line each; NULL if there are none. */
static const char *export_text(const struct job_test *test, struct pool *pool)
{
    const char *text = NULL;

    for (size_t i = 0; i < test->variable_count; i++)
        text = pool_format(pool, "%s%sexport %s=%s", text == NULL ? "" : text,
                           text == NULL ? "" : "\n", test->variables[i].name,
                           shell_word(test->variables[i].value, pool));
    return text;
}

/* Commands run in a shell of their own each: all get the environment, the first the payload. */
static void set_before(const struct job_test *test, const struct job_guest *guest, size_t first,
                       struct console_step *steps, struct pool *pool)
{
    const char *exports = export_text(test, pool);

    for (size_t i = 0; i < test->step_count; i++) {
        if (steps[i].kind == CONSOLE_COMMAND)
            steps[i].before = exports;
    }
    if (test->payload_count == 0)
        return;
    steps[first].before = job_unpack_text(guest, pool);
    if (exports != NULL)
        steps[first].before = pool_format(pool, "%s\n%s", exports, steps[first].before);
}

static size_t find_command(const struct console_step *steps, size_t count, bool last)
{
    size_t found = count;

    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == CONSOLE_COMMAND && (last || found == count))
            found = i;
    }
    return found;
}

bool job_plan_make(const struct job_test *test, const struct job_guest *guest, struct pool *pool,
                   struct console_plan *out, struct err *err)
{
    struct console_step *steps = pool_array(pool, test->step_count, sizeof *steps);
    size_t first = find_command(test->steps, test->step_count, false);
    size_t last = find_command(test->steps, test->step_count, true);

    if (test->payload_count > 0 && guest->job_disk == NULL)
        return err_set(err, ERR_USAGE, "test %s has a payload, but the machine has no job disk",
                       test->name);
    if (test->result_count > 0 && guest->result_disk == NULL)
        return err_set(err, ERR_USAGE, "test %s has results, but the machine has no result disk",
                       test->name);
    if (test->payload_count + test->result_count > 0 && first == test->step_count)
        return err_set(err, ERR_USAGE, "test %s has a payload or results, but no command",
                       test->name);
    if (test->step_count > 0)
        memcpy(steps, test->steps, test->step_count * sizeof *steps);
    set_before(test, guest, first, steps, pool);
    if (test->result_count > 0)
        steps[last].after = job_pack_text(guest, test->results, test->result_count, pool);
    *out = (struct console_plan){
        .steps = steps,
        .step_count = test->step_count,
        .prompt = guest->prompt,
        .at_prompt = guest->at_prompt,
        .instructions_max = test->limits.instructions,
    };
    return true;
}

void job_plan_freeze(const struct machine_freeze *freeze, struct pool *pool,
                     struct console_plan *out)
{
    struct console_step *steps = pool_array(pool, 2, sizeof *steps);
    size_t count = 0;

    if (freeze->console != NULL) {
        steps[count++] = (struct console_step){.kind = CONSOLE_EXPECT, .text = freeze->console};
        if (freeze->settle > 0)
            steps[count++] =
                (struct console_step){.kind = CONSOLE_WAIT, .instructions = freeze->settle};
    } else {
        steps[count++] = (struct console_step){
            .kind = CONSOLE_WAIT,
            .instructions = freeze->instructions > 0 ? freeze->instructions : UINT64_MAX};
    }
    *out = (struct console_plan){
        .steps = steps, .step_count = count, .instructions_max = freeze->within};
}
