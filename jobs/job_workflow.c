/* job_workflow.c — `workflow:`: of a whole run, and of the nights it is run in. */
#include "jobs/job_keys.h"

#include "jobs/cron.h"
#include "jobs/units.h"
#include "storage/base/clock.h"

#include <string.h>

#define PRIORITY_MAX 100
#define RUNS_MAX     1000000

const char *job_order_name(enum job_order order)
{
    return order == JOB_ORDER_FILE ? "file" : "longest-first";
}

/* `1 %`, `0.5%` in thousandths. */
static bool parse_share(const char *text, uint64_t *out, struct err *err)
{
    char digits[16];
    const char *end = strchr(text, '%');
    size_t size = end == NULL ? 0 : (size_t)(end - text);
    uint64_t whole = 0, tenth = 0;
    char *point;

    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (end == NULL || end[1] != '\0' || size == 0 || size >= sizeof digits)
        return err_set(err, ERR_INVALID, "`%.40s` is not a share such as `1 %%` or `0.5 %%`", text);
    memcpy(digits, text, size);
    digits[size] = '\0';
    point = strchr(digits, '.');
    if (point != NULL) {
        *point++ = '\0';
        if (strlen(point) != 1 || !units_number(point, &tenth, err))
            return err_set(err, ERR_INVALID, "a share has one digit behind the point");
    }
    if (!units_number(digits, &whole, err) || whole > 1000)
        return err_set(err, ERR_INVALID, "`%.40s` is not a share such as `1 %%` or `0.5 %%`", text);
    *out = whole * 10 + tenth;
    return true;
}

static void read_share(struct yaml_map *map, const char *key, uint64_t max, uint32_t *out)
{
    struct err err = ERR_INIT;
    const char *text;
    uint64_t share = 0;

    if (!yaml_get_text(map, key, &text))
        return;
    if (!parse_share(text, &share, &err))
        yaml_error(map->yaml, yaml_map_find(map, key), "`%s:` %s", key, err.text);
    else if (share > max)
        yaml_error(map->yaml, yaml_map_find(map, key), "`%s:` is at most %llu %%", key,
                   (unsigned long long)max / 10);
    else
        *out = (uint32_t)share;
}

static void read_age(struct yaml_map *map, const char *key, uint64_t *out)
{
    uint64_t ns;

    if (yaml_get_duration_ns(map, key, &ns, (struct yaml_range){NS_PER_S, UINT64_MAX}))
        *out = ns / NS_PER_S;
}

static void check_cron(struct yaml_map *map, const char *text)
{
    struct err err = ERR_INIT;
    struct cron cron;

    if (!cron_parse(text, &cron, &err))
        yaml_error(map->yaml, yaml_map_find(map, "cron"), "`cron:` %s", err.text);
}

static void check_zone(struct yaml_map *map, const char *name)
{
    struct time_zone *zone = NULL;
    struct err err = ERR_INIT;

    if (!time_zone_load(name, &zone, &err))
        yaml_error(map->yaml, yaml_map_find(map, "time_zone"), "`time_zone:` %s", err.text);
    time_zone_free(zone);
}

static void read_schedule(struct yaml_map *outer, struct job_workflow *out)
{
    static const char *const missed[] = {"run", "skip"};
    const struct yaml_node *node = yaml_map_find(outer, "schedule");
    struct yaml_map map;
    size_t choice;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`schedule:`", &map))
        return;
    out->schedule.time_zone = "UTC";
    yaml_map_need(&map, "cron");
    if (yaml_get_text(&map, "cron", &out->schedule.cron))
        check_cron(&map, out->schedule.cron);
    if (yaml_get_text(&map, "time_zone", &out->schedule.time_zone))
        check_zone(&map, out->schedule.time_zone);
    if (yaml_get_choice(&map, "missed", missed, 2, &choice))
        out->schedule.missed = (enum job_missed)choice;
    yaml_map_close(&map);
}

static void read_retention(struct yaml_map *outer, struct job_workflow *out)
{
    const struct yaml_node *node = yaml_map_find(outer, "retention");
    struct yaml_map map;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`retention:`", &map))
        return;
    yaml_get_number(&map, "runs", &out->retention.runs, (struct yaml_range){1, RUNS_MAX});
    read_age(&map, "age", &out->retention.run_s);
    read_age(&map, "artifacts", &out->retention.artifacts_s);
    read_age(&map, "checkpoints", &out->retention.checkpoints_s);
    yaml_map_close(&map);
}

static void read_webhook(struct yaml_map *outer, struct job_workflow *out)
{
    const struct yaml_node *node = yaml_map_find(outer, "webhook");
    struct yaml_map map;

    if (node == NULL || !yaml_map_open(outer->yaml, node, "`webhook:`", &map))
        return;
    yaml_map_need(&map, "url");
    if (yaml_get_text(&map, "url", &out->webhook.url) &&
        strncmp(out->webhook.url, "https://", 8) != 0 &&
        strncmp(out->webhook.url, "http://", 7) != 0)
        yaml_error(outer->yaml, yaml_map_find(&map, "url"),
                   "`url:` begins with `https://` or `http://`");
    yaml_get_text(&map, "secret", &out->webhook.secret);
    yaml_map_close(&map);
}

void job_workflow_read(struct yaml_map *outer, struct job_workflow *out)
{
    static const char *const orders[] = {"longest_first", "file"};
    const struct yaml_node *node = yaml_map_find(outer, "workflow");
    uint64_t priority = JOB_PRIORITY_DEFAULT;
    struct yaml_map map;
    bool cache = true;
    size_t order;

    out->priority = JOB_PRIORITY_DEFAULT;
    out->rerun_share_permille = JOB_RERUN_PERMILLE;
    out->slower_permille = JOB_SLOWER_PERMILLE;
    if (node == NULL || !yaml_map_open(outer->yaml, node, "`workflow:`", &map))
        return;
    yaml_get_number(&map, "max_failures", &out->max_failures,
                    (struct yaml_range){1, JOB_TESTS_MAX * UINT64_C(1000)});
    if (yaml_get_choice(&map, "order", orders, 2, &order))
        out->order = (enum job_order)order;
    yaml_get_number(&map, "priority", &priority, (struct yaml_range){0, PRIORITY_MAX});
    out->priority = (uint32_t)priority;
    yaml_get_bool(&map, "cache", &cache);
    out->no_cache = !cache;
    read_share(&map, "rerun", 1000, &out->rerun_share_permille);
    read_share(&map, "slower", 10000, &out->slower_permille);
    yaml_get_text(&map, "baseline", &out->baseline);
    read_schedule(&map, out);
    read_retention(&map, out);
    read_webhook(&map, out);
    yaml_get_text(&map, "command", &out->command);
    yaml_map_close(&map);
}
