#include "jobs/job_steps.h"

#include "jobs/console_command.h"

#include <string.h>

#define SEND_MAX 65536u

static bool read_patterns(struct yaml_map *map, const char *key, const char *const **out,
                          size_t *out_count)
{
    const struct yaml_node *list = yaml_get_list(map, key, JOB_CHECKS_MAX);
    size_t count = yaml_list_count(list);
    const char **patterns;

    if (list == NULL)
        return false;
    patterns = pool_array(yaml_pool(map->yaml), count, sizeof *patterns);
    for (size_t i = 0; i < count; i++) {
        if (!yaml_node_pattern(map->yaml, yaml_list_at(list, i), &patterns[i]))
            return false;
    }
    *out = patterns;
    *out_count = count;
    return true;
}

void job_check_read(struct yaml_map *map, struct console_check *check)
{
    const struct yaml_node *node = yaml_map_find(map, "exit_status");
    uint64_t status = 0;

    if (node != NULL && node->kind == YAML_SCALAR && strcmp(node->text, "any") == 0)
        check->any_status = true;
    else if (yaml_get_number(map, "exit_status", &status, (struct yaml_range){0, 255}))
        check->exit_status = (int32_t)status;
    yaml_get_text(map, "stdout", &check->output);
    read_patterns(map, "expect", &check->expect, &check->expect_count);
    read_patterns(map, "expect_not", &check->reject, &check->reject_count);
}

static void read_command(struct yaml_map *map, struct console_step *step)
{
    const struct yaml_node *node = yaml_map_find(map, "command");
    struct err err = ERR_INIT;

    step->kind = CONSOLE_COMMAND;
    step->text = "";
    if (!yaml_node_text(map->yaml, node, &step->text))
        return;
    if (step->text[0] == '\0')
        yaml_error(map->yaml, node, "an empty command");
    if (!console_command_check(step->text, &err))
        yaml_error(map->yaml, node, "%s", err.text);
    job_check_read(map, &step->check);
}

static void read_limit(struct yaml_map *map, const char *key, struct console_step *step)
{
    yaml_get_instructions(map, key, &step->instructions, (struct yaml_range){1, UINT64_MAX});
}

static void read_send(struct yaml_map *map, bool line, struct console_step *step)
{
    const struct yaml_node *node = yaml_map_find(map, line ? "send_line" : "send");
    char *bytes;

    step->kind = CONSOLE_SEND;
    if (node->kind != YAML_SCALAR || node->text_size > SEND_MAX) {
        yaml_error(map->yaml, node, "text of at most %u bytes is sent", SEND_MAX);
        return;
    }
    bytes = pool_bytes(yaml_pool(map->yaml), node->text, node->text_size + 1);
    /* What the Enter key of a terminal sends. */
    bytes[node->text_size] = '\r';
    step->bytes = (struct span){(const uint8_t *)bytes, node->text_size + (line ? 1 : 0)};
}

static void read_halt(struct yaml_map *map, struct console_step *step)
{
    bool wanted = false;

    step->kind = CONSOLE_HALT;
    if (yaml_get_bool(map, "halt", &wanted) && !wanted)
        yaml_error(map->yaml, yaml_map_find(map, "halt"), "`halt: false` is no step: leave it out");
    job_check_read(map, &step->check);
    read_limit(map, "within", step);
}

enum action { SEND, SEND_LINE, COMMAND, WAIT, HALT, EXPECT, EXPECT_NOT, ACTION_COUNT };

static const char *const action_names[ACTION_COUNT] = {"send", "send_line", "command",   "wait",
                                                       "halt", "expect",    "expect_not"};

/* The first that is there: `expect:` beside `command:` is a check of it. */
static enum action find_action(struct yaml_map *map)
{
    enum action found = ACTION_COUNT;

    for (unsigned int i = ACTION_COUNT; i-- > 0;) {
        if (yaml_map_find(map, action_names[i]) != NULL)
            found = (enum action)i;
    }
    return found;
}

static void read_action(struct yaml_map *map, enum action action, struct console_step *step)
{
    switch (action) {
    case SEND:
    case SEND_LINE:
        read_send(map, action == SEND_LINE, step);
        return;
    case COMMAND:
        read_command(map, step);
        read_limit(map, "within", step);
        return;
    case WAIT:
        step->kind = CONSOLE_WAIT;
        yaml_get_instructions(map, "wait", &step->instructions, YAML_ANY);
        return;
    case HALT:
        read_halt(map, step);
        return;
    case EXPECT:
        step->kind = CONSOLE_EXPECT;
        yaml_get_pattern(map, "expect", &step->text);
        read_limit(map, "within", step);
        return;
    case EXPECT_NOT:
        step->kind = CONSOLE_EXPECT_NOT;
        yaml_get_pattern(map, "expect_not", &step->text);
        read_limit(map, "for", step);
        return;
    case ACTION_COUNT:
        if (map->node->count == 1)
            return; /* misspelt: told by yaml_map_close */
        yaml_error(map->yaml, map->node,
                   "a step is one of `send:`, `send_line:`, `expect:`, `expect_not:`, `command:`, "
                   "`wait:`, `halt:`");
        return;
    }
}

static void check_alone(struct yaml_map *map, enum action action)
{
    /* Checks may stand beside a command and beside a halt; nothing else goes together. */
    unsigned int last = action == COMMAND || action == HALT ? HALT + 1u : ACTION_COUNT;

    for (unsigned int i = action + 1; i < last; i++) {
        if (yaml_map_find(map, action_names[i]) != NULL)
            yaml_error(map->yaml, yaml_map_key(map, action_names[i]),
                       "`%s:` and `%s:` are two steps: begin each with `-`", action_names[action],
                       action_names[i]);
    }
}

static void read_step(struct yaml *yaml, const struct yaml_node *node, struct console_step *step)
{
    enum action action;
    struct yaml_map map;

    step->text = "";
    if (!yaml_map_open(yaml, node, "a step", &map))
        return;
    action = find_action(&map);
    if (action < ACTION_COUNT)
        check_alone(&map, action);
    read_action(&map, action, step);
    yaml_map_close(&map);
}

void job_steps_read(struct yaml_map *map, struct job_test *test)
{
    const struct yaml_node *list = yaml_get_list(map, "steps", CONSOLE_STEPS_MAX);
    size_t count = yaml_list_count(list);
    struct console_step *steps;

    if (yaml_map_find(map, "command") != NULL) {
        steps = pool_alloc(yaml_pool(map->yaml), sizeof *steps);
        read_command(map, steps);
        test->steps = steps;
        test->step_count = 1;
        return;
    }
    if (list == NULL)
        return;
    steps = pool_array(yaml_pool(map->yaml), count, sizeof *steps);
    for (size_t i = 0; i < count; i++)
        read_step(map->yaml, yaml_list_at(list, i), &steps[i]);
    test->steps = steps;
    test->step_count = count;
}
