/* virtio_rng.h — entropy that is always the same: a seeded generator. Schema "virtio-rng/1".
 * Sources: VIRTIO 1.2, section 5.4; ChaCha20: RFC 8439, section 2.3.
 *
 * The bytes are the ChaCha20 key stream (nonce 0) under `key`, whole blocks of 64 bytes a
 * request, the rest of the last block dropped. The key comes from the machine's seed and
 * config.seed at reset. Input event "seed": 1 to 32 bytes, which become the key, padded with
 * zeros; the counter starts anew. */
#ifndef THAW_SIM_DEVICE_VIRTIO_RNG_H
#define THAW_SIM_DEVICE_VIRTIO_RNG_H

#include "sim/device/virtio_mmio.h"

#define RNG_KEY_WORDS   8
#define RNG_REQUEST_MAX 4096 /* bytes given to one request; the driver asks again for more */

struct virtio_rng_config {
    struct virtio_mmio_config mmio;
    uint64_t seed; /* mixed with the machine's */
};

struct virtio_rng_state {
    struct virtio_mmio mmio;
    uint64_t counter; /* of the next block */
    uint32_t key[RNG_KEY_WORDS];
};

extern const struct schema virtio_rng_schema; /* links: interrupts */
extern const struct model virtio_rng_model;   /* "virtio-rng" */

/* One block of the key stream; for tests. */
void rng_block(const uint32_t key[RNG_KEY_WORDS], uint64_t counter, uint8_t out[64]);

#endif
