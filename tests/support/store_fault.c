#include "tests/support/store_fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, KILL, FAIL, CALL };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static enum mode mode;
static uint64_t limit, calls;
static int fail_code;
static void (*event)(void *context);
static void *event_context;

static void set(enum mode new_mode, uint64_t at, int code)
{
    pthread_mutex_lock(&mutex);
    mode = new_mode;
    limit = at;
    calls = 0;
    fail_code = code;
    pthread_mutex_unlock(&mutex);
}

void test_fault_kill_at(uint64_t at)
{
    set(KILL, at, 0);
}

void test_fault_fail_from(uint64_t at, int code)
{
    set(FAIL, at, code);
}

void test_fault_call_at(uint64_t at, void (*what)(void *context), void *context)
{
    event = what;
    event_context = context;
    set(CALL, at, 0);
}

uint64_t test_fault_off(void)
{
    uint64_t counted = calls;

    set(OFF, 0, 0);
    return counted;
}

/* What this call is to meet. */
static enum mode step(void)
{
    enum mode met = OFF;
    bool happens = false;

    pthread_mutex_lock(&mutex);
    if (mode == CALL && calls == limit) {
        happens = true;
        mode = OFF;
    }
    if (mode == KILL && calls == limit)
        met = KILL;
    if (mode == FAIL && calls >= limit)
        met = FAIL;
    calls++;
    pthread_mutex_unlock(&mutex);
    if (happens)
        event(event_context);
    return met;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True if the call is to go through. */
static bool may_go(void)
{
    enum mode met = step();

    if (met == KILL)
        die();
    if (met == FAIL)
        errno = fail_code;
    return met == OFF;
}

int flock(int fd, int operation)
{
    return may_go() ? (int)syscall(SYS_flock, fd, operation) : -1;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    enum mode met = fd > 2 ? step() : OFF;

    if (met == FAIL) {
        errno = fail_code;
        return -1;
    }
    if (met == KILL) {
        (void)syscall(SYS_write, fd, bytes, size / 2);
        die();
    }
    return syscall(SYS_write, fd, bytes, size);
}

/* As pwrite, which syscall() cannot call: how an offset of 64 bits is passed differs between hosts.
 */
static ssize_t write_at(int fd, const void *bytes, size_t size, off_t offset)
{
    struct iovec all = {(void *)(uintptr_t)bytes, size};

    return pwritev(fd, &all, 1, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    enum mode met = step();

    if (met == FAIL) {
        errno = fail_code;
        return -1;
    }
    if (met == KILL) {
        (void)write_at(fd, bytes, size / 2, offset);
        die();
    }
    return write_at(fd, bytes, size, offset);
}

int fsync(int fd)
{
    return may_go() ? (int)syscall(SYS_fsync, fd) : -1;
}

int ftruncate(int fd, off_t size)
{
    int (*next)(int, off_t);
    void *found = dlsym(RTLD_NEXT, "ftruncate64");

    memcpy(&next, &found, sizeof next);
    return may_go() ? next(fd, size) : -1;
}

int rename(const char *from, const char *to)
{
    return may_go() ? (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) : -1;
}

int unlink(const char *path)
{
    if (step() == KILL)
        die();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkostemp(char *pattern, int flags)
{
    return may_go() ? mkostemps(pattern, 0, flags) : -1;
}

int open(const char *path, int flags, ...)
{
    unsigned mode_bits = 0;
    va_list args;

    if ((flags & O_CREAT) != 0) {
        va_start(args, flags);
        mode_bits = va_arg(args, unsigned);
        va_end(args);
        if (!may_go())
            return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode_bits);
}
