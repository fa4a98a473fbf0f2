/* Any bytes as a pack whose last hash and name are right: refused, or every frame and chunk can be
 * asked for. */
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/pack.h"
#include "storage/store.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes from the index offset to the last hash; the offset is in the trailer, 8 bytes before the
 * hash. */
static struct hash index_hash(const uint8_t *data, size_t size)
{
    uint64_t offset = size >= 8 ? load_le64(data + size - 8) : 0;

    if (offset > size)
        offset = size;
    return hash_of((struct span){data + offset, size - (size_t)offset});
}

static void read_everything(const struct pack *pack)
{
    static struct frame frame;
    static uint8_t packed[FRAME_PACKED_MAX];
    struct frame_coder *coder = frame_coder_new(0);

    for (uint32_t i = 0; i < pack_chunk_count(pack); i++) {
        struct pack_chunk chunk;
        pack_chunk_at(pack, i, &chunk);
        CHECK(chunk.size != 0 && chunk.size <= STORE_CHUNK_MAX);
        CHECK(chunk.offset + chunk.size <= pack_frame_plain(pack, chunk.frame));
    }
    for (uint32_t i = 0; i < pack_frame_count(pack); i++) {
        struct err err = ERR_INIT;
        size_t size;
        if (!pack_read(pack, i, packed, &size, &frame, &err) ||
            !frame_decode(coder, (struct span){packed, size}, &frame, &err))
            CHECK(err.kind != ERR_NONE);
        CHECK(frame.plain_size <= FRAME_PLAIN_MAX && frame.count <= FRAME_CHUNKS_MAX);
    }
    frame_coder_free(coder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "/dev/shm/fuzz-pack-XXXXXX";
    struct hash hash = index_hash(data, size);
    struct buf bytes = BUF_INIT(16u << 20);
    char name[PACK_NAME_SIZE];
    struct err err = ERR_INIT;
    struct pack *pack;
    char *path;
    FILE *file;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(name, sizeof name, "%s" PACK_SUFFIX, hash_hex(&hash).text);
    path = path_join(folder, name);
    CHECK(buf_append(&bytes, data, size, &err) && buf_append(&bytes, hash.bytes, HASH_SIZE, &err));
    file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    CHECK(fclose(file) == 0);
    if (pack_open(folder, name, &pack, &err)) {
        read_everything(pack);
        pack_close(pack);
    } else {
        CHECK(err.kind != ERR_NONE);
    }
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    mem_free(path);
    buf_release(&bytes);
    return 0;
}
