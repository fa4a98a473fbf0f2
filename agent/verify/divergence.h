/* divergence.h — where two hosts went different ways: the instruction, and what it did on each. */
#ifndef THAW_AGENT_VERIFY_DIVERGENCE_H
#define THAW_AGENT_VERIFY_DIVERGENCE_H

#include "agent/verify/lockstep.h"
#include "sim/core/checkpoint.h"

#define DIVERGENCE_ROWS_MAX 4096
#define DIVERGENCE_BYTES    16

/* One attribute's element. */
struct divergence_row {
    char object[OBJECT_PATH_MAX];
    char name[80]; /* "x[5]", "pc" */
    uint64_t before;
    uint64_t after[2]; /* on the reference, on the other */
};

struct divergence {
    char hosts[2][PEER_NAME_MAX]; /* the reference, the other */
    char text[ERR_TEXT_MAX];      /* one sentence */
    uint64_t agreed;              /* instructions at the last state all agreed on */
    uint64_t mark;                /* at the first mark at which not */
    bool pinned;                  /* all that follows is known; agreed + 1 == mark */
    uint64_t instruction; /* the first that did differently: machine_instructions after it */
    /* They differ there when they run from here in one piece. Below `agreed`: only then, so it
     * needs what a host remembers of the instructions before. */
    uint64_t base;
    struct hash state_ids[2];
    char hart[OBJECT_PATH_MAX]; /* that ran it; "" if none did: an event of a device */
    uint64_t pc;
    uint32_t bits;
    char disassembly[80];
    /* The hart's attributes before and after; then all others that differ after it. */
    struct divergence_row *rows;
    size_t row_count;
    size_t first_row; /* the first that differs; row_count if none does */
    bool page_differs;
    char image[OBJECT_PATH_MAX + 64];
    uint64_t page;                      /* byte offset of the first differing page in the image */
    uint64_t offset;                    /* of the first differing byte in the image */
    uint8_t bytes[2][DIVERGENCE_BYTES]; /* from there on */
    size_t byte_count;
};
void divergence_release(struct divergence *divergence);

/* Finds the first instruction that does differently on two hosts. Both can go back to the mark
 * `agreed`, and differ at the mark `mark`. On return they stand wherever it led them. What cannot
 * be found out (a host fails, or does not do it again) is said in `text`. */
void divergence_pin(struct peer *reference, struct peer *other, uint64_t agreed, uint64_t mark,
                    struct divergence *out);

#endif
