#include "storage/frame.h"

#include "storage/base/check.h"

#include <string.h>
#include <zstd.h>

/* Reaches from the end of a frame back to the start of its prefix. */
#define WINDOW_LOG 18
_Static_assert((1u << WINDOW_LOG) >= 2 * FRAME_PLAIN_MAX, "the window covers prefix and frame");

void frame_clear(struct frame *frame)
{
    frame->count = 0;
    frame->plain_size = 0;
    frame->prefix_size = 0;
}

bool frame_has_room(const struct frame *frame, size_t size)
{
    return frame->count < FRAME_CHUNKS_MAX && size <= FRAME_PLAIN_MAX - frame->plain_size;
}

void frame_add(struct frame *frame, const struct hash *id, struct span bytes,
               const struct hash *base)
{
    struct frame_chunk *chunk = &frame->chunks[frame->count];

    CHECK(frame_has_room(frame, bytes.size) && bytes.size != 0);
    *chunk = (struct frame_chunk){.id = *id, .size = (uint32_t)bytes.size};
    if (base != NULL)
        chunk->base = *base;
    memcpy(frame->plain + frame->plain_size, bytes.data, bytes.size);
    frame->plain_size += bytes.size;
    frame->count++;
}

void frame_add_prefix(struct frame *frame, struct span bytes)
{
    CHECK(bytes.size <= FRAME_PLAIN_MAX - frame->prefix_size);
    memcpy(frame->prefix + frame->prefix_size, bytes.data, bytes.size);
    frame->prefix_size += bytes.size;
}

struct frame_coder {
    ZSTD_CCtx *compressor; /* made when first needed */
    ZSTD_DCtx *decompressor;
    int level;
};

struct frame_coder *frame_coder_new(int level)
{
    struct frame_coder *coder = mem_alloc(sizeof *coder);

    coder->level = level == 0 ? FRAME_LEVEL : level;
    return coder;
}

void frame_coder_free(struct frame_coder *coder)
{
    if (coder == NULL)
        return;
    ZSTD_freeCCtx(coder->compressor);
    ZSTD_freeDCtx(coder->decompressor);
    mem_free(coder);
}

static void set(ZSTD_CCtx *compressor, ZSTD_cParameter parameter, int value)
{
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(compressor, parameter, value)));
}

size_t frame_encode(struct frame_coder *coder, const struct frame *frame, uint8_t *packed)
{
    size_t size;

    if (coder->compressor == NULL) {
        coder->compressor = ZSTD_createCCtx();
        CHECK(coder->compressor != NULL);
        set(coder->compressor, ZSTD_c_compressionLevel, coder->level);
        set(coder->compressor, ZSTD_c_windowLog, WINDOW_LOG);
        set(coder->compressor, ZSTD_c_checksumFlag, 1);
    }
    if (frame->prefix_size != 0)
        CHECK(!ZSTD_isError(
            ZSTD_CCtx_refPrefix(coder->compressor, frame->prefix, frame->prefix_size)));
    size = ZSTD_compress2(coder->compressor, packed, FRAME_PACKED_MAX, frame->plain,
                          frame->plain_size);
    CHECK(!ZSTD_isError(size));
    return size;
}

bool frame_decode(struct frame_coder *coder, struct span packed, struct frame *frame,
                  struct err *err)
{
    size_t size;

    CHECK(frame->plain_size <= FRAME_PLAIN_MAX);
    if (ZSTD_getFrameContentSize(packed.data, packed.size) != frame->plain_size ||
        ZSTD_findFrameCompressedSize(packed.data, packed.size) != packed.size)
        return err_set(err, ERR_CORRUPT, "a compressed frame does not have the size it should");
    if (coder->decompressor == NULL) {
        coder->decompressor = ZSTD_createDCtx();
        CHECK(coder->decompressor != NULL);
    }
    /* Always set: a prefix that a failed call left behind must not serve the next frame. */
    CHECK(
        !ZSTD_isError(ZSTD_DCtx_refPrefix(coder->decompressor, frame->prefix, frame->prefix_size)));
    size = ZSTD_decompressDCtx(coder->decompressor, frame->plain, frame->plain_size, packed.data,
                               packed.size);
    if (ZSTD_isError(size))
        return err_set(err, ERR_CORRUPT, "a compressed frame cannot be decoded: %s",
                       ZSTD_getErrorName(size));
    if (size != frame->plain_size)
        return err_set(err, ERR_CORRUPT, "a compressed frame holds %zu bytes, not %zu", size,
                       frame->plain_size);
    return true;
}
