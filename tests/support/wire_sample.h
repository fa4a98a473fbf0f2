/* wire_sample.h — a message of each kind with something in every field. For programs that are
 * linked with jobs/wire. */
#ifndef THAW_TESTS_WIRE_SAMPLE_H
#define THAW_TESTS_WIRE_SAMPLE_H

#include "jobs/wire/message.h"

void wire_sample(enum message_kind kind, struct message *out);
/* Bytes first, first + 1, … */
struct message_id wire_id(uint8_t first);
struct hash wire_hash(uint8_t first);

#endif
