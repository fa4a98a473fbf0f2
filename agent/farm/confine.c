#include "agent/farm/confine.h"

#include "agent/farm/child.h"
#include "agent/farm/confine_internal.h"
#include "storage/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_OPEN_TEST 32
#define FILES_OPEN_BOOT 256
#define FILE_BYTES_BOOT (UINT64_C(64) << 30)
#define PROBE_MEMORY    (UINT64_C(64) << 20)

const char *confine_wall_name(enum confine_wall wall)
{
    static const char *const names[CONFINE_WALLS] = {"network", "files", "processes", "memory",
                                                     "time"};

    return names[wall];
}

void confine_walls_text(uint32_t walls, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (unsigned int i = 0; i < CONFINE_WALLS; i++)
        if ((walls & 1u << i) != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used != 0 ? ", " : "",
                                     confine_wall_name((enum confine_wall)i));
}

bool confine_new(struct confinement **out, struct err *err)
{
    struct confinement *confinement = mem_alloc(sizeof *confinement);

    confinement->landlock = landlock_version();
    if (!confine_filter_make(CONFINE_TEST, &confinement->filters[CONFINE_TEST], err) ||
        !confine_filter_make(CONFINE_BOOT, &confinement->filters[CONFINE_BOOT], err)) {
        confine_free(confinement);
        return false;
    }
    *out = confinement;
    return true;
}

void confine_free(struct confinement *confinement)
{
    if (confinement == NULL)
        return;
    mem_free(confinement->filters[CONFINE_TEST].steps);
    mem_free(confinement->filters[CONFINE_BOOT].steps);
    mem_free(confinement);
}

/* A system call that is not on the list. */
static void on_call(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    child_end(CONFINE_STATUS + (int)confine_wall_of_call(info->si_syscall));
}

/* Half a process's share of memory: while that is there, memory was not what it lacked. For the
 * handler alone, which gets no context. */
static size_t abort_room;

/* A broken promise; or the memory that a promise needed was not there. */
static void on_abort(int number)
{
    void *room = mmap(NULL, abort_room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED)
        child_end(CONFINE_STATUS + CONFINE_MEMORY);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static bool watch(const struct confine_rules *rules, struct err *err)
{
    struct sigaction on_wall = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
    struct sigaction on_end = {.sa_handler = on_abort};
    struct sigaction no_end = {.sa_handler = SIG_IGN};

    abort_room = rules->memory_bytes / 2 < SIZE_MAX ? (size_t)(rules->memory_bytes / 2) : SIZE_MAX;
    /* Standard error may be a file, which is not to grow: what is said is lost, no more. */
    return (sigaction(SIGSYS, &on_wall, NULL) == 0 && sigaction(SIGABRT, &on_end, NULL) == 0 &&
            sigaction(SIGXFSZ, &no_end, NULL) == 0) ||
           err_set_errno(err, errno, "cannot watch a worker's signals");
}

/* Bytes of address space in use. */
static uint64_t address_space(void)
{
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    uint64_t pages = 0;

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) > 0)
        pages = strtoull(text, NULL, 10);
    close(fd);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool limit(int resource, uint64_t soft, uint64_t hard, struct err *err)
{
    struct rlimit now, wanted = {(rlim_t)soft, (rlim_t)hard};

    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return err_set_errno(err, errno, "cannot ask for a limit");
    if (wanted.rlim_max > now.rlim_max)
        wanted.rlim_max = now.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &wanted) == 0 ||
           err_set_errno(err, errno, "cannot set a limit");
}

static bool set_limits(const struct confine_rules *rules, struct err *err)
{
    bool boot = rules->kind == CONFINE_BOOT;
    uint64_t used = address_space();
    uint64_t bytes = boot ? FILE_BYTES_BOOT : 0;
    uint64_t files = boot ? FILES_OPEN_BOOT : FILES_OPEN_TEST;

    if (used != 0 && !limit(RLIMIT_AS, used + rules->memory_bytes, used + rules->memory_bytes, err))
        return false;
    return limit(RLIMIT_CPU, rules->cpu_s, rules->cpu_s + 2, err) &&
           limit(RLIMIT_NOFILE, files, files, err) && limit(RLIMIT_FSIZE, bytes, bytes, err) &&
           limit(RLIMIT_CORE, 0, 0, err) && (boot || limit(RLIMIT_NPROC, 0, 0, err));
}

bool confine_enter(const struct confinement *confinement, const struct confine_rules *rules,
                   struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set_errno(err, errno, "cannot give up privileges");
    if (!watch(rules, err) || !set_limits(rules, err))
        return false;
    if (confinement->landlock != 0 && !landlock_enter(confinement->landlock, rules, err))
        return false;
    return confine_filter_enter(&confinement->filters[rules->kind], err);
}

bool confine_wall_of(int wait_status, enum confine_wall *out)
{
    int wall;

    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGXCPU) {
        *out = CONFINE_TIME;
        return true;
    }
    /* No handler can run while signals are blocked, as they are when threads are made. */
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS) {
        *out = CONFINE_PROCESSES;
        return true;
    }
    if (!WIFEXITED(wait_status))
        return false;
    wall = WEXITSTATUS(wait_status) - CONFINE_STATUS;
    if (wall < 0 || wall >= CONFINE_WALLS)
        return false;
    *out = (enum confine_wall)wall;
    return true;
}

static void try_network(void)
{
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
        child_end(CONFINE_CROSSED);
}

/* Reading is refused by Landlock with an error, writing by seccomp with the end. */
static void try_files(void)
{
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
        child_end(CONFINE_CROSSED);
    if (open("/tmp/thaw-trespass", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) {
        (void)unlink("/tmp/thaw-trespass");
        child_end(CONFINE_CROSSED);
    }
}

static void try_processes(void)
{
    pid_t child = fork();

    if (child == 0)
        child_end(0);
    if (child > 0 || kill(getppid(), 0) == 0)
        child_end(CONFINE_CROSSED);
}

/* More and more, until there is no more to be had; and a promise that needs it. */
static void try_memory(void)
{
    const size_t piece = 16u << 20;

    for (size_t i = 0; i < 65536; i++) {
        void *more = mmap(NULL, piece, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(more != MAP_FAILED);
    }
    child_end(CONFINE_CROSSED);
}

static void try_time(void)
{
    volatile uint64_t turns = 0;

    for (;;)
        turns = turns + 1;
}

_Noreturn void confine_trespass(enum confine_wall wall)
{
    static void (*const attempts[CONFINE_WALLS])(void) = {try_network, try_files, try_processes,
                                                          try_memory, try_time};

    attempts[wall]();
    child_end(CONFINE_STATUS + (int)wall); /* refused with an error */
}

/* What a wall of time is made of is looked at, not waited for: getrlimit is not on the list. */
static void probe_time(const struct confine_rules *rules)
{
    struct err ignored = ERR_INIT;
    struct rlimit now;
    bool stands = set_limits(rules, &ignored) && getrlimit(RLIMIT_CPU, &now) == 0 &&
                  now.rlim_cur <= rules->cpu_s;

    child_end(stands ? CONFINE_STATUS + CONFINE_TIME : CONFINE_CROSSED);
}

static void probe_in_child(const struct confinement *confinement, enum confine_wall wall)
{
    const struct confine_rules rules = {.memory_bytes = PROBE_MEMORY, .cpu_s = 10};
    struct err ignored = ERR_INIT;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0)
        dup2(null, STDERR_FILENO); /* the broken promise of try_memory is no news */
    if (wall == CONFINE_TIME)
        probe_time(&rules);
    if (!confine_enter(confinement, &rules, &ignored))
        child_end(1);
    confine_trespass(wall);
}

bool confine_probe(const struct confinement *confinement, uint32_t *walls, struct err *err)
{
    uint32_t found = 0;

    for (unsigned int i = 0; i < CONFINE_WALLS; i++) {
        enum confine_wall wall = (enum confine_wall)i, stopped_at;
        pid_t child = child_fork(NULL, 0, err);
        int status;
        if (child < 0)
            return false;
        if (child == 0)
            probe_in_child(confinement, wall);
        child_wait(child, &status);
        if (confine_wall_of(status, &stopped_at) && stopped_at == wall)
            found |= 1u << i;
    }
    *walls = found;
    return true;
}
