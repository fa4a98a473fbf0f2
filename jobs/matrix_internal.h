/* matrix_internal.h — parts of matrix.c that have files of their own. Private to jobs/. */
#ifndef THAW_JOBS_MATRIX_INTERNAL_H
#define THAW_JOBS_MATRIX_INTERNAL_H

#include "jobs/matrix.h"

#define MATRIX_BYTES_MAX (512u << 20) /* of all texts of an expansion */
#define MATRIX_NEEDS_MAX 1000000      /* of all jobs together */

struct matrix_work {
    struct job_expanded *out;
    struct job_entry *all; /* of the whole file */
    size_t count;          /* of `all` */
    uint32_t *first;       /* index of each test's first entry, and one more */
    uint8_t *chosen;       /* of each entry: 1 to be run */
    struct err *err;
};

/* What the entry starts from: a boot, found among those there are or added; or its checkpoint's tag
 * or id, put into test.checkpoint. */
bool matrix_find_boot(struct matrix_work *work, struct job_entry *entry);
/* Fills in `chosen`: what is asked for, and what that needs. */
bool matrix_select(struct matrix_work *work, const char *const *selectors, size_t count);
/* The chosen entries and their boots to `out`, with their needs. */
bool matrix_link(struct matrix_work *work);

#endif
