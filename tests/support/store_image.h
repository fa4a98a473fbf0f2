/* store_image.h — what the simulator does with images, in miniature: bytes to trees, trees to a
 * batch, a manifest. */
#ifndef THAW_TESTS_STORE_IMAGE_H
#define THAW_TESTS_STORE_IMAGE_H

#include "storage/base/image_tree.h"
#include "storage/base/stream.h"

struct test_image {
    uint8_t *data;
    struct image_shape shape;
    struct hash *nodes; /* flat tree, as of the last put */
};

/* Zeros. */
void test_image_init(struct test_image *image, uint64_t size);
void test_image_release(struct test_image *image);
/* Fills chunk `index` with bytes that only `seed` decides, half of them compressible. */
void test_image_fill(struct test_image *image, uint64_t index, uint32_t seed);
/* Rehashes everything, puts what changed, each with what it replaces as its base. */
bool test_image_put(struct test_image *image, const struct chunk_sink *sink, struct err *err);
struct hash test_image_root(const struct test_image *image);
/* A manifest with one image, "board.ram", and a number that makes it differ from others. */
void test_image_manifest(const struct test_image *image, uint64_t number, struct buf *out);

#endif
