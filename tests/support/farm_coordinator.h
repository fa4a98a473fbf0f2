/* farm_coordinator.h — a coordinator in shared memory, which an agent and its keeper talk to by
 * function calls: it keeps count of everything, loses answers and repeats itself on demand. */
#ifndef THAW_TESTS_SUPPORT_FARM_COORDINATOR_H
#define THAW_TESTS_SUPPORT_FARM_COORDINATOR_H

#include "agent/farm/line.h"

#include <pthread.h>

#define FAKE_JOBS_MAX 128

enum fake_state { FAKE_WAITING, FAKE_LEASED, FAKE_DONE };

struct fake_job {
    struct hash spec, checkpoint;
    enum job_kind kind;
    enum fake_state state;
    uint64_t lease; /* the last one */
    uint32_t attempts;
    bool cancel; /* asked for in each beat while it is leased */
    bool forget; /* its lease is unknown in beats */
    /* the result: */
    uint32_t recorded; /* how many times */
    enum verdict verdict;
    int32_t exit_status;
    char reason[MESSAGE_TEXT_MAX + 1];
    struct hash checkpoint_made, console;
    uint64_t console_size;
};

struct fake_coordinator {
    pthread_mutex_t mutex; /* guards all below */
    struct fake_job jobs[FAKE_JOBS_MAX];
    size_t job_count;
    uint64_t leases; /* counts them; those of one start of the test, never repeated */
    char store[256];
    uint32_t lose_every;           /* each Nth answer on the work channel gets lost; 0: none */
    uint32_t lose_results;         /* so many answers to results get lost */
    bool twice;                    /* each request is handled twice, the second answer counts */
    bool deaf_to_results;          /* they are not recorded, nor answered */
    bool drain;                    /* claims are answered so, and beats say it */
    enum err_kind refuse;          /* hello is refused with it; ERR_NONE: not */
    struct message_id incarnation; /* of the last hello: a new one frees all leases */
    /* what came: */
    uint32_t requests, hellos, claims, results, releases, byes, beats, stales;
    uint64_t beat_leases; /* how many the last beat held */
};

/* In memory that children share; never freed. */
struct fake_coordinator *fake_coordinator_new(const char *store);
struct fake_job *fake_coordinator_add(struct fake_coordinator *fake, enum job_kind kind,
                                      const struct hash *spec, const struct hash *checkpoint);
size_t fake_coordinator_count(struct fake_coordinator *fake, enum fake_state state);
/* For agent_options.opener. */
struct line_opener fake_coordinator_opener(struct fake_coordinator *fake);

#endif
