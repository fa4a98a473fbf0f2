/* evidence.h — what tests of a run left, brought here: console logs and artifacts. */
#ifndef THAW_CLI_FARM_EVIDENCE_H
#define THAW_CLI_FARM_EVIDENCE_H

#include "cli/farm/run_results.h"

/* Writes the console log of the test of that name to standard output: byte for byte, or as plain
 * text if that is a terminal. ERR_NOT_FOUND, with names that are near. */
bool evidence_print_log(const struct run_results *results, struct remote *remote, const char *test,
                        struct err *err);
/* Makes the folder, which must not be there yet, and in it one for each test: console.log,
 * result.json, and its artifacts. Names are made such that every file system takes them, and
 * nothing is written outside the folder. What comes must have the hash that the coordinator said.
 * Progress goes to standard error. */
bool evidence_save(const struct run_results *results, struct remote *remote, const char *folder,
                   struct err *err);

#endif
