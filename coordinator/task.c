#include "coordinator/task.h"

bool task_add(struct task_list *list, struct task *task, struct err *err)
{
    if (list->count == TASKS_MAX)
        return err_set(err, ERR_TIMEOUT, "too many requests wait here: try again later");
    task->next = list->first;
    list->first = task;
    list->count++;
    return true;
}

static void task_free(struct task *task, const struct err *err)
{
    if (task->stream != NULL)
        http_stream_end(task->stream, err != NULL);
    if (task->request != NULL) {
        if (err != NULL)
            api_fail(task->request, err);
        api_send(task->request);
    }
    if (task->release != NULL)
        task->release(task);
    mem_free(task);
}

uint64_t task_step_all(struct task_list *list, struct service *service)
{
    struct task **place = &list->first;
    uint64_t due_ns = UINT64_MAX;

    while (*place != NULL) {
        struct task *task = *place;
        enum task_state state = task->step(service, task);

        if (state == TASK_DONE) {
            *place = task->next;
            list->count--;
            task_free(task, NULL);
            continue;
        }
        if (state == TASK_MORE)
            due_ns = 0;
        else if (task->due_ns < due_ns)
            due_ns = task->due_ns;
        place = &task->next;
    }
    return due_ns;
}

void task_end_all(struct task_list *list, const struct err *err)
{
    while (list->first != NULL) {
        struct task *task = list->first;

        list->first = task->next;
        list->count--;
        task_free(task, err);
    }
}
