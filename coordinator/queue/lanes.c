/* lanes.c — the queues within a run: who may take from which. */
#include "coordinator/queue/internal.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool requirement_text(const struct queue_job_request *request, char *out, size_t size)
{
    const char *tags[QUEUE_HOST_MAX];
    size_t used = 0;

    out[0] = 0;
    if (request->memory_mib)
        used += (size_t)snprintf(out, size, "%llu\n", (unsigned long long)request->memory_mib);
    else if (request->host_count)
        used += (size_t)snprintf(out, size, "0\n");
    if (request->host_count)
        memcpy(tags, request->host, request->host_count * sizeof(tags[0]));
    qsort(tags, request->host_count, sizeof(tags[0]), text_compare);
    for (uint32_t i = 0; i < request->host_count && used < size; i++)
        if (i == 0 || strcmp(tags[i], tags[i - 1]) != 0)
            used += (size_t)snprintf(out + used, size - used, "%s\n", tags[i]);
    return used < size;
}

static uint32_t requirement_number(struct queue *queue, const char *text)
{
    for (size_t i = 0; i < queue->requirement_count; i++)
        if (strcmp(queue->requirements[i], text) == 0)
            return (uint32_t)i;
    if (queue->requirement_count == queue->requirement_capacity) {
        size_t capacity = 2 * queue->requirement_capacity + 16;
        char **more = mem_array(capacity, sizeof(*more));
        if (queue->requirement_count)
            memcpy(more, queue->requirements, queue->requirement_count * sizeof(*more));
        mem_free(queue->requirements);
        queue->requirements = more;
        queue->requirement_capacity = capacity;
    }
    queue->requirements[queue->requirement_count] = mem_text(text);
    return (uint32_t)queue->requirement_count++;
}

static bool lane_is(const struct queue *queue, const struct lane *lane, const struct lane_key *key)
{
    return lane->avoid == key->avoid && lane->unlike == key->unlike && lane->boot == key->boot &&
           hash_equal(&lane->checkpoint, &key->checkpoint) &&
           strcmp(queue->requirements[lane->requirement], key->requirement) == 0;
}

struct lane *lane_load(struct queue *queue, struct run *run, uint64_t id,
                       const struct lane_key *key)
{
    struct lane *lane = mem_alloc(sizeof(*lane));

    lane->id = id;
    lane->run = run;
    lane->requirement = requirement_number(queue, key->requirement);
    lane->checkpoint = key->checkpoint;
    lane->avoid = key->avoid;
    lane->unlike = key->unlike;
    lane->boot = key->boot;
    lane->since_ns = queue_now_ns(queue);
    if (!hash_is_zero(&lane->checkpoint)) {
        sqlite3_stmt *time = db_use(&queue->db, SQL_BOOT_TIME);
        db_hash(time, 1, &lane->checkpoint);
        lane->boot_ns = db_number(&queue->db, time, 0);
    }
    if (run->lane_count == run->lane_capacity) {
        run->lane_capacity = 2 * run->lane_capacity + 4;
        struct lane **more = mem_array(run->lane_capacity, sizeof(*more));
        if (run->lane_count)
            memcpy(more, run->lanes, run->lane_count * sizeof(*more));
        mem_free(run->lanes);
        run->lanes = more;
    }
    run->lanes[run->lane_count++] = lane;
    map_put(&queue->lanes, id, lane);
    return lane;
}

struct lane *lane_for(struct queue *queue, const struct lane_key *key)
{
    struct run *run = key->run;

    if (run->last_lane && lane_is(queue, run->last_lane, key))
        return run->last_lane;
    for (size_t i = 0; i < run->lane_count; i++)
        if (lane_is(queue, run->lanes[i], key))
            return run->last_lane = run->lanes[i];
    sqlite3_stmt *add = db_use(&queue->db, SQL_LANE_ADD);
    db_u64(add, 1, run->id);
    db_text(add, 2, key->requirement);
    db_hash(add, 3, &key->checkpoint);
    db_u64(add, 4, key->avoid);
    db_u64(add, 5, key->unlike);
    db_u64(add, 6, key->boot);
    db_run(&queue->db, add);
    uint64_t id = (uint64_t)sqlite3_last_insert_rowid(queue->db.handle);
    if (queue->db.faulty) /* never written; but memory must not have two of one number */
        id = UINT64_MAX - run->lane_count;
    return run->last_lane = lane_load(queue, run, id, key);
}

void run_free(struct queue *queue, struct run *run)
{
    map_take(&queue->runs, run->id);
    for (size_t i = 0; i < run->lane_count; i++) {
        map_take(&queue->lanes, run->lanes[i]->id);
        mem_free(run->lanes[i]);
    }
    mem_free(run->lanes);
    mem_free(run->reason);
    mem_free(run);
}

static bool tag_equal(const char *tag, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(tag, text, size) == 0;
}

static bool agent_has(const struct agent *agent, const char *tag, size_t size)
{
    if (tag_equal(tag, size, agent->arch) || tag_equal(tag, size, agent->os))
        return true;
    if (tag_equal(tag, size, agent->big_endian ? "big-endian" : "little-endian") ||
        (agent->word_bits == 32 && tag_equal(tag, size, "32-bit")) ||
        (agent->word_bits == 64 && tag_equal(tag, size, "64-bit")))
        return true;
    if (size > 6 && memcmp(tag, "agent:", 6) == 0)
        return tag_equal(tag + 6, size - 6, agent->name);
    for (const char *at = agent->tags; *at;) {
        size_t length = strcspn(at, "\n");
        if (length == size && memcmp(at, tag, size) == 0)
            return true;
        at += length + (at[length] == '\n');
    }
    return false;
}

static bool requirement_met(const char *text, const struct agent *agent)
{
    if (!*text)
        return true;
    if (strtoull(text, NULL, 10) > agent->memory_mib)
        return false;
    for (const char *at = strchr(text, '\n') + 1; *at;) {
        size_t length = strcspn(at, "\n");
        if (!agent_has(agent, at, length))
            return false;
        at += length + 1;
    }
    return true;
}

/* Remembered for each agent until its next hello. */
static bool meets(struct queue *queue, struct agent *agent, uint32_t requirement)
{
    if (requirement >= agent->met_count) {
        uint8_t *more = mem_alloc(queue->requirement_count);
        if (agent->met_count)
            memcpy(more, agent->met, agent->met_count);
        mem_free(agent->met);
        agent->met = more;
        agent->met_count = queue->requirement_count;
    }
    uint8_t *met = &agent->met[requirement];
    if (*met == 0)
        *met = requirement_met(queue->requirements[requirement], agent) ? 1 : 2;
    return *met == 1;
}

bool agent_online(const struct queue *queue, const struct agent *agent)
{
    return agent->heard && agent->hello && !agent->revoked &&
           queue_now_ns(queue) - agent->heard_ns < queue->lease_ns;
}

/* Whether somebody else is there for a job that should not go to `agent`. */
static bool other_suits(struct queue *queue, const struct lane *lane, const struct agent *agent)
{
    const struct agent *avoided = map_get(&queue->agent_rows, lane->avoid);
    bool is_avoided = agent->row == lane->avoid;
    size_t at = 0;

    for (struct agent *other; (other = map_next(&queue->agents, &at));) {
        if (other == agent || other->row == lane->avoid || other->draining || other->slots == 0)
            continue;
        if (!agent_online(queue, other) || !meets(queue, other, lane->requirement))
            continue;
        if (is_avoided || !avoided || strcmp(other->arch, avoided->arch) != 0)
            return true;
    }
    return false;
}

bool lane_suits(struct queue *queue, const struct lane *lane, struct agent *agent)
{
    if (!meets(queue, agent, lane->requirement))
        return false;
    if (lane->avoid == 0 || queue_now_ns(queue) - lane->since_ns >= AVOID_NS)
        return true;
    if (agent->row == lane->avoid)
        return !other_suits(queue, lane, agent);
    const struct agent *avoided = map_get(&queue->agent_rows, lane->avoid);
    if (!lane->unlike || !avoided || strcmp(agent->arch, avoided->arch) != 0)
        return true;
    return !other_suits(queue, lane, agent);
}

/* Whether an agent is there that may have the lane's jobs, now or when it is less busy. */
static bool is_served(struct queue *queue, const struct lane *lane)
{
    size_t at = 0;

    for (struct agent *agent; (agent = map_next(&queue->agents, &at));)
        if (agent_online(queue, agent) && !agent->draining && agent->slots != 0 &&
            meets(queue, agent, lane->requirement))
            return true;
    return false;
}

static bool tell_unserved(const struct queue *queue, const struct lane *lane,
                          queue_unserved_callback *each, void *context)
{
    const char *text = queue->requirements[lane->requirement];
    const char *tags = *text ? strchr(text, '\n') + 1 : text;
    struct queue_unserved unserved = {.jobs = lane->ready};
    char host[QUEUE_HOST_MAX * (QUEUE_TAG_MAX + 2) + 1];
    size_t used = 0;

    host[0] = 0;
    while (*tags && used < sizeof(host)) {
        size_t length = strcspn(tags, "\n");
        used += (size_t)snprintf(host + used, sizeof(host) - used, "%s%.*s", used ? ", " : "",
                                 (int)length, tags);
        tags += length + 1;
    }
    unserved.host = host;
    unserved.memory_mib = strtoull(text, NULL, 10);
    return each(context, &unserved);
}

void queue_unserved_each(struct queue *queue, uint64_t run_id, queue_unserved_callback *each,
                         void *context)
{
    const struct run *run = map_get(&queue->runs, run_id);

    if (run == NULL || run->state != RUN_ACTIVE || run->cancelled)
        return;
    for (size_t i = 0; i < run->lane_count; i++) {
        const struct lane *lane = run->lanes[i];
        if (lane->ready != 0 && !is_served(queue, lane) &&
            !tell_unserved(queue, lane, each, context))
            return;
    }
}
