#include "tests/support/wire_bench.h"

#include "storage/base/check.h"
#include "tests/support/wire_sample.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 60000

struct agents {
    struct link **links;
    struct pollfd *waits;
    uint32_t count;
    uint32_t to_send, to_answer;
    struct message *request, *answer;
};

static void link_work(struct agents *agents, uint32_t index)
{
    struct link *link = agents->links[index];
    struct err err = ERR_INIT;
    enum link_state state = link_turn(link, agents->answer, &err);

    CHECK(state != LINK_FAILED);
    if (state == LINK_ANSWERED)
        agents->to_answer--;
    if (state != LINK_WAITING && agents->to_send != 0) {
        CHECK(link_send(link, agents->request, TIMEOUT_MS, &err));
        agents->to_send--;
    }
    agents->waits[index] = (struct pollfd){link_fd(link), POLLIN, 0};
}

static _Noreturn void run_agents(struct wire_service *service, uint32_t first, uint32_t count,
                                 uint32_t requests)
{
    struct agents agents = {.count = count, .to_send = requests, .to_answer = requests};

    agents.links = mem_array(count, sizeof *agents.links);
    agents.waits = mem_array(count, sizeof *agents.waits);
    agents.request = mem_alloc(sizeof *agents.request);
    agents.answer = mem_alloc(sizeof *agents.answer);
    wire_sample(MESSAGE_BEAT, agents.request);
    for (uint32_t i = 0; i < count; i++)
        agents.links[i] = wire_service_link(service, first + i, SEAL_BEAT);
    while (agents.to_answer != 0) {
        for (uint32_t i = 0; i < count; i++)
            link_work(&agents, i);
        poll(agents.waits, count, 20);
    }
    _exit(0);
}

static uint64_t processor_ns(void)
{
    struct rusage usage;

    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return ((uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) *
           1000;
}

/* Serves until all agents have ended; false if one ended badly. */
static bool serve(struct wire_service *service, uint32_t processes)
{
    bool ok = true;

    while (processes != 0) {
        struct pollfd wait = {gateway_fd(service->gateway), gateway_events(service->gateway), 0};
        int status;

        poll(&wait, 1, 5);
        wire_service_turn(service);
        while (waitpid(-1, &status, WNOHANG) > 0) {
            processes--;
            ok = ok && status == 0;
        }
    }
    return ok;
}

bool wire_bench_run(const struct wire_bench *bench, struct wire_bench_result *out)
{
    struct wire_service *service = mem_alloc(sizeof *service);
    uint32_t each = bench->agents / bench->processes;
    uint64_t begun_ns, processor;
    bool ok;

    CHECK(each >= 1 && bench->agents <= WIRE_AGENTS_MAX);
    service->options.limits = gateway_limits_default;
    service->options.limits.rate = service->options.limits.burst = 1000000;
    wire_service_open(service, bench->transport);
    for (uint32_t i = 0; i < bench->agents; i++)
        wire_service_agent(service);
    begun_ns = clock_monotonic_ns(&clock_host);
    processor = processor_ns();
    for (uint32_t i = 0; i < bench->processes; i++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0)
            run_agents(service, i * each, each, bench->requests / bench->processes);
    }
    ok = serve(service, bench->processes);
    out->wall_ns = clock_monotonic_ns(&clock_host) - begun_ns;
    out->coordinator_ns = processor_ns() - processor;
    out->requests = service->handled;
    wire_service_close(service);
    mem_free(service);
    return ok;
}
