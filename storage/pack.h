/* pack.h — many chunks in one file, with an index. Written once, never changed.
 *
 * | offset       | size        | what                                                            |
 * |--------------|-------------|-----------------------------------------------------------------|
 * | 0            | 8           | sentinel: 0x89 "TPK" CR LF 0x1a LF                              |
 * | 8            | 4           | version, PACK_VERSION                                           |
 * | 12           | 4           | zero                                                            |
 * | 16           | ...         | zstd frames, one after the other (frame.h)                      |
 * | index offset | 40 x chunks | index: hash (32), bytes (4), number of its base or 0xffffffff   |
 * | then         | 16 x frames | offset in the file (8), compressed bytes (4), first chunk (4)   |
 * | then         | 32 x bases  | hashes of chunks, here or in other packs                        |
 * | end - 64     | 8           | "thawpidx"                                                      |
 * | end - 56     | 4, 4, 4, 4  | version, count of chunks, of frames, of bases                   |
 * | end - 40     | 8           | index offset                                                    |
 * | end - 32     | 32          | SHA-256 of everything from the index offset to here             |
 *
 * All numbers are little-endian. A pack's file name is that last hash in hex and ".pack". Index and
 * file are one file, so that there is one thing to flush and nothing to disagree. Chunks stand in
 * the index in the order of the file (frames, and chunks in frames, back to back), not by hash: a
 * reader with a thousand packs needs one table over all of them anyway (directory.h), and offsets
 * need no room.
 *
 * Every chunk of a delta frame has a base, no chunk of any other frame has one. A base is not
 * itself a delta. */
#ifndef THAW_STORAGE_PACK_H
#define THAW_STORAGE_PACK_H

#include "storage/frame.h"
#include "storage/temp_file.h"

#define PACK_VERSION    1
#define PACK_CHUNKS_MAX (1u << 24)
#define PACK_SUFFIX     ".pack"
#define PACK_NAME_SIZE  (HASH_HEX_SIZE + 5)

struct pack; /* opaque; safe to share between threads: it never changes */

/* Opens and checks the index. `name` is the file's name in `folder`. ERR_CORRUPT, ERR_UNSUPPORTED,
 * ERR_NOT_FOUND. */
bool pack_open(const char *folder, const char *name, struct pack **out, struct err *err);
void pack_close(struct pack *pack);
const char *pack_name(const struct pack *pack);
const char *pack_path(const struct pack *pack);
uint64_t pack_bytes(const struct pack *pack); /* of the file */
uint32_t pack_chunk_count(const struct pack *pack);
uint32_t pack_frame_count(const struct pack *pack);

struct pack_chunk {
    struct hash id;
    struct hash base; /* zero: none */
    uint32_t size;
    uint32_t frame;
    uint32_t offset; /* in the frame's plain bytes */
};
void pack_chunk_at(const struct pack *pack, uint32_t index, struct pack_chunk *out);
/* The two hashes alone: cheaper. */
void pack_chunk_ids(const struct pack *pack, uint32_t index, struct hash *id, struct hash *base);

struct pack_frame {
    uint64_t offset;      /* in the file */
    uint32_t packed_size; /* bytes */
    uint32_t first;       /* its first chunk */
    uint32_t count;       /* of its chunks */
};
void pack_frame_at(const struct pack *pack, uint32_t index, struct pack_frame *out);
uint32_t pack_frame_plain(const struct pack *pack, uint32_t index); /* bytes of its chunks */
/* Reads the frame's compressed bytes (`packed` has FRAME_PACKED_MAX), and fills out->chunks and
 * out->plain_size. out's prefix is left to the caller. Opens the file anew: a pack holds no
 * descriptor. */
bool pack_read(const struct pack *pack, uint32_t frame, uint8_t *packed, size_t *packed_size,
               struct frame *out, struct err *err);

struct pack_writer; /* opaque; used by one thread at a time */
bool pack_writer_new(const char *temp_folder, struct pack_writer **out, struct err *err);
/* Appends a frame: `packed` is what frame_encode made of it. */
bool pack_writer_add(struct pack_writer *writer, const struct frame *frame, struct span packed,
                     struct err *err);
uint32_t pack_writer_chunk_count(const struct pack_writer *writer);
/* Writes the index and moves the pack, durable, into `folder`. */
bool pack_writer_keep(struct pack_writer *writer, const char *folder, struct err *err);
/* The file's name once it was kept; "" before. */
const char *pack_writer_name(const struct pack_writer *writer);
/* Frees the writer, and removes the file unless it was kept. NULL is fine. */
void pack_writer_free(struct pack_writer *writer);

#endif
