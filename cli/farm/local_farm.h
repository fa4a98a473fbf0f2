/* local_farm.h — a coordinator and agents as children of this process, on one store. */
#ifndef THAW_CLI_FARM_LOCAL_FARM_H
#define THAW_CLI_FARM_LOCAL_FARM_H

#include "storage/remote/remote.h"

#include <signal.h>

#define LOCAL_FARM_AGENTS_MAX 256

struct local_farm; /* opaque */

struct local_farm_options {
    const char *state; /* folder: database, keys, logs; NULL: beside the store */
    size_t agents;
    const volatile sig_atomic_t *interrupted; /* not 0: give up starting */
};

/* Starts them and waits until the coordinator answers. Both are borrowed until the stop. */
bool local_farm_start(const struct local_farm_options *options, struct store *store,
                      struct local_farm **out, struct err *err);
/* Agents say goodbye, then the coordinator ends. Frees the farm. */
void local_farm_stop(struct local_farm *farm);
/* The coordinator's API. */
struct remote *local_farm_remote(struct local_farm *farm);
/* Call it every second or so: an agent that has ended is started again, a few times; its jobs went
 * back to the queue. An error if the farm cannot go on. */
bool local_farm_look_after(struct local_farm *farm, struct err *err);
bool local_farm_cancel(struct local_farm *farm, uint64_t run, struct err *err);

#endif
