#include "cli/farm/evidence.h"

#include "cli/base/progress.h"
#include "jobs/console_filter.h"
#include "jobs/suggest.h"
#include "storage/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOB_MAX      (256u << 20)
#define NAME_MAX_SAFE 120 /* bytes of a file's name */

/* ---- one log ---- */

static const struct test_result *find(const struct run_results *results, const char *name,
                                      struct err *err)
{
    const char **names = mem_array(results->suite.test_count + 1, sizeof names[0]);
    const struct test_result *found = NULL;
    const char *near;

    for (size_t i = 0; i < results->suite.test_count; i++) {
        names[i] = results->suite.tests[i].name;
        if (found == NULL && strcmp(names[i], name) == 0)
            found = &results->suite.tests[i];
    }
    near = suggest_name(name, names, results->suite.test_count);
    if (found == NULL && near != NULL)
        (void)err_set(err, ERR_NOT_FOUND, "the run has no test \"%s\"; did you mean \"%s\"?", name,
                      near);
    else if (found == NULL)
        (void)err_set(err, ERR_NOT_FOUND, "the run has no test \"%s\"", name);
    mem_free(names);
    return found;
}

static bool write_plain(struct span log)
{
    struct console_filter filter = {0};
    uint8_t text[2];

    for (size_t i = 0; i < log.size; i++) {
        size_t count = console_filter_put(&filter, log.data[i], text);
        if (fwrite(text, 1, count, stdout) != count)
            return false;
    }
    return true;
}

bool evidence_print_log(const struct run_results *results, struct remote *remote, const char *test,
                        struct err *err)
{
    const struct test_result *found = find(results, test, err);
    struct buf log = BUF_INIT(BLOB_MAX);
    bool ok = found != NULL;

    if (ok && found->console_id == NULL)
        ok = err_set(err, ERR_NOT_FOUND, "\"%s\" left no console log", test);
    ok = ok && client_blob(remote, found->console_id, &log, err);
    if (ok) {
        bool written = isatty(STDOUT_FILENO) == 1
                           ? write_plain(buf_span(&log))
                           : fwrite(log.data, 1, log.size, stdout) == log.size;
        ok = (written && fflush(stdout) == 0) ||
             err_set(err, ERR_IO, "standard output cannot be written");
    }
    buf_release(&log);
    return ok;
}

/* ---- all of them ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr(" +,-.=@[]_", c) != NULL;
}

/* A name for one file or folder; `number` makes it unlike others if it is not 0. */
static void safe_name(const char *name, uint64_t number, char out[NAME_MAX_SAFE + 32])
{
    size_t used = 0;

    for (; name[used] != 0 && used < NAME_MAX_SAFE; used++)
        out[used] = is_plain(name[used]) ? name[used] : '_';
    out[used] = 0;
    if (out[0] == 0 || out[0] == '.')
        out[0] = '_';
    if (used == 0)
        out[used = 1] = 0;
    while (used > 1 && (out[used - 1] == ' ' || out[used - 1] == '.'))
        out[--used] = 0; /* which some file systems drop */
    if (number != 0)
        snprintf(out + used, 32, "~%llu", (unsigned long long)number);
}

/* A new place in the folder, under the name or, if that is taken, under one like it. */
static bool make_folder(const char *folder, const char *name, char **out, struct err *err)
{
    char safe[NAME_MAX_SAFE + 32];

    for (uint64_t number = 0; number < 1u << 20; number += number == 0 ? 2 : 1) {
        safe_name(name, number, safe);
        *out = path_join(folder, safe);
        if (mkdir(*out, 0777) == 0)
            return true;
        if (errno != EEXIST)
            break;
        mem_free(*out);
        *out = NULL;
    }
    (void)err_set_errno(err, errno, "cannot make a folder for \"%s\" in %s", name, folder);
    mem_free(*out);
    *out = NULL;
    return false;
}

static bool save_blob(struct remote *remote, const char *id, const char *folder, const char *name,
                      struct err *err)
{
    struct buf bytes = BUF_INIT(BLOB_MAX);
    char safe[NAME_MAX_SAFE + 32], *path = NULL;
    bool ok = client_blob(remote, id, &bytes, err);

    if (!ok && err->kind == ERR_NOT_FOUND) {
        fprintf(stderr, "not in the store: %s, for %s\n", name, folder);
        buf_release(&bytes);
        return true;
    }
    for (uint64_t number = 0; ok && path == NULL; number += number == 0 ? 2 : 1) {
        safe_name(name, number, safe);
        path = path_join(folder, safe);
        if (file_exists(path)) {
            mem_free(path);
            path = NULL;
        }
    }
    ok = ok && file_write(path, buf_span(&bytes), err);
    mem_free(path);
    buf_release(&bytes);
    return ok;
}

static bool save_result(const json_t *job, const char *folder, struct err *err)
{
    char *path = path_join(folder, "result.json");
    char *text = json_dumps(job, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    bool ok = file_write(path, span_of_text(text), err);

    free(text);
    mem_free(path);
    return ok;
}

static bool save_test(const struct test_result *test, const json_t *job, struct remote *remote,
                      const char *folder, struct err *err)
{
    char *place;
    bool ok = make_folder(folder, test->name, &place, err);

    ok = ok && save_result(job, place, err);
    if (ok && test->console_id != NULL)
        ok = save_blob(remote, test->console_id, place, "console.log", err);
    for (size_t i = 0; ok && i < test->artifact_count; i++)
        ok = save_blob(remote, test->artifacts[i].id, place, test->artifacts[i].name, err);
    mem_free(place);
    return ok || err_wrap(err, "%s", test->name);
}

bool evidence_save(const struct run_results *results, struct remote *remote, const char *folder,
                   struct err *err)
{
    struct progress progress;
    size_t at = 0;
    bool ok = true;

    if (mkdir(folder, 0777) != 0)
        return err_set_errno(err, errno, "cannot make the folder %s", folder);
    progress_begin(&progress, "saving", results->suite.test_count, false);
    for (size_t i = 0; ok && i < json_array_size(results->jobs); i++) {
        const json_t *job = json_array_get(results->jobs, i);
        const char *kind = json_string_value(json_object_get(job, "kind"));
        if (kind != NULL && strcmp(kind, "boot") == 0)
            continue;
        ok = save_test(&results->suite.tests[at], job, remote, folder, err);
        (void)progress_update(&progress, at, results->suite.tests[at].name);
        at++;
    }
    progress_end(&progress);
    return ok;
}
