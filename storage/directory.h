/* directory.h — a store in a local folder. Private to storage/: directory_*.c and store.c.
 *
 * | name             | what                                                                     |
 * |------------------|--------------------------------------------------------------------------|
 * | format           | "thaw store 1" LF: the folder is a store, and of which version           |
 * | packs/HASH.pack  | chunks (pack.h)                                                          |
 * | manifests/ID     | a checkpoint's manifest, plain: its SHA-256 is its name                  |
 * | tags/NAME        | a tag (tag.h), '/' in the name written as '+'                            |
 * | blobs/HA/HASH    | a blob (blob.h), plain; HA are the hash's first two digits               |
 * | tmp/             | files being written: what is there while no batch is open is left over   |
 * | incoming/        | parts that are coming in (exchange.h), locked while somebody writes them |
 * | damaged/         | packs and manifests that fsck moved out of the way                       |
 * | lock             | flock: shared by whoever writes, from the first look at what is there to |
 * |                  | the last rename; exclusive by gc and fsck's repair. Readers take none.   |
 * | cache/           | materialised images (image_cache.h), which may as well be elsewhere      |
 *
 * A manifest that is pinned has a shared flock on its own file.
 *
 * A reader may find a pack gone that gc rewrote: it then lists the packs again and finds the chunk
 * in another. */
#ifndef THAW_STORAGE_DIRECTORY_H
#define THAW_STORAGE_DIRECTORY_H

#include "storage/backend.h"
#include "storage/base/file.h"
#include "storage/hash_map.h"
#include "storage/pack.h"

#include <pthread.h>

#define DIRECTORY_CACHED_FRAMES 32
#define DIRECTORY_CODERS        4

/* What decodes a frame: one is in use by one thread at a time. */
struct directory_decoder {
    struct frame_coder *coder;
    struct frame frame;
    uint8_t packed[FRAME_PACKED_MAX];
};

struct cached_frame {
    const struct pack *pack; /* NULL: free */
    uint32_t frame;
    uint64_t used; /* the directory's tick when it was last asked for */
    size_t size;
    uint8_t *plain;
};

struct directory {
    char *root, *packs_folder, *manifests_folder, *tags_folder, *temp_folder, *damaged_folder;
    char *blobs_folder, *incoming_folder; /* made when first needed */
    char *lock_path;
    int level;
    pthread_mutex_t mutex;
    /* Guarded by the mutex: */
    bool listed; /* the packs were listed at least once */
    struct pack *
        *packs; /* never shrinks: a number in `chunks` stays right, a reader's pack stays there */
    bool *gone; /* beside packs: the file is no more */
    size_t pack_count;
    struct hash_map
        chunks; /* id -> number of its pack << 32 | number in the pack; full ones preferred */
    struct hash_map
        bad; /* hash of a damaged pack's name -> 1: not tried, nor complained of, again */
    char bad_text[ERR_TEXT_MAX];                          /* what was wrong with one of them */
    struct directory_decoder *decoders[DIRECTORY_CODERS]; /* idle ones */
    size_t decoder_count;
    struct cached_frame cached[DIRECTORY_CACHED_FRAMES];
    uint64_t tick;
};

bool directory_open(const char *path, const struct store_options *options, struct directory **out,
                    struct err *err);
void directory_close(struct directory *directory);
extern const struct store_ops directory_ops;
/* The directory behind a store: all stores are, today. */
struct directory *directory_of(struct store *store);

/* ---- packs (directory_chunks.c) ---- */

/* Lists the packs anew: what appeared is opened, what went is forgotten. Damaged ones are passed
 * over. */
bool directory_list_packs(struct directory *directory, struct err *err);
bool directory_get(struct directory *directory, const struct hash *id, struct buf *out,
                   struct err *err);
/* The entry of a chunk, without looking at the folder again if it was listed. */
bool directory_find(struct directory *directory, const struct hash *id, struct pack_chunk *out);
bool directory_look(struct directory *directory, const struct hash *id, struct chunk_facts *out);
/* What a chunk that resembles `hint` may be a delta of: `hint`, or its base if it is a delta
 * itself. False if the store has neither. */
bool directory_delta_base(struct directory *directory, const struct hash *hint,
                          struct pack_chunk *out);
/* Decodes a frame of a pack of ours, its bases fetched; hashes are not checked. */
bool directory_read_frame(struct directory *directory, const struct pack *pack, uint32_t frame,
                          struct directory_decoder *decoder, struct err *err);
struct directory_decoder *directory_take_decoder(struct directory *directory);
void directory_give_decoder(struct directory *directory, struct directory_decoder *decoder);
/* The pack that holds the preferred copy of a chunk, and its number there. */
bool directory_preferred(struct directory *directory, const struct hash *id,
                         const struct pack **pack, uint32_t *index);
/* Fetches the bases of a frame's chunks into its prefix. ERR_CORRUPT if one is itself a delta. */
bool directory_fill_prefix(struct directory *directory, struct frame *frame, struct err *err);

/* ---- manifests, pins and tags (directory_names.c) ---- */

bool directory_manifest_get(struct directory *directory, const struct hash *id, struct buf *out,
                            struct err *err);
bool directory_manifest_list(struct directory *directory, struct hash_list *out, struct err *err);
bool directory_manifest_remove(struct directory *directory, const struct hash *id, struct err *err);
/* Removes the file unless it is pinned (ERR_CONFLICT); the folder is not flushed. */
bool directory_manifest_unlink(struct directory *directory, const struct hash *id, struct err *err);
bool directory_manifest_is_pinned(struct directory *directory, const struct hash *id);
bool directory_pin(void *directory, const struct hash *id, struct store_pin **out, struct err *err);
char *directory_manifest_path(struct directory *directory, const struct hash *id);
bool directory_tag_write(struct directory *directory, const struct store_tag *tag, struct err *err);
bool directory_tag_set(void *directory, const struct store_tag *tag, struct err *err);
bool directory_tag_remove(void *directory, const char *name, struct err *err);
bool directory_tag_get(struct directory *directory, const char *name, struct store_tag *out,
                       struct err *err);
bool directory_tag_names(struct directory *directory, struct name_list *out, struct err *err);

/* ---- batches (directory_batch.c) ---- */

bool directory_batch_begin(void *directory, void **out, struct err *err);
bool directory_batch_put(void *batch, const struct hash *id, struct span bytes,
                         const struct hash *base, struct err *err);
bool directory_batch_commit(void *batch, const struct store_commit *commit, struct hash *checkpoint,
                            struct err *err);
void directory_batch_abort(void *batch);

/* ---- the whole (directory_gc.c, directory_fsck.c) ---- */

bool directory_gc(void *directory, bool dry_run, struct gc_report *out, struct err *err);
bool directory_fsck(void *directory, const struct fsck_options *options, struct fsck_report *out,
                    struct err *err);
bool directory_statistics(void *directory, struct store_statistics *out, struct err *err);

#endif
