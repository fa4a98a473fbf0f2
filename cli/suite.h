/* suite.h — `thaw run --jobs FILE`: what the command line said, and the run of it. */
#ifndef THAW_CLI_SUITE_H
#define THAW_CLI_SUITE_H

#include "cli/base/command.h"

struct suite_input {
    const char *jobs;       /* the suite file */
    const char *checkpoint; /* instead of the file's; NULL: the file's */
    const char *junit;      /* files to write; NULL: none */
    const char *tap;
    const char *results; /* folder for what guests leave on their result disks; NULL: not kept */
    const char *const *selectors; /* names with * and ?, @tags */
    size_t selector_count;
    bool compare; /* boot for one test alone, to say what checkpoints save */
    bool json;
};

/* Returns the exit status. */
int suite_main(const struct common *common, const struct suite_input *input);

#endif
