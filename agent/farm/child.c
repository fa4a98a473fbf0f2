#include "agent/farm/child.h"

#include "storage/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_KEPT_MAX 8

bool channel_pair(int ends[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
        return true;
    return err_set_errno(err, errno, "cannot make a channel between processes");
}

bool channel_send(int channel, struct span message, int fd, struct err *err)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec part = {(void *)(uintptr_t)message.data, message.size};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        head.msg_control = control.room;
        head.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    do
        sent = sendmsg(channel, &head, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return true;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
        return err_set(err, ERR_CONFLICT, "the process at the other end of a channel is gone");
    return err_set_errno(err, errno, "cannot send to another process");
}

/* The first descriptor; others, which nobody sends, are closed. */
static int take_fd(struct msghdr *head)
{
    int taken = -1;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(head); at != NULL; at = CMSG_NXTHDR(head, at)) {
        size_t count;
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
            continue;
        count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

bool channel_receive(int channel, struct channel_message *message, struct err *err)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {message->bytes, message->room};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof control.room};
    bool reset = false;
    ssize_t got;

    message->size = 0;
    message->fd = -1;
    /* A peer that is gone and has not read all is told of first, and once; what it said before is
     * still there (unix(7)). */
    do
        got = recvmsg(channel, &head, MSG_CMSG_CLOEXEC);
    while (got < 0 && (errno == EINTR || (errno == ECONNRESET && !reset && (reset = true))));
    if (got < 0 && errno == ECONNRESET)
        return true;
    if (got < 0)
        return err_set_errno(err, errno, "cannot receive from another process");
    message->fd = take_fd(&head);
    message->size = (size_t)got;
    if ((head.msg_flags & MSG_TRUNC) == 0)
        return true;
    if (message->fd >= 0)
        close(message->fd);
    message->fd = -1;
    return err_set(err, ERR_TOO_BIG, "a message between processes is over %zu bytes",
                   message->room);
}

_Noreturn void child_end(int status)
{
    _exit(status);
}

static void reset_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_ints(const void *a, const void *b)
{
    const int *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static void close_between(unsigned int first, unsigned int last)
{
    if (first > last)
        return;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0) == 0)
        return;
#endif
    for (unsigned int fd = first; fd <= last && fd < 65536; fd++)
        close((int)fd);
}

/* Standard input and output become /dev/null: nobody reads what a worker would print. */
static void keep_only(const int *keep, size_t keep_count)
{
    int sorted[FDS_KEPT_MAX];
    unsigned int next = STDERR_FILENO + 1;
    int null = open("/dev/null", O_RDWR);

    CHECK(keep_count <= FDS_KEPT_MAX);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    for (size_t i = 0; i < keep_count; i++)
        sorted[i] = keep[i];
    qsort(sorted, keep_count, sizeof sorted[0], compare_ints);
    for (size_t i = 0; i < keep_count; i++) {
        if (sorted[i] < (int)next)
            continue;
        close_between(next, (unsigned int)sorted[i] - 1);
        next = (unsigned int)sorted[i] + 1;
    }
    close_between(next, ~0u);
}

pid_t child_fork(const int *keep, size_t keep_count, struct err *err)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child > 0)
        return child;
    if (child < 0) {
        err_set_errno(err, errno, "cannot start a process");
        return -1;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        child_end(1); /* it ended before it could take us along */
    reset_signals();
    keep_only(keep, keep_count);
    return 0;
}

void child_wait(pid_t pid, int *status)
{
    int ignored;

    while (waitpid(pid, status != NULL ? status : &ignored, 0) < 0 && errno == EINTR)
        continue;
}

void child_status_text(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "status %d", WEXITSTATUS(status));
}

bool child_signals(const int *signals, size_t count, int *fd, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) {
        (void)signal(signals[i], SIG_DFL); /* one that is ignored never comes */
        sigaddset(&set, signals[i]);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, errno, "cannot block signals");
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 || err_set_errno(err, errno, "cannot watch signals");
}

bool child_signal_taken(int fd, int signal)
{
    struct signalfd_siginfo info;
    bool taken = false;

    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
        taken |= info.ssi_signo == (uint32_t)signal;
    return taken;
}
