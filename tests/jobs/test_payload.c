#include "jobs/payload.h"
#include "storage/base/file.h"
#include "storage/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#define GOLDEN "8be4115f99a2663e320ed2d7e22c70d96e2a82c61ed80e5862d963a98394b3d5"
#define SPAN(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/thaw-payload-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    return !file_remove(folder, &err);
}

static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const struct payload_entry entries[] = {
    {.path = "run.sh", .content = SPAN("#!/bin/sh\n"), .executable = true},
    {.path = "data", .folder = true},
    {.path = "data/a.txt", .content = SPAN("hello")},
    {.path = "data/empty"},
};

static void write_sample(struct buf *out)
{
    struct err err = ERR_INIT;

    if (!payload_write(entries, 4, out, &err))
        fail_msg("%s", err.text);
}

static void what_is_written_is_read_again_in_order(void **state)
{
    static const char *const paths[] = {"data", "data/a.txt", "data/empty", "run.sh"};
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;
    struct payload_reader reader;
    struct payload_item item;

    (void)state;
    write_sample(&out);
    assert_int_equal(out.size % PAYLOAD_BLOCK, 0);
    reader = payload_reader(buf_span(&out));
    for (int i = 0; i < 4; i++) {
        assert_true(payload_next(&reader, &item, &err));
        assert_string_equal(item.path, paths[i]);
        assert_int_equal(item.folder, i == 0);
        assert_int_equal(item.executable, i == 0 || i == 3);
    }
    assert_true(span_equal(item.content, span_of_text("#!/bin/sh\n")));
    assert_false(payload_next(&reader, &item, &err));
    assert_int_equal(err.kind, ERR_NONE);
    buf_release(&out);
}

static void the_same_files_give_the_same_bytes(void **state)
{
    const struct payload_entry reversed[] = {entries[3], entries[2], entries[1], entries[0]};
    struct buf a = BUF_INIT(1u << 20), b = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;
    struct hash hash;

    (void)state;
    write_sample(&a);
    assert_true(payload_write(reversed, 4, &b, &err));
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    hash = hash_of(buf_span(&a));
    /* Checked once with GNU tar; a change here changes every job key. */
    assert_string_equal(hash_hex(&hash).text, GOLDEN);
    buf_release(&a);
    buf_release(&b);
}

static void every_truncation_is_read_or_refused(void **state)
{
    struct buf out = BUF_INIT(1u << 20);

    (void)state;
    write_sample(&out);
    for (size_t size = 0; size <= out.size; size++) {
        uint8_t *copy = malloc(size + 1);
        struct payload_reader reader;
        struct payload_item item;
        struct err err = ERR_INIT;
        int count = 0;

        memcpy(copy, out.data, size);
        reader = payload_reader((struct span){copy, size});
        while (payload_next(&reader, &item, &err))
            count++;
        assert_true(err.kind == ERR_NONE || err.kind == ERR_CORRUPT);
        assert_true(count == 4 || size < out.size - 2 * PAYLOAD_BLOCK);
        free(copy);
    }
    buf_release(&out);
}

static void every_flipped_bit_of_a_header_is_seen(void **state)
{
    struct buf out = BUF_INIT(1u << 20);

    (void)state;
    write_sample(&out);
    for (size_t bit = 0; bit < PAYLOAD_BLOCK * 8; bit++) {
        struct payload_reader reader = payload_reader(buf_span(&out));
        struct payload_item item;
        struct err err = ERR_INIT;

        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* A blank and a NUL end a number alike: only there may a flip mean nothing. */
        if (payload_next(&reader, &item, &err))
            assert_true(bit / 8 >= 148 && bit / 8 < 156);
        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_release(&out);
}

/* A header of one's own, with a right checksum. */
static void put_raw(uint8_t *block, const char *name, char type, const char *size)
{
    unsigned int sum = 0;

    memset(block, 0, PAYLOAD_BLOCK);
    strncpy((char *)block, name, 100);
    memcpy(block + 100, "0000644", 7);
    memcpy(block + 124, size, strlen(size));
    memset(block + 148, ' ', 8);
    block[156] = (uint8_t)type;
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < PAYLOAD_BLOCK; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

static void tricks_with_paths_are_refused(void **state)
{
    static const char *const names[] = {"/etc/passwd", "../x", "a/../../x", "a/..",
                                        "..",          "a\nb", "a\\..\\b",  "./../x"};
    uint8_t disk[3 * PAYLOAD_BLOCK] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err err = ERR_INIT;

        put_raw(disk, names[i], '0', "0");
        assert_false(
            payload_to_host((struct span){disk, sizeof disk}, in_folder("out"), NULL, NULL, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_false(file_exists(in_folder("out")));
    }
}

static void links_and_devices_are_skipped_and_counted(void **state)
{
    uint8_t disk[7 * PAYLOAD_BLOCK] = {0};
    struct err err = ERR_INIT;
    uint32_t files = 9, skipped = 9;

    (void)state;
    put_raw(disk, "link", '2', "0");
    put_raw(disk + PAYLOAD_BLOCK, "hard", '1', "0");
    put_raw(disk + 2 * PAYLOAD_BLOCK, "tty", '3', "0");
    put_raw(disk + 3 * PAYLOAD_BLOCK, "./ok//", '5', "0");
    put_raw(disk + 4 * PAYLOAD_BLOCK, "ok/./file", '0', "0");
    assert_true(payload_to_host((struct span){disk, sizeof disk}, in_folder("out"), &files,
                                &skipped, &err));
    assert_int_equal(files, 1);
    assert_int_equal(skipped, 3);
    assert_true(file_exists(in_folder("out/ok/file")));
    assert_false(file_exists(in_folder("out/link")));
}

static void sizes_that_lie_are_refused(void **state)
{
    static const char *const sizes[] = {"77777777777", "1001",
                                        "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff", "12x", "-1"};
    uint8_t disk[2 * PAYLOAD_BLOCK] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct payload_reader reader = payload_reader((struct span){disk, sizeof disk});
        struct payload_item item;
        struct err err = ERR_INIT;

        put_raw(disk, "a", '0', sizes[i]);
        assert_false(payload_next(&reader, &item, &err));
        assert_true(err.kind == ERR_CORRUPT || err.kind == ERR_INVALID);
    }
}

static void long_names_of_pax_and_gnu_are_read(void **state)
{
    uint8_t disk[8 * PAYLOAD_BLOCK] = {0};
    struct payload_reader reader = payload_reader((struct span){disk, sizeof disk});
    struct payload_item item;
    struct err err = ERR_INIT;

    (void)state;
    put_raw(disk, "pax", 'x', "40"); /* octal */
    memcpy(disk + PAYLOAD_BLOCK, "16 mtime=12345.\n16 path=long/it\n", 32);
    put_raw(disk + 2 * PAYLOAD_BLOCK, "short", '0', "0");
    put_raw(disk + 3 * PAYLOAD_BLOCK, "././@LongLink", 'L', "13");
    memcpy(disk + 4 * PAYLOAD_BLOCK, "gnu/longer", 11);
    put_raw(disk + 5 * PAYLOAD_BLOCK, "short", '0', "0");
    assert_true(payload_next(&reader, &item, &err));
    assert_string_equal(item.path, "long/it");
    assert_true(payload_next(&reader, &item, &err));
    assert_string_equal(item.path, "gnu/longer");
    assert_false(payload_next(&reader, &item, &err));
    assert_int_equal(err.kind, ERR_NONE);
    memcpy(disk + PAYLOAD_BLOCK, "99 mtime=12345.\n", 16);
    reader = payload_reader((struct span){disk, sizeof disk});
    assert_false(payload_next(&reader, &item, &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void a_disk_of_zeros_holds_nothing(void **state)
{
    uint8_t disk[4096] = {0};
    struct err err = ERR_INIT;
    uint64_t size = 0;
    uint32_t files = 5;

    (void)state;
    assert_true(
        payload_to_host((struct span){disk, sizeof disk}, in_folder("out"), &files, NULL, &err));
    assert_int_equal(files, 0);
    assert_true(payload_size((struct span){disk, sizeof disk}, &size, &err));
    assert_int_equal(size, 2 * PAYLOAD_BLOCK);
}

static void files_of_the_host_come_back_as_they_went(void **state)
{
    const char *paths[2];
    struct buf out = BUF_INIT(1u << 20), text = BUF_INIT(100);
    struct err err = ERR_INIT;
    struct stat info;
    uint32_t files = 0;

    (void)state;
    assert_true(folder_make(in_folder("in/deep"), &err));
    assert_true(file_write(in_folder("in/deep/a"), span_of_text("A"), &err));
    assert_true(file_write(in_folder("in/b"), span_of_text("B"), &err));
    assert_true(file_write(in_folder("tool"), span_of_text("T"), &err));
    assert_int_equal(chmod(in_folder("tool"), 0700), 0);
    paths[0] = in_folder("in");
    paths[1] = in_folder("tool");
    if (!payload_from_host(paths, 2, &out, &err))
        fail_msg("%s", err.text);
    assert_true(payload_to_host(buf_span(&out), in_folder("out"), &files, NULL, &err));
    assert_int_equal(files, 3);
    assert_true(file_read(in_folder("out/deep/a"), &text, &err));
    assert_true(span_equal(buf_span(&text), span_of_text("A")));
    assert_int_equal(stat(in_folder("out/tool"), &info), 0);
    assert_int_equal(info.st_mode & 0777 & ~022u, 0755);
    assert_false(payload_to_host(buf_span(&out), in_folder("out"), NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    buf_release(&out);
    buf_release(&text);
}

static void what_the_host_cannot_give_is_refused(void **state)
{
    struct buf out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;
    const char *path = in_folder("nothing");
    const struct payload_entry twice[] = {entries[0], entries[0]};

    (void)state;
    assert_false(payload_from_host(&path, 1, &out, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(folder_make(in_folder("in"), &err));
    assert_int_equal(symlink("/etc/passwd", in_folder("in/link")), 0);
    path = in_folder("in");
    assert_false(payload_from_host(&path, 1, &out, &err));
    assert_int_equal(err.kind, ERR_UNSUPPORTED);
    assert_false(payload_write(twice, 2, &out, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    buf_release(&out);
}

static void a_file_in_the_place_of_a_folder_is_refused(void **state)
{
    uint8_t disk[4 * PAYLOAD_BLOCK] = {0};
    struct err err = ERR_INIT;

    (void)state;
    put_raw(disk, "a", '0', "0");
    put_raw(disk + PAYLOAD_BLOCK, "a/b", '0', "0");
    assert_false(
        payload_to_host((struct span){disk, sizeof disk}, in_folder("out"), NULL, NULL, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_read_again_in_order),
        T(the_same_files_give_the_same_bytes),
        T(every_truncation_is_read_or_refused),
        T(every_flipped_bit_of_a_header_is_seen),
        T(tricks_with_paths_are_refused),
        T(links_and_devices_are_skipped_and_counted),
        T(sizes_that_lie_are_refused),
        T(long_names_of_pax_and_gnu_are_read),
        T(a_disk_of_zeros_holds_nothing),
        T(files_of_the_host_come_back_as_they_went),
        T(what_the_host_cannot_give_is_refused),
        T(a_file_in_the_place_of_a_folder_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
