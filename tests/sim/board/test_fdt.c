#include "sim/board/fdt.h"

#include "storage/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void small_tree(struct buf *out)
{
    struct err err = ERR_INIT;
    struct fdt_writer writer = fdt_writer(&err);

    fdt_begin(&writer, "%s", "");
    fdt_text(&writer, "model", "small");
    fdt_begin(&writer, "soc");
    fdt_begin(&writer, "serial@%x", 0x1000);
    fdt_reg(&writer, 0x1000, 0x100);
    fdt_u32(&writer, "interrupts", 10);
    fdt_end(&writer);
    fdt_begin(&writer, "serial@%x", 0x10000);
    fdt_u64(&writer, "here", UINT64_C(0x123456789a));
    fdt_empty(&writer, "dma-coherent");
    fdt_end(&writer);
    fdt_end(&writer);
    fdt_end(&writer);
    if (!fdt_finish(&writer, out))
        fail_msg("%s", err.text);
}

/* Devicetree Specification 0.4, 5.2 and 5.4: the tree of one node with one property. */
static void bytes_are_those_of_the_specification(void **state)
{
    static const uint8_t golden[] = {
        0xd0, 0x0d, 0xfe, 0xed,                         /* magic */
        0x00, 0x00, 0x00, 0x5a,                         /* whole size */
        0x00, 0x00, 0x00, 0x38,                         /* structure block at 56 */
        0x00, 0x00, 0x00, 0x58,                         /* strings block at 88 */
        0x00, 0x00, 0x00, 0x28,                         /* memory reservations at 40 */
        0x00, 0x00, 0x00, 0x11,                         /* version 17 */
        0x00, 0x00, 0x00, 0x10,                         /* compatible with 16 */
        0x00, 0x00, 0x00, 0x00,                         /* boot hart */
        0x00, 0x00, 0x00, 0x02,                         /* strings: 2 bytes */
        0x00, 0x00, 0x00, 0x20,                         /* structure: 32 bytes */
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* no reservations */
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, /* begin */
        0x00, 0x00, 0x00, 0x00,                                                 /* "" */
        0x00, 0x00, 0x00, 0x03,                                                 /* property */
        0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, /* 4 bytes, name at 0 */
        0x01, 0x02, 0x03, 0x04,                         /* value */
        0x00, 0x00, 0x00, 0x02,                         /* end */
        0x00, 0x00, 0x00, 0x09,                         /* finish */
        'a',  0x00,
    };
    struct err err = ERR_INIT;
    struct fdt_writer writer = fdt_writer(&err);
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);

    (void)state;
    fdt_begin(&writer, "%s", "");
    fdt_u32(&writer, "a", 0x01020304);
    fdt_end(&writer);
    assert_true(fdt_finish(&writer, &tree));
    assert_int_equal(tree.size, sizeof golden);
    assert_memory_equal(tree.data, golden, sizeof golden);
    buf_release(&tree);
}

static void what_was_written_is_found(void **state)
{
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);
    struct err err = ERR_INIT;
    struct span value;

    (void)state;
    small_tree(&tree);
    assert_true(fdt_check(buf_span(&tree), &err));
    assert_true(fdt_find(buf_span(&tree), "/", "model", &value));
    assert_int_equal(value.size, 6);
    assert_memory_equal(value.data, "small", 6);
    assert_true(fdt_find(buf_span(&tree), "/soc/serial@1000", "interrupts", &value));
    assert_int_equal(load_be32(value.data), 10);
    assert_true(fdt_find(buf_span(&tree), "/soc/serial@1000", "reg", &value));
    assert_int_equal(value.size, 16);
    assert_int_equal(load_be32(value.data + 4), 0x1000);
    assert_true(fdt_find(buf_span(&tree), "/soc/serial@10000", "here", &value));
    assert_int_equal(load_be32(value.data), 0x12);
    assert_int_equal(load_be32(value.data + 4), 0x3456789a);
    assert_true(fdt_find(buf_span(&tree), "/soc/serial@10000", "dma-coherent", &value));
    assert_int_equal(value.size, 0);
    buf_release(&tree);
}

static void what_is_elsewhere_is_not_found(void **state)
{
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);
    struct span value;

    (void)state;
    small_tree(&tree);
    assert_false(fdt_find(buf_span(&tree), "/", "reg", &value));
    assert_false(fdt_find(buf_span(&tree), "/soc", "model", &value));
    assert_false(fdt_find(buf_span(&tree), "/serial@1000", "reg", &value));
    assert_false(fdt_find(buf_span(&tree), "/soc/serial@100", "reg", &value));
    assert_false(fdt_find(buf_span(&tree), "/soc/serial@1000", "here", &value));
    assert_false(fdt_find(buf_span(&tree), "/soc/serial@10000", "reg", &value));
    assert_false(fdt_find(buf_span(&tree), "/soc/serial@1000/soc", "reg", &value));
    buf_release(&tree);
}

static void every_truncation_is_refused(void **state)
{
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);

    (void)state;
    small_tree(&tree);
    for (size_t size = 0; size < tree.size; size++) {
        struct err err = ERR_INIT;
        uint8_t *cut = malloc(size + 1); /* of its own, so that a read past the end is seen */
        memcpy(cut, tree.data, size);
        if (fdt_check((struct span){cut, size}, &err))
            fail_msg("%zu bytes of %zu were taken", size, tree.size);
        assert_true(err.text[0] != 0);
        free(cut);
    }
    buf_release(&tree);
}

/* A flipped bit is refused or means another tree: what is found is inside of it. */
static void every_flipped_bit_stays_in_bounds(void **state)
{
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);
    struct span value;

    (void)state;
    small_tree(&tree);
    for (size_t bit = 0; bit < 8 * tree.size; bit++) {
        struct err err = ERR_INIT;
        uint8_t *other = malloc(tree.size);
        memcpy(other, tree.data, tree.size);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (fdt_check((struct span){other, tree.size}, &err) &&
            fdt_find((struct span){other, tree.size}, "/soc/serial@1000", "reg", &value))
            assert_true(value.data >= other && value.data + value.size <= other + tree.size);
        free(other);
    }
    buf_release(&tree);
}

static void tree_without_an_end_is_refused(void **state)
{
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    small_tree(&tree);
    uint32_t structure = load_be32(tree.data + 8), size = load_be32(tree.data + 36);
    store_be32(tree.data + structure + size - 8, 4); /* the last end becomes nothing */
    assert_false(fdt_check(buf_span(&tree), &err));
    assert_non_null(strstr(err.text, "nested"));
    store_be32(tree.data + structure + size - 8, 2);
    store_be32(tree.data + structure + size - 4, 4); /* and so does the finish */
    assert_false(fdt_check(buf_span(&tree), &err));
    buf_release(&tree);
}

static void deep_nesting_is_refused(void **state)
{
    struct err err = ERR_INIT;
    struct fdt_writer writer = fdt_writer(&err);
    struct buf tree = BUF_INIT(FDT_BYTES_MAX);

    (void)state;
    for (uint32_t i = 0; i < FDT_DEPTH_MAX; i++)
        fdt_begin(&writer, "%s", "");
    for (uint32_t i = 0; i < FDT_DEPTH_MAX; i++)
        fdt_end(&writer);
    assert_true(fdt_finish(&writer, &tree));
    assert_true(fdt_check(buf_span(&tree), &err));
    /* One more begin and end around all. */
    uint32_t structure = load_be32(tree.data + 8), size = load_be32(tree.data + 36);
    uint8_t *deeper = calloc(1, tree.size + 12);
    memcpy(deeper, tree.data, structure);
    store_be32(deeper + structure, 1);
    memcpy(deeper + structure + 8, tree.data + structure, size - 4);
    store_be32(deeper + structure + 8 + size - 4, 2);
    store_be32(deeper + structure + 8 + size, 9);
    store_be32(deeper + 36, size + 12);
    store_be32(deeper + 12, structure + size + 12);
    store_be32(deeper + 4, (uint32_t)tree.size + 12);
    assert_false(fdt_check((struct span){deeper, tree.size + 12}, &err));
    assert_non_null(strstr(err.text, "nested"));
    free(deeper);
    buf_release(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_specification),
        cmocka_unit_test(what_was_written_is_found),
        cmocka_unit_test(what_is_elsewhere_is_not_found),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_stays_in_bounds),
        cmocka_unit_test(tree_without_an_end_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
