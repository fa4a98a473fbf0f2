#include "storage/pack.h"

#include "storage/base/file.h"
#include "tests/support/store_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    char *folder;
    struct frame *frame;
    struct frame_coder *coder;
    uint8_t packed[FRAME_PACKED_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->folder = test_folder_make();
    fixture->frame = mem_alloc(sizeof *fixture->frame);
    fixture->coder = frame_coder_new(0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    test_folder_remove(fixture->folder);
    frame_coder_free(fixture->coder);
    mem_free(fixture->frame);
    mem_free(fixture);
    return 0;
}

static void fill(uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> (i % 32 < 16 ? 24 : 31));
    }
}

static struct hash add(struct frame *frame, uint32_t seed, size_t size, const struct hash *base)
{
    uint8_t bytes[16384];
    struct hash id;

    fill(bytes, size, seed);
    id = hash_of((struct span){bytes, size});
    frame_add(frame, &id, (struct span){bytes, size}, base);
    return id;
}

/* Two frames: three chunks, then one delta of the first. Returns the pack's path. */
static char *write_pack(struct fixture *fixture)
{
    struct pack_writer *writer;
    struct err err = ERR_INIT;
    struct hash first;
    uint8_t bytes[16384];
    size_t size;

    assert_true(pack_writer_new(fixture->folder, &writer, &err));
    frame_clear(fixture->frame);
    first = add(fixture->frame, 1, 300, NULL);
    (void)add(fixture->frame, 2, 64, NULL);
    (void)add(fixture->frame, 3, 1, NULL);
    size = frame_encode(fixture->coder, fixture->frame, fixture->packed);
    assert_true(
        pack_writer_add(writer, fixture->frame, (struct span){fixture->packed, size}, &err));
    frame_clear(fixture->frame);
    fill(bytes, 300, 1);
    frame_add_prefix(fixture->frame, (struct span){bytes, 300});
    (void)add(fixture->frame, 4, 200, &first);
    size = frame_encode(fixture->coder, fixture->frame, fixture->packed);
    assert_true(
        pack_writer_add(writer, fixture->frame, (struct span){fixture->packed, size}, &err));
    assert_int_equal(pack_writer_chunk_count(writer), 4);
    assert_true(pack_writer_keep(writer, fixture->folder, &err));
    pack_writer_free(writer);
    return test_only_file(fixture->folder, ".", PACK_SUFFIX);
}

static bool open_at(const char *path, struct pack **out, struct err *err)
{
    char *folder = mem_text(path);
    char *slash = strrchr(folder, '/');
    bool ok;

    *slash = 0;
    ok = pack_open(folder, slash + 1, out, err);
    mem_free(folder);
    return ok;
}

static void frames_and_chunks_come_back(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    struct pack_chunk chunk, base;
    struct err err = ERR_INIT;
    struct pack *pack;
    size_t size;

    assert_true(open_at(path, &pack, &err));
    assert_int_equal(pack_chunk_count(pack), 4);
    assert_int_equal(pack_frame_count(pack), 2);
    pack_chunk_at(pack, 2, &chunk);
    assert_int_equal(chunk.size, 1);
    assert_int_equal(chunk.offset, 364);
    assert_int_equal(chunk.frame, 0);
    pack_chunk_at(pack, 3, &chunk);
    pack_chunk_at(pack, 0, &base);
    assert_int_equal(chunk.frame, 1);
    assert_true(hash_equal(&chunk.base, &base.id));
    assert_true(hash_is_zero(&base.base));
    assert_true(pack_read(pack, 0, fixture->packed, &size, fixture->frame, &err));
    assert_true(
        frame_decode(fixture->coder, (struct span){fixture->packed, size}, fixture->frame, &err));
    for (uint32_t i = 0; i < 3; i++) {
        struct hash hash;
        pack_chunk_at(pack, i, &chunk);
        hash = hash_of((struct span){fixture->frame->plain + chunk.offset, chunk.size});
        assert_true(hash_equal(&hash, &chunk.id));
    }
    pack_close(pack);
    mem_free(path);
}

static void delta_needs_its_base(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    struct err err = ERR_INIT;
    struct pack_chunk chunk;
    struct pack *pack;
    uint8_t bytes[300];
    struct hash hash;
    size_t size;

    assert_true(open_at(path, &pack, &err));
    assert_true(pack_read(pack, 1, fixture->packed, &size, fixture->frame, &err));
    fill(bytes, sizeof bytes, 1);
    frame_add_prefix(fixture->frame, (struct span){bytes, sizeof bytes});
    assert_true(
        frame_decode(fixture->coder, (struct span){fixture->packed, size}, fixture->frame, &err));
    hash = hash_of((struct span){fixture->frame->plain, 200});
    pack_chunk_at(pack, 3, &chunk);
    assert_true(hash_equal(&hash, &chunk.id));
    pack_close(pack);
    mem_free(path);
}

static void every_truncation_is_found_on_opening(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    struct buf bytes = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct pack *pack;

    assert_true(file_read(path, &bytes, &err));
    for (size_t size = bytes.size; size-- > 0;) {
        test_cut(path, size);
        assert_false(open_at(path, &pack, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_non_null(strstr(err.text, path));
    }
    buf_release(&bytes);
    mem_free(path);
}

/* A bit in the frames is found by the chunks' hashes, any other bit on opening. */
static void every_flipped_bit_outside_the_frames_is_found_on_opening(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    struct err err = ERR_INIT;
    struct pack_frame last;
    struct pack *pack;
    uint64_t size, index;

    assert_true(open_at(path, &pack, &err));
    pack_frame_at(pack, 1, &last);
    index = last.offset + last.packed_size;
    size = pack_bytes(pack);
    pack_close(pack);
    for (uint64_t bit = 0; bit < size * 8; bit++) {
        if (bit / 8 >= 16 && bit / 8 < index)
            continue;
        test_flip_bit(path, bit);
        assert_false(open_at(path, &pack, &err));
        test_flip_bit(path, bit);
    }
    assert_true(open_at(path, &pack, &err));
    pack_close(pack);
    mem_free(path);
}

static void every_flipped_bit_in_a_frame_fails_or_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    struct err err = ERR_INIT;
    struct pack_frame first;
    struct pack *pack;
    uint64_t refused = 0, harmless = 0;

    assert_true(open_at(path, &pack, &err));
    pack_frame_at(pack, 0, &first);
    for (uint64_t bit = first.offset * 8; bit < (first.offset + first.packed_size) * 8; bit++) {
        struct hash hash;
        size_t size;
        bool ok;
        test_flip_bit(path, bit);
        assert_true(pack_read(pack, 0, fixture->packed, &size, fixture->frame, &err));
        ok = frame_decode(fixture->coder, (struct span){fixture->packed, size}, fixture->frame,
                          &err);
        if (ok) {
            struct pack_chunk chunk;
            pack_chunk_at(pack, 0, &chunk);
            hash = hash_of((struct span){fixture->frame->plain, 300});
            ok = hash_equal(&hash, &chunk.id);
        }
        refused += !ok;
        harmless += ok;
        test_flip_bit(path, bit);
    }
    assert_true(refused > harmless);
    pack_close(pack);
    mem_free(path);
}

static void pack_under_another_name_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char *path = write_pack(fixture);
    char other[600];
    struct err err = ERR_INIT;
    struct pack *pack;

    snprintf(other, sizeof other, "%s/%064d.pack", fixture->folder, 7);
    assert_int_equal(rename(path, other), 0);
    assert_false(open_at(other, &pack, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    mem_free(path);
}

static void equal_frames_make_equal_packs(void **state)
{
    struct fixture *fixture = *state;
    char *first = write_pack(fixture), *second = write_pack(fixture);

    assert_string_equal(first, second);
    mem_free(first);
    mem_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_and_chunks_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(delta_needs_its_base, setup, teardown),
        cmocka_unit_test_setup_teardown(every_truncation_is_found_on_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_outside_the_frames_is_found_on_opening,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_in_a_frame_fails_or_changes_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(pack_under_another_name_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_frames_make_equal_packs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
