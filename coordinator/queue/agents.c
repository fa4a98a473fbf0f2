#include "coordinator/queue/arrows.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

static uint64_t key_of(const struct queue_id *id)
{
    return load_le64(id->bytes) ^ load_le64(id->bytes + 8);
}

static bool id_equal(const struct queue_id *a, const struct queue_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct agent *agent_of(const struct queue *queue, const struct queue_id *id)
{
    struct agent *agent = map_get(&queue->agents, key_of(id));

    return agent && id_equal(&agent->id, id) ? agent : NULL;
}

static void copy_text(char out[QUEUE_TAG_MAX + 1], const char *text)
{
    snprintf(out, QUEUE_TAG_MAX + 1, "%s", text);
}

struct agent *agent_load(struct queue *queue, sqlite3_stmt *row)
{
    struct agent *agent = mem_alloc(sizeof(*agent));
    struct span id = db_get_blob(row, 1), incarnation = db_get_blob(row, 3);

    CHECK(id.size == sizeof(agent->id.bytes));
    agent->row = db_get(row, 0);
    memcpy(agent->id.bytes, id.data, id.size);
    copy_text(agent->name, db_get_text(row, 2));
    agent->hello = incarnation.size == sizeof(agent->incarnation.bytes);
    if (agent->hello)
        memcpy(agent->incarnation.bytes, incarnation.data, incarnation.size);
    copy_text(agent->version, db_get_text(row, 4));
    copy_text(agent->arch, db_get_text(row, 5));
    copy_text(agent->os, db_get_text(row, 6));
    agent->word_bits = (uint32_t)db_get(row, 7);
    agent->big_endian = db_get(row, 8) != 0;
    agent->cores = (uint32_t)db_get(row, 9);
    agent->memory_mib = db_get(row, 10);
    agent->slots = (uint32_t)db_get(row, 11);
    agent->tags = mem_text(db_get_text(row, 12));
    agent->draining = db_get(row, 13) != 0;
    agent->revoked = db_get(row, 14) != 0;
    agent->enrolled_ms = db_get(row, 15);
    map_put(&queue->agents, key_of(&agent->id), agent);
    map_put(&queue->agent_rows, agent->row, agent);
    return agent;
}

void agent_free(struct agent *agent)
{
    mem_free(agent->tags);
    mem_free(agent->met);
    mem_free(agent);
}

bool queue_agent_add(struct queue *queue, const struct queue_id *id, const uint8_t key[32],
                     const char *name, struct err *err)
{
    struct agent *agent = agent_of(queue, id);

    if (!queue_may_change(queue, err))
        return false;
    if (strlen(name) > QUEUE_TAG_MAX)
        return err_set(err, ERR_TOO_BIG, "agent: a name has at most %d bytes", QUEUE_TAG_MAX);
    if (!agent && map_get(&queue->agents, key_of(id)))
        return err_set(err, ERR_CONFLICT, "agent: another id, please");
    sqlite3_stmt *add = db_use(&queue->db, SQL_AGENT_ADD);
    db_blob(add, 1, id->bytes, sizeof(id->bytes));
    db_blob(add, 2, key, 32);
    db_text(add, 3, name);
    db_u64(add, 4, queue_now_ms(queue));
    db_run(&queue->db, add);
    if (agent) {
        copy_text(agent->name, name);
        agent->revoked = false;
        return db_ok(&queue->db, err);
    }
    sqlite3_stmt *row = db_use(&queue->db, SQL_AGENT_ROW);
    db_blob(row, 1, id->bytes, sizeof(id->bytes));
    if (db_row(&queue->db, row)) {
        agent_load(queue, row);
        db_end(row);
    }
    return db_ok(&queue->db, err);
}

bool queue_agent_key(struct queue *queue, const struct queue_id *agent, uint8_t key[32])
{
    struct err ignored = ERR_INIT;
    sqlite3_stmt *row = db_use(&queue->db, SQL_AGENT_KEY);
    bool found = false;

    db_blob(row, 1, agent->bytes, sizeof(agent->bytes));
    if (db_row(&queue->db, row)) {
        struct span bytes = db_get_blob(row, 0);
        found = bytes.size == 32;
        if (found)
            memcpy(key, bytes.data, 32);
        db_end(row);
    }
    return queue_read_ok(queue, &ignored) && found;
}

static struct agent *known(struct queue *queue, const struct queue_id *id, struct err *err)
{
    struct agent *agent = agent_of(queue, id);

    if (!agent)
        err_set(err, ERR_NOT_FOUND, "no such agent");
    return agent;
}

static bool flags(struct queue *queue, const struct agent *agent, struct err *err)
{
    sqlite3_stmt *set = db_use(&queue->db, SQL_AGENT_FLAGS);

    DB_NUMBERS(set, agent->row, agent->draining, agent->revoked);
    db_run(&queue->db, set);
    queue->work_number++;
    return db_ok(&queue->db, err);
}

bool queue_agent_revoke(struct queue *queue, const struct queue_id *id, struct err *err)
{
    struct agent *agent = known(queue, id, err);

    if (!agent || !queue_may_change(queue, err))
        return false;
    agent->revoked = true;
    leases_end(queue, agent, ATTEMPT_LOST);
    event_agent(queue, agent, false);
    settle(queue);
    return flags(queue, agent, err);
}

bool queue_agent_drain(struct queue *queue, const struct queue_id *id, bool drain, struct err *err)
{
    struct agent *agent = known(queue, id, err);

    if (!agent || !queue_may_change(queue, err))
        return false;
    agent->draining = drain;
    return flags(queue, agent, err);
}

bool queue_agent_find(struct queue *queue, const char *name, struct queue_id *out, struct err *err)
{
    const struct agent *found = NULL;
    size_t at = 0;

    for (struct agent *agent; (agent = map_next(&queue->agents, &at));) {
        if (strcmp(agent->name, name) != 0 || agent->revoked)
            continue;
        if (found)
            return err_set(err, ERR_CONFLICT, "more than one agent has the name %.64s", name);
        found = agent;
    }
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "no agent has the name %.64s", name);
    *out = found->id;
    return true;
}

static bool facts_fit(const struct queue_agent_facts *facts, struct err *err)
{
    const char *texts[] = {facts->name, facts->version, facts->arch, facts->os};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!texts[i] || strlen(texts[i]) > QUEUE_TAG_MAX)
            return err_set(err, ERR_TOO_BIG, "hello: a text has at most %d bytes", QUEUE_TAG_MAX);
    if (facts->tag_count > QUEUE_TAGS_MAX)
        return err_set(err, ERR_TOO_BIG, "hello: at most %d tags", QUEUE_TAGS_MAX);
    for (uint32_t i = 0; i < facts->tag_count; i++)
        if (strlen(facts->tags[i]) > QUEUE_TAG_MAX || strchr(facts->tags[i], '\n'))
            return err_set(err, ERR_INVALID, "hello: tag %u is too long, or has a line end", i);
    return true;
}

static void take_facts(struct agent *agent, const struct queue_agent_facts *facts)
{
    char tags[QUEUE_TAGS_MAX * (QUEUE_TAG_MAX + 1) + 1];
    size_t used = 0;

    tags[0] = 0;
    for (uint32_t i = 0; i < facts->tag_count; i++)
        used += (size_t)snprintf(tags + used, sizeof(tags) - used, "%s\n", facts->tags[i]);
    copy_text(agent->name, facts->name);
    copy_text(agent->version, facts->version);
    copy_text(agent->arch, facts->arch);
    copy_text(agent->os, facts->os);
    agent->word_bits = facts->word_bits;
    agent->big_endian = facts->big_endian;
    agent->cores = facts->cores;
    agent->memory_mib = facts->memory_mib;
    agent->slots = facts->slots;
    mem_free(agent->tags);
    agent->tags = mem_text(tags);
    if (agent->met_count)
        memset(agent->met, 0, agent->met_count);
}

static void store(struct queue *queue, const struct agent *agent)
{
    sqlite3_stmt *set = db_use(&queue->db, SQL_AGENT_HELLO);

    db_u64(set, 1, agent->row);
    db_text(set, 2, agent->name);
    db_blob(set, 3, agent->incarnation.bytes, sizeof(agent->incarnation.bytes));
    db_text(set, 4, agent->version);
    db_text(set, 5, agent->arch);
    db_text(set, 6, agent->os);
    db_u64(set, 7, agent->word_bits);
    db_u64(set, 8, agent->big_endian);
    db_u64(set, 9, agent->cores);
    db_u64(set, 10, agent->memory_mib);
    db_u64(set, 11, agent->slots);
    db_text(set, 12, agent->tags);
    db_run(&queue->db, set);
}

static void hear(struct queue *queue, struct agent *agent)
{
    agent->heard = true;
    agent->heard_ns = queue_now_ns(queue);
    agent->heard_ms = queue_now_ms(queue);
    event_agent(queue, agent, true);
}

bool queue_agent_hello(struct queue *queue, const struct queue_id *id,
                       const struct queue_id *incarnation, const struct queue_agent_facts *facts,
                       struct err *err)
{
    struct agent *agent = agent_of(queue, id);

    if (!queue_may_change(queue, err) || !facts_fit(facts, err))
        return false;
    if (!agent || agent->revoked)
        return err_set(err, ERR_ACCESS, "this agent is not enrolled, or was revoked");
    if (!agent->hello || !id_equal(&agent->incarnation, incarnation)) {
        leases_end(queue, agent, ATTEMPT_RESTARTED);
        agent->incarnation = *incarnation;
        agent->hello = true;
        agent->sequence = 0;
    }
    take_facts(agent, facts);
    store(queue, agent);
    hear(queue, agent);
    settle(queue);
    return db_ok(&queue->db, err);
}

struct agent *agent_speaks(struct queue *queue, const struct queue_id *id,
                           const struct queue_id *incarnation, struct err *err)
{
    struct agent *agent = agent_of(queue, id);

    if (!queue_may_change(queue, err))
        return NULL;
    if (!agent || agent->revoked)
        err_set(err, ERR_ACCESS, "this agent is not enrolled, or was revoked");
    else if (!agent->hello || !id_equal(&agent->incarnation, incarnation))
        err_set(err, ERR_CONFLICT, "this is not the agent's last start: say hello");
    else {
        hear(queue, agent);
        return agent;
    }
    return NULL;
}
