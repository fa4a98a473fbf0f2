/* boot.h — a machine file run up to its freeze point. */
#ifndef THAW_AGENT_BOOT_H
#define THAW_AGENT_BOOT_H

#include "agent/session.h"
#include "jobs/machine_file.h"
#include "storage/base/clock.h"

struct boot_options {
    const struct clock_source *clock;
    /* Both may be NULL: as in drive.h. */
    void (*output)(void *context, struct span bytes);
    bool (*progress)(void *context, uint64_t instructions, uint64_t virtual_ns);
    void *context;
};

struct boot_result {
    uint64_t instructions;
    uint64_t virtual_ns;
    uint64_t wall_ns;
    struct buf console; /* the log, cut at DRIVE_LOG_MAX; buf_release it */
};

/* Builds the machine into the session and runs it to the freeze point; fills in session->facts from
 * the file. ERR_TIMEOUT if the point is not reached in the limits, ERR_INVALID if the machine ends
 * before, both with the last line of the console. The result is filled in either way. */
bool boot_run(struct session *session, const struct machine_file *file,
              const struct boot_options *options, struct boot_result *result, struct err *err);

#endif
