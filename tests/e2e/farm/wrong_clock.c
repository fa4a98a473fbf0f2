/* wrong_clock.c — a library to be loaded before others (LD_PRELOAD): the wall clock is wrong by as
 * many seconds as the file $THAW_WRONG_CLOCK says at that moment, eight bytes, the host's order.
 * The monotonic clock is left alone, but for $THAW_CLOCK_RATE: it runs so many times too fast,
 * which to a program is a host that is so many times slower. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *wrong_by;
static int64_t rate = 1;

__attribute__((constructor)) static void find_file(void)
{
    const char *path = getenv("THAW_WRONG_CLOCK");
    const char *times = getenv("THAW_CLOCK_RATE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;

    if (fd >= 0) {
        memory = mmap(NULL, sizeof *wrong_by, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (memory != MAP_FAILED)
        wrong_by = memory;
    if (times != NULL)
        rate = strtoll(times, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int status = (int)syscall(SYS_clock_gettime, clock, out);

    if (status == 0 && wrong_by != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += (time_t)*wrong_by;
    if (status == 0 && rate != 1 && clock == CLOCK_MONOTONIC) {
        int64_t ns = (out->tv_sec * INT64_C(1000000000) + out->tv_nsec) * rate;
        out->tv_sec = (time_t)(ns / 1000000000);
        out->tv_nsec = (suseconds_t)(ns % 1000000000);
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
