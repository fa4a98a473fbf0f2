#include "cli/verify_hosts.h"

#include "storage/base/file.h"
#include "storage/base/program.h"
#include "storage/base/words.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EMULATOR_MAX 4096
#define FOLDER_MAX   4096

void verify_hosts_release(struct verify_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        mem_free(hosts->items[i].command);
    hosts->count = 0;
}

static bool name_check(struct span name, struct err *err)
{
    bool ok = name.size != 0 && name.size < PEER_NAME_MAX && name.data[0] != '.';

    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        ok = ok && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.');
    }
    /* Folders of these names are verify's own. */
    if (span_equal(name, span_of_text("home")) || span_equal(name, span_of_text("ring")))
        ok = false;
    if (ok)
        return true;
    return err_set(err, ERR_USAGE,
                   "\"%.*s\" is no name for a host: letters, digits, \"-\", \"_\" and \".\", and "
                   "neither \"home\" nor \"ring\"",
                   name.size > 200 ? 200 : (int)name.size, (const char *)name.data);
}

static bool add(struct verify_hosts *hosts, struct span name, const char *command, struct err *err)
{
    struct verify_host_choice *choice = &hosts->items[hosts->count];

    if (!name_check(name, err))
        return false;
    for (size_t i = 0; i < hosts->count; i++)
        if (span_equal(name, span_of_text(hosts->items[i].name)))
            return err_set(err, ERR_USAGE, "two hosts are called \"%s\"", hosts->items[i].name);
    if (hosts->count == VERIFY_HOSTS_MAX)
        return err_set(err, ERR_USAGE, "more than %u hosts", VERIFY_HOSTS_MAX);
    verify_text(name, choice->name, sizeof choice->name);
    choice->command = mem_text(command);
    hosts->count++;
    return true;
}

bool verify_hosts_add(struct verify_hosts *hosts, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals[1] == 0)
        return err_set(err, ERR_USAGE,
                       "--host takes NAME=COMMAND, such as old=/opt/thaw-0.9/bin/thaw, not \"%s\"",
                       text);
    return add(hosts, (struct span){(const uint8_t *)text, (size_t)(equals - text)}, equals + 1,
               err);
}

/* The folder of builds: that of the folder this program is in. */
static bool builds_folder(char *out, size_t size, struct err *err)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);

    if (length <= 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "--local: this host does not tell where this program is; use --host");
    out[length] = 0;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(out, '/');
        if (slash == NULL || slash == out)
            return err_set(err, ERR_USAGE,
                           "--local: this program is in no folder of builds; use --host");
        *slash = 0;
    }
    return true;
}

/* The program in the build's folder; false if there is none. */
static bool find_program(const char *folder, char *out, size_t size)
{
    static const char *const names[] = {"thaw", "thaw.exe", "thaw.wasm"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(out, size, "%s/%s", folder, names[i]);
        if (file_exists(out))
            return true;
    }
    return false;
}

static bool add_build(struct verify_hosts *hosts, const char *builds, const char *name, bool *found,
                      struct err *err)
{
    char folder[FOLDER_MAX + 300], program[FOLDER_MAX + 400], path[FOLDER_MAX + 400];
    struct buf emulator = BUF_INIT(EMULATOR_MAX + 2 * sizeof program); /* what runs it, then it */
    bool ok = true;

    snprintf(folder, sizeof folder, "%s/%.255s", builds, name);
    *found = find_program(folder, program, sizeof program);
    if (!*found)
        return true;
    snprintf(path, sizeof path, "%s/emulator", folder);
    if (file_exists(path))
        ok = file_read(path, &emulator, err);
    while (emulator.size != 0 && emulator.data[emulator.size - 1] == '\n')
        emulator.size--;
    ok = ok && words_join(&emulator, program, err) && buf_append(&emulator, "", 1, err) &&
         add(hosts, span_of_text(name), (const char *)emulator.data, err);
    buf_release(&emulator);
    return ok;
}

static bool add_all(struct verify_hosts *hosts, const char *builds, struct err *err)
{
    struct name_list list = {NULL, 0};
    bool found, ok = folder_list(builds, &list, err);

    for (size_t i = 0; ok && i < list.count; i++)
        ok = add_build(hosts, builds, list.names[i], &found, err);
    name_list_release(&list);
    return ok;
}

bool verify_hosts_add_local(struct verify_hosts *hosts, const char *names, struct err *err)
{
    char builds[FOLDER_MAX], copy[FOLDER_MAX];
    char *save = NULL;
    bool ok = builds_folder(builds, sizeof builds, err), found = false;

    if (ok && strcmp(names, "all") == 0)
        return add_all(hosts, builds, err);
    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok_r(copy, ",", &save); ok && name != NULL;
         name = strtok_r(NULL, ",", &save)) {
        ok = add_build(hosts, builds, name, &found, err);
        if (ok && !found)
            return err_set(err, ERR_USAGE, "there is no build of thaw in %s/%s", builds, name);
    }
    return ok;
}

static bool add_agent(struct verify_hosts *hosts, const struct program *program, const char *name,
                      struct err *err)
{
    struct buf command = BUF_INIT(2 * PROGRAM_TEXT_MAX);
    bool ok = true;

    for (size_t i = 0; ok && i < program->count; i++)
        ok = words_join(&command, program->words[i], err);
    ok = ok && words_join(&command, "verify-agent", err) && words_join(&command, name, err) &&
         buf_append(&command, "", 1, err) &&
         add(hosts, span_of_text(name), (const char *)command.data, err);
    buf_release(&command);
    return ok;
}

bool verify_hosts_add_agents(struct verify_hosts *hosts, const char *names, struct err *err)
{
    struct program program;
    char copy[FOLDER_MAX];
    char *save = NULL;
    bool ok;

    if (strlen(names) >= sizeof copy)
        return err_set(err, ERR_USAGE, "--agent: too many names");
    if (!program_beside(&program, "thaw-farm", err))
        return false;
    snprintf(copy, sizeof copy, "%s", names);
    ok = file_exists(program.words[program.count - 1]) ||
         err_set(err, ERR_UNSUPPORTED, "--agent: there is no %s, the program of the farm",
                 program.words[program.count - 1]);
    for (char *name = strtok_r(copy, ",", &save); ok && name != NULL;
         name = strtok_r(NULL, ",", &save))
        ok = add_agent(hosts, &program, name, err);
    return ok;
}
