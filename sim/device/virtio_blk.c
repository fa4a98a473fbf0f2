#include "sim/device/virtio_blk.h"

#include "sim/device/virtio_queue.h"
#include "storage/base/bytes.h"

#include <string.h>

#define F_SEG_MAX      (UINT64_C(1) << 2)
#define F_RO           (UINT64_C(1) << 5)
#define F_BLK_SIZE     (UINT64_C(1) << 6)
#define F_FLUSH        (UINT64_C(1) << 9)
#define F_DISCARD      (UINT64_C(1) << 13)
#define F_WRITE_ZEROES (UINT64_C(1) << 14)

enum blk_type {
    BLK_IN = 0,
    BLK_OUT = 1,
    BLK_FLUSH = 4,
    BLK_GET_ID = 8,
    BLK_DISCARD = 11,
    BLK_WRITE_ZEROES = 13,
};

enum blk_status { BLK_OK = 0, BLK_IOERR = 1, BLK_UNSUPP = 2 };

#define HEADER_SIZE   16
#define SEGMENT_SIZE  16 /* of discard and write zeroes */
#define SEGMENTS_MAX  16
#define ZERO_SECTORS  (UINT32_C(1) << 22) /* 2 GiB at a time */
#define CONFIG_SIZE   60
#define AT_ONCE       32 /* requests served before others get their turn again */
#define BLK_SEG_COUNT (VIRTIO_QUEUE_SIZE - 2)

static uint64_t blk_features(const struct object *object)
{
    const struct virtio_blk_config *config = object->config;

    return VIRTIO_F_VERSION_1 | F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_DISCARD | F_WRITE_ZEROES |
           (config->read_only != 0 ? F_RO : 0);
}

static uint32_t blk_config(const struct object *object, uint8_t out[VIRTIO_CONFIG_MAX])
{
    const struct virtio_blk_state *state = object->state;

    store_le64(out, state->capacity);
    store_le32(out + 12, BLK_SEG_COUNT);
    store_le32(out + 20, BLK_SECTOR);
    store_le16(out + 34, 1); /* num_queues */
    store_le32(out + 36, ZERO_SECTORS);
    store_le32(out + 40, SEGMENTS_MAX);
    store_le32(out + 44, 1); /* discard alignment, sectors */
    store_le32(out + 48, ZERO_SECTORS);
    store_le32(out + 52, SEGMENTS_MAX);
    out[56] = 1; /* write_zeroes_may_unmap */
    return CONFIG_SIZE;
}

/* Makes bytes zero without touching pages that are zero already. */
static void blk_zero(struct image *image, uint64_t offset, uint64_t size)
{
    while (size != 0) {
        uint64_t piece = IMAGE_PAGE_SIZE - offset % IMAGE_PAGE_SIZE;
        if (piece > size)
            piece = size;
        if (!bytes_are_zero(image->data + offset, (size_t)piece)) {
            memset(image->data + offset, 0, (size_t)piece);
            image_touch(image, offset, piece);
        }
        offset += piece;
        size -= piece;
    }
}

static bool blk_in_range(const struct object *object, uint64_t sector, uint64_t size)
{
    const struct virtio_blk_state *state = object->state;

    return size % BLK_SECTOR == 0 && sector <= state->capacity &&
           size / BLK_SECTOR <= state->capacity - sector;
}

/* One request, as far as its status byte. */
struct blk_request {
    struct virtio_chain *chain;
    uint32_t type;
    uint64_t sector;
    uint64_t written; /* bytes put into the chain */
};

static enum blk_status blk_read_sectors(struct object *object, struct blk_request *request)
{
    uint64_t size = request->chain->write_size - 1;
    const uint8_t *data = object->images[BLK_IMAGE_DISK]->data;

    if (size > BLK_REQUEST_MAX || !blk_in_range(object, request->sector, size))
        return BLK_IOERR;
    struct span bytes = {data + request->sector * BLK_SECTOR, (size_t)size};
    if (!virtio_chain_write(object, request->chain, 0, bytes))
        return BLK_IOERR;
    request->written = size;
    return BLK_OK;
}

static enum blk_status blk_write_sectors(struct object *object, struct blk_request *request)
{
    const struct virtio_blk_config *config = object->config;
    struct image *image = object->images[BLK_IMAGE_DISK];
    uint64_t size = request->chain->read_size - HEADER_SIZE;
    uint64_t offset = request->sector * BLK_SECTOR;

    if (config->read_only != 0 || size > BLK_REQUEST_MAX ||
        !blk_in_range(object, request->sector, size))
        return BLK_IOERR;
    image_touch(image, offset, size);
    if (!virtio_chain_read(object, request->chain, HEADER_SIZE, image->data + offset, size))
        return BLK_IOERR;
    return BLK_OK;
}

static enum blk_status blk_get_id(struct object *object, struct blk_request *request)
{
    const struct virtio_blk_config *config = object->config;
    uint64_t size = request->chain->write_size - 1;
    struct span bytes = {(const uint8_t *)config->serial, BLK_SERIAL_SIZE};

    if (size < bytes.size)
        bytes.size = (size_t)size;
    if (!virtio_chain_write(object, request->chain, 0, bytes))
        return BLK_IOERR;
    request->written = bytes.size;
    return BLK_OK;
}

static enum blk_status blk_zero_sectors(struct object *object, struct blk_request *request)
{
    const struct virtio_blk_config *config = object->config;
    uint64_t size = request->chain->read_size - HEADER_SIZE;
    uint8_t bytes[SEGMENTS_MAX * SEGMENT_SIZE];

    if (config->read_only != 0 || size == 0 || size > sizeof bytes || size % SEGMENT_SIZE != 0)
        return BLK_IOERR;
    if (!virtio_chain_read(object, request->chain, HEADER_SIZE, bytes, size))
        return BLK_IOERR;
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint64_t at = 0; at < size; at += SEGMENT_SIZE) {
            uint64_t sector = load_le64(bytes + at);
            uint64_t length = (uint64_t)load_le32(bytes + at + 8) * BLK_SECTOR;
            uint32_t flags = load_le32(bytes + at + 12);
            /* All segments are checked before the first one changes anything. */
            if (length > (uint64_t)ZERO_SECTORS * BLK_SECTOR ||
                !blk_in_range(object, sector, length))
                return BLK_IOERR;
            if (flags > 1 || (request->type == BLK_DISCARD && flags != 0))
                return BLK_UNSUPP;
            if (pass == 1)
                blk_zero(object->images[BLK_IMAGE_DISK], sector * BLK_SECTOR, length);
        }
    return BLK_OK;
}

static enum blk_status blk_execute(struct object *object, struct blk_request *request)
{
    switch (request->type) {
    case BLK_IN:
        return blk_read_sectors(object, request);
    case BLK_OUT:
        return blk_write_sectors(object, request);
    case BLK_FLUSH:
        return BLK_OK;
    case BLK_GET_ID:
        return blk_get_id(object, request);
    case BLK_DISCARD:
    case BLK_WRITE_ZEROES:
        return blk_zero_sectors(object, request);
    default:
        return BLK_UNSUPP;
    }
}

/* Serves the next chain. False if there is none, or the device is broken. */
static bool blk_serve(struct object *object)
{
    struct virtio_chain chain;
    struct blk_request request = {.chain = &chain};
    uint8_t header[HEADER_SIZE];

    if (!virtio_queue_take(object, 0, &chain))
        return false;
    if (chain.read_size < HEADER_SIZE || chain.write_size < 1) {
        virtio_break(object);
        return false;
    }
    if (!virtio_chain_read(object, &chain, 0, header, HEADER_SIZE))
        return false;
    request.type = load_le32(header);
    request.sector = load_le64(header + 8);
    uint8_t status = (uint8_t)blk_execute(object, &request);
    struct span byte = {&status, 1};
    if (!virtio_chain_write(object, &chain, chain.write_size - 1, byte))
        return false;
    virtio_queue_give(object, &chain, request.written + 1);
    return true;
}

static void blk_set_due(struct object *object, uint64_t due)
{
    struct virtio_blk_state *state = object->state;

    state->due = due;
    machine_deadline_changed(object->machine);
}

static uint64_t blk_due_after(const struct object *object, uint64_t now)
{
    const struct virtio_blk_config *config = object->config;
    uint64_t latency =
        hz_cycle_of(config->latency_ns, NS_HZ, machine_config(object->machine)->clock_hz);

    return latency < CYCLE_NEVER - 1 - now ? now + latency : CYCLE_NEVER - 1;
}

static void blk_notify(struct object *object, uint32_t queue)
{
    const struct virtio_blk_state *state = object->state;

    if (state->due == CYCLE_NEVER && virtio_queue_waiting(object, queue))
        blk_set_due(object, blk_due_after(object, machine_now(object->machine)));
}

static void blk_fire(struct object *object, uint64_t now)
{
    uint32_t served = 0;

    while (served < AT_ONCE && blk_serve(object))
        served++;
    bool more = served == AT_ONCE && virtio_queue_waiting(object, 0);
    blk_set_due(object, more ? blk_due_after(object, now) : CYCLE_NEVER);
}

static uint64_t blk_deadline(const struct object *object)
{
    const struct virtio_blk_state *state = object->state;

    return state->due;
}

static void blk_driver_reset(struct object *object)
{
    blk_set_due(object, CYCLE_NEVER);
}

static void blk_reset(struct object *object)
{
    const struct virtio_blk_config *config = object->config;
    struct virtio_blk_state *state = object->state;

    state->capacity = config->capacity / BLK_SECTOR;
}

static bool blk_take_media(struct object *object, struct span bytes, struct err *err)
{
    struct virtio_blk_state *state = object->state;
    struct image *image = object->images[BLK_IMAGE_DISK];
    uint64_t size = (bytes.size + (uint64_t)BLK_SECTOR - 1) / BLK_SECTOR * BLK_SECTOR;

    if (size > image->size)
        return err_set(err, ERR_TOO_BIG, "%s: %zu bytes do not fit its disk of %llu", object->path,
                       bytes.size, (unsigned long long)image->size);
    for (uint64_t at = 0; at < bytes.size; at += IMAGE_PAGE_SIZE) {
        size_t piece =
            bytes.size - at < IMAGE_PAGE_SIZE ? (size_t)(bytes.size - at) : (size_t)IMAGE_PAGE_SIZE;
        if (memcmp(image->data + at, bytes.data + at, piece) == 0)
            continue;
        memcpy(image->data + at, bytes.data + at, piece);
        image_touch(image, at, piece);
    }
    blk_zero(image, bytes.size, size - bytes.size);
    state->capacity = size / BLK_SECTOR;
    return true;
}

static bool blk_take_size(struct object *object, struct span bytes, struct err *err)
{
    struct virtio_blk_state *state = object->state;
    struct image *image = object->images[BLK_IMAGE_DISK];

    if (bytes.size != 8 || load_le64(bytes.data) % BLK_SECTOR != 0)
        return err_set(err, ERR_USAGE, "%s: a size is 8 bytes, a multiple of %d", object->path,
                       BLK_SECTOR);
    if (load_le64(bytes.data) > image->size)
        return err_set(err, ERR_TOO_BIG, "%s: its disk has %llu bytes at most", object->path,
                       (unsigned long long)image->size);
    state->capacity = load_le64(bytes.data) / BLK_SECTOR;
    blk_zero(image, 0, load_le64(bytes.data));
    return true;
}

static bool blk_input(struct object *object, const char *kind, struct span bytes, size_t *taken,
                      struct err *err)
{
    bool ok = false;

    if (strcmp(kind, "media") == 0)
        ok = blk_take_media(object, bytes, err);
    else if (strcmp(kind, "resize") == 0)
        ok = blk_take_size(object, bytes, err);
    else
        err_set(err, ERR_USAGE, "%s takes no input of kind %s, only media and resize", object->path,
                kind);
    if (!ok)
        return false;
    *taken = bytes.size;
    virtio_config_changed(object);
    return true;
}

static const struct virtio_ops blk_ops = {
    .device_id = 2,
    .queue_count = 1,
    .features = blk_features,
    .config = blk_config,
    .notify = blk_notify,
    .reset = blk_driver_reset,
};

static bool blk_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    return virtio_mmio_read(object, &blk_ops, offset, size, value);
}

static bool blk_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    return virtio_mmio_write(object, &blk_ops, offset, size, value);
}

static bool blk_check_config(const void *config, struct err *err)
{
    const struct virtio_blk_config *blk = config;
    struct image_shape shape;

    if (!image_shape(blk->image_size, &shape, err))
        return err_wrap(err, "image_size");
    /* Requests must take time, or a driver whose rings overlap its data could be served forever. */
    if (blk->latency_ns == 0)
        return device_impossible(err, "latency_ns", 0);
    if (blk->capacity > blk->image_size || blk->capacity % BLK_SECTOR != 0)
        return device_impossible(err, "capacity", blk->capacity);
    return virtio_mmio_check_config(config, err);
}

static bool blk_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct virtio_blk_config *config = object->config;
    const struct virtio_blk_state *blk = state;

    if (blk->capacity > config->image_size / BLK_SECTOR)
        return device_impossible(err, "capacity", blk->capacity);
    return virtio_mmio_check_state(object, &blk_ops, &blk->mmio, err);
}

static bool blk_open(struct object *object, struct err *err)
{
    const struct virtio_blk_config *config = object->config;

    return hz_check(NS_HZ, machine_config(object->machine)->clock_hz, err) &&
           device_image(object, BLK_IMAGE_DISK, config->image_size, err) &&
           virtio_mmio_open(object, err);
}

static const struct attr blk_config_attrs[] = {
    VIRTIO_MMIO_CONFIG_ATTRS(struct virtio_blk_config),
    ATTR(struct virtio_blk_config, image_size, 0, "bytes of the image: the largest disk"),
    ATTR(struct virtio_blk_config, capacity, 0, "bytes that the guest sees after reset"),
    ATTR(struct virtio_blk_config, latency_ns, BLK_LATENCY_NS, "virtual time of a request"),
    ATTR_STRING(struct virtio_blk_config, serial, "what GET_ID answers"),
    ATTR_FLAG(struct virtio_blk_config, read_only, 0, "1: the guest cannot write"),
    ATTR_ARRAY(struct virtio_blk_config, unused, 0, "fills the struct"),
};

static const struct attr blk_state_attrs[] = {
    VIRTIO_MMIO_ATTRS(struct virtio_blk_state),
    ATTR(struct virtio_blk_state, capacity, 0, "sectors of 512 bytes"),
    ATTR(struct virtio_blk_state, due, CYCLE_NEVER, "cycle at which waiting requests are served"),
};

static const struct link_slot blk_links[] = {VIRTIO_MMIO_LINK};
static const struct image_slot blk_images[] = {{"disk", "the contents"}};

const struct schema virtio_blk_schema = {
    .name = "virtio-blk",
    .version = 1,
    .state = ATTR_TABLE(struct virtio_blk_state, blk_state_attrs),
    .config = ATTR_TABLE(struct virtio_blk_config, blk_config_attrs),
    .links = blk_links,
    .link_count = 1,
    .images = blk_images,
    .image_count = 1,
    .meaning = "virtio disk",
};

static const struct mmio_ops blk_mmio = {blk_read, blk_write};

const struct model virtio_blk_model = {
    .name = "virtio-blk",
    .schema = &virtio_blk_schema,
    .open = blk_open,
    .check_config = blk_check_config,
    .check_state = blk_check_state,
    .reset = blk_reset,
    .deadline = blk_deadline,
    .fire = blk_fire,
    .input = blk_input,
    .mmio = &blk_mmio,
};
