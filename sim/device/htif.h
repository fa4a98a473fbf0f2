/* htif.h — Berkeley host-target interface, for bare-metal programs. Schema "htif/1".
 * Source: riscv-isa-sim (Spike), as its programs use it: tohost and fromhost, two words in RAM.
 *
 * A word stored to tohost: device in bits 63…56, command in 55…48, payload below. It is consumed
 * (tohost set to 0) at once; an answer goes to fromhost as soon as that is 0.
 * | device | command | meaning                                                             |
 * |--------|---------|---------------------------------------------------------------------|
 * | 0      | 0       | payload odd: exit, code payload >> 1                                |
 * | 0      | 0       | payload even: address of a system call's eight words; write (64) to |
 * |        |         | fd 1 or 2 and exit (93) are known, others return -38; word 0 takes  |
 * |        |         | the result, the answer is 1                                         |
 * | 1      | 0       | getchar: the answer is 0x100 + byte, when a byte is there           |
 * | 1      | 1       | putchar, no answer                                                  |
 * Others are consumed without an answer. Input event "console": bytes for getchar. */
#ifndef THAW_SIM_DEVICE_HTIF_H
#define THAW_SIM_DEVICE_HTIF_H

#include "sim/core/schema.h"

#define HTIF_BACKLOG_MAX 4096
#define HTIF_WRITE_MAX   65536 /* bytes that one write takes */

struct htif_config {
    uint64_t tohost;   /* addresses in RAM, multiples of 8 */
    uint64_t fromhost; /* 0: the program has none, answers are dropped */
};

struct htif_state {
    uint64_t answer;        /* waits for fromhost to be 0; meaningful while answer_waiting */
    uint32_t backlog_count; /* bytes in backlog */
    uint8_t answer_waiting;
    uint8_t getchar_waiting;
    uint8_t unused[2];
    uint8_t backlog[HTIF_BACKLOG_MAX]; /* oldest first */
};

extern const struct schema htif_schema;
extern const struct model htif_model; /* "htif" */

#endif
