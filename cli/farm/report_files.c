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

static bool write_report(const char *path,
                         bool (*make)(const struct suite_result *, struct buf *, struct err *),
                         const struct suite_result *suite, struct err *err)
{
    struct buf out = BUF_INIT(REPORT_MAX);
    bool ok = make(suite, &out, err);

    if (ok && is_stdout(path))
        ok = fwrite(out.data, 1, out.size, stdout) == out.size ||
             err_set(err, ERR_IO, "standard output cannot be written");
    else if (ok)
        ok = file_write(path, buf_span(&out), err);
    buf_release(&out);
    return ok;
}

bool report_files_write(const struct report_files *files, struct run_results *results,
                        struct remote *remote, struct err *err)
{
    if (files->junit == NULL && files->tap == NULL)
        return true;
    return run_results_consoles(results, remote, err) &&
           (files->junit == NULL ||
            write_report(files->junit, report_junit, &results->suite, err)) &&
           (files->tap == NULL || write_report(files->tap, report_tap, &results->suite, err));
}
