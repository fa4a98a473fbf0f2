#include "cli/farm/report_files.h"

#include "storage/base/file.h"

#include <stdio.h>
#include <string.h>

#define REPORT_MAX (1u << 30)

bool report_files_take(struct report_files *files, int key, const char *value)
{
    if (key == REPORT_JUNIT)
        files->junit = value;
    else if (key == REPORT_TAP)
        files->tap = value;
    else
        return false;
    return true;
}

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

bool report_files_take_stdout(const struct report_files *files)
{
    return is_stdout(files->junit) || is_stdout(files->tap);
}

static bool write_all(const char *path, struct span text, struct err *err)
{
    if (!is_stdout(path))
        return file_write(path, text, err);
    return fwrite(text.data, 1, text.size, stdout) == text.size ||
           err_set(err, ERR_IO, "standard output cannot be written");
}

static bool write_report(const char *path,
                         bool (*make)(const struct suite_result *, struct buf *, struct err *),
                         const struct suite_result *suite, struct err *err)
{
    struct buf out = BUF_INIT(REPORT_MAX);
    bool ok = make(suite, &out, err) && write_all(path, buf_span(&out), err);

    buf_release(&out);
    return ok;
}

/* The second part of `out/junit.xml` is `out/junit-2.xml`. */
static bool write_part(void *context, size_t index, struct span file, struct err *err)
{
    const char *path = context;
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem =
        dot == NULL || (slash != NULL && dot < slash) ? strlen(path) : (size_t)(dot - path);
    struct buf name = BUF_INIT(8192);
    bool ok;

    if (index == 0)
        return file_write(path, file, err);
    ok = buf_format(&name, err, "%.*s-%zu%s", (int)stem, path, index + 1, path + stem) &&
         buf_append(&name, "", 1, err) && file_write((const char *)name.data, file, err);
    buf_release(&name);
    return ok;
}

static bool write_junit(const char *path, const struct suite_result *suite, struct err *err)
{
    const struct report_taker taker = {write_part, (void *)(uintptr_t)path};

    if (is_stdout(path))
        return write_report(path, report_junit, suite, err);
    return report_junit_split(suite, REPORT_JUNIT_MAX, &taker, err);
}

bool report_files_write(const struct report_files *files, struct run_results *results,
                        struct remote *remote, struct err *err)
{
    if (files->junit == NULL && files->tap == NULL)
        return true;
    return run_results_consoles(results, remote, err) &&
           (files->junit == NULL || write_junit(files->junit, &results->suite, err)) &&
           (files->tap == NULL || write_report(files->tap, report_tap, &results->suite, err));
}
