#include "coordinator/queue/nights_internal.h"

bool slot_is_free(struct queue *queue, uint64_t schedule, int64_t slot_s, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_SLOT_FIND);

    db_u64(row, 1, schedule);
    db_i64(row, 2, slot_s);
    uint64_t taken = db_number(&queue->db, row, 2);
    if (!db_ok(&queue->db, err))
        return false;
    if (taken == 2)
        return err_set(err, ERR_NOT_FOUND, "no schedule %llu", (unsigned long long)schedule);
    return !taken || err_set(err, ERR_CONFLICT, "schedule %llu was started for that time before",
                             (unsigned long long)schedule);
}

void slot_take(struct queue *queue, uint64_t schedule, int64_t slot_s, uint64_t run)
{
    sqlite3_stmt *add = db_use(&queue->db, SQL_SLOT_ADD);

    db_u64(add, 1, schedule);
    db_i64(add, 2, slot_s);
    db_u64(add, 3, run);
    db_run(&queue->db, add);
    sqlite3_stmt *last = db_use(&queue->db, SQL_SCHEDULE_STARTED);
    db_u64(last, 1, schedule);
    db_i64(last, 2, slot_s);
    db_u64(last, 3, run);
    db_run(&queue->db, last);
}
