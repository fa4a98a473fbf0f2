/* fuzz.h — what a harness has: libFuzzer's entry, called once for each input. Returns 0.
 * A finding is a crash, a sanitizer's report or a CHECK. */
#ifndef THAW_TESTS_FUZZ_H
#define THAW_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
