/* keeper_core.h — what a keeper knows and decides, apart from the process that it runs in: the
 * leases it holds, when a beat is due, what a beat says, what its answer means. Reads no clock. */
#ifndef THAW_AGENT_FARM_KEEPER_CORE_H
#define THAW_AGENT_FARM_KEEPER_CORE_H

#include "agent/farm/keeper.h"

struct keeper_core {
    struct message_id incarnation;
    uint64_t leases[MESSAGE_LEASES_MAX];
    uint32_t lease_count;
    uint32_t beat_ms; /* 0: no beats yet */
    uint32_t slots_busy;
    uint64_t next_ns;  /* of the next beat */
    uint64_t heard_ns; /* when the agent last said something */
    uint64_t sequence;
    bool draining; /* by the last answer */
};

/* The agent said something (enum keeper_tell). */
void keeper_core_obey(struct keeper_core *core, const struct keeper_event *told, uint64_t now_ns);
/* When keeper_core_beat should be called; UINT64_MAX: not before the agent says so. */
uint64_t keeper_core_due_ns(const struct keeper_core *core);
/* Makes a beat, and sets the time of the next: beat_ms ± 10 % by `random`, so that agents started
 * together do not beat together. False: there is none, since the agent has said nothing for so long
 * that its leases are better given to others. The load is left to the caller. */
bool keeper_core_beat(struct keeper_core *core, uint64_t now_ns, uint64_t random,
                      struct message *request);
typedef void keeper_core_say(void *context, enum keeper_news what, uint64_t value);
/* What an answer means for the agent. */
void keeper_core_take(struct keeper_core *core, const struct message *answer, keeper_core_say *say,
                      void *context);

#endif
