/* table.h — text in columns that line up, by what a terminal shows rather than by bytes.
 *
 *     table_init(&table, columns, 3);
 *     table_cell(&table, COLOUR_NONE, "boot");  …three cells a row…
 *     table_write(&table, colours, out, err);
 *
 * Control characters in cells become blanks; no blanks stand at the end of a line. */
#ifndef THAW_JOBS_TABLE_H
#define THAW_JOBS_TABLE_H

#include "jobs/pool.h"

#define TABLE_COLUMNS_MAX 16

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_RED, COLOUR_YELLOW, COLOUR_FAINT, COLOUR_BOLD };

struct table_column {
    const char *title; /* all NULL: no title line */
    bool right;        /* numbers: aligned at the right */
};

struct table_cell;
struct table {
    const struct table_column *columns; /* borrowed */
    size_t column_count;
    /* private: */
    struct table_cell *cells;
    size_t cell_count, cell_capacity;
    struct pool pool;
};

void table_init(struct table *table, const struct table_column *columns, size_t count);
void table_release(struct table *table);
/* The next cell of the row; rows follow each other. */
void table_cell(struct table *table, enum colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The last row must be whole. `colours`: with escape sequences, for terminals. */
bool table_write(const struct table *table, bool colours, struct buf *out, struct err *err);

#endif
