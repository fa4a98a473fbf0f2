/* store.h — keeps chunks under the hash of their plain bytes, manifests under their checkpoint id,
 * and tags.
 *
 * A store is safe to share between threads and between processes. Kinds of store differ behind one
 * table of operations (backend.h); today there is one, a local directory (directory.h).
 *
 * What is written comes in batches: all chunks of one freeze or import, its manifest, its tag. A
 * batch is committed whole or not at all: chunks become durable before the manifest that needs
 * them, the manifest before the tag that names it. Whoever crashes in between leaves garbage for
 * gc, never damage.
 *
 * gc keeps what tags name and what is pinned, and waits for open batches; so between the begin and
 * the commit of a batch nothing it relies on goes away. A machine that was thawed and will be
 * frozen again shares chunks with the checkpoint it came from: pin that checkpoint (store_pin)
 * while it runs.
 *
 * Chunks are checked against their hash whenever they are read. */
#ifndef THAW_STORAGE_STORE_H
#define THAW_STORAGE_STORE_H

#include "storage/base/clock.h"
#include "storage/base/hash.h"
#include "storage/base/stream.h"

#define STORE_CHUNK_MAX     65536u /* bytes of a chunk */
#define STORE_NAME_MAX      128    /* bytes of a tag's name */
#define STORE_FACTS_MAX     64     /* facts of a tag */
#define STORE_FACT_KEY_MAX  64
#define STORE_FACT_TEXT_MAX 4096
#define STORE_MADE_BY_MAX   256

struct store; /* opaque */

struct store_options {
    bool create; /* makes the store if there is none */
    /* Compression level, 0 for the default. A chunk's name never depends on it. */
    int level;
};

/* `location` is a folder or a file:// URL. options may be NULL. ERR_NOT_FOUND if there is no store
 * and none is to be made, ERR_INVALID if the folder holds something else, ERR_UNSUPPORTED for
 * another kind of URL or a newer format. Reads nothing but one small file. */
bool store_open(const char *location, const struct store_options *options, struct store **out,
                struct err *err);
void store_close(struct store *store);
const char *store_location(const struct store *store);

/* ---- chunks ---- */

/* Appends the chunk to `out`, its hash verified. ERR_NOT_FOUND if absent, ERR_CORRUPT if its bytes
 * lie. */
bool store_get(struct store *store, const struct hash *id, struct buf *out, struct err *err);
bool store_has(struct store *store, const struct hash *id);

/* ---- tags: mutable names of checkpoints, with the facts that are not state ---- */

struct store_fact {
    char *key; /* unique among a tag's facts */
    char *text;
};
/* Owned by whoever filled it: store_tag_release. Zero-initialised is an empty one. */
struct store_tag {
    char name[STORE_NAME_MAX + 1];
    struct hash checkpoint;
    struct hash parent; /* zero: none */
    uint64_t when_s;    /* since 1970-01-01 UTC */
    char *made_by;      /* NULL: unknown */
    struct store_fact *facts;
    size_t fact_count;
};
/* 1 to 128 bytes of A-Z a-z 0-9 . _ - /, no empty part between slashes, no part beginning with a
 * dot. ERR_USAGE otherwise, with the rule. */
bool store_name_check(const char *name, struct err *err);
/* Sets name (unchecked, cut at the maximum) and when. */
void store_tag_init(struct store_tag *tag, const char *name, const struct clock_source *clock);
void store_tag_release(struct store_tag *tag);
/* Adds or replaces; copies both texts. A fact over the limits is refused when the tag is set. */
void store_tag_set_fact(struct store_tag *tag, const char *key, const char *text);
const char *store_tag_fact(const struct store_tag *tag, const char *key); /* NULL: none */

struct store_tag_list {
    struct store_tag *items; /* ordered by name */
    size_t count;
};
void store_tag_list_release(struct store_tag_list *list);

bool store_tag_get(struct store *store, const char *name, struct store_tag *out, struct err *err);
/* Makes or moves the tag. ERR_NOT_FOUND if the store does not hold its checkpoint. */
bool store_tag_set(struct store *store, const struct store_tag *tag, struct err *err);
bool store_tag_remove(struct store *store, const char *name, struct err *err);
/* Damaged tags are left out, and counted in *damaged (which may be NULL). */
bool store_tag_list(struct store *store, struct store_tag_list *out, size_t *damaged,
                    struct err *err);

/* ---- batches ---- */

struct store_batch; /* opaque; used by one thread at a time */
bool store_batch_begin(struct store *store, struct store_batch **out, struct err *err);
/* Keeps the bytes under their hash, unless the store or the batch has them. `id` is the caller's
 * claim. `base` is NULL or a chunk that probably resembles this one. The bytes are copied;
 * compression goes on in the background, so an error may be of an earlier chunk. */
bool store_batch_put(struct store_batch *batch, const struct hash *id, struct span bytes,
                     const struct hash *base, struct err *err);
/* The batch as what a freeze writes to. */
struct chunk_sink store_batch_sink(struct store_batch *batch);
/* What a batch ends with; all may be empty. */
struct store_commit {
    struct span manifest;        /* size 0: chunks only, which the next gc drops */
    const struct store_tag *tag; /* NULL: none; its checkpoint is filled in from the manifest */
    bool from_elsewhere; /* the manifest was not made by this program: every place of its images is
                            looked at */
};
/* Makes everything durable. Refuses (ERR_NOT_FOUND, with the image and the place) a manifest whose
 * chunks are neither in the batch nor in the store. `checkpoint` may be NULL. The batch is gone
 * afterwards, either way. */
bool store_batch_commit(struct store_batch *batch, const struct store_commit *commit,
                        struct hash *checkpoint, struct err *err);
void store_batch_abort(struct store_batch *batch); /* NULL is fine */

/* ---- checkpoints ---- */

/* The manifest's bytes, verified. */
bool store_manifest_get(struct store *store, const struct hash *checkpoint, struct buf *out,
                        struct err *err);
struct hash_list {
    struct hash *items; /* in ascending order */
    size_t count;
};
void hash_list_release(struct hash_list *list);
bool store_manifest_list(struct store *store, struct hash_list *out, struct err *err);
/* Forgets a checkpoint; its chunks go with the next gc. ERR_CONFLICT while a tag names it or it is
 * pinned. */
bool store_manifest_remove(struct store *store, const struct hash *checkpoint, struct err *err);
/* Keeps gc and store_manifest_remove from taking the checkpoint, until the pin is released or the
 * process ends. Does not wait for a gc that is going on. ERR_NOT_FOUND if the checkpoint is not
 * there any more. */
struct store_pin; /* opaque */
bool store_pin(struct store *store, const struct hash *checkpoint, struct store_pin **out,
               struct err *err);
void store_unpin(struct store_pin *pin); /* NULL is fine */

/* A tag, a full id, or the beginning of one (4 hex digits or more). ERR_NOT_FOUND suggests similar
 * tags; ERR_USAGE for a prefix of several lists them. A tag goes before an id. */
bool store_resolve(struct store *store, const char *text, struct hash *out, struct err *err);

struct store_checkpoint {
    struct hash id;
    struct hash state_id;
    struct hash parent;    /* from its tags; zero: none known */
    uint64_t image_bytes;  /* of all images, zeros included */
    uint64_t own_bytes;    /* stored (compressed) bytes that no other checkpoint needs */
    uint64_t shared_bytes; /* stored bytes that others need too */
    size_t missing_chunks; /* not 0: damaged, fsck says how */
};
struct store_checkpoint_list {
    struct store_checkpoint *items; /* ordered by id */
    size_t count;
};
bool store_checkpoint_list(struct store *store, struct store_checkpoint_list *out, struct err *err);
void store_checkpoint_list_release(struct store_checkpoint_list *list);

/* ---- the store as a whole ---- */

struct store_statistics {
    size_t packs, chunks, manifests, tags;
    uint64_t plain_bytes;  /* of all chunks */
    uint64_t stored_bytes; /* of all packs and manifests */
};
bool store_statistics(struct store *store, struct store_statistics *out, struct err *err);

struct gc_report {
    size_t checkpoints_kept, checkpoints_removed;
    size_t chunks_kept, chunks_removed;
    size_t packs_removed, packs_written;
    size_t leftovers_removed;           /* temporary files of writers that died */
    uint64_t bytes_before, bytes_after; /* of packs and manifests */
};
/* Removes what neither a tag nor a pin needs. Waits for open batches and holds off new ones. With
 * dry_run changes nothing and reports what it would do. Refuses (ERR_CORRUPT) a store in which it
 * cannot follow everything that is to be kept. Killed at any moment it leaves a sound store. */
bool store_gc(struct store *store, bool dry_run, struct gc_report *out, struct err *err);

struct fsck_finding {
    enum err_kind
        kind; /* ERR_CORRUPT, ERR_NOT_FOUND…; ERR_NONE: nothing wrong, only worth saying */
    const char *text; /* one sentence: what, where, what it hurts, what to do */
};
struct fsck_options {
    void (*finding)(void *context, const struct fsck_finding *finding);
    void *context;
    /* Moves damaged packs out of the way (into damaged/), what is sound in them being stored anew,
     * so that freezing or importing again can fill the gaps. */
    bool repair;
};
struct fsck_report {
    size_t packs, chunks, manifests, tags; /* looked at */
    size_t findings;                       /* with a kind other than ERR_NONE */
};
/* Checks every pack, chunk, manifest and tag. False only if the check itself could not be done. */
bool store_fsck(struct store *store, const struct fsck_options *options, struct fsck_report *out,
                struct err *err);

#endif
