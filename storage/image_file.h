/* image_file.h — one file of the image cache: its layout, building it, mapping it. Private to
 * storage/. */
#ifndef THAW_STORAGE_IMAGE_FILE_H
#define THAW_STORAGE_IMAGE_FILE_H

#include "storage/base/image_tree.h"
#include "storage/base/stream.h"
#include "storage/store.h"

#define IMAGE_FILE_VERSION      1
#define IMAGE_FILE_TRAILER_SIZE 4096u

struct boot_id {
    uint8_t bytes[16]; /* zero: the host has none */
};
struct boot_id boot_id_of_host(void);
bool boot_id_is_none(const struct boot_id *id);

/* What a file holds and where. */
struct image_file_layout {
    struct image_shape shape;
    struct hash root;
    uint64_t nodes_offset;
    uint64_t trailer_offset;
    uint64_t file_size;
};
bool image_file_layout(const struct hash *root, uint64_t size, struct image_file_layout *out,
                       struct err *err);

/* Where an image is built: a file, or memory of the layout's trailer_offset bytes, zeroed. */
struct image_target {
    int fd; /* -1: memory */
    uint8_t *memory;
    const char *name; /* for messages */
};
/* Chunk by chunk from the store, every one checked. The trailer is not written. */
bool image_target_fill(const struct image_target *target, const struct image_file_layout *layout,
                       struct store *store, struct err *err);
/* From an image in memory and its flat tree. */
bool image_target_copy(const struct image_target *target, const struct image_file_layout *layout,
                       const uint8_t *data, const struct hash *nodes, struct err *err);
/* Makes the file whole: sizes it and writes the trailer, flushed if there is no boot id. */
bool image_file_finish(int fd, const struct image_file_layout *layout, const struct boot_id *boot,
                       const char *name, struct err *err);

/* Maps the file. ERR_CORRUPT if it is not whole, not what the layout says, or of another boot. */
bool image_file_map(int fd, const struct image_file_layout *layout, const struct boot_id *boot,
                    struct image_mapping *out, struct err *err);
/* Hashes everything. ERR_CORRUPT names the first place that does not match. */
bool image_file_check(int fd, const struct image_file_layout *layout, struct err *err);
/* An image in memory of its own. */
bool image_memory_map(const struct image_file_layout *layout, struct store *store,
                      struct image_mapping *out, struct err *err);

#endif
