/* message.h — what an agent and its coordinator say to each other: plain structs, and their bytes.
 *
 * A message is one CBOR map (cbor.h: deterministic) of at most MESSAGE_BYTES_MAX bytes:
 *
 * | key      | value                                                                         |
 * |----------|-------------------------------------------------------------------------------|
 * | `v`      | array: major, minor                                                           |
 * | `kind`   | text: the names below                                                         |
 * | `fields` | map from text to the fields of that kind; the tables in message_fields.c      |
 *
 * The same major version is required; keys that are not known are skipped, at every level, so that
 * a minor version adds fields freely. Zero, false, empty texts and empty lists are left out, except
 * where a field is required. Only `refused` is read at any major version: its fields are frozen.
 *
 * Every request has one answer. Agents ask, the coordinator answers:
 *
 * | request | answers                                                                          |
 * |---------|----------------------------------------------------------------------------------|
 * | enrol   | enrolled                                                                         |
 * | hello   | welcome                                                                          |
 * | claim   | grant, empty (nothing to do: ask again later), drain (ask no more)               |
 * | beat    | ack                                                                              |
 * | result  | ack (one outcome for each result)                                                |
 * | release | ack                                                                              |
 * | bye     | ack                                                                              |
 * | any     | refused                                                                          |
 *
 * Nothing here asks for memory: the structs have room for the most of everything, and a `struct
 * span` points into the bytes that were decoded (or, before encoding, at whatever the caller has).
 * A struct message is large (~100 KiB): keep it on the heap or static, not on a small stack. */
#ifndef THAW_JOBS_WIRE_MESSAGE_H
#define THAW_JOBS_WIRE_MESSAGE_H

#include "jobs/job_spec.h"
#include "jobs/verdict.h"
#include "storage/base/hash.h"

#define MESSAGE_MAJOR 1
#define MESSAGE_MINOR 0

#define MESSAGE_BYTES_MAX     65280 /* 64 KiB with what seal.h puts around it */
#define MESSAGE_NAME_MAX      64  /* bytes of an agent's name, a tag, an architecture, a version */
#define MESSAGE_TEXT_MAX      512 /* bytes of a reason or a sentence */
#define MESSAGE_TOKEN_MAX     128
#define MESSAGE_STORE_MAX     512
#define MESSAGE_TITLE_MAX     256
#define MESSAGE_ARTIFACT_NAME 128
#define MESSAGE_TAGS_MAX      32
#define MESSAGE_CACHED_MAX    64
#define MESSAGE_JOBS_MAX      64
#define MESSAGE_LEASES_MAX    1024
#define MESSAGE_RESULTS_MAX   32
#define MESSAGE_ARTIFACTS_MAX 32 /* of one result */
#define MESSAGE_ID_SIZE       16 /* bytes of an agent's id, of an incarnation */
#define MESSAGE_PUBLIC_KEY    32

enum message_kind {
    MESSAGE_HELLO,
    MESSAGE_WELCOME,
    MESSAGE_CLAIM,
    MESSAGE_GRANT,
    MESSAGE_EMPTY,
    MESSAGE_DRAIN,
    MESSAGE_BEAT,
    MESSAGE_ACK,
    MESSAGE_RESULT,
    MESSAGE_RELEASE,
    MESSAGE_BYE,
    MESSAGE_ENROL,
    MESSAGE_ENROLLED,
    MESSAGE_REFUSED,
};
#define MESSAGE_KIND_COUNT 14

/* Random bytes: who an agent is (for ever), or which start of its process (for a while). */
struct message_id {
    uint8_t bytes[MESSAGE_ID_SIZE];
};

/* The first thing an agent says after each start. Leases of an earlier incarnation are free. */
struct message_hello {
    struct span name; /* for people */
    struct span version;
    struct message_id incarnation;
    struct span arch; /* of the program: see program_arch */
    struct span os;
    uint32_t word_bits; /* 32 or 64 */
    bool big_endian;
    uint32_t cores;
    uint64_t memory_mib;
    uint32_t slots; /* jobs at a time */
    struct span tags[MESSAGE_TAGS_MAX];
    uint32_t tag_count;
    struct hash cached[MESSAGE_CACHED_MAX]; /* checkpoints it has at hand */
    uint32_t cached_count;
};

struct message_welcome {
    uint32_t beat_ms;        /* how often to beat */
    uint32_t lease_ms;       /* how long a lease lives without a beat */
    uint64_t server_ms;      /* the coordinator's clock, since 1970: to show, not to decide by */
    struct span store;       /* a folder both see (absolute path) or a URL; "": as configured */
    struct span store_token; /* for that URL; may be "" */
    uint32_t slots_max;      /* no more slots are used; 0: no limit */
    uint64_t wall_ms_max;    /* of any job; 0: no limit */
};

struct message_claim {
    struct message_id incarnation;
    uint32_t slots_free;
    uint32_t wait_ms; /* how long the coordinator may hold the claim; 0: answer at once */
    struct hash cached[MESSAGE_CACHED_MAX];
    uint32_t cached_count;
};

struct message_job {
    uint64_t lease; /* never used twice */
    uint64_t run;
    uint64_t job;
    uint32_t attempt; /* 1, 2, … */
    enum job_kind kind;
    uint32_t flags;         /* bits that the queue defines (coordinator/queue) */
    struct hash spec;       /* blob of the job's specification */
    struct hash checkpoint; /* zero: none */
    uint64_t wall_ms;       /* limit; 0: none */
};

struct message_grant {
    struct message_job jobs[MESSAGE_JOBS_MAX];
    uint32_t job_count;
};

struct message_empty {
    uint32_t retry_ms; /* wait this long before the next claim */
};

struct message_drain {
    struct span reason;
};

struct message_beat {
    struct message_id incarnation;
    uint64_t sequence;                   /* counts beats of this incarnation */
    uint64_t leases[MESSAGE_LEASES_MAX]; /* all it holds */
    uint32_t lease_count;
    uint32_t load; /* of the host: thousandths of all its cores */
    uint32_t slots_busy;
};

enum message_outcome {
    MESSAGE_OUTCOME_OK,    /* recorded now: forget it */
    MESSAGE_OUTCOME_DUP,   /* recorded before: forget it */
    MESSAGE_OUTCOME_STALE, /* the lease was not its own any more; not recorded: forget it */
};

struct message_outcome_of {
    uint64_t lease;
    enum message_outcome outcome;
};

struct message_ack {
    uint64_t cancel[MESSAGE_LEASES_MAX]; /* stop these; report them as cancelled */
    uint32_t cancel_count;
    uint64_t unknown[MESSAGE_LEASES_MAX]; /* not leased any more: stop, report nothing */
    uint32_t unknown_count;
    struct message_outcome_of results[MESSAGE_RESULTS_MAX];
    uint32_t result_count;
    bool drain; /* finish what runs, claim no more */
};

struct message_artifact {
    struct span name; /* a relative path */
    uint64_t size;    /* bytes */
    struct hash hash;
};

struct message_job_result {
    uint64_t lease;
    uint64_t job;
    uint32_t attempt;
    enum verdict verdict;
    int32_t exit_status; /* -1: none */
    uint64_t instructions;
    uint64_t virtual_ns;
    uint64_t thaw_ns;
    uint64_t wall_ns;
    struct hash state_id;   /* zero: not asked for */
    struct hash checkpoint; /* a test: where it started; a boot: what it made */
    struct span reason;
    struct span signature_title;
    struct hash signature; /* zero: none */
    struct hash console;   /* blob; zero: none */
    uint64_t console_size; /* bytes */
    struct message_artifact artifacts[MESSAGE_ARTIFACTS_MAX];
    uint32_t artifact_count;
};

struct message_result {
    struct message_id incarnation;
    struct message_job_result results[MESSAGE_RESULTS_MAX];
    uint32_t result_count;
};

struct message_release {
    struct message_id incarnation;
    uint64_t leases[MESSAGE_LEASES_MAX];
    uint32_t lease_count;
    struct span reason;
};

struct message_bye {
    struct message_id incarnation;
    struct span reason;
};

struct message_enrol {
    struct span token;
    uint8_t public_key[MESSAGE_PUBLIC_KEY]; /* X25519, of the agent */
    struct span name;
};

struct message_enrolled {
    struct message_id agent;
};

struct message_refused {
    enum err_kind kind; /* one that is not known reads as ERR_IO */
    struct span sentence;
};

struct message {
    uint32_t major, minor;
    enum message_kind kind;
    union {
        struct message_hello hello;
        struct message_welcome welcome;
        struct message_claim claim;
        struct message_grant grant;
        struct message_empty empty;
        struct message_drain drain;
        struct message_beat beat;
        struct message_ack ack;
        struct message_result result;
        struct message_release release;
        struct message_bye bye;
        struct message_enrol enrol;
        struct message_enrolled enrolled;
        struct message_refused refused;
    } u;
};

/* A message of that kind, of this version, with nothing in it: numbers 0, lists and texts empty. */
void message_init(struct message *message, enum message_kind kind);
/* The same for one result in a message's list (exit status -1). */
void message_job_result_init(struct message_job_result *result);
/* Appends the bytes to `out`. ERR_TOO_BIG over MESSAGE_BYTES_MAX or a bound above, ERR_INVALID for
 * a required field that is empty: only what message_decode takes is written. On failure `out` holds
 * what it held before. */
bool message_encode(const struct message *message, struct buf *out, struct err *err);
/* Reads exactly one message. ERR_TOO_BIG, ERR_CORRUPT (not CBOR), ERR_INVALID (breaks the rules of
 * its kind), ERR_UNSUPPORTED (another major version, an unknown kind or an unknown name). `out` is
 * of no use after a failure, but `major` and `minor` are the peer's if it got so far, else 0. */
bool message_decode(struct span bytes, struct message *out, struct err *err);
/* "hello", …; saved names live for ever. */
const char *message_kind_name(enum message_kind kind);
/* Makes `refused` of an error; the sentence is borrowed from `err`, cut at a character's border. */
void message_refuse(struct message *message, const struct err *err);
/* The error that `refused` tells of. Returns false. */
bool message_refused_err(const struct message *message, struct err *err);
/* How many bytes one result takes at most in a message: to fill a message and not overfill it.
 * MESSAGE_RESULT_ROOM bytes are there for results. */
size_t message_job_result_bytes(const struct message_job_result *result);
#define MESSAGE_RESULT_ROOM (MESSAGE_BYTES_MAX - 128)

bool message_id_equal(const struct message_id *a, const struct message_id *b);
bool message_id_is_zero(const struct message_id *id);

#endif
