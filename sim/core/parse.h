/* parse.h — the inside of checkpoint.h: a manifest's maps taken apart, nothing interpreted yet. */
#ifndef THAW_SIM_CORE_PARSE_H
#define THAW_SIM_CORE_PARSE_H

#include "sim/core/checkpoint.h"

struct parsed_object {
    char path[OBJECT_PATH_MAX];
    struct span schema;
    uint64_t version;
    struct span config;     /* encoded maps, in the manifest's bytes */
    struct span links;
    struct span attributes;
    struct span model; /* from the execution part; size 0 if it names none */
};

struct parsed {
    struct manifest_parts parts;
    struct parsed_object *objects; /* heap */
    size_t count;
};

bool parsed_open(struct span manifest, struct parsed *out, struct err *err);
void parsed_release(struct parsed *parsed);
/* The schema by name and version; ERR_UNSUPPORTED says which is missing or newer. */
bool parsed_model(const struct registry *registry, const struct parsed_object *object,
                  const struct load_options *options, const struct model **out, struct err *err);
/* Both maps into the schema's structs (each of its table's size), upgraded if they are older. */
bool parsed_decode(const struct parsed_object *object, const struct schema *schema, void *config,
                   void *state, struct buf *notes, struct err *err);

#endif
