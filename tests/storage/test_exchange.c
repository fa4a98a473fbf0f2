/* Parts of a store carried to another one. */
#include "storage/base/file.h"
#include "storage/exchange.h"

#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define PART_MAX (64u << 20)

/* Two stores; the first has a checkpoint, and a second one that shares chunks with it. */
struct rig {
    char *from_folder, *to_folder;
    struct store *from, *to;
    struct test_image image;
    struct hash first, second;
};

static int setup(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);

    rig->from_folder = test_folder_make();
    rig->to_folder = test_folder_make();
    rig->from = test_store_open(rig->from_folder);
    rig->to = test_store_open(rig->to_folder);
    test_image_init(&rig->image, 4u << 20);
    for (uint64_t i = 0; i < 40; i++)
        test_image_fill(&rig->image, i, (uint32_t)i + 1);
    rig->first = test_freeze_ok(rig->from, &rig->image, 1, "first");
    test_image_fill(&rig->image, 7, 1000);
    rig->second = test_freeze_ok(rig->from, &rig->image, 2, "second");
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    test_image_release(&rig->image);
    store_close(rig->from);
    store_close(rig->to);
    test_folder_remove(rig->from_folder);
    test_folder_remove(rig->to_folder);
    mem_free(rig);
    return 0;
}

static void read_part(struct store *store, enum exchange_kind kind, const char *name,
                      struct buf *out)
{
    struct err err = ERR_INIT;
    uint64_t size;
    int fd;

    assert_true(exchange_open(store, kind, name, &fd, &size, &err));
    assert_true(buf_reserve(out, (size_t)size, &err));
    assert_true(file_read_at(fd, out->data, (size_t)size, 0, name, &err));
    out->size = (size_t)size;
    close(fd);
}

/* In pieces of `piece` bytes, the intake paused after each. */
static bool carry(struct rig *rig, enum exchange_kind kind, const char *name, size_t piece,
                  struct err *err)
{
    struct buf part = BUF_INIT(PART_MAX);
    struct intake *intake = NULL;
    bool ok = true;

    read_part(rig->from, kind, name, &part);
    do {
        uint64_t at;
        size_t size;
        intake_pause(intake);
        ok = intake_open(rig->to, kind, name, &intake, err);
        if (!ok)
            break;
        at = intake_size(intake);
        size = part.size - at < piece ? (size_t)(part.size - at) : piece;
        ok = intake_add(intake, (struct span){part.data + at, size}, err);
    } while (ok && intake_size(intake) < part.size);
    buf_release(&part);
    return ok && intake_commit(intake, err);
}

static void carry_packs(struct rig *rig, const struct hash *checkpoint, size_t piece)
{
    struct exchange_pack_list packs;
    struct err err = ERR_INIT;

    assert_true(exchange_packs(rig->from, checkpoint, &packs, &err));
    for (size_t i = 0; i < packs.count; i++)
        if (!exchange_has(rig->to, EXCHANGE_PACK, packs.items[i].name))
            assert_true(carry(rig, EXCHANGE_PACK, packs.items[i].name, piece, &err));
    exchange_pack_list_release(&packs);
}

static void a_checkpoint_is_carried_to_another_store(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    carry_packs(rig, &rig->second, PART_MAX);
    assert_true(carry(rig, EXCHANGE_MANIFEST, hash_hex(&rig->second).text, PART_MAX, &err));
    assert_true(test_matches(rig->to, &rig->second, &rig->image, &err));
    assert_int_equal(test_findings(rig->to, &err), 0);
}

static void a_checkpoint_comes_with_the_packs_its_deltas_need(void **state)
{
    struct rig *rig = *state;
    struct exchange_pack_list first, second;
    struct err err = ERR_INIT;

    assert_true(exchange_packs(rig->from, &rig->first, &first, &err));
    assert_true(exchange_packs(rig->from, &rig->second, &second, &err));
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 2);
    assert_true(strcmp(second.items[0].name, second.items[1].name) < 0);
    exchange_pack_list_release(&first);
    exchange_pack_list_release(&second);
}

static void a_broken_connection_goes_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    carry_packs(rig, &rig->second, 100000);
    assert_true(carry(rig, EXCHANGE_MANIFEST, hash_hex(&rig->second).text, 10, &err));
    assert_true(test_matches(rig->to, &rig->second, &rig->image, &err));
}

static void a_manifest_without_its_chunks_is_refused(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    carry_packs(rig, &rig->first, PART_MAX);
    assert_false(carry(rig, EXCHANGE_MANIFEST, hash_hex(&rig->second).text, PART_MAX, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(exchange_has(rig->to, EXCHANGE_MANIFEST, hash_hex(&rig->second).text));
    assert_int_equal(test_findings(rig->to, &err), 0);
}

static bool offer(struct rig *rig, enum exchange_kind kind, const char *name, struct span bytes,
                  struct err *err)
{
    struct intake *intake;

    return intake_open(rig->to, kind, name, &intake, err) && intake_add(intake, bytes, err) &&
           intake_commit(intake, err);
}

/* A bit in each 997th byte; whatever it hits, the pack is not believed. */
static void an_altered_pack_is_refused(void **state)
{
    struct rig *rig = *state;
    struct buf part = BUF_INIT(PART_MAX);
    struct exchange_pack_list packs;
    struct err err = ERR_INIT;

    assert_true(exchange_packs(rig->from, &rig->first, &packs, &err));
    read_part(rig->from, EXCHANGE_PACK, packs.items[0].name, &part);
    for (size_t at = 0; at < part.size; at += 997) {
        struct err why = ERR_INIT;
        part.data[at] ^= 1;
        assert_false(offer(rig, EXCHANGE_PACK, packs.items[0].name, buf_span(&part), &why));
        assert_true(why.kind == ERR_CORRUPT || why.kind == ERR_UNSUPPORTED);
        part.data[at] ^= 1;
        assert_false(exchange_has(rig->to, EXCHANGE_PACK, packs.items[0].name));
    }
    assert_true(offer(rig, EXCHANGE_PACK, packs.items[0].name, buf_span(&part), &err));
    buf_release(&part);
    exchange_pack_list_release(&packs);
}

static void a_truncated_pack_is_refused(void **state)
{
    struct rig *rig = *state;
    struct buf part = BUF_INIT(PART_MAX);
    struct exchange_pack_list packs;
    struct err err = ERR_INIT;

    assert_true(exchange_packs(rig->from, &rig->first, &packs, &err));
    read_part(rig->from, EXCHANGE_PACK, packs.items[0].name, &part);
    for (size_t size = 0; size < part.size;
         size += size < 200 || size + 200 > part.size ? 1 : 4999) {
        struct err why = ERR_INIT;
        assert_false(
            offer(rig, EXCHANGE_PACK, packs.items[0].name, (struct span){part.data, size}, &why));
        assert_int_equal(why.kind, ERR_CORRUPT);
    }
    buf_release(&part);
    exchange_pack_list_release(&packs);
}

static void a_blob_must_have_the_hash_it_is_named_by(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("right"));
    struct hash_hex name = hash_hex(&id);
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(100);

    assert_false(offer(rig, EXCHANGE_BLOB, name.text, span_of_text("wrong"), &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_false(exchange_has(rig->to, EXCHANGE_BLOB, name.text));
    assert_true(offer(rig, EXCHANGE_BLOB, name.text, span_of_text("right"), &err));
    assert_true(store_blob_get(rig->to, &id, &out, &err));
    buf_release(&out);
}

static void a_part_has_one_writer(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("x"));
    struct intake *intake, *other;
    struct err err = ERR_INIT;

    assert_true(intake_open(rig->to, EXCHANGE_BLOB, hash_hex(&id).text, &intake, &err));
    assert_false(intake_open(rig->to, EXCHANGE_BLOB, hash_hex(&id).text, &other, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    intake_abort(intake);
    assert_true(intake_open(rig->to, EXCHANGE_BLOB, hash_hex(&id).text, &intake, &err));
    assert_int_equal(intake_size(intake), 0);
    intake_abort(intake);
}

/* Two that put the same blobs at the same time, each with the store open for itself. */
struct writer {
    const char *folder;
    pthread_barrier_t *barrier;
    struct err err; /* of the first that failed */
};

#define RACES 500

static bool put(struct store *store, const struct hash *id, struct span bytes, struct err *err)
{
    struct intake *intake;
    bool ok;

    while (!(ok = intake_open(store, EXCHANGE_BLOB, hash_hex(id).text, &intake, err))) {
        if (err->kind != ERR_CONFLICT)
            return false;
        *err = (struct err)ERR_INIT;
    }
    ok = intake_restart(intake, err) && intake_add(intake, bytes, err);
    if (ok)
        return intake_commit(intake, err);
    intake_abort(intake);
    return false;
}

static void *put_all(void *context)
{
    struct writer *writer = context;
    struct store *store = test_store_open(writer->folder);

    for (uint32_t i = 0; i < RACES; i++) {
        struct hash id = hash_of((struct span){(const uint8_t *)&i, sizeof i});
        (void)pthread_barrier_wait(writer->barrier);
        if (writer->err.kind == ERR_NONE)
            (void)put(store, &id, (struct span){(const uint8_t *)&i, sizeof i}, &writer->err);
    }
    store_close(store);
    return NULL;
}

static void two_may_put_the_same_at_the_same_time(void **state)
{
    struct rig *rig = *state;
    pthread_barrier_t barrier;
    struct writer writers[2];
    pthread_t threads[2];

    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    for (int i = 0; i < 2; i++) {
        writers[i] = (struct writer){rig->to_folder, &barrier, ERR_INIT};
        assert_int_equal(pthread_create(&threads[i], NULL, put_all, &writers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(writers[i].err.text, "");
    }
    pthread_barrier_destroy(&barrier);
    for (uint32_t i = 0; i < RACES; i++) {
        struct hash id = hash_of((struct span){(const uint8_t *)&i, sizeof i});
        struct buf out = BUF_INIT(64);
        struct err err = ERR_INIT;
        assert_true(store_blob_get(rig->to, &id, &out, &err));
        buf_release(&out);
    }
}

static void names_that_are_no_hashes_touch_no_file(void **state)
{
    static const char *const names[] = {
        "",
        "..",
        "../format",
        "tmp/x",
        "/etc/passwd",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/",
    };
    struct rig *rig = *state;
    struct intake *intake;
    uint64_t size;
    int fd;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int kind = EXCHANGE_BLOB; kind <= EXCHANGE_MANIFEST; kind++) {
            struct err err = ERR_INIT;
            assert_false(exchange_has(rig->from, (enum exchange_kind)kind, names[i]));
            assert_false(
                exchange_open(rig->from, (enum exchange_kind)kind, names[i], &fd, &size, &err));
            assert_int_equal(err.kind, ERR_USAGE);
            assert_false(intake_open(rig->to, (enum exchange_kind)kind, names[i], &intake, &err));
        }
}

static void gc_takes_what_is_not_coming_in_any_more(void **state)
{
    struct rig *rig = *state;
    struct hash a = hash_of(span_of_text("a")), b = hash_of(span_of_text("b"));
    struct intake *held, *paused;
    struct gc_report report;
    struct err err = ERR_INIT;

    assert_true(intake_open(rig->to, EXCHANGE_BLOB, hash_hex(&a).text, &held, &err));
    assert_true(intake_open(rig->to, EXCHANGE_BLOB, hash_hex(&b).text, &paused, &err));
    assert_true(intake_add(held, span_of_text("a"), &err));
    assert_true(intake_add(paused, span_of_text("bad start"), &err));
    intake_pause(paused);
    assert_true(store_gc(rig->to, false, &report, &err));
    assert_int_equal(report.leftovers_removed, 1);
    assert_true(intake_commit(held, &err));
    assert_true(exchange_has(rig->to, EXCHANGE_BLOB, hash_hex(&a).text));
    assert_true(offer(rig, EXCHANGE_BLOB, hash_hex(&b).text, span_of_text("b"), &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_checkpoint_is_carried_to_another_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_comes_with_the_packs_its_deltas_need, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_broken_connection_goes_on_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_manifest_without_its_chunks_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_altered_pack_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_pack_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_must_have_the_hash_it_is_named_by, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_has_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(two_may_put_the_same_at_the_same_time, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_are_no_hashes_touch_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_takes_what_is_not_coming_in_any_more, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
