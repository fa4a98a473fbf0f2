/* input.h — what is typed to a machine while it is verified: the same on every host.
 *
 * An input is given when the machine has executed `at` instructions. What it does not take then is
 * offered again at multiples of INPUT_STEP instructions and whenever the machine is idle: all of it
 * decided by the machine's state alone, so every host gives the same bytes at the same points,
 * however its run is cut into pieces.
 *
 * As bytes: a CBOR array of [at, object, kind, bytes], ordered by `at`. An empty object is the
 * console that tests talk to. */
#ifndef THAW_AGENT_VERIFY_INPUT_H
#define THAW_AGENT_VERIFY_INPUT_H

#include "agent/verify/message.h"
#include "sim/core/machine.h"

#define INPUT_STEP      UINT64_C(100000)
#define INPUT_COUNT_MAX 65536u
#define INPUT_BYTES_MAX (8u << 20) /* of all of them, as bytes */

struct input {
    uint64_t at; /* machine_instructions */
    char *object;
    char *kind;
    struct span bytes;
};
/* Zero-initialised is an empty one; input_list_release. */
struct input_list {
    struct input *items;
    size_t count;
    struct buf bytes; /* private: what items' bytes point to */
};

/* Adds the encoding of one input; `count` inputs must be announced with cbor_write_array before. */
void input_write(struct cbor_writer *writer, uint64_t at, const char *object, const char *kind,
                 struct span bytes);
bool input_list_read(struct span bytes, struct input_list *out, struct err *err);
void input_list_release(struct input_list *list);

/* How far the inputs have been given. */
struct input_place {
    uint64_t index;  /* inputs given whole */
    uint64_t offset; /* bytes given of the next */
};

/* Runs the machine to exactly `to` instructions, giving it the inputs on the way; less far if it
 * halts, or idles with no input left. Inputs due at the last instruction are not given yet. False:
 * an input was refused. */
struct input_run {
    struct machine *machine;
    struct object *console; /* for inputs of no object; or NULL */
    const struct input_list *inputs;
    struct input_place *place;
};
bool input_run(const struct input_run *run, uint64_t to, enum verify_stop *stop, struct err *err);

#endif
