/* bundle.h — a checkpoint and all it needs in one file, FILE.thaw: what people hand to each other.
 *
 * | offset   | size | what                                                        |
 * |----------|------|-------------------------------------------------------------|
 * | 0        | 8    | sentinel: 0x89 "THW" CR LF 0x1a LF                          |
 * | 8        | 4    | version, BUNDLE_VERSION                                     |
 * | 12       | 4    | zero                                                        |
 * | 16       | ...  | records, each: type (4), bytes of its payload (4), payload  |
 * | end - 32 | 32   | SHA-256 of everything before                                |
 *
 * | type | record   | payload                                                                |
 * |------|----------|------------------------------------------------------------------------|
 * | 1    | manifest | the manifest (manifest.h), plain; the first record, once               |
 * | 2    | blob     | 1 if more of this blob follows, else 0 (4), bytes of the name (4),     |
 * |      |          | plain bytes (4), name, one zstd frame. In the order of their names     |
 * | 3    | frame    | count of chunks (4), for each its hash (32) and bytes (4), one zstd    |
 * |      |          | frame of all                                                           |
 * | 4    | end      | count of all chunks (8); the last record, once                         |
 *
 * Numbers are little-endian. Nothing refers to anything outside: no deltas, no base. Chunks stand
 * in the order of their first place in the manifest's images, each once, so equal checkpoints make
 * equal bundles (with one version of zstd).
 *
 * The hash over the whole file is checked before anything in it is looked at, then each chunk's
 * own. */
#ifndef THAW_STORAGE_BUNDLE_H
#define THAW_STORAGE_BUNDLE_H

#include "storage/store.h"

#define BUNDLE_VERSION   1
#define BUNDLE_BLOBS_MAX 64
#define BUNDLE_BLOB_MAX  (UINT64_C(1) << 30) /* plain bytes of a blob */

/* Named bytes that travel along: the input recording, the job, its result. Names keep the rules of
 * tags. */
struct bundle_blob {
    const char *name;
    struct span bytes;
};
struct bundle_contents {
    struct hash checkpoint;
    const struct bundle_blob *blobs; /* in any order, each name once */
    size_t blob_count;
};
struct bundle_report {
    struct hash checkpoint;
    uint64_t chunks;
    uint64_t plain_bytes; /* of the chunks */
    uint64_t file_bytes;
};

/* Writes the file whole or not at all; one that is there is replaced. `out` may be NULL. Every
 * chunk is checked on the way. */
bool bundle_export(struct store *store, const struct bundle_contents *contents, const char *path,
                   struct bundle_report *out, struct err *err);

/* What a reader of a bundle is told, in the file's order; each may be NULL. False stops, with err
 * set. Spans are valid until the call returns. */
struct bundle_visitor {
    bool (*manifest)(void *context, struct span bytes, const struct hash *checkpoint,
                     struct err *err);
    /* A piece of a blob; `last` with its last one. */
    bool (*blob)(void *context, const char *name, struct span piece, bool last, struct err *err);
    /* A chunk whose hash was checked. */
    bool (*chunk)(void *context, const struct hash *id, struct span bytes, struct err *err);
    void *context;
};
/* Checks the whole file and reads it. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOT_FOUND name the file. */
bool bundle_read(const char *path, const struct bundle_visitor *visitor, struct bundle_report *out,
                 struct err *err);

struct bundle_import {
    const struct store_tag *tag; /* NULL: none; its checkpoint is filled in */
    /* Called for blobs as in bundle_visitor, before the checkpoint is stored; NULL: they are passed
     * over. */
    bool (*blob)(void *context, const char *name, struct span piece, bool last, struct err *err);
    void *context;
};
/* Stores the bundle's checkpoint, all of it or nothing. options may be NULL, out may be NULL. */
bool bundle_import(struct store *store, const char *path, const struct bundle_import *options,
                   struct bundle_report *out, struct err *err);

#endif
