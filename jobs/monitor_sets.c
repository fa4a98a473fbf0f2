#include "jobs/monitor_sets.h"

#include "jobs/monitor.h"

#include <string.h>

/* A prefix that printk writes before each line: time, and the task or CPU with
 * CONFIG_PRINTK_CALLER. */
#define AT        "^(?:\\[ *[0-9]+\\.[0-9]+\\](?:\\[ *[CT][0-9]+\\])? )?"
#define END_TRACE "---\\[ end trace"
#define END_PANIC "---\\[ end Kernel panic"

static const struct monitor_rule linux_rules[] = {
    {AT "(Kernel panic - not syncing.*)", END_PANIC},
    {AT "(Oops(?: - .*?)? \\[#[0-9]+\\].*)", END_TRACE},
    {AT "(Oops - .*)", END_TRACE},
    {AT "(BUG: .*)", END_TRACE},
    {AT "(kernel BUG at .*)", END_TRACE},
    {AT "(Unable to handle kernel .*)", END_TRACE},
    {AT "(watchdog: BUG: .*)", END_TRACE},
    {AT "(rcu: INFO: rcu_.* (?:self-)?detected (?:stalls|stall|expedited stalls).*)", NULL},
    {AT "(INFO: task .* blocked for more than .*)", NULL},
    {AT "(INFO: possible recursive locking detected.*)", NULL},
    {AT "(={5,} WARNING: possible circular locking.*)", NULL},
    {AT "(Out of memory: Killed process .*)", NULL},
    {AT "(WARNING: CPU: .*)", END_TRACE},
    {AT "(UBSAN: .*)", END_TRACE},
};

static const struct monitor_rule opensbi_rules[] = {
    {"^(sbi_trap_error: .*)", NULL},
    {"^(init_coldboot: .* (?:failed|error).*)", NULL},
    {"^(sbi_ecall_.*: .* failed.*)", NULL},
};

static const struct monitor_rule uboot_rules[] = {
    {"^(Unhandled exception: .*)", "^resetting"},
    {"^(### ERROR ### .*)", NULL},
};

#define SET(name, rules)                                                                           \
    {                                                                                              \
        name, rules, sizeof(rules) / sizeof(rules)[0]                                              \
    }
static const struct monitor_set sets[] = {
    SET("linux", linux_rules),
    SET("opensbi", opensbi_rules),
    SET("uboot", uboot_rules),
};

const struct monitor_set *monitor_set_find(const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (strcmp(sets[i].name, name) == 0)
            return &sets[i];
    }
    return NULL;
}

bool monitor_set_exists(const char *name)
{
    return monitor_set_find(name) != NULL;
}

const char *monitor_set_names(void)
{
    return "`linux`, `opensbi`, `uboot`";
}
