#include "jobs/wire/message_fields.h"

#define FIELD(type_, record, member, key_, max_)                                                   \
    {                                                                                              \
        .key = (key_), .type = (type_), .offset = offsetof(struct record, member), .max = (max_)   \
    }
#define REQUIRED(type_, record, member, key_, max_)                                                \
    {                                                                                              \
        .key = (key_), .type = (type_), .required = true,                                          \
        .offset = offsetof(struct record, member), .max = (max_)                                   \
    }
#define LIST(type_, record, member, count_, key_, max_)                                            \
    {                                                                                              \
        .key = (key_), .type = (type_), .offset = offsetof(struct record, member),                 \
        .count = offsetof(struct record, count_), .max = (max_)                                    \
    }
#define RECORDS(record, member, count_, key_, max_, table_)                                        \
    {                                                                                              \
        .key = (key_), .type = FIELD_LIST, .offset = offsetof(struct record, member),              \
        .count = offsetof(struct record, count_), .max = (max_), .table = &(table_)                \
    }
#define ENUM(record, member, key_, names_, unknown_)                                               \
    {                                                                                              \
        .key = (key_), .type = FIELD_ENUM, .required = true,                                       \
        .offset = offsetof(struct record, member), .max = sizeof(names_) / sizeof(names_)[0],      \
        .names = (names_), .unknown = (unknown_)                                                   \
    }
#define TABLE(name_, record, fields_)                                                              \
    {                                                                                              \
        (name_), (fields_), sizeof(fields_) / sizeof(fields_)[0], sizeof(struct record)            \
    }

/* Enums are kept as ints of 32 bits. */
_Static_assert(sizeof(enum job_kind) == 4 && sizeof(enum verdict) == 4 &&
                   sizeof(enum message_outcome) == 4 && sizeof(enum err_kind) == 4,
               "an enum of another size than the tables think");

static const char *const job_kinds[] = {[JOB_TEST] = "test", [JOB_BOOT] = "boot"};
static const char *const outcomes[] = {
    [MESSAGE_OUTCOME_OK] = "ok", [MESSAGE_OUTCOME_DUP] = "dup", [MESSAGE_OUTCOME_STALE] = "stale"};
static const char *const verdicts[] = {
    [VERDICT_PASS] = "pass",
    [VERDICT_FAIL] = "fail",
    [VERDICT_TIMEOUT] = "timeout",
    [VERDICT_INFRA] = "infra",
    [VERDICT_CANCELLED] = "cancelled",
    [VERDICT_SKIPPED] = "skipped",
    [VERDICT_DIVERGENCE] = "divergence",
};
static const char *const err_kinds[] = {
    [ERR_NONE] = "none",
    [ERR_USAGE] = "usage",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_INVALID] = "invalid",
    [ERR_CORRUPT] = "corrupt",
    [ERR_TOO_BIG] = "too_big",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_CONFLICT] = "conflict",
    [ERR_ACCESS] = "access",
    [ERR_NO_SPACE] = "no_space",
    [ERR_NO_MEMORY] = "no_memory",
    [ERR_IO] = "io",
    [ERR_TIMEOUT] = "timeout",
};

static const struct field hello_fields[] = {
    FIELD(FIELD_TEXT, message_hello, os, "os", MESSAGE_NAME_MAX),
    FIELD(FIELD_TEXT, message_hello, arch, "arch", MESSAGE_NAME_MAX),
    REQUIRED(FIELD_TEXT, message_hello, name, "name", MESSAGE_NAME_MAX),
    LIST(FIELD_TEXTS, message_hello, tags, tag_count, "tags", MESSAGE_TAGS_MAX),
    FIELD(FIELD_U32, message_hello, cores, "cores", 0),
    FIELD(FIELD_U32, message_hello, slots, "slots", 0),
    LIST(FIELD_HASHES, message_hello, cached, cached_count, "cached", MESSAGE_CACHED_MAX),
    FIELD(FIELD_TEXT, message_hello, version, "version", MESSAGE_NAME_MAX),
    FIELD(FIELD_U32, message_hello, word_bits, "word_bits", 0),
    FIELD(FIELD_BOOL, message_hello, big_endian, "big_endian", 0),
    FIELD(FIELD_U64, message_hello, memory_mib, "memory_mib", 0),
    REQUIRED(FIELD_BYTES, message_hello, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field welcome_fields[] = {
    FIELD(FIELD_TEXT, message_welcome, store, "store", MESSAGE_STORE_MAX),
    REQUIRED(FIELD_U32, message_welcome, beat_ms, "beat_ms", 0),
    REQUIRED(FIELD_U32, message_welcome, lease_ms, "lease_ms", 0),
    FIELD(FIELD_U64, message_welcome, server_ms, "server_ms", 0),
    FIELD(FIELD_U32, message_welcome, slots_max, "slots_max", 0),
    FIELD(FIELD_TEXT, message_welcome, store_token, "store_token", MESSAGE_TOKEN_MAX),
    FIELD(FIELD_U64, message_welcome, wall_ms_max, "wall_ms_max", 0),
};

static const struct field claim_fields[] = {
    LIST(FIELD_HASHES, message_claim, cached, cached_count, "cached", MESSAGE_CACHED_MAX),
    FIELD(FIELD_U32, message_claim, wait_ms, "wait_ms", 0),
    FIELD(FIELD_U32, message_claim, slots_free, "slots_free", 0),
    REQUIRED(FIELD_BYTES, message_claim, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field job_fields[] = {
    REQUIRED(FIELD_U64, message_job, job, "job", 0),
    REQUIRED(FIELD_U64, message_job, run, "run", 0),
    ENUM(message_job, kind, "kind", job_kinds, UINT32_MAX),
    REQUIRED(FIELD_BYTES, message_job, spec, "spec", HASH_SIZE),
    FIELD(FIELD_U32, message_job, flags, "flags", 0),
    REQUIRED(FIELD_U64, message_job, lease, "lease", 0),
    REQUIRED(FIELD_U32, message_job, attempt, "attempt", 0),
    FIELD(FIELD_U64, message_job, wall_ms, "wall_ms", 0),
    FIELD(FIELD_BYTES, message_job, checkpoint, "checkpoint", HASH_SIZE),
};
static const struct table job_table = TABLE("job", message_job, job_fields);

static const struct field grant_fields[] = {
    RECORDS(message_grant, jobs, job_count, "jobs", MESSAGE_JOBS_MAX, job_table),
};

static const struct field empty_fields[] = {
    FIELD(FIELD_U32, message_empty, retry_ms, "retry_ms", 0),
};

static const struct field drain_fields[] = {
    FIELD(FIELD_TEXT, message_drain, reason, "reason", MESSAGE_TEXT_MAX),
};

static const struct field beat_fields[] = {
    FIELD(FIELD_U32, message_beat, load, "load", 0),
    LIST(FIELD_U64S, message_beat, leases, lease_count, "leases", MESSAGE_LEASES_MAX),
    FIELD(FIELD_U64, message_beat, sequence, "sequence", 0),
    FIELD(FIELD_U32, message_beat, slots_busy, "slots_busy", 0),
    REQUIRED(FIELD_BYTES, message_beat, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field outcome_fields[] = {
    REQUIRED(FIELD_U64, message_outcome_of, lease, "lease", 0),
    ENUM(message_outcome_of, outcome, "outcome", outcomes, UINT32_MAX),
};
static const struct table outcome_table = TABLE("outcome", message_outcome_of, outcome_fields);

static const struct field ack_fields[] = {
    FIELD(FIELD_BOOL, message_ack, drain, "drain", 0),
    LIST(FIELD_U64S, message_ack, cancel, cancel_count, "cancel", MESSAGE_LEASES_MAX),
    RECORDS(message_ack, results, result_count, "results", MESSAGE_RESULTS_MAX, outcome_table),
    LIST(FIELD_U64S, message_ack, unknown, unknown_count, "unknown", MESSAGE_LEASES_MAX),
};

static const struct field artifact_fields[] = {
    REQUIRED(FIELD_BYTES, message_artifact, hash, "hash", HASH_SIZE),
    REQUIRED(FIELD_TEXT, message_artifact, name, "name", MESSAGE_ARTIFACT_NAME),
    FIELD(FIELD_U64, message_artifact, size, "size", 0),
};
static const struct table artifact_table = TABLE("artifact", message_artifact, artifact_fields);

static const struct field job_result_fields[] = {
    REQUIRED(FIELD_U64, message_job_result, job, "job", 0),
    REQUIRED(FIELD_U64, message_job_result, lease, "lease", 0),
    FIELD(FIELD_TEXT, message_job_result, reason, "reason", MESSAGE_TEXT_MAX),
    REQUIRED(FIELD_U32, message_job_result, attempt, "attempt", 0),
    FIELD(FIELD_BYTES, message_job_result, console, "console", HASH_SIZE),
    FIELD(FIELD_U64, message_job_result, thaw_ns, "thaw_ns", 0),
    ENUM(message_job_result, verdict, "verdict", verdicts, UINT32_MAX),
    FIELD(FIELD_U64, message_job_result, wall_ns, "wall_ns", 0),
    FIELD(FIELD_BYTES, message_job_result, state_id, "state_id", HASH_SIZE),
    RECORDS(message_job_result, artifacts, artifact_count, "artifacts", MESSAGE_ARTIFACTS_MAX,
            artifact_table),
    FIELD(FIELD_BYTES, message_job_result, signature, "signature", HASH_SIZE),
    FIELD(FIELD_BYTES, message_job_result, checkpoint, "checkpoint", HASH_SIZE),
    FIELD(FIELD_U64, message_job_result, virtual_ns, "virtual_ns", 0),
    REQUIRED(FIELD_I32, message_job_result, exit_status, "exit_status", 0),
    FIELD(FIELD_U64, message_job_result, console_size, "console_size", 0),
    FIELD(FIELD_U64, message_job_result, instructions, "instructions", 0),
    FIELD(FIELD_TEXT, message_job_result, signature_title, "signature_title", MESSAGE_TITLE_MAX),
};
const struct table message_job_result_table =
    TABLE("job_result", message_job_result, job_result_fields);

static const struct field result_fields[] = {
    RECORDS(message_result, results, result_count, "results", MESSAGE_RESULTS_MAX,
            message_job_result_table),
    REQUIRED(FIELD_BYTES, message_result, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field release_fields[] = {
    LIST(FIELD_U64S, message_release, leases, lease_count, "leases", MESSAGE_LEASES_MAX),
    FIELD(FIELD_TEXT, message_release, reason, "reason", MESSAGE_TEXT_MAX),
    REQUIRED(FIELD_BYTES, message_release, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field bye_fields[] = {
    FIELD(FIELD_TEXT, message_bye, reason, "reason", MESSAGE_TEXT_MAX),
    REQUIRED(FIELD_BYTES, message_bye, incarnation, "incarnation", MESSAGE_ID_SIZE),
};

static const struct field enrol_fields[] = {
    REQUIRED(FIELD_TEXT, message_enrol, name, "name", MESSAGE_NAME_MAX),
    REQUIRED(FIELD_TEXT, message_enrol, token, "token", MESSAGE_TOKEN_MAX),
    REQUIRED(FIELD_BYTES, message_enrol, public_key, "public_key", MESSAGE_PUBLIC_KEY),
};

static const struct field enrolled_fields[] = {
    REQUIRED(FIELD_BYTES, message_enrolled, agent, "agent", MESSAGE_ID_SIZE),
};

static const struct field refused_fields[] = {
    ENUM(message_refused, kind, "kind", err_kinds, ERR_IO),
    REQUIRED(FIELD_TEXT, message_refused, sentence, "sentence", MESSAGE_TEXT_MAX),
};

static const struct table tables[MESSAGE_KIND_COUNT] = {
    [MESSAGE_HELLO] = TABLE("hello", message_hello, hello_fields),
    [MESSAGE_WELCOME] = TABLE("welcome", message_welcome, welcome_fields),
    [MESSAGE_CLAIM] = TABLE("claim", message_claim, claim_fields),
    [MESSAGE_GRANT] = TABLE("grant", message_grant, grant_fields),
    [MESSAGE_EMPTY] = TABLE("empty", message_empty, empty_fields),
    [MESSAGE_DRAIN] = TABLE("drain", message_drain, drain_fields),
    [MESSAGE_BEAT] = TABLE("beat", message_beat, beat_fields),
    [MESSAGE_ACK] = TABLE("ack", message_ack, ack_fields),
    [MESSAGE_RESULT] = TABLE("result", message_result, result_fields),
    [MESSAGE_RELEASE] = TABLE("release", message_release, release_fields),
    [MESSAGE_BYE] = TABLE("bye", message_bye, bye_fields),
    [MESSAGE_ENROL] = TABLE("enrol", message_enrol, enrol_fields),
    [MESSAGE_ENROLLED] = TABLE("enrolled", message_enrolled, enrolled_fields),
    [MESSAGE_REFUSED] = TABLE("refused", message_refused, refused_fields),
};

const struct table *message_table(enum message_kind kind)
{
    return &tables[kind];
}
