/* report_files.h — a run's reports as files. */
#ifndef THAW_CLI_FARM_REPORT_FILES_H
#define THAW_CLI_FARM_REPORT_FILES_H

#include "cli/farm/run_results.h"

enum { REPORT_JUNIT = 0x5a00, REPORT_TAP };
#define REPORT_OPTIONS                                                                             \
    {"junit",                                                                                      \
     REPORT_JUNIT,                                                                                 \
     "FILE",                                                                                       \
     0,                                                                                            \
     "write JUnit XML (\"-\": to standard output); over 20 MB in several files",                   \
     0},                                                                                           \
    {                                                                                              \
        "tap", REPORT_TAP, "FILE", 0, "write TAP version 14 (\"-\": to standard output)", 0        \
    }

struct report_files {
    const char *junit, *tap;
};
/* Takes one of REPORT_OPTIONS; false for another key. */
bool report_files_take(struct report_files *files, int key, const char *value);
/* True if one of them is standard output, where nothing else may go then. */
bool report_files_take_stdout(const struct report_files *files);
/* Fetches the consoles of what did not pass, if a report is asked for, and writes them. JUnit goes
 * into as many files as CI servers need: FILE.xml, FILE-2.xml, … */
bool report_files_write(const struct report_files *files, struct run_results *results,
                        struct remote *remote, struct err *err);

#endif
