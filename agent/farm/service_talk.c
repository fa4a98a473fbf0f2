#include "agent/farm/service_internal.h"
#include "storage/base/log.h"
#include "storage/base/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define TIMEOUT_MS     UINT32_C(15000) /* of a request; a claim's is longer by its wait_ms */
#define WAIT_MS        UINT32_C(10000) /* how long a claim may be held when nothing else goes on */
#define HELLO_NS       UINT64_C(1000000000)
#define RETRY_NS       UINT64_C(1000000000)  /* after a request that failed */
#define DRAINED_NS     UINT64_C(15000000000) /* between claims of one that is to claim no more */
#define RETRY_MS_LEAST 20

static void later(uint64_t *when, uint64_t ns)
{
    uint64_t at = agent_now_ns() + ns;

    if (*when < at)
        *when = at;
}

/* ---- requests ---- */

static void fill_hello(struct agent *agent, const struct utsname *host)
{
    const struct agent_options *options = agent->options;
    struct message_hello *hello = &agent->request->u.hello;

    hello->name = span_of_text(options->name != NULL ? options->name : host->nodename);
    if (hello->name.size > MESSAGE_NAME_MAX)
        hello->name.size = MESSAGE_NAME_MAX;
    hello->version = span_of_text(THAW_VERSION);
    hello->incarnation = agent->keeper_options.incarnation;
    hello->arch = span_of_text(program_arch());
    hello->os = span_of_text(host->sysname);
    hello->word_bits = (uint32_t)sizeof(void *) * 8;
    hello->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    hello->cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    hello->memory_mib =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / (1u << 20);
    hello->slots = agent->slots;
    for (size_t i = 0; i < options->tag_count && i < MESSAGE_TAGS_MAX; i++)
        hello->tags[hello->tag_count++] = span_of_text(options->tags[i]);
    memcpy(hello->cached, agent->cached, agent->cached_count * sizeof agent->cached[0]);
    hello->cached_count = agent->cached_count;
}

static bool send(struct agent *agent, enum talk talk, uint32_t timeout_ms)
{
    struct err err = ERR_INIT;

    if (agent->line.operations->send(agent->line.context, agent->request, timeout_ms, &err)) {
        agent->talk = talk;
        return true;
    }
    log_message(LOG_ERROR, "%s: %s", message_kind_name(agent->request->kind), err.text);
    return false;
}

static void say_hello(struct agent *agent)
{
    struct utsname host;

    memset(&host, 0, sizeof host);
    (void)uname(&host);
    message_init(agent->request, MESSAGE_HELLO);
    fill_hello(agent, &host);
    later(&agent->hello_at_ns, HELLO_NS);
    (void)send(agent, TALK_HELLO, TIMEOUT_MS);
}

/* How many more jobs could begin at once. */
static size_t room(const struct agent *agent)
{
    size_t taken = task_count_of(agent, TASK_FETCHING, TASK_RUNNING);

    return taken < agent->slots ? agent->slots - taken : 0;
}

static bool has_disk(struct agent *agent)
{
    uint64_t reserve =
        agent->options->reserve_bytes != 0 ? agent->options->reserve_bytes : AGENT_RESERVE;
    bool full = !spool_has_room(agent->spool, reserve);

    /* A result that could not be kept is tried again; until it is, nothing is claimed. */
    if (!full && agent->again_count == 0)
        agent->starved = false;
    if (full && !agent->starved) {
        log_message(LOG_ERROR, "nothing is claimed: less than %" PRIu64 " MiB of the disk are left",
                    reserve >> 20);
        agent->starved = true;
    }
    return !agent->starved;
}

static void say_claim(struct agent *agent)
{
    struct message_claim *claim = &agent->request->u.claim;

    message_init(agent->request, MESSAGE_CLAIM);
    claim->incarnation = agent->keeper_options.incarnation;
    claim->slots_free = (uint32_t)room(agent);
    /* While something goes on there will be something to say: then an answer must come at once. */
    claim->wait_ms = agent->task_count == 0 ? WAIT_MS : 0;
    memcpy(claim->cached, agent->cached, agent->cached_count * sizeof agent->cached[0]);
    claim->cached_count = agent->cached_count;
    agent->claimed_ns = agent_now_ns();
    (void)send(agent, TALK_CLAIM, TIMEOUT_MS + claim->wait_ms);
}

/* Puts one spooled result into the request. False: there is no room for it. */
static bool add_result(struct agent *agent, struct task *task, size_t *bytes)
{
    struct message_result *list = &agent->request->u.result;
    struct buf *from = &agent->sent_bytes[list->result_count];
    struct err err = ERR_INIT;
    size_t size;

    if (!spool_get(agent->spool, task->job.lease, from, agent->loaded, &err)) {
        log_message(LOG_ERROR, "a spooled result cannot be sent: %s", err.text);
        task_forget(agent, task);
        return true;
    }
    size = message_job_result_bytes(&agent->loaded->u.result.results[0]);
    if (list->result_count != 0 && *bytes + size > MESSAGE_RESULT_ROOM)
        return false;
    *bytes += size;
    list->results[list->result_count++] = agent->loaded->u.result.results[0];
    task->state = TASK_SENT;
    return true;
}

static void say_results(struct agent *agent)
{
    size_t bytes = 0;

    message_init(agent->request, MESSAGE_RESULT);
    agent->request->u.result.incarnation = agent->keeper_options.incarnation;
    for (size_t i = agent->task_count; i-- > 0;) {
        if (agent->tasks[i]->state != TASK_SPOOLED)
            continue;
        if (!add_result(agent, agent->tasks[i], &bytes) ||
            agent->request->u.result.result_count == MESSAGE_RESULTS_MAX)
            break;
    }
    if (agent->request->u.result.result_count != 0)
        (void)send(agent, TALK_RESULT, TIMEOUT_MS);
}

static void say_release(struct agent *agent)
{
    struct message_release *release = &agent->request->u.release;

    message_init(agent->request, MESSAGE_RELEASE);
    release->incarnation = agent->keeper_options.incarnation;
    release->reason = span_of_text(agent->phase == AGENT_SERVING ? "not begun" : "draining");
    memcpy(release->leases, agent->releases, agent->release_count * sizeof agent->releases[0]);
    release->lease_count = (uint32_t)agent->release_count;
    agent->release_sent = agent->release_count;
    (void)send(agent, TALK_RELEASE, TIMEOUT_MS);
}

static void say_bye(struct agent *agent)
{
    message_init(agent->request, MESSAGE_BYE);
    agent->request->u.bye.incarnation = agent->keeper_options.incarnation;
    agent->request->u.bye.reason = span_of_text("stopped");
    if (!send(agent, TALK_BYE, TIMEOUT_MS / 3))
        agent->phase = AGENT_GONE;
}

static bool may_claim(const struct agent *agent)
{
    return agent->phase == AGENT_SERVING && !agent->draining && agent->spawner >= 0 &&
           room(agent) != 0;
}

void talk_next(struct agent *agent)
{
    uint64_t now = agent_now_ns();

    if (((agent->talk == TALK_CLAIM || agent->talk == TALK_HELLO) &&
         agent->phase >= AGENT_DRAINING) ||
        (agent->talk != TALK_BYE && agent->talk != TALK_NONE && agent->phase >= AGENT_LEAVING)) {
        /* Held for nothing now. Bye gives back what it may have been granted and what was to be
         * released, and what was not delivered is in the spool. */
        agent->line.operations->cancel(agent->line.context);
        agent->talk = TALK_NONE;
    }
    if (agent->talk != TALK_NONE)
        return;
    if (agent->phase == AGENT_JOINING) {
        if (now >= agent->hello_at_ns)
            say_hello(agent);
    } else if (!agent->welcomed && agent->phase >= AGENT_DRAINING) {
        agent->phase = AGENT_GONE; /* nobody has heard of us */
    } else if (agent->phase == AGENT_LEAVING) {
        say_bye(agent);
    } else if (agent->release_count != 0 && now >= agent->result_at_ns) {
        say_release(agent);
    } else if (task_count_of(agent, TASK_SPOOLED, TASK_SPOOLED) != 0 &&
               now >= agent->result_at_ns) {
        say_results(agent);
    } else if (may_claim(agent) && now >= agent->claim_at_ns && now >= agent->pause_ns &&
               has_disk(agent)) {
        say_claim(agent);
    }
}

uint64_t talk_due_ns(const struct agent *agent)
{
    uint64_t due = UINT64_MAX;

    if (agent->talk != TALK_NONE)
        return agent->line.operations->deadline_ns(agent->line.context);
    if (agent->phase == AGENT_JOINING)
        return agent->hello_at_ns;
    if (agent->release_count != 0 || task_count_of(agent, TASK_SPOOLED, TASK_SPOOLED) != 0)
        due = agent->result_at_ns;
    if (may_claim(agent) && !agent->starved) {
        uint64_t claim =
            agent->claim_at_ns > agent->pause_ns ? agent->claim_at_ns : agent->pause_ns;
        due = claim < due ? claim : due;
    }
    return due;
}

/* ---- answers ---- */

static void copy_text(struct span text, char *out, size_t size)
{
    size_t used = text.size < size ? text.size : size - 1;

    if (used != 0)
        memcpy(out, text.data, used);
    out[used] = 0;
}

/* Where the store is, if we were not told when we began. */
static bool find_store(struct agent *agent, const struct message_welcome *welcome, struct err *err)
{
    char said[MESSAGE_STORE_MAX + 1];

    copy_text(welcome->store, said, sizeof said);
    return agent_open_store(agent, said[0] == '/' ? said : NULL, err);
}

static void take_welcome(struct agent *agent)
{
    const struct message_welcome *welcome = &agent->answer->u.welcome;
    struct err err = ERR_INIT;

    if (agent->fetcher == NULL && !find_store(agent, welcome, &err)) {
        agent_fail(agent, &err);
        return;
    }
    agent->welcomed = true;
    agent->wall_ms_max = welcome->wall_ms_max;
    if (welcome->slots_max != 0 && agent->slots > welcome->slots_max)
        agent->slots = welcome->slots_max;
    if (agent->phase == AGENT_JOINING)
        agent->phase = AGENT_SERVING;
    agent->beat_ms = welcome->beat_ms;
    if (agent->keeper >= 0)
        (void)keeper_tell(agent->keeper, KEEPER_BEGIN, welcome->beat_ms, &err);
}

static void take_empty(struct agent *agent)
{
    uint64_t retry_ms = agent->answer->u.empty.retry_ms;

    if (retry_ms < RETRY_MS_LEAST)
        retry_ms = RETRY_MS_LEAST;
    later(&agent->claim_at_ns, retry_ms * UINT64_C(1000000));
}

static void take_results(struct agent *agent)
{
    const struct message_ack *ack = &agent->answer->u.ack;
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < ack->result_count; i++) {
        struct task *task = task_of_lease(agent, ack->results[i].lease);
        if (task == NULL || task->state != TASK_SENT)
            continue;
        if (ack->results[i].outcome == MESSAGE_OUTCOME_STALE)
            log_message(LOG_INFO, "the result of lease %" PRIu64 " came too late",
                        ack->results[i].lease);
        if (!spool_remove(agent->spool, ack->results[i].lease, &err))
            log_message(LOG_WARNING, "%s", err.text);
        task_forget(agent, task);
    }
}

/* What was sent and not answered is sent again. */
static void unsend(struct agent *agent)
{
    for (size_t i = 0; i < agent->task_count; i++)
        if (agent->tasks[i]->state == TASK_SENT) {
            agent->tasks[i]->state = TASK_SPOOLED;
            later(&agent->result_at_ns, RETRY_NS);
        }
}

static void take_refusal(struct agent *agent)
{
    struct err err = ERR_INIT;

    (void)message_refused_err(agent->answer, &err);
    log_message(LOG_WARNING, "the coordinator refuses: %s", err.text);
    if (agent->talk == TALK_BYE) {
        agent->phase = AGENT_GONE;
    } else if (agent->phase == AGENT_REPLAYING) {
        agent->phase = AGENT_JOINING;
    } else if (err.kind == ERR_CONFLICT && agent->talk != TALK_HELLO) {
        if (agent->phase == AGENT_SERVING)
            agent->phase = AGENT_JOINING;
    } else if (err.kind == ERR_ACCESS || err.kind == ERR_UNSUPPORTED) {
        agent_fail(agent, &err);
    }
    later(&agent->claim_at_ns, RETRY_NS);
    later(&agent->result_at_ns, RETRY_NS);
}

/* More may have come while the request was under way. */
static void forget_releases(struct agent *agent)
{
    agent->release_count -= agent->release_sent;
    memmove(agent->releases, agent->releases + agent->release_sent,
            agent->release_count * sizeof agent->releases[0]);
    agent->release_sent = 0;
}

static void take_answer(struct agent *agent, enum talk talk)
{
    const struct message *answer = agent->answer;

    switch (answer->kind) {
    case MESSAGE_WELCOME:
        if (talk == TALK_HELLO)
            take_welcome(agent);
        return;
    case MESSAGE_GRANT:
        for (uint32_t i = 0; talk == TALK_CLAIM && i < answer->u.grant.job_count; i++)
            task_grant(agent, &answer->u.grant.jobs[i]);
        return;
    case MESSAGE_EMPTY:
        take_empty(agent);
        return;
    case MESSAGE_DRAIN:
        later(&agent->pause_ns, DRAINED_NS);
        return;
    case MESSAGE_ACK:
        if (talk == TALK_RESULT)
            take_results(agent);
        if (talk == TALK_RELEASE)
            forget_releases(agent);
        if (talk == TALK_BYE)
            agent->phase = AGENT_GONE;
        return;
    default:
        take_refusal(agent);
    }
}

void talk_turn(struct agent *agent)
{
    enum talk talk = agent->talk;
    struct err err = ERR_INIT;

    if (talk == TALK_NONE)
        return;
    switch (agent->line.operations->turn(agent->line.context, agent->answer, &err)) {
    case LINK_WAITING:
        return;
    case LINK_ANSWERED:
        take_answer(agent, talk);
        break;
    case LINK_FAILED:
        log_message(LOG_WARNING, "no answer from the coordinator: %s", err.text);
        if (talk == TALK_BYE)
            agent->phase = AGENT_GONE;
        if (talk == TALK_CLAIM)
            later(&agent->claim_at_ns, RETRY_NS);
        break;
    case LINK_IDLE:
        break;
    }
    unsend(agent);
    agent->talk = TALK_NONE;
}
