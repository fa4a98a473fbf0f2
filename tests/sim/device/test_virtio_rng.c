#include "tests/sim/device/driver.h"

#define BUFFER (RIG_RAM + 0x20000)

/* RFC 8439, appendix A.1: test vectors 1 and 2 (key and nonce zero, counters 0 and 1). */
static void key_stream_is_chacha20s(void **state)
{
    static const uint32_t key[8] = {0};
    static const uint8_t first[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                                      0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    static const uint8_t second[16] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a,
                                       0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d};
    uint8_t block[64];

    (void)state;
    rng_block(key, 0, block);
    assert_memory_equal(block, first, sizeof first);
    rng_block(key, 1, block);
    assert_memory_equal(block, second, sizeof second);
}

static struct driver rng_of(struct rig *rig)
{
    struct driver driver = {rig, RIG_RNG, RIG_RAM + 0x10000};

    driver_start(&driver, 1);
    return driver;
}

static uint64_t draw(const struct driver *driver, uint32_t size)
{
    driver_put(driver, 0, 0, BUFFER, PART(size, DESC_WRITE, 0));
    driver_offer(driver, 0, 0);
    return rig_read(driver->rig, BUFFER, 8);
}

static void same_seed_same_bytes(void **state)
{
    struct rig *a = rig_new(), *b = rig_new();
    struct driver first = rng_of(a), second = rng_of(b);

    (void)state;
    uint64_t word = draw(&first, 64);
    assert_int_equal(word, draw(&second, 64));
    assert_int_not_equal(word, draw(&first, 64));
    assert_int_not_equal(word, 0);
    rig_free(a);
    rig_free(b);
}

static void seed_from_outside_makes_clones_differ(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = rng_of(rig);

    (void)state;
    rig_input(rig, "board.rng", "seed", span_of_text("one"));
    uint64_t one = draw(&driver, 8);
    rig_input(rig, "board.rng", "seed", span_of_text("two"));
    assert_int_not_equal(one, draw(&driver, 8));
    rig_input(rig, "board.rng", "seed", span_of_text("one"));
    assert_int_equal(one, draw(&driver, 8));
    rig_free(rig);
}

static void seeds_of_wrong_size_are_refused(void **state)
{
    struct rig *rig = rig_new();
    struct object *rng = machine_find(rig->machine, "board.rng");
    uint8_t seed[33] = {0};
    size_t taken = 0;

    (void)state;
    assert_false(
        machine_input(rig->machine, rng, "seed", (struct span){seed, 0}, &taken, &rig->err));
    assert_false(
        machine_input(rig->machine, rng, "seed", (struct span){seed, 33}, &taken, &rig->err));
    assert_true(
        machine_input(rig->machine, rng, "seed", (struct span){seed, 32}, &taken, &rig->err));
    rig_free(rig);
}

static void huge_requests_get_part_of_what_they_ask(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = rng_of(rig);

    (void)state;
    draw(&driver, 0x10000);
    assert_int_equal(driver_used_length(&driver, 0, 0), RNG_REQUEST_MAX);
    draw(&driver, 0);
    assert_int_equal(driver_used_length(&driver, 0, 1), 0);
    assert_false(driver_broken(&driver));
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    struct driver driver = {rig, RIG_RNG, RIG_RAM + 0x10000};

    if (i == 0)
        driver = rng_of(rig);
    draw(&driver, 100 + i);
    rig_run(rig, 10);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_stream_is_chacha20s),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(seed_from_outside_makes_clones_differ),
        cmocka_unit_test(seeds_of_wrong_size_are_refused),
        cmocka_unit_test(huge_requests_get_part_of_what_they_ask),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
