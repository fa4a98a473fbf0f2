/* checkpoint.h — a whole machine to a manifest plus chunks, and back.
 *
 * The architecture map (manifest.h, item 2) has these keys:
 * | key       | value                                                                              |
 * |-----------|------------------------------------------------------------------------------------|
 * | "images"  | array, ordered by path, of [path "object.image", size, root]                        |
 * | "objects" | array, in the machine's order, of maps: "attributes" (map, attr.h), "config" (map),   |
 * |           | "links" (map slot: path), "path", "schema", "version"                               |
 * The execution map: "micro" (map path: map; empty for functional models), "models" (map path:
 * model). No host fact and no wall clock is in either, so equal states have equal ids. */
#ifndef THAW_SIM_CORE_CHECKPOINT_H
#define THAW_SIM_CORE_CHECKPOINT_H

#include "sim/core/machine.h"
#include "storage/base/manifest.h"

struct checkpoint_ids {
    struct hash state_id;
    struct hash checkpoint_id;
};

/* Freezes between two instructions: commits every image to the sink (NULL: computes ids only),
 * writes the manifest. The machine runs on unchanged afterwards. */
bool machine_save(struct machine *machine, const struct chunk_sink *sink, struct buf *manifest,
                  struct checkpoint_ids *ids, struct err *err);
/* The ids alone: the digest of the machine, here and now. */
bool machine_digest(struct machine *machine, struct checkpoint_ids *ids, struct err *err);

struct load_options {
    const char *model_choice;  /* NULL, or "schema=model" pairs joined by ',' */
    struct buf *upgrade_notes; /* NULL, or takes one line a change an upgrade made */
};
/* Builds the machine a manifest describes. All or nothing: everything is checked first, nothing is
 * left behind on failure; the order of objects' loading does not matter. */
bool machine_load(const struct registry *registry, struct span manifest,
                  const struct image_source *images, const struct load_options *options,
                  struct machine **out, struct err *err);

/* A stored manifest in readable form, for `thaw show` and `thaw diff`: needs no model's code, only
 * schemas. */
struct checkpoint_object {
    struct span path, schema, model;
    uint64_t version;
    const struct schema *known; /* NULL if this build does not know the schema */
    const void *state;          /* the schema's structs, upgraded; NULL if unknown */
    const void *config;
};
struct checkpoint_view; /* opaque: the decoded manifest; borrows the manifest's bytes */
bool checkpoint_view_open(const struct registry *registry, struct span manifest,
                          struct checkpoint_view **out, struct err *err);
void checkpoint_view_free(struct checkpoint_view *view);
size_t checkpoint_view_count(const struct checkpoint_view *view);
const struct checkpoint_object *checkpoint_view_at(const struct checkpoint_view *view,
                                                   size_t index);

#endif
