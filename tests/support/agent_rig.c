#include "tests/support/agent_rig.h"

#include "agent/boot.h"
#include "storage/base/check.h"
#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL_DEVICES "devices:\n  - rng: {name: rng0}\njob_disk: true\nresult_disk: 64 KiB\n"

const char *agent_rig_guest(void)
{
    static char path[4096];
    const char *folder = getenv("THAW_GUESTS");

    if (folder == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s/bare/answer.elf", folder);
    return access(path, R_OK) == 0 ? path : NULL;
}

struct machine_file *agent_rig_machine(const char *devices)
{
    struct machine_file *file = NULL;
    struct err err = ERR_INIT;
    char text[8192];

    snprintf(text, sizeof text,
             "machine: answer\nmemory: 16 MiB\nelf: %s\n%sfreeze: {console: '%s', within: 100M}\n"
             "prompt: '%s'\n",
             agent_rig_guest(), devices[0] != '\0' ? devices : ALL_DEVICES, AGENT_RIG_PROMPT,
             AGENT_RIG_PROMPT);
    BASE_OK(
        machine_file_parse(span_of_text(text), "answer.yaml", &variables_environment, &file, &err),
        &err);
    return file;
}

void agent_rig_freeze(struct agent_rig *rig, const char *devices, const char *tag)
{
    struct machine_file *file = agent_rig_machine(devices);
    struct boot_options options = {.clock = &clock_host};
    struct checkpoint_ids ids;
    struct boot_result result;
    struct session session;
    struct store_tag name;
    struct err err = ERR_INIT;

    session_init(&session, rig->store, rig->cache);
    BASE_OK(boot_run(&session, file, &options, &result, &err), &err);
    store_tag_init(&name, tag, &clock_host);
    memcpy(session.facts.name, name.name, sizeof session.facts.name);
    session.facts.when_s = name.when_s;
    BASE_OK(session_freeze(&session, &session.facts, &ids, &err), &err);
    store_tag_release(&name);
    buf_release(&result.console);
    session_release(&session);
    machine_file_free(file);
}

int agent_rig_setup(void **state)
{
    struct agent_rig *rig;
    struct err err = ERR_INIT;

    *state = NULL;
    if (agent_rig_guest() == NULL)
        return 0;
    rig = mem_alloc(sizeof *rig);
    rig->folder = test_folder_make();
    rig->store = test_store_open(test_path(rig->folder, "store"));
    BASE_OK(image_cache_new(rig->store, NULL, &rig->cache, &err), &err);
    session_init(&rig->session, rig->store, rig->cache);
    agent_rig_freeze(rig, "", AGENT_RIG_TAG);
    *state = rig;
    return 0;
}

int agent_rig_teardown(void **state)
{
    struct agent_rig *rig = *state;

    if (rig == NULL)
        return 0;
    session_release(&rig->session);
    image_cache_free(rig->cache);
    store_close(rig->store);
    test_folder_remove(rig->folder);
    mem_free(rig);
    return 0;
}

void agent_rig_thaw(struct agent_rig *rig, const char *tag)
{
    struct err err = ERR_INIT;

    session_release(&rig->session);
    session_init(&rig->session, rig->store, rig->cache);
    BASE_OK(session_thaw(&rig->session, tag != NULL ? tag : AGENT_RIG_TAG, &err), &err);
}

struct hash agent_rig_digest(const struct agent_rig *rig)
{
    struct checkpoint_ids ids;
    struct err err = ERR_INIT;

    BASE_OK(machine_digest(rig->session.machine, &ids, &err), &err);
    return ids.state_id;
}
