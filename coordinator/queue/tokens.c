#include "coordinator/queue/tokens.h"

#include "coordinator/queue/internal.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

static const char *const role_names[QUEUE_ROLE_COUNT] = {"read", "submit", "agent", "admin"};

const char *queue_role_name(enum queue_role role)
{
    CHECK((unsigned)role < QUEUE_ROLE_COUNT);
    return role_names[role];
}

bool queue_role_parse(const char *name, enum queue_role *out)
{
    for (enum queue_role role = 0; role < QUEUE_ROLE_COUNT; role++) {
        if (strcmp(role_names[role], name) != 0)
            continue;
        *out = role;
        return true;
    }
    return false;
}

bool queue_token_add(struct queue *queue, const struct queue_token *token, struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    if (!*token->name || strlen(token->name) > QUEUE_TAG_MAX)
        return err_set(err, ERR_INVALID, "a token's name has 1 to %d bytes", QUEUE_TAG_MAX);
    sqlite3_stmt *there = db_use(&queue->db, SQL_TOKEN_THERE);
    db_hash(there, 1, &token->hash);
    db_text(there, 2, token->name);
    if (db_number(&queue->db, there, 0))
        return err_set(err, ERR_CONFLICT, "there is a token named %s", token->name);
    sqlite3_stmt *add = db_use(&queue->db, SQL_TOKEN_ADD);
    db_text(add, 1, token->name);
    db_hash(add, 2, &token->hash);
    db_u64(add, 3, token->role);
    db_u64(add, 4, queue_now_ms(queue));
    db_u64(add, 5, token->expires_ms);
    db_run(&queue->db, add);
    return db_ok(&queue->db, err);
}

/* Runs it; whether it gave a row. */
static bool gave_row(struct queue *queue, sqlite3_stmt *statement)
{
    bool any = false;

    while (db_row(&queue->db, statement))
        any = true;
    return any;
}

bool queue_token_remove(struct queue *queue, const char *name, struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *remove = db_use(&queue->db, SQL_TOKEN_REMOVE);
    db_text(remove, 1, name);
    bool found = gave_row(queue, remove);
    return db_ok(&queue->db, err) &&
           (found || err_set(err, ERR_NOT_FOUND, "no token is named %.64s", name));
}

bool queue_token_check(struct queue *queue, const struct hash *hash, enum queue_role *role,
                       char *name, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_TOKEN_FIND);
    bool found = false;

    db_hash(row, 1, hash);
    if (db_row(&queue->db, row)) {
        uint64_t expires_ms = db_get(row, 1);
        found = expires_ms == 0 || expires_ms > queue_now_ms(queue);
        if (found) {
            *role = (enum queue_role)db_get(row, 0);
            snprintf(name, QUEUE_TAG_MAX + 1, "%s", db_get_text(row, 2));
        }
        db_end(row);
    }
    return queue_read_ok(queue, err) &&
           (found || err_set(err, ERR_ACCESS, "this token is not known, or has expired"));
}

bool queue_tokens_each(struct queue *queue, queue_token_callback *each, void *context,
                       struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_TOKEN_ALL);
    struct queue_token token;
    bool go_on = true;

    while (go_on && db_row(&queue->db, row)) {
        token.name = db_get_text(row, 0);
        db_get_hash(row, 1, &token.hash);
        token.role = (enum queue_role)db_get(row, 2);
        token.created_ms = db_get(row, 3);
        token.expires_ms = db_get(row, 4);
        go_on = each(context, &token);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

bool queue_enrolment_add(struct queue *queue, const struct hash *hash, uint64_t expires_ms,
                         struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *sweep = db_use(&queue->db, SQL_ENROLMENT_SWEEP);
    DB_NUMBERS(sweep, queue_now_ms(queue));
    db_run(&queue->db, sweep);
    sqlite3_stmt *add = db_use(&queue->db, SQL_ENROLMENT_ADD);
    db_hash(add, 1, hash);
    db_u64(add, 2, expires_ms);
    bool added = gave_row(queue, add);
    return db_ok(&queue->db, err) &&
           (added || err_set(err, ERR_CONFLICT, "this enrolment token is there"));
}

enum used { USED_BY_NOBODY, USED_BY_IT, USED_BY_ANOTHER };

/* False: no such token, or too late. */
static bool find_enrolment(struct queue *queue, const struct queue_enrolment *enrolment,
                           enum used *used, struct queue_id *id)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ENROLMENT_FIND);

    db_hash(row, 1, &enrolment->token);
    if (!db_row(&queue->db, row))
        return false;
    bool is_late = db_get(row, 0) <= queue_now_ms(queue);
    struct span key = db_get_blob(row, 1), uid = db_get_blob(row, 2);
    *used = USED_BY_NOBODY;
    if (key.size > 0)
        *used = span_equal(key, (struct span){enrolment->key, 32}) ? USED_BY_IT : USED_BY_ANOTHER;
    if (*used == USED_BY_IT && uid.size == sizeof(id->bytes))
        memcpy(id->bytes, uid.data, uid.size);
    db_end(row);
    return *used == USED_BY_IT || !is_late;
}

bool queue_enrol(struct queue *queue, const struct queue_enrolment *enrolment, struct queue_id *out,
                 struct err *err)
{
    struct queue_id id = enrolment->id;
    enum used used;

    if (!queue_may_change(queue, err))
        return false;
    bool found = find_enrolment(queue, enrolment, &used, &id);
    if (!db_ok(&queue->db, err))
        return false;
    if (!found || used == USED_BY_ANOTHER)
        return err_set(err, ERR_ACCESS,
                       "this enrolment token is not known, has expired, or was used");
    if (used == USED_BY_NOBODY) {
        if (!queue_agent_add(queue, &id, enrolment->key, enrolment->name, err))
            return false;
        sqlite3_stmt *use = db_use(&queue->db, SQL_ENROLMENT_USE);
        db_hash(use, 1, &enrolment->token);
        db_blob(use, 2, enrolment->key, 32);
        db_blob(use, 3, id.bytes, sizeof(id.bytes));
        db_run(&queue->db, use);
    }
    *out = id;
    return db_ok(&queue->db, err);
}
