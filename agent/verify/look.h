/* look.h — what a host tells of its machine where two disagree: the next instructions, and the
 * chunks that changed. */
#ifndef THAW_AGENT_VERIFY_LOOK_H
#define THAW_AGENT_VERIFY_LOOK_H

#include "agent/verify/history.h"

#define LOOK_CHANGES_MAX 4096

/* Array of [hart's path, pc, bits, disassembly], for each hart of the machine. Looking may set
 * accessed bits of page tables: go back to a mark afterwards. */
bool look_next(struct machine *machine, struct buf *out, struct err *err);
/* Array of ["object.image", chunk, hash] of what the last mark changed, LOOK_CHANGES_MAX at most.
 */
bool look_changes(const struct history *history, struct buf *out, struct err *err);
/* A chunk as it is now; borrowed. */
bool look_chunk(struct machine *machine, struct span image, uint64_t chunk, struct span *out,
                struct err *err);

#endif
