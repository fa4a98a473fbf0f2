/* Programs that are started, and what this one is. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 64
#define KILLED       0x4b494c4cu /* the exit status of what kill ended */

static struct {
    pthread_mutex_t mutex; /* over the handles, and over inheriting */
    struct {
        pid_t pid; /* 0: free */
        HANDLE process;
    } items[CHILDREN_MAX];
} children = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* One word of a command line, as CommandLineToArgvW takes it apart: in quotes, with the backslashes
 * before a quote doubled. */
static size_t quote(wchar_t *out, const wchar_t *word)
{
    size_t at = 0, slashes = 0;

    out[at++] = L'"';
    for (; *word != 0; word++) {
        slashes = *word == L'\\' ? slashes + 1 : 0;
        if (*word == L'"') {
            for (const wchar_t *back = word; back[-1] == L'\\' && slashes == 0; back--)
                out[at++] = L'\\';
            out[at++] = L'\\';
        }
        out[at++] = *word;
    }
    while (slashes-- > 0)
        out[at++] = L'\\';
    out[at++] = L'"';
    return at;
}

/* The whole line; NULL with errno set. The caller frees it. */
static wchar_t *command_line(char *const argv[])
{
    wchar_t word[WIDE_MAX + 1] = L" "; /* so that quote may look before the first letter */
    wchar_t *line = calloc(32768, sizeof *line);
    size_t at = 0;

    if (line == NULL)
        return NULL;
    for (size_t i = 0; argv[i] != NULL; i++) {
        word[1] = 0;
        if ((argv[i][0] != 0 && !wide_path(argv[i], word + 1)) ||
            at + 2 * wcslen(word) + 4 > 32767) {
            free(line);
            errno = E2BIG;
            return NULL;
        }
        if (i > 0)
            line[at++] = L' ';
        at += quote(line + at, word + 1);
    }
    return line;
}

/* What `file` is: this program, a path, or a name to be looked for. */
static bool find_program(const char *file, wchar_t out[WIDE_MAX])
{
    wchar_t wide[WIDE_MAX];
    DWORD size;

    if (strcmp(file, "/proc/self/exe") == 0) {
        size = GetModuleFileNameW(NULL, out, WIDE_MAX);
        return size != 0 && size < WIDE_MAX;
    }
    if (!wide_path(file, wide))
        return false;
    size = SearchPathW(NULL, wide, L".exe", WIDE_MAX, out, NULL);
    if (size != 0 && size < WIDE_MAX)
        return true;
    errno = ENOENT;
    return false;
}

static void keep(PROCESS_INFORMATION *made, pid_t *pid)
{
    size_t i = 0;

    *pid = (pid_t)made->dwProcessId;
    CloseHandle(made->hThread);
    while (i < CHILDREN_MAX && children.items[i].pid != 0)
        i++;
    if (i == CHILDREN_MAX) {
        CloseHandle(made->hProcess); /* it runs, but nobody will learn how it ends */
        return;
    }
    children.items[i].pid = *pid;
    children.items[i].process = made->hProcess;
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
    wchar_t program[WIDE_MAX];
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION made;
    HANDLE theirs[3];
    wchar_t *line;
    bool ok;

    (void)attributes;
    (void)environment;
    for (int i = 0; i < 3; i++) {
        theirs[i] = handle_of(actions->fds[i] >= 0 ? actions->fds[i] : i);
        if (actions->fds[i] >= 0 && theirs[i] == NULL)
            return EBADF;
    }
    if (!find_program(file, program) || (line = command_line(argv)) == NULL)
        return errno;
    start.hStdInput = theirs[0];
    start.hStdOutput = theirs[1];
    start.hStdError = theirs[2];
    pthread_mutex_lock(&children.mutex); /* two at once would inherit each other's */
    for (int i = 0; i < 3; i++)
        (void)SetHandleInformation(theirs[i], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    ok = CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &made);
    if (!ok)
        (void)fail_last();
    for (int i = 0; i < 3; i++)
        if (actions->fds[i] >= 0)
            (void)SetHandleInformation(theirs[i], HANDLE_FLAG_INHERIT, 0);
    if (ok)
        keep(&made, pid);
    pthread_mutex_unlock(&children.mutex);
    free(line);
    return ok ? 0 : errno;
}

/* The child's place in the list; -1 with errno set. */
static int find_child(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (pid > 0 && children.items[i].pid == pid)
            return i;
    errno = ECHILD;
    return -1;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    HANDLE process;
    DWORD code = 0;
    int i;

    pthread_mutex_lock(&children.mutex);
    i = find_child(pid);
    process = i >= 0 ? children.items[i].process : NULL;
    pthread_mutex_unlock(&children.mutex);
    if (i < 0)
        return -1;
    if (WaitForSingleObject(process, (options & WNOHANG) != 0 ? 0 : INFINITE) == WAIT_TIMEOUT)
        return 0;
    (void)GetExitCodeProcess(process, &code);
    pthread_mutex_lock(&children.mutex);
    children.items[i].pid = 0;
    pthread_mutex_unlock(&children.mutex);
    CloseHandle(process);
    if (status != NULL && code == KILLED)
        *status = SIGKILL;
    else if (status != NULL) /* an exception's number is no exit status */
        *status = code > 255 ? SIGSEGV : (int)code << 8;
    return pid;
}

int kill(pid_t pid, int number)
{
    int i;

    pthread_mutex_lock(&children.mutex);
    i = find_child(pid);
    if (i >= 0 && number == SIGKILL)
        (void)TerminateProcess(children.items[i].process, KILLED);
    pthread_mutex_unlock(&children.mutex);
    if (i >= 0 && number != SIGKILL) {
        errno = EINVAL;
        return -1;
    }
    return i >= 0 ? 0 : -1;
}

int execvp(const char *file, char *const argv[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes = 0;
    int code, status = 0;
    pid_t pid;

    (void)posix_spawn_file_actions_init(&actions);
    code = posix_spawnp(&pid, file, &actions, &attributes, argv, NULL);
    if (code == 0 && waitpid(pid, &status, 0) == pid)
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    errno = code;
    return -1;
}

int sigaction(int number, const struct sigaction *to, struct sigaction *from)
{
    (void)number;
    (void)to;
    if (from != NULL)
        *from = (struct sigaction){SIG_DFL, 0, 0};
    return 0;
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigaddset(sigset_t *set, int number)
{
    *set |= UINT64_C(1) << number;
    return 0;
}

#undef signal
sighandler_t thaw_signal(int number, sighandler_t handler)
{
    if (number == SIGINT || number == SIGTERM || number == SIGABRT || number == SIGSEGV)
        return signal(number, handler);
    return SIG_DFL;
}

int getrlimit(int what, struct rlimit *out)
{
    (void)what;
    *out = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    return 0;
}

int uname(struct utsname *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->sysname, sizeof out->sysname, "Windows");
    snprintf(out->machine, sizeof out->machine, "x86_64");
    return 0;
}

long long thaw_sysconf(int what)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    if (what == _SC_PAGESIZE)
        return info.dwPageSize;
    if (what == _SC_NPROCESSORS_ONLN)
        return info.dwNumberOfProcessors;
    errno = EINVAL;
    return -1;
}
