/* wire_bench.h — how many round trips a second go through link, gateway and peers. For programs as
 * wire_service.h wants them, before they use nanomsg themselves (the agents are forked). */
#ifndef THAW_TESTS_WIRE_BENCH_H
#define THAW_TESTS_WIRE_BENCH_H

#include "tests/support/wire_service.h"

struct wire_bench {
    enum wire_transport transport;
    uint32_t agents;    /* conversations, at most WIRE_AGENTS_MAX */
    uint32_t processes; /* that they are spread over */
    uint32_t requests;  /* in all: beats of two leases */
};

struct wire_bench_result {
    uint64_t requests;       /* answered */
    uint64_t wall_ns;        /* from the first agent's start to the last one's end */
    uint64_t coordinator_ns; /* processor time of the coordinator's side */
};

/* False if an agent got no answer. */
bool wire_bench_run(const struct wire_bench *bench, struct wire_bench_result *out);

#endif
