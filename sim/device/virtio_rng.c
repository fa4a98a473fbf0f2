#include "sim/device/virtio_rng.h"

#include "sim/device/virtio_queue.h"
#include "storage/base/bytes.h"

#include <string.h>

#define BLOCK_SIZE 64

static uint32_t rotate(uint32_t value, uint32_t count)
{
    return value << count | value >> (32 - count);
}

static void quarter_round(uint32_t x[16], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    x[a] += x[b];
    x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotate(x[b] ^ x[c], 7);
}

/* The counter takes two words, the nonce the last two, zero: as in the cipher's first
 * publication; the same as RFC 8439 while the counter is below 2^32. */
void rng_block(const uint32_t key[RNG_KEY_WORDS], uint64_t counter, uint8_t out[64])
{
    uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t x[16];

    memcpy(input + 4, key, RNG_KEY_WORDS * sizeof *key);
    input[12] = (uint32_t)counter;
    input[13] = (uint32_t)(counter >> 32);
    memcpy(x, input, sizeof x);
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < 4; i++)
            quarter_round(x, i, i + 4, i + 8, i + 12);
        for (uint32_t i = 0; i < 4; i++)
            quarter_round(x, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12);
    }
    for (uint32_t i = 0; i < 16; i++)
        store_le32(out + 4 * i, x[i] + input[i]);
}

static uint64_t rng_features(const struct object *object)
{
    (void)object;
    return VIRTIO_F_VERSION_1;
}

/* Fills the chain; returns the bytes written. */
static uint64_t rng_fill(struct object *object, const struct virtio_chain *chain)
{
    struct virtio_rng_state *state = object->state;
    uint64_t size = chain->write_size < RNG_REQUEST_MAX ? chain->write_size : RNG_REQUEST_MAX;
    uint8_t block[BLOCK_SIZE];

    for (uint64_t done = 0; done < size;) {
        struct span bytes = {block, sizeof block};
        if (size - done < bytes.size)
            bytes.size = (size_t)(size - done);
        rng_block(state->key, state->counter++, block);
        if (!virtio_chain_write(object, chain, done, bytes))
            return done;
        done += bytes.size;
    }
    return size;
}

static void rng_notify(struct object *object, uint32_t queue)
{
    struct virtio_chain chain;

    for (uint32_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        if (!virtio_queue_take(object, queue, &chain))
            return;
        virtio_queue_give(object, &chain, rng_fill(object, &chain));
    }
}

/* Sebastiano Vigna's SplitMix64 step: spreads a seed over the key. */
static uint64_t split_mix(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void rng_reset(struct object *object)
{
    const struct virtio_rng_config *config = object->config;
    struct virtio_rng_state *state = object->state;
    uint64_t seed = machine_config(object->machine)->seed;

    seed = split_mix(&seed) ^ config->seed;
    for (uint32_t i = 0; i < RNG_KEY_WORDS; i += 2) {
        uint64_t word = split_mix(&seed);
        state->key[i] = (uint32_t)word;
        state->key[i + 1] = (uint32_t)(word >> 32);
    }
}

static bool rng_input(struct object *object, const char *kind, struct span bytes, size_t *taken,
                      struct err *err)
{
    struct virtio_rng_state *state = object->state;
    uint8_t key[4 * RNG_KEY_WORDS] = {0};

    if (strcmp(kind, "seed") != 0)
        return err_set(err, ERR_USAGE, "%s takes no input of kind %s, only seed", object->path,
                       kind);
    if (bytes.size == 0 || bytes.size > sizeof key)
        return err_set(err, ERR_USAGE, "%s: a seed has 1 to %zu bytes, not %zu", object->path,
                       sizeof key, bytes.size);
    memcpy(key, bytes.data, bytes.size);
    for (uint32_t i = 0; i < RNG_KEY_WORDS; i++)
        state->key[i] = load_le32(key + 4 * i);
    state->counter = 0;
    *taken = bytes.size;
    return true;
}

static const struct virtio_ops rng_ops = {
    .device_id = 4,
    .queue_count = 1,
    .features = rng_features,
    .notify = rng_notify,
};

static bool rng_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    return virtio_mmio_read(object, &rng_ops, offset, size, value);
}

static bool rng_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    return virtio_mmio_write(object, &rng_ops, offset, size, value);
}

static bool rng_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct virtio_rng_state *rng = state;

    return virtio_mmio_check_state(object, &rng_ops, &rng->mmio, err);
}

static const struct attr rng_config_attrs[] = {
    VIRTIO_MMIO_CONFIG_ATTRS(struct virtio_rng_config),
    ATTR(struct virtio_rng_config, seed, 0, "mixed with the machine's seed"),
};

static const struct attr rng_state_attrs[] = {
    VIRTIO_MMIO_ATTRS(struct virtio_rng_state),
    ATTR(struct virtio_rng_state, counter, 0, "next block of the key stream"),
    ATTR_ARRAY(struct virtio_rng_state, key, 0, "key of the generator"),
};

static const struct link_slot rng_links[] = {VIRTIO_MMIO_LINK};

const struct schema virtio_rng_schema = {
    .name = "virtio-rng",
    .version = 1,
    .state = ATTR_TABLE(struct virtio_rng_state, rng_state_attrs),
    .config = ATTR_TABLE(struct virtio_rng_config, rng_config_attrs),
    .links = rng_links,
    .link_count = 1,
    .meaning = "virtio entropy source, seeded",
};

static const struct mmio_ops rng_mmio = {rng_read, rng_write};

const struct model virtio_rng_model = {
    .name = "virtio-rng",
    .schema = &virtio_rng_schema,
    .open = virtio_mmio_open,
    .check_config = virtio_mmio_check_config,
    .check_state = rng_check_state,
    .reset = rng_reset,
    .input = rng_input,
    .mmio = &rng_mmio,
};
