#include "tests/support/wire_sample.h"

static void count_up(uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(first + i);
}

struct message_id wire_id(uint8_t first)
{
    struct message_id id;

    count_up(id.bytes, sizeof id.bytes, first);
    return id;
}

struct hash wire_hash(uint8_t first)
{
    struct hash hash;

    count_up(hash.bytes, sizeof hash.bytes, first);
    return hash;
}

static void sample_hello(struct message_hello *hello)
{
    hello->name = span_of_text("rack-3/gr\xc3\xbcn");
    hello->version = span_of_text("0.1.0");
    hello->incarnation = wire_id(1);
    hello->arch = span_of_text("x86_64");
    hello->os = span_of_text("Linux 6.1");
    hello->word_bits = 64;
    hello->big_endian = true;
    hello->cores = 2;
    hello->memory_mib = 7936;
    hello->slots = 4;
    hello->tags[0] = span_of_text("kvm");
    hello->tags[1] = span_of_text("fast");
    hello->tag_count = 2;
    hello->cached[0] = wire_hash(0x20);
    hello->cached_count = 1;
}

static void sample_welcome(struct message_welcome *welcome)
{
    welcome->beat_ms = 5000;
    welcome->lease_ms = 30000;
    welcome->server_ms = UINT64_C(1767225600000);
    welcome->store = span_of_text("https://farm.example:8080/api/v1/store");
    welcome->store_token = span_of_text("t-123");
    welcome->slots_max = 64;
    welcome->wall_ms_max = 3600000;
}

static void sample_claim(struct message_claim *claim)
{
    claim->incarnation = wire_id(1);
    claim->slots_free = 3;
    claim->wait_ms = 20000;
    claim->cached[0] = wire_hash(0x20);
    claim->cached[1] = wire_hash(0x40);
    claim->cached_count = 2;
}

static void sample_grant(struct message_grant *grant)
{
    grant->jobs[0] = (struct message_job){.lease = 77,
                                          .run = 5,
                                          .job = 1000000,
                                          .attempt = 1,
                                          .kind = JOB_TEST,
                                          .flags = 2,
                                          .spec = wire_hash(0x60),
                                          .checkpoint = wire_hash(0x20),
                                          .wall_ms = 60000};
    grant->jobs[1] = (struct message_job){.lease = UINT64_MAX,
                                          .run = 5,
                                          .job = 1000001,
                                          .attempt = 3,
                                          .kind = JOB_BOOT,
                                          .spec = wire_hash(0x80)};
    grant->job_count = 2;
}

static void sample_beat(struct message_beat *beat)
{
    beat->incarnation = wire_id(1);
    beat->sequence = 9;
    beat->leases[0] = 77;
    beat->leases[1] = UINT64_MAX;
    beat->lease_count = 2;
    beat->load = 1500;
    beat->slots_busy = 2;
}

static void sample_ack(struct message_ack *ack)
{
    ack->cancel[0] = 77;
    ack->cancel_count = 1;
    ack->unknown[0] = 12;
    ack->unknown[1] = 13;
    ack->unknown_count = 2;
    ack->results[0] = (struct message_outcome_of){77, MESSAGE_OUTCOME_OK};
    ack->results[1] = (struct message_outcome_of){78, MESSAGE_OUTCOME_DUP};
    ack->results[2] = (struct message_outcome_of){79, MESSAGE_OUTCOME_STALE};
    ack->result_count = 3;
    ack->drain = true;
}

static void sample_job_result(struct message_job_result *result)
{
    message_job_result_init(result);
    result->lease = 77;
    result->job = 1000000;
    result->attempt = 1;
    result->verdict = VERDICT_FAIL;
    result->exit_status = 134;
    result->instructions = 123456789;
    result->virtual_ns = 5000000000;
    result->thaw_ns = 1900000;
    result->wall_ns = 800000000;
    result->state_id = wire_hash(0xa0);
    result->checkpoint = wire_hash(0x20);
    result->reason = span_of_text("exit status 134");
    result->signature_title = span_of_text("BUG: sleeping function called from ADDR");
    result->signature = wire_hash(0xc0);
    result->console = wire_hash(0xe0);
    result->console_size = 40960;
    result->artifacts[0] =
        (struct message_artifact){span_of_text("core/dump.bin"), 65536, wire_hash(0x11)};
    result->artifact_count = 1;
}

static void sample_result(struct message_result *result)
{
    result->incarnation = wire_id(1);
    sample_job_result(&result->results[0]);
    message_job_result_init(&result->results[1]);
    result->results[1].lease = 78;
    result->results[1].job = 1000002;
    result->results[1].attempt = 1;
    result->result_count = 2;
}

static void sample_release(struct message_release *release)
{
    release->incarnation = wire_id(1);
    release->leases[0] = 77;
    release->lease_count = 1;
    release->reason = span_of_text("draining");
}

static void sample_enrol(struct message_enrol *enrol)
{
    struct hash key = wire_hash(0x33);

    for (size_t i = 0; i < sizeof enrol->public_key; i++)
        enrol->public_key[i] = key.bytes[i];
    enrol->token = span_of_text("once-4711");
    enrol->name = span_of_text("rack-3");
}

void wire_sample(enum message_kind kind, struct message *out)
{
    message_init(out, kind);
    switch (kind) {
    case MESSAGE_HELLO:
        sample_hello(&out->u.hello);
        break;
    case MESSAGE_WELCOME:
        sample_welcome(&out->u.welcome);
        break;
    case MESSAGE_CLAIM:
        sample_claim(&out->u.claim);
        break;
    case MESSAGE_GRANT:
        sample_grant(&out->u.grant);
        break;
    case MESSAGE_EMPTY:
        out->u.empty.retry_ms = 1000;
        break;
    case MESSAGE_DRAIN:
        out->u.drain.reason = span_of_text("the agent is taken out of service");
        break;
    case MESSAGE_BEAT:
        sample_beat(&out->u.beat);
        break;
    case MESSAGE_ACK:
        sample_ack(&out->u.ack);
        break;
    case MESSAGE_RESULT:
        sample_result(&out->u.result);
        break;
    case MESSAGE_RELEASE:
        sample_release(&out->u.release);
        break;
    case MESSAGE_BYE:
        out->u.bye.incarnation = wire_id(1);
        out->u.bye.reason = span_of_text("SIGTERM");
        break;
    case MESSAGE_ENROL:
        sample_enrol(&out->u.enrol);
        break;
    case MESSAGE_ENROLLED:
        out->u.enrolled.agent = wire_id(0x51);
        break;
    case MESSAGE_REFUSED:
        out->u.refused.kind = ERR_ACCESS;
        out->u.refused.sentence = span_of_text("the token was used before");
        break;
    }
}
