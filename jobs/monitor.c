#include "jobs/monitor.h"

#include "jobs/console_filter.h"
#include "jobs/monitor_sets.h"
#include "jobs/pattern.h"
#include "storage/base/check.h"

#include <string.h>

#define RULES_MAX  256
#define REPORT_MAX ((size_t)MONITOR_LINES_MAX * (MONITOR_LINE_MAX + 1))

struct rule {
    struct pattern *pattern;
    struct pattern *close; /* or NULL */
    const char *title;     /* borrowed from the choice, or NULL */
};

enum state { IDLE, COLLECTING, DONE };

struct monitor {
    struct rule *rules;
    size_t rule_count;
    enum state state;
    const struct rule *rule; /* that opened the report */
    uint64_t deadline;
    struct console_filter filter;
    struct buf line;
    struct buf title;
    struct buf report;
    size_t line_count; /* of the report */
    struct signature signature;
};

static bool add_rule(struct monitor *monitor, const struct monitor_rule *from, const char *title,
                     struct err *err)
{
    struct rule *rule = &monitor->rules[monitor->rule_count];

    if (monitor->rule_count == RULES_MAX)
        return err_set(err, ERR_TOO_BIG, "more than %d patterns are watched for", RULES_MAX);
    rule->title = title;
    rule->pattern = pattern_new(from->pattern, err);
    if (rule->pattern == NULL)
        return false;
    monitor->rule_count++;
    if (from->close == NULL)
        return true;
    rule->close = pattern_new(from->close, err);
    return rule->close != NULL;
}

static bool add_choice(struct monitor *monitor, const struct monitor_choice *choice,
                       struct err *err)
{
    struct monitor_rule own = {choice->pattern, NULL};
    const struct monitor_set *set;

    if (choice->set == NULL)
        return add_rule(monitor, &own, choice->title, err);
    set = monitor_set_find(choice->set);
    if (set == NULL)
        return err_set(err, ERR_NOT_FOUND, "no monitor `%.40s`; known: %s", choice->set,
                       monitor_set_names());
    for (size_t i = 0; i < set->count; i++) {
        if (!add_rule(monitor, &set->rules[i], NULL, err))
            return false;
    }
    return true;
}

struct monitor *monitor_new(const struct monitor_choice *choices, size_t count, struct err *err)
{
    struct monitor *monitor = mem_alloc(sizeof *monitor);

    monitor->rules = mem_array(RULES_MAX, sizeof *monitor->rules);
    monitor->line = (struct buf)BUF_INIT(MONITOR_LINE_MAX);
    monitor->title = (struct buf)BUF_INIT(MONITOR_LINE_MAX);
    monitor->report = (struct buf)BUF_INIT(REPORT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!add_choice(monitor, &choices[i], err)) {
            monitor_free(monitor);
            return NULL;
        }
    }
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    for (size_t i = 0; i < monitor->rule_count; i++) {
        pattern_free(monitor->rules[i].pattern);
        pattern_free(monitor->rules[i].close);
    }
    mem_free(monitor->rules);
    buf_release(&monitor->line);
    buf_release(&monitor->title);
    buf_release(&monitor->report);
    mem_free(monitor);
}

static void finish(struct monitor *monitor)
{
    signature_make(VERDICT_FAIL, buf_span(&monitor->title), buf_span(&monitor->report),
                   &monitor->signature);
    monitor->state = DONE;
}

/* The first rule in the order of the choices that matches the line. */
static void look_for_title(struct monitor *monitor, uint64_t now)
{
    struct span line = buf_span(&monitor->line);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < monitor->rule_count; i++) {
        const struct rule *rule = &monitor->rules[i];
        struct pattern_place place;

        if (!pattern_search(rule->pattern, line, &place, &err))
            continue;
        if (rule->title != NULL)
            buf_append_text(&monitor->title, rule->title, &err);
        else if (place.group_end > place.group_start)
            buf_append(&monitor->title, line.data + place.group_start,
                       place.group_end - place.group_start, &err);
        else
            buf_append(&monitor->title, line.data, line.size, &err);
        monitor->rule = rule;
        monitor->state = COLLECTING;
        monitor->deadline =
            now > UINT64_MAX - MONITOR_INSTRUCTIONS ? UINT64_MAX : now + MONITOR_INSTRUCTIONS;
        return;
    }
}

static void take_line(struct monitor *monitor, uint64_t now)
{
    struct span line = buf_span(&monitor->line);
    struct err err = ERR_INIT;

    if (monitor->state == IDLE)
        look_for_title(monitor, now);
    if (monitor->state != COLLECTING)
        return;
    /* REPORT_MAX holds every line that is let in. */
    CHECK(buf_append(&monitor->report, line.data, line.size, &err));
    CHECK(buf_append_text(&monitor->report, "\n", &err));
    if (++monitor->line_count == MONITOR_LINES_MAX ||
        (monitor->rule->close != NULL && pattern_matches(monitor->rule->close, line)))
        finish(monitor);
}

static void take_text(struct monitor *monitor, uint8_t byte, uint64_t now)
{
    struct err err = ERR_INIT;

    if (byte == '\n' || byte == '\r') {
        take_line(monitor, now);
        buf_clear(&monitor->line);
    } else if (monitor->line.size < monitor->line.max) {
        buf_append(&monitor->line, &byte, 1, &err);
    }
}

bool monitor_put(struct monitor *monitor, struct span bytes, uint64_t now)
{
    if (monitor->rule_count == 0)
        return false;
    monitor_advance(monitor, now);
    for (size_t i = 0; i < bytes.size && monitor->state != DONE; i++) {
        uint8_t text[2];
        size_t count = console_filter_put(&monitor->filter, bytes.data[i], text);

        for (size_t j = 0; j < count && monitor->state != DONE; j++)
            take_text(monitor, text[j], now);
    }
    return monitor->state == DONE;
}

uint64_t monitor_deadline(const struct monitor *monitor)
{
    return monitor->state == COLLECTING ? monitor->deadline : UINT64_MAX;
}

bool monitor_advance(struct monitor *monitor, uint64_t now)
{
    if (monitor->state == COLLECTING && now >= monitor->deadline)
        finish(monitor);
    return monitor->state == DONE;
}

bool monitor_finish(struct monitor *monitor)
{
    if (monitor->state != DONE && monitor->line.size > 0)
        take_line(monitor, 0);
    buf_clear(&monitor->line);
    if (monitor->state == COLLECTING)
        finish(monitor);
    return monitor->state == DONE;
}

const struct signature *monitor_signature(const struct monitor *monitor)
{
    return monitor->state == DONE ? &monitor->signature : NULL;
}

struct span monitor_report(const struct monitor *monitor)
{
    return monitor->state == DONE ? buf_span(&monitor->report) : (struct span){NULL, 0};
}
