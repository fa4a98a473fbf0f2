/* base_test.h — what nearly every test needs: cmocka, errors, hex, folders that go away, children.
 */
#ifndef THAW_TESTS_BASE_TEST_H
#define THAW_TESTS_BASE_TEST_H

#include "storage/base/buf.h"

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails the test unless the call succeeded; prints the error's sentence. */
#define BASE_OK(call, err) base_ok((call), (err), #call, __FILE__, __LINE__)
/* Fails the test unless the call failed with this kind; the sentence must hold `part`. */
#define BASE_FAILS(call, err, kind, part)                                                          \
    base_fails((call), (err), (kind), (part), #call, __FILE__, __LINE__)

void base_ok(bool ok, const struct err *err, const char *call, const char *file, int line);
void base_fails(bool ok, const struct err *err, enum err_kind kind, const char *part,
                const char *call, const char *file, int line);

/* Bytes from hex digits; spaces and commas between are skipped. Released by buf_release. */
struct buf base_hex(const char *digits);
/* Fails the test unless the bytes are those that the hex digits say. */
void base_assert_hex(struct span bytes, const char *digits);

/* A fresh folder for one test, readable by everybody. base_folder_remove frees the path as well. */
char *base_folder_make(void);
void base_folder_remove(char *path);

/* A repeatable stream of numbers (splitmix64), so that a red test stays red. */
uint64_t base_random(uint64_t *state);

/* Runs `body` in a child process whose stderr is caught, up to size - 1 bytes and a final NUL.
 * Returns the child's wait status. */
int base_child(void (*body)(void *context), void *context, char *errors, size_t size);
/* Fails the test unless `body` ends by abort(), with `part` on stderr. */
void base_assert_aborts(void (*body)(void *context), void *context, const char *part);

#endif
