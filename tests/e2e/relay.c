/* relay.c — one leg of a checkpoint's way through unlike hosts: begins a machine or thaws it, runs
 * to a number of instructions, freezes it into the store, and prints the checkpoint's id.
 *
 *   relay FOLDER MACHINE.yaml N     builds the machine and runs it to N instructions
 *   relay FOLDER ID N               thaws the checkpoint, which must be what its id says
 *
 * Ends with 1, and one line on stderr, where anything fails. */
#include "agent/build.h"
#include "agent/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BYTES (UINT64_C(1) << 30)

static bool build(struct session *session, const char *path, struct err *err)
{
    struct machine_file *file = NULL;
    bool ok = machine_file_load(path, &variables_environment, &file, NULL, err) &&
              build_machine(&session->registry, file, &session->machine, err);

    machine_file_free(file);
    return ok;
}

/* What was thawed has the id that it was frozen with. */
static bool thaw(struct session *session, const char *id, struct err *err)
{
    struct checkpoint_ids ids;

    if (!session_thaw(session, id, err) || !machine_digest(session->machine, &ids, err))
        return false;
    if (hash_equal(&ids.checkpoint_id, &session->parent))
        return true;
    return err_set(err, ERR_CORRUPT, "thawed %s is %s", id, hash_hex(&ids.checkpoint_id).text);
}

static bool run_to(struct machine *machine, uint64_t instructions, struct err *err)
{
    struct machine_limits limits = {instructions, UINT64_MAX};

    if (instructions == machine_instructions(machine) ||
        machine_run(machine, &limits) == MACHINE_STOP_INSTRUCTIONS)
        return true;
    return err_set(err, ERR_INVALID, "the machine stopped at %llu of %llu instructions",
                   (unsigned long long)machine_instructions(machine),
                   (unsigned long long)instructions);
}

static bool freeze(struct session *session, struct err *err)
{
    struct checkpoint_ids ids;
    struct store_tag tag;
    char name[64];
    bool ok;

    snprintf(name, sizeof name, "relay-%llu",
             (unsigned long long)machine_instructions(session->machine));
    store_tag_init(&tag, name, &clock_host);
    ok = session_freeze(session, &tag, &ids, err);
    store_tag_release(&tag);
    if (ok)
        printf("%s\n", hash_hex(&ids.checkpoint_id).text);
    return ok;
}

int main(int argc, char **argv)
{
    struct image_cache_options cache_options = {.max_bytes = CACHE_BYTES};
    struct store_options create = {.create = true};
    struct image_cache *cache = NULL;
    struct store *store = NULL;
    struct err err = ERR_INIT;
    struct session session;
    bool ok;

    if (argc != 4) {
        fprintf(stderr, "usage: relay FOLDER MACHINE.yaml|ID INSTRUCTIONS\n");
        return 2;
    }
    if (!store_open(argv[1], &create, &store, &err) ||
        !image_cache_new(store, &cache_options, &cache, &err)) {
        fprintf(stderr, "relay: %s\n", err.text);
        return 1;
    }
    session_init(&session, store, cache);
    ok = (strchr(argv[2], '.') != NULL ? build(&session, argv[2], &err)
                                       : thaw(&session, argv[2], &err)) &&
         run_to(session.machine, strtoull(argv[3], NULL, 10), &err) && freeze(&session, &err);
    if (!ok)
        fprintf(stderr, "relay: %s\n", err.text);
    session_release(&session);
    image_cache_free(cache);
    store_close(store);
    return ok ? 0 : 1;
}
