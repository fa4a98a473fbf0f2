/* pack_format.h — the sizes in pack.h's table. Private to pack.c and pack_writer.c. */
#ifndef THAW_STORAGE_PACK_FORMAT_H
#define THAW_STORAGE_PACK_FORMAT_H

#include <stdint.h>

#define PACK_HEADER_SIZE  16u
#define PACK_TRAILER_SIZE 64u
#define PACK_CHUNK_RECORD 40u
#define PACK_FRAME_RECORD 16u
#define PACK_NO_BASE      0xffffffffu

extern const uint8_t pack_sentinel[8];
extern const uint8_t pack_trailer_sentinel[8];

#endif
