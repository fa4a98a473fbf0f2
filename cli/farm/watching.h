/* watching.h — following a run: a live bar and table on a terminal, lines otherwise. */
#ifndef THAW_CLI_FARM_WATCHING_H
#define THAW_CLI_FARM_WATCHING_H

#include "cli/farm/run_results.h"

/* Until the run is over, whatever happens to the connection meanwhile. `between` (may be NULL) is
 * called every second or so; false, with its error, ends the watching. */
struct watch_hook {
    bool (*between)(void *context, struct err *err);
    void *context;
};
bool watch_follow(struct remote *remote, uint64_t run, const struct watch_hook *hook,
                  struct err *err);
/* Follows, then prints what came of it, as a table or as JSON. *status is the exit status that the
 * run's verdict stands for. */
bool watch_run(struct remote *remote, uint64_t run, bool json, int *status, struct err *err);
/* The table, or the JSON of `watch`, `farm` and `results`: run, verdict, counts, wall_ms,
 * boot_ms_saved, jobs. */
bool watch_print(const struct run_results *results, bool json, struct err *err);
/* The loudest verdict of what counts: quarantined tests do not. */
enum verdict watch_verdict(const struct run_results *results);

#endif
