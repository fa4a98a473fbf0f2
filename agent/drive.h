/* drive.h — runs a machine by a console script: types what the script says, shows it what comes
 * back, keeps the limits, listens to monitors. Everything the guest can see is decided by
 * instruction counts; the wall clock only guards against hangs. */
#ifndef THAW_AGENT_DRIVE_H
#define THAW_AGENT_DRIVE_H

#include "jobs/console_script.h"
#include "jobs/monitor.h"
#include "sim/core/machine.h"
#include "storage/base/clock.h"

#define DRIVE_LOG_MAX   (16u << 20)        /* bytes of console log kept */
#define DRIVE_SLICE     UINT64_C(20000000) /* instructions between looks at the wall clock */
#define DRIVE_INPUT_MAX 65536

/* An input that was given to the machine, for the recording. */
struct drive_input {
    uint64_t instructions; /* machine_instructions when it was given */
    uint64_t cycle;
    const char *object; /* path */
    const char *kind;
    struct span bytes; /* borrowed until the callback returns */
};

struct drive_options {
    struct machine *machine;
    struct object *console;        /* watched and typed to */
    struct console_script *script; /* started by drive_run; ended when it returns */
    struct monitor *monitor;       /* or NULL */
    uint64_t wall_ms_max;          /* 0: no guard; see guard.h */
    const struct clock_source *clock;
    bool stop_on_magic; /* a store to the magic word ends the script as a pass */
    /* All may be NULL. `output` gets what the console prints as it comes; `progress` is called now
     * and then and returns false to cancel; `input` hears of every input that was given. */
    void (*output)(void *context, struct span bytes);
    bool (*progress)(void *context, uint64_t instructions, uint64_t virtual_ns);
    void (*input)(void *context, const struct drive_input *input);
    void *context;
    /* Called whenever another `mark_every` instructions have been executed, exactly then; may look
     * at the machine, not change it. 0: never. False ends the drive. */
    uint64_t mark_every;
    bool (*mark)(void *context, struct err *err);
    void *mark_context;
    struct buf *log; /* takes the console's output, up to its maximum; or NULL */
};

/* Runs until the script has a result, which it has on return unless the drive itself failed (an
 * input refused: false). The machine stands exactly where the result came about. */
bool drive_run(const struct drive_options *options, struct err *err);

#endif
