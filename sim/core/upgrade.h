/* upgrade.h — from one version of a schema to the next: rename, add, drop, convert attributes by
 * name.
 *
 * An upgrade works on a bag of named values decoded from the manifest, never on structs (the old
 * struct no longer exists in the code). It reports what it changed, one line each. */
#ifndef THAW_SIM_CORE_UPGRADE_H
#define THAW_SIM_CORE_UPGRADE_H

#include "sim/core/schema.h"

struct attr_bag; /* opaque: names and values (integers, arrays of integers, bytes, text) */

/* False if there is no such attribute. */
bool attr_bag_get(const struct attr_bag *bag, const char *name, uint32_t index, uint64_t *value);
bool attr_bag_set(struct attr_bag *bag, const char *name, uint32_t count, const uint64_t *values,
                  struct err *err);
bool attr_bag_rename(struct attr_bag *bag, const char *from, const char *to);
bool attr_bag_drop(struct attr_bag *bag, const char *name);

struct upgrade {
    uint32_t from_version;
    /* `state` and `config` are changed in place. `notes` takes lines for people. */
    bool (*apply)(struct attr_bag *state, struct attr_bag *config, struct buf *notes,
                  struct err *err);
    const char *meaning;
};

#endif
