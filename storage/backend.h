/* backend.h — what a kind of store (a directory; later HTTP, OCI, S3) gives. Private to storage/.
 */
#ifndef THAW_STORAGE_BACKEND_H
#define THAW_STORAGE_BACKEND_H

#include "storage/base/file.h"
#include "storage/store.h"

/* Stored size of a chunk: its share of the frame it sits in, at least 1. */
struct chunk_facts {
    uint32_t size;
    uint32_t stored_bytes;
};

/* Each does what the function store_<name> says; `context` is what open made. */
struct store_ops {
    void (*close)(void *context);
    bool (*get)(void *context, const struct hash *id, struct buf *out, struct err *err);
    bool (*look)(void *context, const struct hash *id, struct chunk_facts *out); /* false: absent */

    bool (*batch_begin)(void *context, void **batch, struct err *err);
    bool (*batch_put)(void *batch, const struct hash *id, struct span bytes,
                      const struct hash *base, struct err *err);
    bool (*batch_commit)(void *batch, const struct store_commit *commit, struct hash *checkpoint,
                         struct err *err);
    void (*batch_abort)(void *batch);

    bool (*manifest_get)(void *context, const struct hash *id, struct buf *out, struct err *err);
    bool (*manifest_list)(void *context, struct hash_list *out, struct err *err);
    bool (*manifest_remove)(void *context, const struct hash *id, struct err *err);
    bool (*pin)(void *context, const struct hash *id, struct store_pin **out, struct err *err);

    bool (*tag_get)(void *context, const char *name, struct store_tag *out, struct err *err);
    bool (*tag_set)(void *context, const struct store_tag *tag, struct err *err);
    bool (*tag_remove)(void *context, const char *name, struct err *err);
    bool (*tag_names)(void *context, struct name_list *out, struct err *err);

    bool (*statistics)(void *context, struct store_statistics *out, struct err *err);
    bool (*gc)(void *context, bool dry_run, struct gc_report *out, struct err *err);
    bool (*fsck)(void *context, const struct fsck_options *options, struct fsck_report *out,
                 struct err *err);
};

struct store {
    const struct store_ops *ops;
    void *context;
    char *location;
};

struct store_pin {
    void (*release)(struct store_pin *pin); /* frees it */
};

#endif
