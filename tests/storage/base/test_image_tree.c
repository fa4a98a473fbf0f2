#include "storage/base/image_tree.h"

#include "tests/support/base_test.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)

static void shape_is_the_smallest_that_covers(void **state)
{
    static const struct {
        uint64_t size;
        uint32_t levels;
        uint64_t total; /* hashes on all levels */
    } table[] = {
        {IMAGE_CHUNK_SIZE, 2, 1 + 1},           /* one chunk still has a node */
        {64 * IMAGE_CHUNK_SIZE, 2, 64 + 1},     /* one full node */
        {65 * IMAGE_CHUNK_SIZE, 3, 65 + 2 + 1}, /* one chunk more, one level more */
        {64 * MIB, 3, 4096 + 64 + 1},           /* two full levels */
        {64 * MIB + IMAGE_CHUNK_SIZE, 4, 4097 + 65 + 2 + 1},
        {512 * MIB, 4, 32768 + 512 + 8 + 1}, /* a usual RAM */
        {IMAGE_SIZE_MAX, 6, (UINT64_C(1) << 26) + (UINT64_C(1) << 20) + 16384 + 256 + 4 + 1},
    };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct image_shape shape;
        BASE_OK(image_shape(table[i].size, &shape, &err), &err);
        assert_true(shape.size == table[i].size);
        assert_int_equal(shape.level_count, table[i].levels);
        assert_true(shape.total == table[i].total);
        assert_true(shape.counts[shape.level_count - 1] == 1);
        assert_true(shape.offsets[0] == 0);
        for (uint32_t k = 1; k < shape.level_count; k++)
            assert_true(shape.offsets[k] == shape.offsets[k - 1] + shape.counts[k - 1]);
    }
}

static void odd_sizes_are_refused(void **state)
{
    static const uint64_t sizes[] = {0,
                                     1,
                                     IMAGE_CHUNK_SIZE - 1,
                                     IMAGE_CHUNK_SIZE + 1,
                                     IMAGE_CHUNK_SIZE / 2,
                                     IMAGE_CHUNK_SIZE + 4096,
                                     IMAGE_SIZE_MAX + IMAGE_CHUNK_SIZE,
                                     UINT64_MAX,
                                     UINT64_MAX - IMAGE_CHUNK_SIZE + 1};
    struct image_shape shape;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        BASE_FAILS(image_shape(sizes[i], &shape, &err), &err, ERR_INVALID, "multiple of 16384");
}

static void zeros_are_told_from_anything_else(void **state)
{
    static uint8_t bytes[IMAGE_CHUNK_SIZE];
    struct hash hash;

    (void)state;
    assert_true(bytes_are_zero(NULL, 0));
    hash = image_chunk_hash(bytes);
    assert_true(hash_is_zero(&hash));
    for (size_t i = 0; i < sizeof bytes; i += 1 + i / 7) {
        bytes[i] = 0x10;
        assert_false(bytes_are_zero(bytes, sizeof bytes));
        assert_true(bytes_are_zero(bytes, i));
        bytes[i] = 0;
    }
    bytes[sizeof bytes - 1] = 1;
    assert_false(bytes_are_zero(bytes, sizeof bytes));
    hash = image_chunk_hash(bytes);
    assert_false(hash_is_zero(&hash));
}

static void chunk_hash_is_sha256_of_the_plain_bytes(void **state)
{
    static uint8_t bytes[IMAGE_CHUNK_SIZE];
    struct hash hash;

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    hash = image_chunk_hash(bytes);
    /* By coreutils: head -c 16384 /dev/zero | tr '\0' a | sha256sum */
    assert_string_equal(hash_hex(&hash).text,
                        "f3336bea752b5a28743033dd2c844a4a63fba08871aaee2586a2bf2d69be83a2");
}

static void node_holds_its_hashes_and_zeros_past_the_end(void **state)
{
    uint8_t bytes[IMAGE_NODE_SIZE], zeros[IMAGE_NODE_SIZE] = {0};
    struct hash nodes[65 + 2 + 1] = {{{0}}};
    struct image_shape shape;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(image_shape(65 * IMAGE_CHUNK_SIZE, &shape, &err), &err);
    assert_true(shape.total == 68);
    assert_false(image_node_bytes(&shape, nodes, 1, 0, bytes)); /* all zero: not stored */
    assert_false(image_node_bytes(&shape, nodes, 1, 1, bytes));
    for (size_t i = 0; i < 68; i++)
        memset(nodes[i].bytes, (int)(i + 1), HASH_SIZE);

    assert_true(image_node_bytes(&shape, nodes, 1, 0, bytes)); /* chunks 0 to 63 */
    assert_memory_equal(bytes, nodes, IMAGE_NODE_SIZE);
    assert_true(image_node_bytes(&shape, nodes, 1, 1, bytes)); /* chunk 64 alone */
    assert_memory_equal(bytes, &nodes[64], HASH_SIZE);
    assert_memory_equal(bytes + HASH_SIZE, zeros, IMAGE_NODE_SIZE - HASH_SIZE);
    assert_true(image_node_bytes(&shape, nodes, 2, 0, bytes)); /* the two nodes of level 1 */
    assert_memory_equal(bytes, &nodes[65], 2 * (size_t)HASH_SIZE);
    assert_memory_equal(bytes + 2 * HASH_SIZE, zeros, IMAGE_NODE_SIZE - 2 * HASH_SIZE);
}

struct place {
    const struct image_shape *shape;
    uint32_t level;
    uint64_t index;
};

static void ask_for_node(void *context)
{
    const struct place *place = context;
    static const struct hash nodes[68];
    uint8_t bytes[IMAGE_NODE_SIZE];

    image_node_bytes(place->shape, nodes, place->level, place->index, bytes);
}

static void nodes_that_do_not_exist_stop_the_program(void **state)
{
    struct image_shape shape;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(image_shape(65 * IMAGE_CHUNK_SIZE, &shape, &err), &err);
    base_assert_aborts(ask_for_node, &(struct place){&shape, 0, 0}, "this must hold");
    base_assert_aborts(ask_for_node, &(struct place){&shape, 1, 2}, "this must hold");
    base_assert_aborts(ask_for_node, &(struct place){&shape, 3, 0}, "this must hold");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_is_the_smallest_that_covers),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(zeros_are_told_from_anything_else),
        cmocka_unit_test(chunk_hash_is_sha256_of_the_plain_bytes),
        cmocka_unit_test(node_holds_its_hashes_and_zeros_past_the_end),
        cmocka_unit_test(nodes_that_do_not_exist_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
