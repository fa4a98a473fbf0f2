/* Any text as a machine file and as a job file: refused with a sentence, or plain data; a job file
 * makes jobs, or says why not. */
#include "jobs/matrix.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

static const char *no_variable(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct variables none = {no_variable, NULL};
    struct machine_file *machine = NULL;
    struct job_file *suite = NULL;
    struct job_expanded *jobs = NULL;
    struct err err = ERR_INIT, other = ERR_INIT, more = ERR_INIT;
    struct span text = {data, size};

    if (machine_file_parse(text, "fuzz.yaml", &none, &machine, &err))
        CHECK(machine->board_count >= 1);
    else
        CHECK(err.kind != ERR_NONE);
    if (!job_file_parse(text, "fuzz.yaml", &none, &suite, &other))
        CHECK(other.kind != ERR_NONE);
    else if (!job_expand(suite, NULL, 0, &jobs, &more))
        CHECK(more.kind != ERR_NONE);
    else
        CHECK(jobs->count >= 1);
    job_expanded_free(jobs);
    machine_file_free(machine);
    job_file_free(suite);
    return 0;
}
