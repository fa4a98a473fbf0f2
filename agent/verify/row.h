/* row.h — some hosts that thaw the same and run side by side: one row of the matrix. */
#ifndef THAW_AGENT_VERIFY_ROW_H
#define THAW_AGENT_VERIFY_ROW_H

#include "agent/verify/verify.h"

#define ROW_HOME SIZE_MAX /* a member's host: the machine that never left home */

/* One host's part in a row. */
struct row_member {
    size_t host;       /* or ROW_HOME: no cell of its own */
    struct peer *peer; /* NULL: it could not be started */
    struct place place;
    bool out; /* it failed or went another way */
};

struct row {
    const struct verify_options *options;
    struct verify_result *result;
    const char *what; /* for progress */
    size_t freezer;
    bool ring;
    struct row_member members[VERIFY_HOSTS_MAX + 1];
    size_t count;
    size_t first_cell; /* members' cells follow each other in the result, ROW_HOME left out */
    char home_reason[ERR_TEXT_MAX]; /* why the machine at home is out */
    uint64_t origin;                /* instructions of the checkpoint, for progress */
};

void row_init(struct row *row, const struct verify_options *options, struct verify_result *result);
/* Starts the host; its failure to start is its cell's verdict. */
void row_add(struct row *row, size_t host);
/* Begins the cells, once all members were added. */
void row_begin(struct row *row);
void row_end(struct row *row);

/* Queues a request for a member that is not out. */
void row_ask(struct row *row, size_t member, const struct verify_message *request,
             uint64_t instructions);
/* Waits for all answers. A refusal puts the member out, as infra. The last answer of each that told
 * a place is its place. `take` (may be NULL) sees every answer. */
void row_gather(struct row *row,
                void (*take)(struct row *row, size_t member, const struct verify_message *answer));
/* Opens store and cache folder ("" for the store's own), gives inputs, thaws, from a place in the
 * inputs. */
struct row_thaw {
    const char *store, *cache, *checkpoint;
    uint64_t input, input_offset;
};
void row_thaw(struct row *row, size_t member, const struct row_thaw *thaw);
/* All members that are left must stand at the same place; those that do not are out. */
void row_compare(struct row *row);
/* Runs all that are left to `to`, comparing; pins what differs. */
void row_run(struct row *row, uint64_t to);
/* The place of the members that are left; false if none is. */
bool row_place(const struct row *row, struct place *out);

#endif
