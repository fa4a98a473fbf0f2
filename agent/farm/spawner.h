/* spawner.h — the process that every simulation descends from: it has never opened a socket of the
 * farm, so that it may fork at will.
 *
 * The agent asks for a job (struct worker_order) and gives the writing end of a pipe; the outcome
 * (outcome.h) comes through the pipe, straight from the worker, and an event (struct brood_event)
 * tells when the worker is gone, however it went. A test from a checkpoint runs in a fork of that
 * checkpoint's template (template.h), anything else in a fork of the spawner. Templates are kept
 * for later tests, within a number and an amount of memory; those used longest ago go first, those
 * that have tests running stay.
 *
 * Everything below the spawner dies with it, and it with the agent. */
#ifndef THAW_AGENT_FARM_SPAWNER_H
#define THAW_AGENT_FARM_SPAWNER_H

#include "agent/farm/template.h"

#define SPAWNER_TEMPLATES      8 /* kept, unless told otherwise */
#define SPAWNER_TEMPLATES_MAX  64
#define SPAWNER_TEMPLATE_BYTES (UINT64_C(2) << 30)

struct spawner_options {
    struct worker_place place;
    uint32_t templates;      /* 0: SPAWNER_TEMPLATES */
    uint64_t template_bytes; /* memory of their own, of all together; 0: SPAWNER_TEMPLATE_BYTES */
};

/* The process's body: until its channel is closed. Returns the exit status. */
int spawner_run(const struct spawner_options *options, int channel);

/* The agent's side. */
bool spawner_start(int channel, const struct worker_order *order, int outcome_fd, struct err *err);
bool spawner_cancel(int channel, uint64_t token, struct err *err);

/* What a worker came to, from what it wrote and how it ended: what is not a whole outcome becomes
 * `infra` with the reason. Spans point into `written`. */
void spawner_judge(const struct brood_event *event, struct span written,
                   struct worker_outcome *out);

#endif
