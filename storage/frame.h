/* frame.h — a few neighbouring chunks as one zstd frame (RFC 8878): what packs and bundles are made
 * of.
 *
 * Neighbours compress better together than alone. In a delta frame every chunk has a base, and the
 * bases' bytes, in the same order, stand before the frame's own as its prefix. */
#ifndef THAW_STORAGE_FRAME_H
#define THAW_STORAGE_FRAME_H

#include "storage/base/hash.h"

#define FRAME_PLAIN_MAX  131072u /* bytes of all chunks of a frame; and of all their bases */
#define FRAME_PACKED_MAX (FRAME_PLAIN_MAX + 1024u)
#define FRAME_CHUNKS_MAX 64u
/* zstd's level unless asked otherwise: 1 takes 3 % more room, 3 a third more time. */
#define FRAME_LEVEL 2

struct frame_chunk {
    struct hash id;
    struct hash base; /* zero: none */
    uint32_t size;    /* bytes */
};

/* A frame being gathered, or one that was read: plain bytes and whose they are. About 260 KiB: on
 * the heap. */
struct frame {
    struct frame_chunk chunks[FRAME_CHUNKS_MAX];
    size_t count;
    size_t plain_size;
    size_t prefix_size;
    uint8_t plain[FRAME_PLAIN_MAX];
    uint8_t prefix[FRAME_PLAIN_MAX];
};

void frame_clear(struct frame *frame);
bool frame_has_room(const struct frame *frame, size_t size);
/* Copies the chunk to the frame's end; there must be room. `base` may be NULL. */
void frame_add(struct frame *frame, const struct hash *id, struct span bytes,
               const struct hash *base);
/* Adds a base's bytes to the prefix; there must be room. */
void frame_add_prefix(struct frame *frame, struct span bytes);

struct frame_coder;                             /* opaque; used by one thread at a time */
struct frame_coder *frame_coder_new(int level); /* 0: FRAME_LEVEL */
void frame_coder_free(struct frame_coder *coder);
/* `packed` has FRAME_PACKED_MAX bytes. Returns how many it took. */
size_t frame_encode(struct frame_coder *coder, const struct frame *frame, uint8_t *packed);
/* Decodes into frame->plain; plain_size, prefix and prefix_size are set already. ERR_CORRUPT unless
 * exactly plain_size bytes come out and match the frame's checksum. Hashes are not looked at. */
bool frame_decode(struct frame_coder *coder, struct span packed, struct frame *frame,
                  struct err *err);

#endif
