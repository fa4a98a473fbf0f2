/* store_machine.h — freezing and thawing in miniature, on top of store_image.h. */
#ifndef THAW_TESTS_STORE_MACHINE_H
#define THAW_TESTS_STORE_MACHINE_H

#include "storage/store.h"
#include "tests/support/store_image.h"

/* Commits the image and a manifest with `number` under a tag (NULL: none). */
bool test_freeze(struct store *store, struct test_image *image, uint64_t number, const char *tag,
                 struct hash *checkpoint, struct err *err);
/* The same; fails the test if it cannot. */
struct hash test_freeze_ok(struct store *store, struct test_image *image, uint64_t number,
                           const char *tag);
/* Reads the checkpoint's image back and compares it with the bytes given. */
bool test_matches(struct store *store, const struct hash *checkpoint,
                  const struct test_image *image, struct err *err);
/* How many things fsck finds wrong. The last one stays in
 * *last; with NULL it is printed. */
size_t test_findings(struct store *store, struct err *last);

#endif
