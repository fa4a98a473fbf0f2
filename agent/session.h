/* session.h — a running machine and the store it comes from and goes to: thaw, freeze. */
#ifndef THAW_AGENT_SESSION_H
#define THAW_AGENT_SESSION_H

#include "sim/core/checkpoint.h"
#include "storage/image_cache.h"
#include "storage/store.h"

/* Facts of a tag that tell how to talk to the machine it names; none is state. */
#define FACT_MACHINE      "machine"
#define FACT_CONSOLE      "console"        /* object path */
#define FACT_PROMPT       "prompt"         /* regular expression */
#define FACT_AT_PROMPT    "at-prompt"      /* "yes": frozen at the prompt */
#define FACT_JOB_DISK     "job-disk"       /* object path */
#define FACT_JOB_GUEST    "job-disk-guest" /* "/dev/vda" */
#define FACT_RESULT_DISK  "result-disk"
#define FACT_RESULT_GUEST "result-disk-guest"
#define FACT_MONITORS     "monitors" /* names of sets, joined by ',' */
#define FACT_BOOT_MS      "boot-ms"  /* wall time of the boot that made it */
#define FACT_INPUTS       "inputs"   /* what it was booted from: a hash */

struct session {
    struct store *store;       /* borrowed */
    struct image_cache *cache; /* borrowed */
    struct registry registry;
    struct machine *machine; /* owned */
    struct hash parent;      /* checkpoint it came from; zero: booted here */
    struct store_pin *pin;   /* keeps the parent's chunks while the machine runs */
    struct store_tag facts;  /* how to talk to it: from the tag, or from the machine file */
    uint64_t thaw_ns;        /* host time the thaw took */
    uint64_t freeze_ns;      /* host time the last freeze took; 0: none yet */
};

/* Takes the machine (built with &session->registry, see session_init). */
void session_init(struct session *session, struct store *store, struct image_cache *cache);
/* `name` is a tag, an id or a unique prefix; a tag's facts come with it. */
bool session_thaw(struct session *session, const char *name, struct err *err);
/* Writes all that changed as one batch; `tag` (may be NULL) is set to it. The machine may run on.
 */
bool session_freeze(struct session *session, const struct store_tag *tag,
                    struct checkpoint_ids *ids, struct err *err);
/* After a freeze: puts the machine's images into the cache, so that the first thaw need not build
 * them from the store. A cache that cannot be written is no failure. */
void session_cache_images(const struct session *session);
/* Safe after session_init, whatever failed. */
void session_release(struct session *session);

#endif
