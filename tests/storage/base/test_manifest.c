#include "storage/base/manifest.h"

#include "tests/support/base_test.h"

#include <string.h>

/* A small manifest, as bytes that must never change. */
#define ROOT_ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define ROOT_TWO "0000000000000000000000000000000000000000000000000000000000000000"
#define ARCHITECTURE                                                                               \
    "a3"                                 /* map of 3 */                                            \
    "63 617477 01"                       /* "atw": 1, a key before ours */                         \
    "66 696d61676573"                    /* "images": */                                           \
    "82"                                 /* array of 2 */                                          \
    "83 61 61 19 4000 5820" ROOT_ONE     /* ["a", 16384, h'11…'] */                              \
    "83 61 62 1a 00010000 5820" ROOT_TWO /* ["b", 65536, h'00…'] */                              \
    "66 7a7a7a7a7a7a 81 f6"              /* "zzzzzz": [null], a key after */
#define EXECUTION "a0"                   /* {} */
#define HEAD                                                                                       \
    "84"                     /* array of 4 */                                                      \
    "48 74686177 0d0a 1a 0a" /* sentinel */                                                        \
    "01"                     /* version */
#define GOLDEN HEAD "58 69" ARCHITECTURE "41" EXECUTION

static void join_gives_golden_bytes(void **state)
{
    struct buf architecture = base_hex(ARCHITECTURE), execution = base_hex(EXECUTION);
    struct buf out = BUF_INIT(1024);
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(manifest_join(buf_span(&architecture), buf_span(&execution), &out, &err), &err);
    base_assert_hex(buf_span(&out), GOLDEN);
    buf_release(&architecture);
    buf_release(&execution);
    buf_release(&out);
}

static void split_gives_parts_and_ids(void **state)
{
    struct buf bytes = base_hex(GOLDEN);
    struct manifest_parts parts;
    struct err err = ERR_INIT;
    struct hash whole = hash_of(buf_span(&bytes)), part;

    (void)state;
    BASE_OK(manifest_split(buf_span(&bytes), &parts, &err), &err);
    base_assert_hex(parts.architecture, ARCHITECTURE);
    base_assert_hex(parts.execution, EXECUTION);
    part = hash_of(parts.architecture);
    assert_true(hash_equal(&parts.state_id, &part));
    assert_true(hash_equal(&parts.checkpoint_id, &whole));
    assert_false(hash_equal(&parts.state_id, &parts.checkpoint_id));
    buf_release(&bytes);
}

static void execution_part_changes_the_checkpoint_and_not_the_state(void **state)
{
    struct buf one = base_hex(GOLDEN), two = base_hex(HEAD "58 69" ARCHITECTURE "43"
                                                           "a1 00 00");
    struct manifest_parts first, second;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(manifest_split(buf_span(&one), &first, &err), &err);
    BASE_OK(manifest_split(buf_span(&two), &second, &err), &err);
    assert_true(hash_equal(&first.state_id, &second.state_id));
    assert_false(hash_equal(&first.checkpoint_id, &second.checkpoint_id));
    buf_release(&one);
    buf_release(&two);
}

struct visits {
    size_t count, stop_after;
    struct manifest_image images[8];
};

static bool visit(void *context, const struct manifest_image *image, struct err *err)
{
    struct visits *visits = context;

    if (visits->count == visits->stop_after)
        return err_set(err, ERR_CONFLICT, "enough");
    visits->images[visits->count++] = *image;
    return true;
}

static void images_are_visited_in_order(void **state)
{
    struct buf bytes = base_hex(GOLDEN);
    struct visits visits = {.stop_after = 8};
    struct manifest_parts parts;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(manifest_split(buf_span(&bytes), &parts, &err), &err);
    BASE_OK(manifest_images(&parts, visit, &visits, &err), &err);
    assert_int_equal(visits.count, 2);
    assert_true(cbor_text_is(visits.images[0].path, "a"));
    assert_int_equal(visits.images[0].size, 16384);
    assert_string_equal(hash_hex(&visits.images[0].root).text, ROOT_ONE);
    assert_true(cbor_text_is(visits.images[1].path, "b"));
    assert_int_equal(visits.images[1].size, 65536);
    assert_true(hash_is_zero(&visits.images[1].root));

    visits = (struct visits){.stop_after = 1};
    BASE_FAILS(manifest_images(&parts, visit, &visits, &err), &err, ERR_CONFLICT, "enough");
    assert_int_equal(visits.count, 1);
    buf_release(&bytes);
}

/* Splits and, if that goes well, lists images. Returns whether both went well. */
static bool read_whole(struct span bytes, struct err *err)
{
    struct visits visits = {.stop_after = 8};
    struct manifest_parts parts;

    return manifest_split(bytes, &parts, err) && manifest_images(&parts, visit, &visits, err);
}

static void assert_refused(const char *hex, enum err_kind kind, const char *says)
{
    struct buf bytes = base_hex(hex);
    struct err err = ERR_INIT;

    BASE_FAILS(read_whole(buf_span(&bytes), &err), &err, kind, says);
    buf_release(&bytes);
}

static void other_files_are_named_as_such(void **state)
{
    (void)state;
    assert_refused("", ERR_CORRUPT, "this is not a checkpoint manifest");
    assert_refused("7f454c46", ERR_CORRUPT, "this is not a checkpoint manifest"); /* ELF */
    assert_refused("84 48 7468617700000000 01 41a0 41a0", ERR_CORRUPT, "not a checkpoint manifest");
    /* CR LF made LF by a text-mode copy: the string is a byte short and swallows the version */
    assert_refused("84 48 74686177 0a 1a 0a 01 41a0 41a0", ERR_CORRUPT, "text-mode");
}

static void newer_formats_are_unsupported_not_corrupt(void **state)
{
    (void)state;
    assert_refused("84 48 746861770d0a1a0a 02 41a0 41a0", ERR_UNSUPPORTED,
                   "manifest format 2, this build reads 1: use a newer thaw");
    assert_refused("86 48 746861770d0a1a0a 1864 00 00 00 00", ERR_UNSUPPORTED, "format 100");
    assert_refused("84 48 746861770d0a1a0a 00 41a0 41a0", ERR_CORRUPT, "format 0");
}

static void broken_shapes_are_refused(void **state)
{
    (void)state;
    assert_refused("83 48 746861770d0a1a0a 01 41a0", ERR_CORRUPT, "3 items");
    assert_refused("85 48 746861770d0a1a0a 01 41a0 41a0 00", ERR_CORRUPT, "5 items");
    assert_refused(GOLDEN "00", ERR_CORRUPT, "1 bytes follow the manifest's end");
    assert_refused(HEAD "41 80 41 a0", ERR_CORRUPT, "architecture part is not a map");
    assert_refused(HEAD "41 a0 41 00", ERR_CORRUPT, "execution part is not a map");
    assert_refused(HEAD "41 a1 41 a0", ERR_CORRUPT, "the manifest's architecture part: ");
    assert_refused(HEAD "42 a000 41 a0", ERR_CORRUPT, "bytes follow the last item");
    assert_refused(HEAD "45 a200000000 41 a0", ERR_CORRUPT, "repeated or out of order");
}

#define IMAGES(hex, size) HEAD size "a1 66 696d61676573" hex "41 a0"

static void broken_image_lists_are_refused(void **state)
{
    (void)state;
    assert_refused(HEAD "41 a0 41 a0", ERR_CORRUPT, "lists no \"images\"");
    assert_refused(IMAGES("00", "49"), ERR_CORRUPT, "an array was expected");
    assert_refused(IMAGES("81 00", "4a"), ERR_CORRUPT, "an array was expected");
    assert_refused(IMAGES("81 82 6161 00", "4d"), ERR_CORRUPT, "2 parts, not 3");
    assert_refused(IMAGES("81 83 6161 00 41 00", "4f"), ERR_CORRUPT, "root has 1 bytes");
    assert_refused(IMAGES("81 83 6161 20 5820" ROOT_ONE, "58 2f"), ERR_CORRUPT, "unsigned");
    assert_refused(IMAGES("81 83 00 00 5820" ROOT_ONE, "58 2e"), ERR_CORRUPT, "text string");
    assert_refused(IMAGES("82 83 6162 00 5820" ROOT_ONE "83 6161 00 5820" ROOT_ONE, "58 55"),
                   ERR_CORRUPT, "images are repeated or out of order");
    assert_refused(IMAGES("82 83 6161 00 5820" ROOT_ONE "83 6161 00 5820" ROOT_TWO, "58 55"),
                   ERR_CORRUPT, "images are repeated or out of order");
}

static void limits_are_kept(void **state)
{
    struct buf architecture = BUF_INIT(1u << 20), whole = BUF_INIT(1u << 20);
    struct buf execution = base_hex(EXECUTION);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&architecture, &err);
    uint8_t byte = 0;
    struct manifest_parts parts;

    (void)state;
    cbor_write_map(&writer, 1);
    cbor_write_text(&writer, "images");
    cbor_write_array(&writer, MANIFEST_IMAGES_MAX + 1);
    for (unsigned i = 0; i <= MANIFEST_IMAGES_MAX; i++)
        cbor_write_null(&writer);
    assert_true(writer.ok);
    BASE_OK(manifest_join(buf_span(&architecture), buf_span(&execution), &whole, &err), &err);
    BASE_FAILS(read_whole(buf_span(&whole), &err), &err, ERR_TOO_BIG, "4097 entries");
    /* The size is looked at before the bytes are. */
    BASE_FAILS(manifest_split((struct span){&byte, MANIFEST_BYTES_MAX + 1}, &parts, &err), &err,
               ERR_TOO_BIG, "a manifest of 16777217 bytes");
    buf_release(&architecture);
    buf_release(&execution);
    buf_release(&whole);
}

static void every_truncation_is_refused(void **state)
{
    struct buf whole = base_hex(GOLDEN);

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        struct buf cut = BUF_INIT(whole.size);
        struct err err = ERR_INIT;
        BASE_OK(buf_append(&cut, whole.data, size, &err), &err);
        BASE_FAILS(read_whole(buf_span(&cut), &err), &err, ERR_CORRUPT, "");
        buf_release(&cut);
    }
    buf_release(&whole);
}

static void every_flipped_bit_is_refused_or_changes_the_checkpoint_id(void **state)
{
    struct buf whole = base_hex(GOLDEN);
    struct hash before = hash_of(buf_span(&whole));
    size_t refused = 0;

    (void)state;
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        struct manifest_parts parts;
        struct err err = ERR_INIT;
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (manifest_split(buf_span(&whole), &parts, &err))
            assert_false(hash_equal(&parts.checkpoint_id, &before));
        refused += !read_whole(buf_span(&whole), &err);
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > 20 * 8); /* all of head and sentinel, and more */
    buf_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_gives_golden_bytes),
        cmocka_unit_test(split_gives_parts_and_ids),
        cmocka_unit_test(execution_part_changes_the_checkpoint_and_not_the_state),
        cmocka_unit_test(images_are_visited_in_order),
        cmocka_unit_test(other_files_are_named_as_such),
        cmocka_unit_test(newer_formats_are_unsupported_not_corrupt),
        cmocka_unit_test(broken_shapes_are_refused),
        cmocka_unit_test(broken_image_lists_are_refused),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_changes_the_checkpoint_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
