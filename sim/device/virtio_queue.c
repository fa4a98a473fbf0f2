#include "sim/device/virtio_queue.h"

#include "storage/base/bytes.h"

#define DESC_SIZE     16
#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define AVAIL_NO_INTERRUPT 1
#define AVAIL_RING         4 /* bytes before the elements: flags, index */
#define USED_RING          4
#define USED_SIZE          8

static bool load16(struct object *object, uint64_t address, uint16_t *value)
{
    uint8_t bytes[2];

    if (!bus_dma_read(object_bus(object), address, bytes, sizeof bytes)) {
        virtio_break(object);
        return false;
    }
    *value = load_le16(bytes);
    return true;
}

/* How many chains wait; 0 if the queue is not in use or the driver's index jumped. */
static uint16_t virtio_queue_count(struct object *object, uint32_t queue)
{
    const struct virtio_mmio *mmio = object->state;
    uint16_t index = 0;

    if (!virtio_running(object) || mmio->queue_ready[queue] == 0)
        return 0;
    if (!load16(object, mmio->queue_driver[queue] + 2, &index))
        return 0;
    uint16_t count = (uint16_t)(index - mmio->last_avail[queue]);
    if (count > mmio->queue_size[queue]) {
        virtio_break(object);
        return 0;
    }
    return count;
}

bool virtio_queue_waiting(struct object *object, uint32_t queue)
{
    return virtio_queue_count(object, queue) != 0;
}

/* Puts one descriptor into the chain; `next` becomes the index of the following one, or
 * UINT32_MAX. */
static bool chain_add(struct object *object, struct virtio_chain *chain, uint16_t index,
                      uint32_t *next)
{
    const struct virtio_mmio *mmio = object->state;
    uint32_t count = chain->read_count + chain->write_count;
    uint64_t address = mmio->queue_desc[chain->queue] + (uint64_t)DESC_SIZE * index;
    uint8_t bytes[DESC_SIZE];

    if (index >= mmio->queue_size[chain->queue] || count >= mmio->queue_size[chain->queue])
        return false;
    if (!bus_dma_read(object_bus(object), address, bytes, sizeof bytes))
        return false;
    struct virtio_part part = {load_le64(bytes), load_le32(bytes + 8)};
    uint16_t flags = load_le16(bytes + 12);
    if ((flags & DESC_INDIRECT) != 0)
        return false;
    if ((flags & DESC_WRITE) != 0) {
        chain->write_count++;
        chain->write_size += part.size;
    } else if (chain->write_count == 0) {
        chain->read_count++;
        chain->read_size += part.size;
    } else {
        return false; /* 2.7.4.2: what the device reads comes first */
    }
    chain->parts[count] = part;
    *next = (flags & DESC_NEXT) != 0 ? load_le16(bytes + 14) : UINT32_MAX;
    return true;
}

bool virtio_queue_take(struct object *object, uint32_t queue, struct virtio_chain *chain)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);
    uint32_t next = 0;

    if (!virtio_queue_waiting(object, queue))
        return false;
    uint32_t place = mmio->last_avail[queue] % mmio->queue_size[queue];
    chain->queue = queue;
    chain->read_count = 0;
    chain->write_count = 0;
    chain->read_size = 0;
    chain->write_size = 0;
    if (!load16(object, mmio->queue_driver[queue] + AVAIL_RING + 2 * (uint64_t)place, &chain->head))
        return false;
    for (next = chain->head; next != UINT32_MAX;)
        if (!chain_add(object, chain, (uint16_t)next, &next)) {
            virtio_break(object);
            return false;
        }
    mmio->last_avail[queue]++;
    return true;
}

void virtio_queue_give(struct object *object, const struct virtio_chain *chain, uint64_t written)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);
    uint32_t queue = chain->queue;
    uint64_t ring = mmio->queue_device[queue];
    uint64_t place = mmio->used_index[queue] % mmio->queue_size[queue];
    uint8_t bytes[USED_SIZE];
    uint16_t flags = 0;

    if (!virtio_running(object))
        return;
    store_le32(bytes, chain->head);
    store_le32(bytes + 4, written < UINT32_MAX ? (uint32_t)written : UINT32_MAX);
    bool ok = bus_dma_write(object_bus(object), ring + USED_RING + USED_SIZE * place, bytes,
                            sizeof bytes);
    mmio->used_index[queue]++;
    store_le16(bytes, mmio->used_index[queue]);
    if (!ok || !bus_dma_write(object_bus(object), ring + 2, bytes, 2)) {
        virtio_break(object);
        return;
    }
    if (load16(object, mmio->queue_driver[queue], &flags) && (flags & AVAIL_NO_INTERRUPT) == 0)
        virtio_interrupt(object, VIRTIO_INTERRUPT_USED);
}

/* The host's end of a copy: one of the two pointers is set. */
struct copy {
    uint8_t *out;
    const uint8_t *in;
    uint64_t size; /* bytes still to go */
};

static bool copy_piece(struct object *object, struct copy *copy, uint64_t address, uint64_t size)
{
    struct bus *bus = object_bus(object);

    if (copy->out != NULL ? !bus_dma_read(bus, address, copy->out, size)
                          : !bus_dma_write(bus, address, copy->in, size))
        return false;
    if (copy->out != NULL)
        copy->out += size;
    else
        copy->in += size;
    copy->size -= size;
    return true;
}

static bool copy_parts(struct object *object, const struct virtio_part *parts, uint32_t count,
                       uint64_t offset, struct copy *copy)
{
    for (uint32_t i = 0; i < count && copy->size != 0; i++) {
        if (offset >= parts[i].size) {
            offset -= parts[i].size;
            continue;
        }
        uint64_t size = parts[i].size - offset;
        if (size > copy->size)
            size = copy->size;
        if (!copy_piece(object, copy, parts[i].address + offset, size))
            break;
        offset = 0;
    }
    if (copy->size != 0)
        virtio_break(object);
    return copy->size == 0;
}

bool virtio_chain_read(struct object *object, const struct virtio_chain *chain, uint64_t offset,
                       void *out, uint64_t size)
{
    struct copy copy = {.out = out, .size = size};

    return copy_parts(object, chain->parts, chain->read_count, offset, &copy);
}

bool virtio_chain_write(struct object *object, const struct virtio_chain *chain, uint64_t offset,
                        struct span bytes)
{
    struct copy copy = {.in = bytes.data, .size = bytes.size};

    return copy_parts(object, chain->parts + chain->read_count, chain->write_count, offset, &copy);
}
