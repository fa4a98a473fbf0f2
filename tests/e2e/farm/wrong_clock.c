/* wrong_clock.c — a library to be loaded before others (LD_PRELOAD): the wall clock is wrong by as
 * many seconds as the file $THAW_WRONG_CLOCK says at that moment, eight bytes, the host's order.
 * The monotonic clock is left alone, but for $THAW_CLOCK_STEP: whoever reads it finds so many
 * milliseconds more than at the last time, which to a program is a host that is slow, however fast
 * and however busy this one is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *wrong_by;
static int64_t step_ms;
static _Atomic int64_t readings;

__attribute__((constructor)) static void find_file(void)
{
    const char *path = getenv("THAW_WRONG_CLOCK");
    const char *step = getenv("THAW_CLOCK_STEP");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;

    if (fd >= 0) {
        memory = mmap(NULL, sizeof *wrong_by, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (memory != MAP_FAILED)
        wrong_by = memory;
    if (step != NULL)
        step_ms = strtoll(step, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int status = (int)syscall(SYS_clock_gettime, clock, out);

    if (status == 0 && wrong_by != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += (time_t)*wrong_by;
    if (status == 0 && step_ms != 0 && clock == CLOCK_MONOTONIC) {
        int64_t ms = ++readings * step_ms;
        out->tv_sec = (time_t)(ms / 1000);
        out->tv_nsec = (suseconds_t)(ms % 1000 * 1000000);
    }
    return status;
}

time_t time(time_t *out)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now = {0};

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = (suseconds_t)(now.tv_nsec / 1000);
    return 0;
}
