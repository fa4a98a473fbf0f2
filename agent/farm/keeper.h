/* keeper.h — the process that keeps an agent's leases alive. It does nothing but beat: simulations,
 * transfers and full disks may hold up everything else, and no lease is lost.
 *
 * It tells the coordinator of the leases it was told to hold, all of them in each beat, every
 * beat_ms ± 10 %; and tells the agent what the coordinator answered. Beats must not outlive whoever
 * works for them: it ends when its channel is closed, and is silent while the agent says nothing
 * (which it does every second, KEEPER_BUSY). */
#ifndef THAW_AGENT_FARM_KEEPER_H
#define THAW_AGENT_FARM_KEEPER_H

#include "agent/farm/line.h"

#define KEEPER_BEAT_MS 5000 /* until the coordinator has said otherwise */

struct keeper_options {
    struct line_opener opener; /* the line is opened in the keeper's process */
    struct message_id incarnation;
};
/* The process's body. Returns the exit status. */
int keeper_run(const struct keeper_options *options, int channel);

/* What the agent tells its keeper. */
enum keeper_tell {
    KEEPER_BEGIN, /* the coordinator knows us: beat every `value` ms */
    KEEPER_HOLD,  /* `value` is a lease */
    KEEPER_DROP,  /* likewise; one that is not held is fine */
    KEEPER_BUSY,  /* `value` slots are busy */
};
bool keeper_tell(int channel, enum keeper_tell what, uint64_t value, struct err *err);

/* What it hears. */
enum keeper_news {
    KEEPER_CANCEL,   /* stop the job of lease `value`, report it as cancelled */
    KEEPER_UNKNOWN,  /* lease `value` is not ours any more: stop, report nothing */
    KEEPER_DRAIN,    /* claim no more; comes with each beat for as long as it holds (value 1), and
                        once when it is over (value 0) */
    KEEPER_STRANGER, /* the coordinator does not know this incarnation: say hello again */
};
struct keeper_event {
    uint32_t what; /* enum keeper_news */
    uint64_t value;
};
/* ERR_CONFLICT: the keeper is gone. */
bool keeper_hear(int channel, struct keeper_event *out, struct err *err);

#endif
