/* stress.h - the parts of the bare-metal stress program. Each returns a checksum that depends on
 * neither time nor the number of interrupts, or ends the machine with the number of the check that
 * failed. */
#ifndef TESTS_GUESTS_BARE_STRESS_H
#define TESTS_GUESTS_BARE_STRESS_H

#include "bare.h"

enum stress_check {
    CHECK_LRSC = 1,
    CHECK_AMO,
    CHECK_PAGE,
    CHECK_TRAP,
    CHECK_CODE,
    CHECK_DISK,
    CHECK_RANDOM,
    CHECK_SOFTWARE,
    CHECK_MISALIGNED,
};

/* FP: every operation and rounding mode on random operands, results and flags summed. */
uint64_t stress_float(uint64_t *seed);

/* Sv39 with 16 frames under 512 pages: each fault takes a frame from another page. */
void paging_init(uint64_t hart);
uint64_t stress_paging(uint64_t hart, uint64_t *seed);
/* Called on a page fault; false if the address is not one of ours. */
bool paging_handle_fault(uint64_t hart, uint64_t address);

/* The devices of hart 0, where they are there: a disk and an entropy source on virtio-mmio. */
void devices_init(void);
/* Puts requests in flight; the answers are awaited and checked by devices_finish. */
void devices_start(uint64_t round);
uint64_t devices_finish(uint64_t round);
/* Called on an external interrupt. */
void devices_handle_interrupt(void);

#endif
