/* message.h — what `thaw verify` and the hosts it drives say to each other, over two pipes.
 *
 * A frame is "thaw" (whatever else a host prints is told from it at once), the size of what follows
 * (4 bytes, little-endian, at most VERIFY_FRAME_MAX), then one CBOR array (cbor.h): [number, verb,
 * kind, [values…], text, bytes]. Requests are numbered from 1; a host answers each, in order, with
 * the request's number and verb. `kind` is 0, or an enum err_kind of what went wrong, and `text`
 * then the sentence. The host ends when its input does.
 *
 * | verb     | asks with                            | answered with                               |
 * |----------|--------------------------------------|---------------------------------------------|
 * | HELLO    | values: VERIFY_VERSION               | values: enum hello_value; text: what host it |
 * |          |                                      | is; bytes: program's version                 |
 * | OPEN     | text: store; bytes: folder of the    |                                             |
 * |          | image cache, or none                 |                                             |
 * | INPUTS   | bytes: inputs (input.h)              |                                             |
 * | THAW     | text: checkpoint; values: the inputs | a place; bytes: a manifest's two ids         |
 * |          | given before (script_value)          |                                             |
 * | RUN      | values: enum run_value               | a place; bytes: state id                     |
 * | RESTORE  | values: instructions of a mark kept  | a place; bytes: state id                     |
 * | STATE    |                                      | bytes: the manifest of the state as it is    |
 * | CHANGED  |                                      | bytes: array of [image, chunk, hash] that    |
 * |          |                                      | the last run changed                         |
 * | CHUNK    | text: image; values: chunk           | bytes: of that chunk                         |
 * | NEXT     |                                      | bytes: array of [hart, pc, bits, text]; what |
 * |          |                                      | it looks at is lost by RESTORE only          |
 * | FREEZE   | text: tag                            | a place; bytes: state id, checkpoint id      |
 * | EXPORT   | text: file; bytes: checkpoint's name |                                             |
 * | IMPORT   | text: file; bytes: tag               |                                             |
 * | FSCK     |                                      | values: findings                             |
 *
 * A place is values: enum place_value. */
#ifndef THAW_AGENT_VERIFY_MESSAGE_H
#define THAW_AGENT_VERIFY_MESSAGE_H

#include "storage/base/manifest.h"

#define VERIFY_VERSION    1
#define VERIFY_FRAME_MAX  (MANIFEST_BYTES_MAX + 65536u)
#define VERIFY_VALUES_MAX 12
#define VERIFY_TEXT_MAX   4096

enum verify_verb {
    VERIFY_HELLO,
    VERIFY_OPEN,
    VERIFY_INPUTS,
    VERIFY_THAW,
    VERIFY_RUN,
    VERIFY_RESTORE,
    VERIFY_STATE,
    VERIFY_CHANGED,
    VERIFY_CHUNK,
    VERIFY_NEXT,
    VERIFY_FREEZE,
    VERIFY_EXPORT,
    VERIFY_IMPORT,
    VERIFY_FSCK,
    VERIFY_VERB_COUNT,
};

enum hello_value { HELLO_VERSION, HELLO_BITS, HELLO_BIG_ENDIAN, HELLO_COUNT };
enum run_value {
    RUN_TO,      /* machine_instructions to stop at */
    RUN_SETTLED, /* marks up to this one will never be gone back to */
    RUN_COUNT,
};
enum place_value {
    PLACE_AT,        /* machine_instructions */
    PLACE_STOP,      /* enum verify_stop */
    PLACE_INPUT,     /* inputs given whole */
    PLACE_INPUT_AT,  /* bytes given of the next */
    PLACE_RUN_NS,    /* host time the machine ran for */
    PLACE_DIGEST_NS, /* host time of the digest and of what was kept */
    PLACE_VIRTUAL_NS,
    PLACE_COUNT,
};
enum verify_stop {
    VERIFY_STOP_MARK,   /* as far as was asked */
    VERIFY_STOP_HALTED, /* the guest ended before */
    VERIFY_STOP_IDLE,   /* nothing will ever happen again without an input, and there is none */
    VERIFY_STOP_COUNT,
};

struct verify_message {
    uint64_t number;
    enum verify_verb verb;
    enum err_kind kind;
    uint64_t values[VERIFY_VALUES_MAX];
    size_t value_count;
    struct span text, bytes; /* borrowed */
};

const char *verify_verb_name(enum verify_verb verb);
/* Appends a whole frame. */
bool verify_message_write(const struct verify_message *message, struct buf *out, struct err *err);
/* Size of the first frame in `bytes`, its head included; 0 if it is not all there yet. ERR_INVALID
 * for what is no head. */
bool verify_frame_size(struct span bytes, size_t *size, struct err *err);
/* One whole frame. Spans point into it. ERR_INVALID for anything but a message. */
bool verify_message_read(struct span frame, struct verify_message *out, struct err *err);
/* Text of a span, cut to `size`, in `out`. */
void verify_text(struct span text, char *out, size_t size);

#endif
