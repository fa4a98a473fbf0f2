#include "sim/device/virtio_console.h"

#include "sim/device/virtio_queue.h"

#include <string.h>

enum console_queue { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUE_COUNT };

static uint64_t console_features(const struct object *object)
{
    (void)object;
    return VIRTIO_F_VERSION_1;
}

/* Bounded, as a hostile driver's used ring may lie over its available ring and fill it for ever. */
static void console_receive(struct object *object)
{
    struct virtio_console_state *state = object->state;
    struct virtio_chain chain;

    for (uint32_t i = 0; i < VIRTIO_QUEUE_SIZE && state->backlog_count != 0; i++) {
        if (!virtio_queue_take(object, QUEUE_RECEIVE, &chain))
            return;
        struct span bytes = {state->backlog, state->backlog_count};
        if (chain.write_size < bytes.size)
            bytes.size = (size_t)chain.write_size;
        if (!virtio_chain_write(object, &chain, 0, bytes))
            return;
        state->backlog_count -= (uint32_t)bytes.size;
        memmove(state->backlog, state->backlog + bytes.size, state->backlog_count);
        memset(state->backlog + state->backlog_count, 0, bytes.size);
        virtio_queue_give(object, &chain, bytes.size);
    }
}

static bool console_send(struct object *object, const struct virtio_chain *chain)
{
    uint64_t size = chain->read_size < CONSOLE_SEND_MAX ? chain->read_size : CONSOLE_SEND_MAX;
    uint8_t bytes[512];

    for (uint64_t done = 0; done < size;) {
        uint64_t piece = size - done < sizeof bytes ? size - done : sizeof bytes;
        if (!virtio_chain_read(object, chain, done, bytes, piece))
            return false;
        device_console(object, bytes, (size_t)piece);
        done += piece;
    }
    return true;
}

static void console_notify(struct object *object, uint32_t queue)
{
    struct virtio_chain chain;

    if (queue == QUEUE_RECEIVE) {
        console_receive(object);
        return;
    }
    for (uint32_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        if (!virtio_queue_take(object, QUEUE_TRANSMIT, &chain) || !console_send(object, &chain))
            return;
        virtio_queue_give(object, &chain, 0);
    }
}

static bool console_input(struct object *object, const char *kind, struct span bytes, size_t *taken,
                          struct err *err)
{
    struct virtio_console_state *state = object->state;

    if (strcmp(kind, "console") != 0)
        return err_set(err, ERR_USAGE, "%s takes no input of kind %s, only console", object->path,
                       kind);
    *taken = queue_put(state->backlog, CONSOLE_BACKLOG_MAX, &state->backlog_count, bytes);
    console_receive(object);
    return true;
}

static const struct virtio_ops console_ops = {
    .device_id = 3,
    .queue_count = QUEUE_COUNT,
    .features = console_features,
    .notify = console_notify,
};

static bool console_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    return virtio_mmio_read(object, &console_ops, offset, size, value);
}

static bool console_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    return virtio_mmio_write(object, &console_ops, offset, size, value);
}

static bool console_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct virtio_console_state *console = state;

    return queue_check("backlog", console->backlog, CONSOLE_BACKLOG_MAX, console->backlog_count,
                       err) &&
           virtio_mmio_check_state(object, &console_ops, &console->mmio, err);
}

static const struct attr console_config_attrs[] = {
    VIRTIO_MMIO_CONFIG_ATTRS(struct virtio_console_config),
};

static const struct attr console_state_attrs[] = {
    VIRTIO_MMIO_ATTRS(struct virtio_console_state),
    ATTR(struct virtio_console_state, backlog_count, 0, "bytes in backlog"),
    ATTR(struct virtio_console_state, unused, 0, "fills the struct"),
    ATTR_BLOB(struct virtio_console_state, backlog, "bytes for the guest, oldest first"),
};

static const struct link_slot console_links[] = {VIRTIO_MMIO_LINK};

const struct schema virtio_console_schema = {
    .name = "virtio-console",
    .version = 1,
    .state = ATTR_TABLE(struct virtio_console_state, console_state_attrs),
    .config = ATTR_TABLE(struct virtio_console_config, console_config_attrs),
    .links = console_links,
    .link_count = 1,
    .meaning = "virtio console",
};

static const struct mmio_ops console_mmio = {console_read, console_write};

const struct model virtio_console_model = {
    .name = "virtio-console",
    .schema = &virtio_console_schema,
    .open = virtio_mmio_open,
    .check_config = virtio_mmio_check_config,
    .check_state = console_check_state,
    .input = console_input,
    .mmio = &console_mmio,
};
