/* Images: what changed is found, what did not is left alone, and the store gets all of it. */
#include "sim/core/checkpoint.h"
#include "sim/core/image.h"
#include "tests/sim/core/rig_store.h"
#include "tests/support/base_test.h"
#include "tests/support/store_image.h"

#include <stdlib.h>

#define CHUNK     ((uint64_t)IMAGE_CHUNK_SIZE)
#define ONE_CHUNK CHUNK
#define ONE_NODE  (64 * CHUNK)
#define TWO_NODES (65 * CHUNK)  /* the last node holds one chunk */
#define BIG       (129 * CHUNK) /* three nodes, three levels */

static const uint64_t sizes[] = {ONE_CHUNK, 2 * CHUNK, ONE_NODE, TWO_NODES, BIG};
#define SIZES (sizeof sizes / sizeof sizes[0])

static struct image *new_image(uint64_t size)
{
    struct image *image = NULL;
    struct err err = ERR_INIT;

    BASE_OK(image_new(size, &image, &err), &err);
    return image;
}

static struct hash commit(struct image *image, struct rig_store *store)
{
    struct chunk_sink sink = rig_store_sink(store);
    struct err err = ERR_INIT;
    struct hash root;

    BASE_OK(image_commit(image, store != NULL ? &sink : NULL, &root, &err), &err);
    return root;
}

/* The root by rehashing everything, from nothing but the bytes. */
static struct hash root_of(const struct image *image)
{
    struct test_image whole;
    struct err err = ERR_INIT;
    struct hash root;

    test_image_init(&whole, image->size);
    memcpy(whole.data, image->data, (size_t)image->size);
    BASE_OK(test_image_put(&whole, NULL, &err), &err);
    root = test_image_root(&whole);
    test_image_release(&whole);
    return root;
}

static void assert_same(struct hash a, struct hash b)
{
    assert_memory_equal(a.bytes, b.bytes, HASH_SIZE);
}

static struct image *reopen(struct rig_store *store, struct hash root, uint64_t size)
{
    struct image_mapping mapping;
    struct image *image = NULL;
    struct err err = ERR_INIT;

    BASE_OK(rig_store_open(store, &root, size, &mapping, &err), &err);
    BASE_OK(image_take(&mapping, &image, &err), &err);
    return image;
}

static void write_at(struct image *image, uint64_t offset, uint64_t size, uint8_t value)
{
    memset(image->data + offset, value, (size_t)size);
    image_touch(image, offset, size);
}

/* ---- sizes, zeros ---- */

static void a_size_that_is_no_whole_number_of_chunks_is_refused(void **state)
{
    static const uint64_t wrong[] = {
        0, 1, CHUNK - 1, CHUNK + 1, CHUNK + 4096, IMAGE_SIZE_MAX + CHUNK, UINT64_MAX};
    struct image *image = NULL;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(image_new(wrong[i], &image, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(image);
    }
}

static void a_new_image_is_zeros_of_which_nothing_is_stored(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct image *image = new_image(sizes[i]);
        struct hash root;
        assert_int_equal(image->page_count, sizes[i] / 4096);
        assert_true(bytes_are_zero(image->data, (size_t)image->size));
        root = commit(image, store);
        assert_true(hash_is_zero(&root));
        /* Touched and zero still: not stored either. */
        write_at(image, 0, image->size, 0);
        root = commit(image, store);
        assert_true(hash_is_zero(&root));
        assert_int_equal(store->puts, 0);
        image_free(image);
    }
    image_free(NULL);
    mem_free(store);
}

/* One byte in its last chunk. */
static void a_sparse_image_costs_what_was_touched(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(BIG);
    struct hash root;

    (void)state;
    write_at(image, 128 * CHUNK + 5, 1, 9);
    root = commit(image, store);
    assert_false(hash_is_zero(&root));
    assert_int_equal(store->puts, 3); /* the chunk, its node, the root */
    assert_same(root, root_of(image));
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

/* ---- what is dirty ---- */

static void a_touch_marks_the_pages_it_lies_in_and_no_other(void **state)
{
    static const struct {
        uint64_t offset, size, first, last;
    } touches[] = {
        {0, 1, 0, 0},     {4095, 1, 0, 0},     {4096, 1, 1, 1},          {4095, 2, 0, 1},
        {0, 4096, 0, 0},  {0, 4097, 0, 1},     {4096, 8192, 1, 2},       {4097, 8192, 1, 3},
        {16383, 2, 3, 4}, {16384, 4096, 4, 4}, {2 * CHUNK - 1, 1, 7, 7}, {0, 2 * CHUNK, 0, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof touches / sizeof touches[0]; i++) {
        struct image *image = new_image(2 * CHUNK);
        image_touch(image, touches[i].offset, touches[i].size);
        for (uint64_t page = 0; page < image->page_count; page++)
            assert_int_equal(image->page_flags[page] != 0,
                             page >= touches[i].first && page <= touches[i].last);
        image_touch(image, 2 * CHUNK, 0);
        image_free(image);
    }
}

static void a_change_at_any_border_is_found(void **state)
{
    static const uint64_t borders[] = {0,          4096,     CHUNK,     2 * CHUNK,
                                       CHUNK * 63, ONE_NODE, TWO_NODES, BIG};

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct image *image = new_image(sizes[i]);
        for (size_t k = 0; k < sizeof borders / sizeof borders[0]; k++) {
            uint64_t from = borders[k] == 0 ? 0 : borders[k] - 1;
            uint64_t to = borders[k] + 1 < image->size ? borders[k] + 1 : image->size;
            if (from >= image->size)
                continue;
            write_at(image, from, to - from, (uint8_t)(k + 1));
            assert_same(commit(image, NULL), root_of(image));
            for (uint64_t page = 0; page < image->page_count; page++)
                assert_false(image->page_flags[page] & IMAGE_PAGE_DIRTY);
        }
        image_free(image);
    }
}

static void only_what_changed_is_hashed_and_stored_again(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(BIG);
    struct hash first, second;

    (void)state;
    for (uint64_t i = 0; i < 129; i++)
        write_at(image, i * CHUNK, 8, (uint8_t)(i + 1));
    first = commit(image, store);
    assert_int_equal(store->puts, 129 + 3 + 1);
    assert_same(commit(image, store), first);
    assert_int_equal(store->puts, 133);
    write_at(image, 70 * CHUNK, 1, 99);
    second = commit(image, store);
    assert_int_equal(store->puts, 133 + 3);
    assert_same(second, root_of(image));
    /* Nobody told: nobody looked. This is what image_touch is for. */
    image->data[3 * CHUNK] ^= 1;
    assert_same(commit(image, store), second);
    image_touch(image, 3 * CHUNK, 1);
    assert_same(commit(image, store), root_of(image));
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

static void an_engines_flags_outlive_a_commit(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(ONE_CHUNK);

    (void)state;
    image->page_flags[0] = IMAGE_PAGE_CODE | IMAGE_PAGE_DIRTY;
    image->page_flags[1] = IMAGE_PAGE_TABLE;
    image->page_flags[2] = IMAGE_PAGE_WATCH | IMAGE_PAGE_CODE | IMAGE_PAGE_DIRTY;
    commit(image, NULL);
    assert_int_equal(image->page_flags[0], IMAGE_PAGE_CODE | IMAGE_PAGE_UNSTORED);
    assert_int_equal(image->page_flags[1], IMAGE_PAGE_TABLE);
    commit(image, store);
    assert_int_equal(image->page_flags[0], IMAGE_PAGE_CODE);
    assert_int_equal(image->page_flags[1], IMAGE_PAGE_TABLE);
    assert_int_equal(image->page_flags[2], IMAGE_PAGE_WATCH | IMAGE_PAGE_CODE);
    assert_int_equal(image->page_flags[3], 0);
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

/* ---- many changes, seeded ---- */

static void change_something(struct image *image, uint64_t *seed)
{
    uint64_t draw = base_random(seed), offset = draw % image->size;
    uint64_t size = 1 + (draw >> 40) % (draw >> 60 == 0 ? 3 * CHUNK : 100);
    /* Zeros too: chunks and whole subtrees go away again. */
    uint8_t value = (draw >> 56 & 3) == 0 ? 0 : (uint8_t)(draw >> 32);

    if (size > image->size - offset)
        size = image->size - offset;
    write_at(image, offset, size, value);
}

/* Digests come in between as they like; what is stored is whole all the same. */
static void a_digest_after_any_changes_is_that_of_a_fresh_equal_image(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    uint64_t seed = 11;

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct image *image = new_image(sizes[i]), *again;
        for (uint32_t round = 0; round < 12; round++) {
            struct hash root;
            for (uint64_t n = base_random(&seed) % 6; n > 0; n--)
                change_something(image, &seed);
            if ((base_random(&seed) & 1) != 0) {
                assert_same(commit(image, NULL), root_of(image));
                continue;
            }
            root = commit(image, store);
            assert_same(root, root_of(image));
            again = reopen(store, root, image->size);
            assert_memory_equal(again->data, image->data, (size_t)image->size);
            assert_same(commit(again, NULL), root);
            if ((base_random(&seed) & 1) != 0) {
                image_free(image);
                image = again;
            } else {
                image_free(again);
            }
        }
        image_free(image);
        rig_store_release(store);
    }
    mem_free(store);
}

static void zeros_again_are_the_root_of_zeros(void **state)
{
    struct image *image = new_image(BIG);
    struct hash root;

    (void)state;
    write_at(image, 100 * CHUNK, CHUNK, 7);
    root = commit(image, NULL);
    assert_false(hash_is_zero(&root));
    write_at(image, 100 * CHUNK, CHUNK, 0);
    root = commit(image, NULL);
    assert_true(hash_is_zero(&root));
    image_free(image);
}

/* ---- the store ---- */

static void a_commit_that_failed_anywhere_is_made_good_by_the_next(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct chunk_sink sink = rig_store_sink(store);
    bool failed = true;

    (void)state;
    for (uint32_t left = 0; failed; left++) {
        struct image *image = new_image(TWO_NODES), *again;
        struct err err = ERR_INIT;
        struct hash root = {{42}};
        for (uint64_t i = 0; i < 65; i += 16)
            write_at(image, i * CHUNK, 8, (uint8_t)(i + 1));
        store->failing = true;
        store->puts_left = left;
        failed = !image_commit(image, &sink, &root, &err);
        if (failed) {
            assert_int_equal(err.kind, ERR_NO_SPACE);
            assert_int_equal(root.bytes[0], 42);
        }
        store->failing = false;
        root = commit(image, store);
        assert_same(root, root_of(image));
        again = reopen(store, root, TWO_NODES);
        assert_memory_equal(again->data, image->data, TWO_NODES);
        image_free(again);
        image_free(image);
        rig_store_release(store);
        assert_true(left < 20);
    }
    mem_free(store);
}

static void a_changed_chunk_names_what_it_replaces(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(TWO_NODES);
    struct hash old_root, old_chunk, root;

    (void)state;
    write_at(image, 0, 100, 1);
    old_root = commit(image, store);
    for (uint32_t i = 0; i < store->count; i++)
        assert_true(hash_is_zero(&store->chunks[i].base)); /* zeros are no base */
    old_chunk = image_nodes(image)[0];
    image_free(image);
    image = reopen(store, old_root, TWO_NODES);
    write_at(image, 50, 1, 2);
    commit(image, NULL); /* a digest changes nothing about it */
    write_at(image, 51, 1, 3);
    root = commit(image, store);
    assert_same(rig_store_find(store, &image_nodes(image)[0])->base, old_chunk);
    assert_same(rig_store_find(store, &root)->base, old_root);
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

static void no_chunk_is_its_own_base(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(TWO_NODES);

    (void)state;
    write_at(image, 0, 100, 1);
    commit(image, NULL); /* hashed now, stored by nobody */
    commit(image, store);
    assert_int_equal(store->count, 3);
    for (uint32_t i = 0; i < store->count; i++)
        assert_false(hash_equal(&store->chunks[i].id, &store->chunks[i].base));
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

/* ---- whose bytes ---- */

static void release_data(struct image_mapping *mapping)
{
    uint32_t *released = mapping->owner;

    ++*released;
    free(mapping->data);
}

static void bytes_without_a_tree_are_hashed_once_and_whole(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    uint32_t released = 0;
    struct image_mapping mapping = {.data = aligned_alloc(4096, 2 * CHUNK),
                                    .size = 2 * CHUNK,
                                    .release = release_data,
                                    .owner = &released};
    struct image *image = NULL;
    struct err err = ERR_INIT;
    struct hash root;

    (void)state;
    memset(mapping.data, 3, CHUNK);
    memset(mapping.data + CHUNK, 4, CHUNK);
    BASE_OK(image_take(&mapping, &image, &err), &err);
    assert_null(mapping.data);
    assert_null(image_nodes(image));
    root = commit(image, NULL);
    assert_same(root, root_of(image));
    assert_non_null(image_nodes(image));
    assert_int_equal(store->puts, 0);
    assert_same(commit(image, store), root);
    assert_int_equal(store->puts, 3);
    assert_same(commit(image, store), root);
    assert_int_equal(store->puts, 3);
    assert_int_equal(released, 0);
    image_free(image);
    assert_int_equal(released, 1);
    rig_store_release(store);
    mem_free(store);
}

static void a_trees_owner_keeps_it_unchanged(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image *image = new_image(TWO_NODES);
    const struct hash *given;
    struct hash *copy, root;
    size_t size;

    (void)state;
    write_at(image, 0, 100, 1);
    root = commit(image, store);
    size = (size_t)image->shape.total * HASH_SIZE;
    image_free(image);
    image = reopen(store, root, TWO_NODES);
    given = image_nodes(image);
    assert_ptr_equal(given, image->mapping.nodes);
    copy = mem_alloc(size);
    memcpy(copy, given, size);
    write_at(image, 64 * CHUNK, 100, 1);
    assert_same(commit(image, NULL), root_of(image));
    assert_memory_equal(given, copy, size);
    assert_ptr_not_equal(image_nodes(image), given);
    mem_free(copy);
    image_free(image);
    rig_store_release(store);
    mem_free(store);
}

static void write_in_child(void *context)
{
    struct image *image = context;

    write_at(image, 0, 3 * CHUNK, 0xee);
    commit(image, NULL);
    exit(image->data[0] == 0xee ? 0 : 1);
}

static void what_a_forked_child_writes_is_the_childs_alone(void **state)
{
    struct image *image = new_image(TWO_NODES);
    struct hash before;
    char errors[256];

    (void)state;
    write_at(image, 10, 10, 1);
    before = commit(image, NULL);
    write_at(image, 10, 10, 2);
    assert_int_equal(base_child(write_in_child, image, errors, sizeof errors), 0);
    assert_int_equal(image->data[0], 0);
    assert_int_equal(image->data[10], 2);
    assert_int_equal(image->page_flags[0], IMAGE_PAGE_DIRTY | IMAGE_PAGE_UNSTORED);
    assert_int_equal(image->page_flags[8], 0);
    assert_same(image_nodes(image)[image->shape.total - 1], before);
    assert_same(commit(image, NULL), root_of(image));
    image_free(image);
}

/* ---- images of a machine ---- */

static const struct image_slot holder_images[] = {{"z", "first"}, {"a", "second"}};
static const struct schema holder_schema = {.name = "holder",
                                            .version = 1,
                                            .state = ATTR_TABLE_NONE,
                                            .config = ATTR_TABLE_NONE,
                                            .images = holder_images,
                                            .image_count = 2};
static const struct model holder_model = {.name = "holder", .schema = &holder_schema};

/* In the manifest they stand by path; the machine's order, the slots' order and the order in which
 * they are given are all others. */
static void each_image_comes_back_to_its_own_slot(void **state)
{
    static const char *const paths[] = {"y", "b", "x.deep"};
    struct rig_store *store = mem_alloc(sizeof *store);
    struct image_source source = rig_store_source(store);
    struct chunk_sink sink = rig_store_sink(store);
    struct registry registry = {{&machine_model, &holder_model}, 2};
    struct machine *machine = machine_new(&registry), *loaded = NULL;
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct checkpoint_ids ids, again;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(machine_add(machine, "machine", "thaw-machine", NULL, NULL, &err), &err);
    for (uint8_t i = 0; i < 3; i++) {
        struct object *object;
        BASE_OK(machine_add(machine, paths[i], "holder", NULL, &object, &err), &err);
        for (uint8_t k = 2; k-- > 0;) {
            struct image *image = new_image((uint64_t)(1 + i + k) * CHUNK);
            write_at(image, 0, 16, (uint8_t)(16 * i + k + 1));
            BASE_OK(object_take_image(object, holder_images[k].name, image, &err), &err);
        }
    }
    BASE_OK(machine_open(machine, &err), &err);
    BASE_OK(machine_save(machine, &sink, &manifest, &ids, &err), &err);
    machine_free(machine);
    BASE_OK(machine_load(&registry, buf_span(&manifest), &source, NULL, &loaded, &err), &err);
    for (uint8_t i = 0; i < 3; i++)
        for (uint8_t k = 0; k < 2; k++) {
            const struct image *image = machine_find(loaded, paths[i])->images[k];
            assert_int_equal(image->data[15], 16 * i + k + 1);
            assert_int_equal(image->size, (uint64_t)(1 + i + k) * CHUNK);
        }
    BASE_OK(machine_digest(loaded, &again, &err), &err);
    assert_memory_equal(&ids, &again, sizeof ids);
    machine_free(loaded);
    buf_release(&manifest);
    rig_store_release(store);
    mem_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_that_is_no_whole_number_of_chunks_is_refused),
        cmocka_unit_test(a_new_image_is_zeros_of_which_nothing_is_stored),
        cmocka_unit_test(a_sparse_image_costs_what_was_touched),
        cmocka_unit_test(a_touch_marks_the_pages_it_lies_in_and_no_other),
        cmocka_unit_test(a_change_at_any_border_is_found),
        cmocka_unit_test(only_what_changed_is_hashed_and_stored_again),
        cmocka_unit_test(an_engines_flags_outlive_a_commit),
        cmocka_unit_test(a_digest_after_any_changes_is_that_of_a_fresh_equal_image),
        cmocka_unit_test(zeros_again_are_the_root_of_zeros),
        cmocka_unit_test(a_commit_that_failed_anywhere_is_made_good_by_the_next),
        cmocka_unit_test(a_changed_chunk_names_what_it_replaces),
        cmocka_unit_test(no_chunk_is_its_own_base),
        cmocka_unit_test(bytes_without_a_tree_are_hashed_once_and_whole),
        cmocka_unit_test(a_trees_owner_keeps_it_unchanged),
        cmocka_unit_test(what_a_forked_child_writes_is_the_childs_alone),
        cmocka_unit_test(each_image_comes_back_to_its_own_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
