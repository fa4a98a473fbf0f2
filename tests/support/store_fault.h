/* store_fault.h — a host whose system calls fail, or whose power fails, at the Nth change to a
 * file.
 *
 * Linking this in replaces flock, write, pwrite, fsync, ftruncate, rename, unlink, mkostemp and
 * open (when it creates) for the whole test program: the code under test needs no seam of its own.
 * Counted are calls that change a file, by any thread; reading is not. */
#ifndef THAW_TESTS_STORE_FAULT_H
#define THAW_TESTS_STORE_FAULT_H

#include <stdint.h>

/* From now on, the call number `at` (from 0) kills the process with SIGKILL, before it does
 * anything; of a write the first half of the bytes is done. */
void test_fault_kill_at(uint64_t at);
/* From now on, calls from number `at` on fail with this errno (a full disk stays full); unlink goes
 * on working. */
void test_fault_fail_from(uint64_t at, int code);
/* Just before call number `at`, once, `what` happens: somebody else is quicker. */
void test_fault_call_at(uint64_t at, void (*what)(void *context), void *context);
/* No more faults. Returns how many calls were counted since the fault was set. */
uint64_t test_fault_off(void);

#endif
