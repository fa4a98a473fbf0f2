#include "agent/farm/nursery.h"

#include "agent/farm/child.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct nursery {
    const struct nursery_role *roles;
    size_t role_count;
    pid_t pid;
    int channel;
};

static void reap(void)
{
    char how[64];
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        child_status_text(status, how, sizeof how);
        if (status != 0)
            log_message(LOG_WARNING, "process %d of the agent ended: %s", (int)pid, how);
    }
}

static void start(const struct nursery *nursery, uint32_t role, int fd)
{
    struct err err = ERR_INIT;
    pid_t pid;

    CHECK(role < nursery->role_count);
    pid = child_fork(&fd, 1, &err);
    if (pid == 0)
        child_end(nursery->roles[role].run(nursery->roles[role].context, fd));
    if (pid < 0) /* its channel closes, which the agent sees */
        log_message(LOG_ERROR, "%s: %s", nursery->roles[role].name, err.text);
    close(fd);
}

static int run(const struct nursery *nursery, int channel)
{
    static const int signals[] = {SIGCHLD};
    struct err err = ERR_INIT;
    int fd;

    if (!child_signals(signals, 1, &fd, &err))
        return 1;
    for (;;) {
        struct pollfd polled[] = {{channel, POLLIN, 0}, {fd, POLLIN, 0}};
        uint32_t role = 0;
        struct channel_message message = {.bytes = &role, .room = sizeof role};
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (polled[1].revents != 0 && child_signal_taken(fd, SIGCHLD))
            reap();
        if (polled[0].revents == 0)
            continue;
        if (!channel_receive(channel, &message, &err) || message.size != sizeof role)
            return 0;
        if (message.fd >= 0)
            start(nursery, role, message.fd);
    }
}

bool nursery_open(const struct nursery_role *roles, size_t count, struct nursery **out,
                  struct err *err)
{
    struct nursery *nursery = mem_alloc(sizeof *nursery);
    int ends[2];

    nursery->roles = roles;
    nursery->role_count = count;
    if (!channel_pair(ends, err)) {
        mem_free(nursery);
        return false;
    }
    nursery->pid = child_fork(&ends[1], 1, err);
    if (nursery->pid == 0)
        child_end(run(nursery, ends[1]));
    close(ends[1]);
    nursery->channel = ends[0];
    if (nursery->pid < 0) {
        close(ends[0]);
        mem_free(nursery);
        return false;
    }
    *out = nursery;
    return true;
}

bool nursery_start(struct nursery *nursery, size_t role, int *channel, struct err *err)
{
    uint32_t number = (uint32_t)role;
    int ends[2];
    bool ok;

    CHECK(role < nursery->role_count);
    if (!channel_pair(ends, err))
        return false;
    ok = channel_send(nursery->channel, (struct span){(const uint8_t *)&number, sizeof number},
                      ends[1], err);
    close(ends[1]);
    if (ok)
        *channel = ends[0];
    else
        close(ends[0]);
    return ok || err_wrap(err, "%s", nursery->roles[role].name);
}

int nursery_fd(const struct nursery *nursery)
{
    return nursery->channel;
}

pid_t nursery_pid(const struct nursery *nursery)
{
    return nursery->pid;
}

void nursery_close(struct nursery *nursery)
{
    if (nursery == NULL)
        return;
    close(nursery->channel);
    (void)kill(nursery->pid, SIGKILL);
    child_wait(nursery->pid, NULL);
    mem_free(nursery);
}
