/* bundle_format.h — the numbers in bundle.h's tables. Private to bundle_*.c. */
#ifndef THAW_STORAGE_BUNDLE_FORMAT_H
#define THAW_STORAGE_BUNDLE_FORMAT_H

#include "storage/base/manifest.h"
#include "storage/frame.h"

#define BUNDLE_HEADER_SIZE  16u
#define BUNDLE_RECORD_SIZE  8u
#define BUNDLE_CHUNK_RECORD (HASH_SIZE + 4u)
#define BUNDLE_BLOB_HEAD    12u
#define BUNDLE_LEVEL        3

enum bundle_record {
    BUNDLE_MANIFEST = 1,
    BUNDLE_BLOB = 2,
    BUNDLE_FRAME = 3,
    BUNDLE_END = 4,
};

/* The largest payload of a frame or a blob's piece; a manifest has its own maximum. */
#define BUNDLE_PAYLOAD_MAX (4u + FRAME_CHUNKS_MAX * BUNDLE_CHUNK_RECORD + 256u + FRAME_PACKED_MAX)

extern const uint8_t bundle_sentinel[8];

#endif
