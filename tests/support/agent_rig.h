/* agent_rig.h — a store with the guest answer.c (tests/guests/bare) frozen at its prompt, for the
 * tests of agent/. */
#ifndef THAW_TESTS_SUPPORT_AGENT_RIG_H
#define THAW_TESTS_SUPPORT_AGENT_RIG_H

#include "agent/session.h"
#include "jobs/machine_file.h"

/* The machine's tag, its console, and its prompt. */
#define AGENT_RIG_TAG     "answer"
#define AGENT_RIG_CONSOLE "board0.uart0"
#define AGENT_RIG_PROMPT  "\\$ $"

struct agent_rig {
    char *folder;
    struct store *store;
    struct image_cache *cache;
    struct session session; /* has a machine after agent_rig_thaw */
};

/* Path of the guest program; NULL if there is no cross compiler to make it. */
const char *agent_rig_guest(void);
/* The machine file; `devices` are lines of it ("" for a job disk, a result disk and an entropy
 * device). Freed with machine_file_free. */
struct machine_file *agent_rig_machine(const char *devices);
/* cmocka's setup and teardown: *state is a struct agent_rig. Without a guest the test is skipped.
 */
int agent_rig_setup(void **state);
int agent_rig_teardown(void **state);
/* Boots the machine file and freezes it under the tag. */
void agent_rig_freeze(struct agent_rig *rig, const char *devices, const char *tag);
/* The session has a new machine, thawed from the tag (NULL: AGENT_RIG_TAG). */
void agent_rig_thaw(struct agent_rig *rig, const char *tag);
/* The state of the session's machine. */
struct hash agent_rig_digest(const struct agent_rig *rig);

#endif
