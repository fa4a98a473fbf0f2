#include "sim/device/virtio_empty.h"
#include "tests/sim/device/driver.h"

#define EMPTY (RIG_JOB + VIRTIO_MMIO_SIZE)

static struct rig *empty_new(void)
{
    struct rig *rig = rig_begin();
    struct virtio_empty_config config = {EMPTY};

    rig_add_plain(rig);
    rig_add_virtio(rig);
    rig_add(rig, "board.virtio5", "virtio-empty", &config);
    rig_open(rig);
    return rig;
}

static void probing_driver_finds_a_transport_without_device(void **state)
{
    struct rig *rig = empty_new();

    (void)state;
    assert_int_equal(rig_read(rig, EMPTY + REG_MAGIC, 4), 0x74726976);
    assert_int_equal(rig_read(rig, EMPTY + REG_VERSION, 4), 2);
    assert_int_equal(rig_read(rig, EMPTY + REG_DEVICE, 4), 0);
    assert_int_equal(rig_read(rig, EMPTY + REG_VENDOR, 4), rig_read(rig, RIG_BLK + REG_VENDOR, 4));
    for (uint64_t reg = REG_FEATURES; reg < REG_CONFIG; reg += 4)
        assert_int_equal(rig_read(rig, EMPTY + reg, 4), 0);
    rig_free(rig);
}

static void what_is_written_is_ignored(void **state)
{
    struct rig *rig = empty_new();
    struct hash before = rig_digest(rig);

    (void)state;
    for (uint64_t reg = 0; reg < VIRTIO_MMIO_SIZE; reg += 4)
        rig_write(rig, EMPTY + reg, 4, UINT32_MAX);
    for (uint64_t reg = REG_FEATURES; reg < VIRTIO_MMIO_SIZE; reg += 4)
        assert_int_equal(rig_read(rig, EMPTY + reg, 4), 0);
    struct hash after = rig_digest(rig);
    assert_true(hash_equal(&before, &after));
    rig_free(rig);
}

/* The same accesses fault as on a slot with a device. */
static void accesses_are_as_wide_as_on_any_transport(void **state)
{
    struct rig *rig = empty_new();

    (void)state;
    for (uint64_t offset = 0; offset < REG_CONFIG + 16; offset++)
        for (uint32_t size = 1; size <= 8; size *= 2) {
            uint64_t value;
            if (offset % size != 0)
                continue;
            assert_int_equal(rig_try_read(rig, EMPTY + offset, size, &value),
                             rig_try_read(rig, RIG_RNG + offset, size, &value));
            assert_int_equal(rig_try_write(rig, EMPTY + offset, size, 0),
                             rig_try_write(rig, RIG_RNG + offset, size, 0));
        }
    rig_free(rig);
}

static void is_still_there_after_a_thaw(void **state)
{
    struct rig *rig = empty_new();

    (void)state;
    rig_cycle(rig);
    assert_int_equal(rig_read(rig, EMPTY + REG_MAGIC, 4), 0x74726976);
    assert_int_equal(rig_read(rig, EMPTY + REG_DEVICE, 4), 0);
    rig_free(rig);
}

static void impossible_address_is_refused(void **state)
{
    struct rig *rig = rig_begin();
    struct virtio_empty_config config = {EMPTY + 8};

    (void)state;
    rig_add_plain(rig);
    if (machine_add(rig->machine, "board.virtio5", "virtio-empty", &config, NULL, &rig->err))
        assert_false(machine_open(rig->machine, &rig->err));
    assert_non_null(strstr(rig->err.text, "board.virtio5"));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probing_driver_finds_a_transport_without_device),
        cmocka_unit_test(what_is_written_is_ignored),
        cmocka_unit_test(accesses_are_as_wide_as_on_any_transport),
        cmocka_unit_test(is_still_there_after_a_thaw),
        cmocka_unit_test(impossible_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
