/* The seccomp(2) allow-lists. libseccomp writes the program; it is taken out once and put up in
 * each worker by one call. */
#include "agent/farm/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By name, since hosts have different sets: one that the host does not know is skipped. */
static const char *const for_all[] = {
    "read",         "write",        "readv",           "writev",
    "pread64",      "close",        "fstat",           "fstat64",
    "newfstatat",   "fstatat64",    "statx",           "stat",
    "stat64",       "lstat",        "access",          "faccessat",
    "faccessat2",   "lseek",        "_llseek",         "fcntl",
    "fcntl64",      "munmap",       "mremap",          "madvise",
    "brk",          "rt_sigreturn", "rt_sigaction",    "rt_sigprocmask",
    "sigaltstack",  "sigreturn",    "clock_gettime",   "clock_gettime64",
    "clock_getres", "gettimeofday", "getpid",          "gettid",
    "getppid",      "futex",        "futex_time64",    "exit",
    "exit_group",   "getrandom",    "sched_yield",     "sched_getaffinity",
    "sysinfo",      "uname",        "getrusage",       "set_robust_list",
    "rseq",         "ugetrlimit",   "restart_syscall", "readlink",
    "readlinkat",
};
static const char *const for_boots[] = {
    "openat",
    "open",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "fallocate",
    "ftruncate",
    "ftruncate64",
    "flock",
    "getdents64",
    "link",
    "linkat",
    "utimensat",
    "utimensat_time64",
    "chmod",
    "fchmod",
    "fchmodat",
    "pwrite64",
    "pwritev",
    "copy_file_range",
    "statfs",
    "statfs64",
    "fstatfs",
    "fstatfs64",
    "sync_file_range",
    "umask",
    "dup",
    "prlimit64",
    "sched_getparam",
    "sched_getscheduler",
    "clock_nanosleep",
    "fadvise64",
    "fadvise64_64",
    "sendfile",
};
static const char *const of_network[] = {
    "socket",      "socketpair", "connect",    "bind",     "listen",     "accept",   "accept4",
    "sendto",      "sendmsg",    "sendmmsg",   "recvfrom", "recvmsg",    "recvmmsg", "getsockname",
    "getpeername", "setsockopt", "getsockopt", "shutdown", "socketcall",
};
static const char *const of_processes[] = {
    "fork",
    "vfork",
    "clone",
    "clone3",
    "execve",
    "execveat",
    "kill",
    "tkill",
    "tgkill",
    "ptrace",
    "prctl",
    "setns",
    "unshare",
    "setpgid",
    "setsid",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_send_signal",
    "wait4",
    "waitid",
    "setpriority",
    "prlimit64",
    "setrlimit",
    "seccomp",
};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_listed(const char *const *list, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_syscall_resolve_name(list[i]) == number)
            return true;
    return false;
}

enum confine_wall confine_wall_of_call(int number)
{
    if (is_listed(of_network, COUNT(of_network), number))
        return CONFINE_NETWORK;
    if (is_listed(of_processes, COUNT(of_processes), number))
        return CONFINE_PROCESSES;
    return CONFINE_FILES;
}

static int allow_names(scmp_filter_ctx filter, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int code;
        if (number == __NR_SCMP_ERROR || number < 0)
            continue;
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
        if (code != 0)
            return code;
    }
    return 0;
}

/* Opening, but for reading; mapping, but nothing that runs. */
static int allow_reading(scmp_filter_ctx filter)
{
    const uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));

    if (code == 0 && SCMP_SYS(open) >= 0)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
    return code;
}

static int allow_memory(scmp_filter_ctx filter)
{
    int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};

    for (size_t i = 0; i < COUNT(calls); i++) {
        int code;
        if (calls[i] < 0)
            continue;
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (code != 0)
            return code;
    }
    return 0;
}

/* abort() signals its own thread; to whom is checked by a filter of the process's own. Threads of a
 * boot come by clone: clone3, whose flags a filter cannot see, seems not to exist. */
static int allow_special(scmp_filter_ctx filter, enum confine_kind kind)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 0);

    if (code != 0 || kind != CONFINE_BOOT)
        return code;
    code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (code != 0)
        return code;
#ifdef __s390x__
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#else
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
#endif
}

static bool take_program(scmp_filter_ctx filter, struct confine_filter *out, struct err *err)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat info;
    ssize_t size;
    int code;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot make a file in memory");
    code = seccomp_export_bpf(filter, fd);
    if (code != 0 || fstat(fd, &info) != 0 || info.st_size <= 0 ||
        (uint64_t)info.st_size > CONFINE_FILTER_MAX * sizeof *out->steps) {
        close(fd);
        return err_set_errno(err, code != 0 ? -code : errno, "cannot make a seccomp filter");
    }
    out->steps = mem_alloc((size_t)info.st_size);
    size = pread(fd, out->steps, (size_t)info.st_size, 0);
    close(fd);
    if (size != info.st_size)
        return err_set(err, ERR_IO, "cannot read a seccomp filter back");
    out->count = (uint16_t)((size_t)size / sizeof *out->steps);
    return true;
}

bool confine_filter_make(enum confine_kind kind, struct confine_filter *out, struct err *err)
{
    uint32_t action = SECCOMP_RET_TRAP;
    scmp_filter_ctx filter;
    int code;
    bool ok;

    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
        return true; /* a host without, as under qemu-user */
    filter = seccomp_init(SCMP_ACT_TRAP);
    if (filter == NULL)
        return err_set(err, ERR_NO_MEMORY, "cannot make a seccomp filter");
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a search tree, no list */
    code = allow_names(filter, for_all, COUNT(for_all));
    if (code == 0)
        code = allow_memory(filter);
    if (code == 0 && kind == CONFINE_TEST)
        code = allow_reading(filter);
    if (code == 0 && kind == CONFINE_BOOT)
        code = allow_names(filter, for_boots, COUNT(for_boots));
    if (code == 0)
        code = allow_special(filter, kind);
    ok = code == 0 ? take_program(filter, out, err)
                   : err_set_errno(err, -code, "cannot make a seccomp filter");
    seccomp_release(filter);
    return ok;
}

/* Signals to anybody else are of the wall `processes`. The other filter looks at the architecture.
 */
static bool enter_own(struct err *err)
{
    const uint32_t self = (uint32_t)getpid();
    const uint32_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args) + low),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, self, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {COUNT(steps), steps};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
           err_set_errno(err, errno, "cannot put up a seccomp filter");
}

bool confine_filter_enter(const struct confine_filter *filter, struct err *err)
{
    struct sock_fprog program = {filter->count, filter->steps};

    if (filter->count == 0)
        return true;
    if (!enter_own(err))
        return false;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
           err_set_errno(err, errno, "cannot put up a seccomp filter");
}
