/* live.h — a run while it goes, on stderr: on a terminal a bar, and below it what runs now, where
 * and for how long; elsewhere a line now and then. What fails is told when it fails. */
#ifndef THAW_CLI_FARM_LIVE_H
#define THAW_CLI_FARM_LIVE_H

#include "cli/base/progress.h"
#include "cli/farm/client.h"

#define LIVE_ROWS     12  /* of running jobs, on a terminal */
#define LIVE_FAILURES 100 /* told one by one */

/* A job that runs, since when it was first seen to. */
struct live_job {
    uint64_t id;
    uint64_t since_ns;
};

struct live {
    struct progress progress;
    struct remote *remote; /* borrowed */
    uint64_t run;
    uint64_t asked_ns; /* when jobs were last asked for */
    uint64_t told[LIVE_FAILURES];
    size_t told_count;
    char unserved[408];   /* the host that is asked for and that no agent is */
    uint64_t unserved_ns; /* since when; 0: there are agents for all */
    bool unserved_told;
    struct live_job jobs[LIVE_ROWS];
    size_t job_count;
};

void live_begin(struct live *live, struct remote *remote, uint64_t run);
/* `answer` is what the coordinator says of the run. What cannot be asked for is not shown. */
void live_show(struct live *live, const json_t *answer);
/* Takes bar and table away; the failures stay. */
void live_end(struct live *live);

#endif
