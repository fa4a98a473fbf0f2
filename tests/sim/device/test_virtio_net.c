#include "tests/sim/device/driver.h"

#include "sim/device/net_switch.h"
#include "sim/device/virtio_net.h"

#include <stdio.h>

#define NET(n)  (UINT64_C(0x10010000) + 0x1000 * (uint64_t)(n))
#define CARDS   3
#define LATENCY 10000
#define HEADER  12
#define BUFFER  (RIG_RAM + 0x80000) /* of the sender */

/* Three cards on one switch; all on one board, since the test drives them anyway. */
static struct rig *net_rig(void)
{
    struct rig *rig = rig_begin();
    struct net_switch_config latency = {LATENCY};
    char path[32], port[32];

    rig_add_plain(rig);
    rig_add(rig, "switch0", "thaw-switch", &latency);
    rig_image(rig, "switch0", "frames", NET_FRAMES_SIZE);
    for (uint32_t i = 0; i < CARDS; i++) {
        struct virtio_net_config config = {
            .mmio = {NET(i), 20 + i, 0},
            .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)},
        };
        snprintf(path, sizeof path, "board.net%u", i);
        snprintf(port, sizeof port, "port%u", i);
        rig_add(rig, path, "virtio-net", &config);
        rig_link(rig, path, "interrupts", "board.plic");
        rig_link(rig, path, "switch", "switch0");
        rig_link(rig, "switch0", port, path);
    }
    rig_open(rig);
    return rig;
}

static struct driver card(struct rig *rig, uint32_t index)
{
    return (struct driver){rig, NET(index), RIG_RAM + 0x10000 + 0x10000 * (uint64_t)index};
}

static uint64_t buffer_of(const struct driver *driver, uint32_t index)
{
    return driver->memory + 0x4000 + 0x800 * (uint64_t)index;
}

static void offer_buffers(const struct driver *driver, uint32_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        driver_put(driver, 0, i, buffer_of(driver, i), PART(1530, DESC_WRITE, 0));
        driver_offer(driver, 0, i);
    }
}

static void start_cards(struct rig *rig)
{
    for (uint32_t i = 0; i < CARDS; i++) {
        struct driver driver = card(rig, i);
        driver_start(&driver, 2);
        offer_buffers(&driver, 8);
    }
}

/* Sends a frame of `size` bytes to `destination` (last byte of the address; 0xff: all). */
static void send(struct rig *rig, uint32_t from, uint8_t destination, uint32_t size)
{
    struct driver driver = card(rig, from);
    uint8_t frame[2048] = {0};

    memset(frame + HEADER, 0xff, 6);
    if (destination != 0xff)
        memcpy(frame + HEADER, (uint8_t[]){2, 0, 0, 0, 0, destination}, 6);
    memcpy(frame + HEADER + 6, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(from + 1)}, 6);
    memset(frame + HEADER + 12, (int)(size & 0xff), size - 12);
    for (uint32_t i = 0; i < sizeof frame; i += 8)
        rig_write(rig, BUFFER + i, 8, load_le64(frame + i));
    driver_put(&driver, 1, 0, BUFFER, PART(HEADER + size, 0, 0));
    driver_offer(&driver, 1, 0);
}

static uint32_t received(struct rig *rig, uint32_t index)
{
    struct driver driver = card(rig, index);

    return driver_used_index(&driver, 0);
}

static void configuration_gives_address_and_link(void **state)
{
    struct rig *rig = net_rig();

    (void)state;
    assert_int_equal(rig_read(rig, NET(1) + REG_DEVICE, 4), 1);
    assert_int_equal(rig_read(rig, NET(1) + REG_CONFIG, 1), 2);
    assert_int_equal(rig_read(rig, NET(1) + REG_CONFIG + 5, 1), 2);
    assert_int_equal(rig_read(rig, NET(1) + REG_CONFIG + 6, 2), 1);
    rig_free(rig);
}

static void unknown_address_floods_and_known_one_does_not(void **state)
{
    struct rig *rig = net_rig();
    struct driver second = card(rig, 1);

    (void)state;
    start_cards(rig);
    send(rig, 0, 2, 60);
    rig_run(rig, LATENCY + 1);
    assert_int_equal(received(rig, 0), 0);
    assert_int_equal(received(rig, 1), 1);
    assert_int_equal(received(rig, 2), 1);
    assert_int_equal(driver_used_length(&second, 0, 0), 72);
    assert_int_equal(rig_read(rig, buffer_of(&second, 0) + 10, 2), 1); /* num_buffers */
    assert_int_equal(rig_read(rig, buffer_of(&second, 0) + HEADER + 12, 8),
                     UINT64_C(0x3c3c3c3c3c3c3c3c));
    assert_true(rig_wire(rig, 21));
    send(rig, 1, 1, 60); /* card 0 is known by now */
    rig_run(rig, LATENCY + 1);
    assert_int_equal(received(rig, 0), 1);
    assert_int_equal(received(rig, 2), 1);
    send(rig, 0, 0xff, 60);
    rig_run(rig, LATENCY + 1);
    assert_int_equal(received(rig, 1), 2);
    assert_int_equal(received(rig, 2), 2);
    rig_free(rig);
}

static void frame_takes_its_latency(void **state)
{
    struct rig *rig = net_rig();

    (void)state;
    start_cards(rig);
    send(rig, 0, 2, 1514);
    rig_run(rig, LATENCY - 1);
    assert_int_equal(received(rig, 1), 0);
    rig_run(rig, 2);
    assert_int_equal(received(rig, 1), 1);
    const struct image *frames = machine_find(rig->machine, "switch0")->images[0];
    assert_true(bytes_are_zero(frames->data, (size_t)frames->size)); /* nothing stays behind */
    rig_free(rig);
}

static void frames_without_room_are_dropped_and_counted(void **state)
{
    struct rig *rig = net_rig();
    const struct virtio_net_state *net = machine_find(rig->machine, "board.net1")->state;
    const struct net_switch_state *wire = machine_find(rig->machine, "switch0")->state;
    struct driver driver = card(rig, 0);

    (void)state;
    driver_start(&driver, 2);
    for (uint32_t i = 0; i < NET_FLIGHT_MAX + 3; i++)
        send(rig, 0, 2, 60);
    assert_int_equal(wire->count, NET_FLIGHT_MAX);
    assert_int_equal(wire->lost, 3);
    rig_run(rig, LATENCY + 1);
    assert_int_equal(wire->count, 0);
    assert_int_equal(net->dropped_received, NET_FLIGHT_MAX);
    struct driver second = card(rig, 1);
    driver_start(&second, 2);
    driver_put(&second, 0, 0, buffer_of(&second, 0), PART(71, DESC_WRITE, 0));
    driver_offer(&second, 0, 0);
    send(rig, 0, 2, 60);
    rig_run(rig, LATENCY + 1);
    assert_int_equal(net->dropped_received, NET_FLIGHT_MAX + 1);
    assert_int_equal(driver_used_length(&second, 0, 0), 0);
    rig_free(rig);
}

static void frames_of_wrong_length_are_not_sent(void **state)
{
    struct rig *rig = net_rig();
    const struct virtio_net_state *net = machine_find(rig->machine, "board.net0")->state;
    const struct net_switch_state *wire = machine_find(rig->machine, "switch0")->state;

    (void)state;
    start_cards(rig);
    send(rig, 0, 2, 13);
    send(rig, 0, 2, 1519);
    assert_int_equal(net->dropped_sent, 2);
    assert_int_equal(wire->count, 0);
    rig_free(rig);
}

static void more_senders_than_the_table_holds_are_served(void **state)
{
    struct rig *rig = net_rig();
    struct object *wire = machine_find(rig->machine, "switch0");
    const struct net_switch_state *table = wire->state;
    uint8_t frame[60] = {2, 0, 0, 0, 9, 9, 2, 0, 0, 0, 1, 0};

    (void)state;
    for (uint32_t i = 0; i < 3 * NET_ADDRESSES; i++) {
        frame[11] = (uint8_t)i;
        net_switch_send(wire, machine_find(rig->machine, "board.net2"), (struct span){frame, 60});
        rig_run(rig, LATENCY + 1);
    }
    assert_int_equal(table->next_address, 0);
    assert_int_equal(table->address[5] >> 40, 2 * NET_ADDRESSES + 5);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    if (i == 0)
        start_cards(rig);
    send(rig, i % 3, i % 4 == 3 ? 0xff : (uint8_t)(i % 4 + 1), 60 + i);
    rig_run(rig, LATENCY / 3); /* frames are in flight over the freeze */
}

static void run_on_after_thaw_is_the_same_with_frames_in_flight(void **state)
{
    (void)state;
    rig_check_thaw(net_rig, step, 20);
}

static void refused(const char *attribute, uint32_t index, uint64_t value)
{
    struct rig *rig = net_rig();
    struct object *object = machine_find(rig->machine, "switch0");

    attr_set(attr_find(&object->model->schema->state, span_of_text(attribute)), object->state,
             index, value);
    rig_freeze(rig);
    assert_false(rig_try_thaw(rig));
    rig_free(rig);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    refused("head", 0, NET_FLIGHT_MAX);
    refused("count", 0, NET_FLIGHT_MAX + 1);
    refused("count", 0, 1); /* of a frame without bytes */
    refused("size", 3, 60); /* of no frame */
    refused("from", 0, NET_PORTS);
    refused("address_port", 0, NET_PORTS);
    refused("address", 0, 1);
    refused("next_address", 0, NET_ADDRESSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_gives_address_and_link),
        cmocka_unit_test(unknown_address_floods_and_known_one_does_not),
        cmocka_unit_test(frame_takes_its_latency),
        cmocka_unit_test(frames_without_room_are_dropped_and_counted),
        cmocka_unit_test(frames_of_wrong_length_are_not_sent),
        cmocka_unit_test(more_senders_than_the_table_holds_are_served),
        cmocka_unit_test(run_on_after_thaw_is_the_same_with_frames_in_flight),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
