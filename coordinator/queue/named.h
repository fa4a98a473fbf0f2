/* named.h — what a queue's database names in the store, read beside the coordinator that works with
 * it: a store may be swept of the rest, see storage/blob.h. */
#ifndef THAW_COORDINATOR_QUEUE_NAMED_H
#define THAW_COORDINATOR_QUEUE_NAMED_H

#include "storage/base/hash.h"

struct named {
    /* A blob; what a spec names in its turn is for the caller to find out. */
    bool (*blob)(void *context, const struct hash *blob, bool is_spec);
    /* What a schedule submits, as it was given. Its bytes live until this returns. */
    bool (*request)(void *context, struct span request);
    void *context;
};
/* All of one moment. False if a callback returned false, or the database cannot be read: then what
 * is named is not known. */
bool named_each(const char *database, const struct named *named, struct err *err);

#endif
