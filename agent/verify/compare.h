/* compare.h — what one instruction did on two hosts, from what they tell of their machines. */
#ifndef THAW_AGENT_VERIFY_COMPARE_H
#define THAW_AGENT_VERIFY_COMPARE_H

#include "agent/verify/divergence.h"

enum { COMPARISON_BEFORE = 2 }; /* as `which`; 0 and 1: after it, on either host */

struct comparison; /* opaque */
struct comparison *comparison_new(void);
void comparison_free(struct comparison *comparison);

/* Each copies the bytes of the answer. ERR_INVALID for what is no such answer. */
bool comparison_take_state(struct comparison *comparison, size_t which, struct span manifest,
                           struct err *err);
bool comparison_take_next(struct comparison *comparison, struct span next, struct err *err);
bool comparison_take_changes(struct comparison *comparison, size_t which, struct span changes,
                             struct err *err);

/* Fills in hart, pc, bits, disassembly, rows. Needs all three states and the next instructions. */
bool comparison_fill(const struct comparison *comparison, struct divergence *out, struct err *err);
/* The first chunk of an image that the hosts hold different bytes in; false if there is none. */
bool comparison_first_chunk(const struct comparison *comparison, char *image, size_t size,
                            uint64_t *chunk);

#endif
