#include "agent/farm/brood.h"

#include "agent/farm/child.h"
#include "agent/farm/worker_exec.h"
#include "storage/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_CAPACITY 8

static struct brood_child *add(struct brood *brood)
{
    if (brood->count == brood->capacity) {
        size_t capacity = brood->capacity != 0 ? 2 * brood->capacity : FIRST_CAPACITY;
        struct brood_child *children = mem_array(capacity, sizeof *children);
        if (brood->count != 0)
            memcpy(children, brood->children, brood->count * sizeof *children);
        mem_free(brood->children);
        brood->children = children;
        brood->capacity = capacity;
    }
    return &brood->children[brood->count++];
}

bool brood_start(struct brood *brood, const struct worker_place *place,
                 const struct worker_order *order, struct session *session, int fd, struct err *err)
{
    pid_t pid = child_fork(&fd, 1, err);
    uint64_t now = clock_monotonic_ns(&clock_host);

    if (pid < 0)
        return false;
    if (pid == 0)
        child_end(place->wrapper != NULL ? worker_exec(place, order, fd)
                                         : worker_run(place, order, session, fd));
    *add(brood) = (struct brood_child){
        .token = order->token,
        .deadline_ns =
            order->guard_ms != 0 ? now + order->guard_ms * UINT64_C(1000000) : UINT64_MAX,
        .pid = pid};
    return true;
}

static void end(struct brood_child *child, enum brood_end how)
{
    if (child->end != BROOD_ENDED)
        return;
    child->end = how;
    child->deadline_ns = UINT64_MAX;
    (void)kill(child->pid, SIGKILL); /* not reaped yet, so the id is still its own */
}

bool brood_cancel(struct brood *brood, uint64_t token)
{
    for (size_t i = 0; i < brood->count; i++) {
        if (brood->children[i].token != token)
            continue;
        end(&brood->children[i], BROOD_CANCELLED);
        return true;
    }
    return false;
}

void brood_guard(struct brood *brood)
{
    uint64_t now = clock_monotonic_ns(&clock_host);

    for (size_t i = 0; i < brood->count; i++)
        if (now >= brood->children[i].deadline_ns)
            end(&brood->children[i], BROOD_GUARD);
}

int brood_timeout_ms(const struct brood *brood)
{
    uint64_t now = clock_monotonic_ns(&clock_host), next = UINT64_MAX;

    for (size_t i = 0; i < brood->count; i++)
        if (brood->children[i].deadline_ns < next)
            next = brood->children[i].deadline_ns;
    if (next == UINT64_MAX)
        return -1;
    if (next <= now)
        return 0;
    next = (next - now) / 1000000 + 1;
    return next > 60000 ? 60000 : (int)next;
}

void brood_reap(struct brood *brood, const struct brood_watch *watch)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
        size_t i = 0;
        while (i < brood->count && brood->children[i].pid != pid)
            i++;
        if (i < brood->count) {
            struct brood_event event = {.token = brood->children[i].token,
                                        .end = brood->children[i].end,
                                        .wait_status = status};
            brood->children[i] = brood->children[--brood->count];
            watch->ended(watch->context, &event);
        } else if (pid > 0 && watch->other != NULL) {
            watch->other(watch->context, pid, status);
        }
    }
}

void brood_release(struct brood *brood)
{
    for (size_t i = 0; i < brood->count; i++)
        (void)kill(brood->children[i].pid, SIGKILL);
    for (size_t i = 0; i < brood->count; i++)
        child_wait(brood->children[i].pid, NULL);
    mem_free(brood->children);
    *brood = (struct brood){NULL, 0, 0};
}
