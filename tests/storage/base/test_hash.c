#include "storage/base/hash.h"

#include "tests/support/base_test.h"

#include <pthread.h>
#include <string.h>

/* FIPS 180-4's examples (published with the standard) and SHA-256 of nothing. */
#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define OF_TWO     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define OF_MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_hash(struct hash hash, const char *expected)
{
    assert_string_equal(hash_hex(&hash).text, expected);
}

static void standard_examples_come_out(void **state)
{
    (void)state;
    assert_hash(hash_of((struct span){NULL, 0}), OF_NOTHING);
    assert_hash(hash_of(span_of_text("abc")), OF_ABC);
    assert_hash(hash_of(span_of_text(TWO_BLOCKS)), OF_TWO);
}

static void pieces_hash_like_the_whole(void **state)
{
    struct hasher *hasher = hasher_new();
    char piece[1000];

    (void)state;
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 1000; i++)
        hasher_add(hasher, (struct span){(const uint8_t *)piece, sizeof piece});
    assert_hash(hasher_finish(hasher), OF_MILLION);
    hasher_free(hasher);
}

static void hasher_starts_anew_after_finish(void **state)
{
    struct hasher *hasher = hasher_new();

    (void)state;
    assert_hash(hasher_finish(hasher), OF_NOTHING);
    hasher_add(hasher, span_of_text("ab"));
    assert_hash(hash_of(span_of_text(TWO_BLOCKS)), OF_TWO); /* does not disturb the other */
    hasher_add(hasher, span_of_text("c"));
    assert_hash(hasher_finish(hasher), OF_ABC);
    assert_hash(hasher_finish(hasher), OF_NOTHING);
    hasher_free(hasher);
    hasher_free(NULL);
}

static void *hash_often(void *context)
{
    struct hash *out = context;

    for (int i = 0; i < 1000; i++)
        *out = hash_of(span_of_text("abc"));
    return NULL;
}

static void threads_hash_at_the_same_time(void **state)
{
    pthread_t threads[4];
    struct hash hashes[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_often, &hashes[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_hash(hashes[i], OF_ABC);
    }
}

static void hashes_compare_bytewise(void **state)
{
    struct hash low = {{0}}, high = {{0}}, last = {{0}};

    (void)state;
    high.bytes[0] = 0x80;
    last.bytes[HASH_SIZE - 1] = 1;
    assert_true(hash_compare(&low, &high) < 0);
    assert_true(hash_compare(&high, &last) > 0);
    assert_int_equal(hash_compare(&last, &last), 0);
    assert_true(hash_equal(&last, &last));
    assert_false(hash_equal(&low, &last));
    assert_true(hash_is_zero(&low));
    assert_false(hash_is_zero(&last));
    assert_false(hash_is_zero(&high));
}

static void hex_goes_there_and_back(void **state)
{
    struct hash hash = {{0}}, back;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(hash_parse(OF_ABC, &back, &err), &err);
    hash = hash_of(span_of_text("abc"));
    assert_true(hash_equal(&hash, &back));
}

static void anything_but_64_lower_case_digits_is_refused(void **state)
{
    struct hash hash = {{7}}, before = hash;
    struct err err = ERR_INIT;
    char text[] = OF_ABC "0";

    (void)state;
    BASE_FAILS(hash_parse("", &hash, &err), &err, ERR_INVALID, "64 lower-case hex digits");
    BASE_FAILS(hash_parse(text, &hash, &err), &err, ERR_INVALID, "64 lower-case"); /* 65 */
    text[63] = 0;
    BASE_FAILS(hash_parse(text, &hash, &err), &err, ERR_INVALID, "64 lower-case"); /* 63 */
    text[64] = 0;
    for (size_t i = 0; i < 64; i++)
        for (const char *bad = "gAF/:@` \x80"; *bad != 0; bad++) {
            strcpy(text, OF_ABC);
            text[i] = *bad;
            BASE_FAILS(hash_parse(text, &hash, &err), &err, ERR_INVALID, "64 lower-case");
        }
    assert_true(hash_equal(&hash, &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_examples_come_out),
        cmocka_unit_test(pieces_hash_like_the_whole),
        cmocka_unit_test(hasher_starts_anew_after_finish),
        cmocka_unit_test(threads_hash_at_the_same_time),
        cmocka_unit_test(hashes_compare_bytewise),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(anything_but_64_lower_case_digits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
