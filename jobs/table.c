#include "jobs/table.h"

#include "jobs/utf8.h"
#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GAP 2u

struct table_cell {
    const char *text;
    size_t width; /* columns of the terminal */
    enum colour colour;
};

void table_init(struct table *table, const struct table_column *columns, size_t count)
{
    CHECK(count > 0 && count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.columns = columns, .column_count = count, .pool = POOL_INIT};
}

void table_release(struct table *table)
{
    pool_release(&table->pool);
    table->cells = NULL;
    table->cell_count = 0;
    table->cell_capacity = 0;
}

static void grow(struct table *table)
{
    size_t capacity = table->cell_capacity == 0 ? 64 : table->cell_capacity * 2;
    struct table_cell *cells = pool_array(&table->pool, capacity, sizeof *cells);

    if (table->cell_count != 0)
        memcpy(cells, table->cells, table->cell_count * sizeof *cells);
    table->cells = cells;
    table->cell_capacity = capacity;
}

void table_cell(struct table *table, enum colour colour, const char *format, ...)
{
    char text[1024];
    struct table_cell *cell;
    va_list args;
    size_t size;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size = utf8_valid_size(span_of_text(text));
    /* A cut in the middle of a character, or bytes that are none: the valid part is kept, the rest
     * marked. */
    if (text[size] != '\0')
        snprintf(text + size, sizeof text - size, "?");
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    }
    if (table->cell_count == table->cell_capacity)
        grow(table);
    cell = &table->cells[table->cell_count++];
    cell->text = pool_text(&table->pool, text);
    cell->width = utf8_text_width(span_of_text(text));
    cell->colour = colour;
}

static bool put_blanks(struct buf *out, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!buf_append_text(out, " ", err))
            return false;
    }
    return true;
}

static bool put_coloured(struct buf *out, const struct table_cell *cell, bool colours,
                         struct err *err)
{
    static const char *const codes[] = {"", "32", "31", "33", "2", "1"};

    if (!colours || cell->colour == COLOUR_NONE || cell->width == 0)
        return buf_append_text(out, cell->text, err);
    return buf_format(out, err, "\x1b[%sm%s\x1b[0m", codes[cell->colour], cell->text);
}

/* Blanks are written before the next cell that shows something: none at the end of the line. */
static bool put_row(const struct table *table, const struct table_cell *row, const size_t *widths,
                    bool colours, struct buf *out, struct err *err)
{
    size_t blanks = 0;

    for (size_t i = 0; i < table->column_count; i++) {
        size_t rest = widths[i] - row[i].width;

        if (table->columns[i].right)
            blanks += rest;
        if (row[i].width > 0) {
            if (!put_blanks(out, blanks, err) || !put_coloured(out, &row[i], colours, err))
                return false;
            blanks = 0;
        }
        if (!table->columns[i].right)
            blanks += rest;
        blanks += GAP;
    }
    return buf_append_text(out, "\n", err);
}

bool table_write(const struct table *table, bool colours, struct buf *out, struct err *err)
{
    struct table_cell titles[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    bool titled = false;

    CHECK(table->cell_count % table->column_count == 0);
    for (size_t i = 0; i < table->column_count; i++) {
        const char *title = table->columns[i].title == NULL ? "" : table->columns[i].title;

        titled = titled || title[0] != '\0';
        titles[i] = (struct table_cell){title, utf8_text_width(span_of_text(title)), COLOUR_BOLD};
        widths[i] = titles[i].width;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t *width = &widths[i % table->column_count];

        if (table->cells[i].width > *width)
            *width = table->cells[i].width;
    }
    if (titled && !put_row(table, titles, widths, colours, out, err))
        return false;
    for (size_t i = 0; i < table->cell_count; i += table->column_count) {
        if (!put_row(table, &table->cells[i], widths, colours, out, err))
            return false;
    }
    return true;
}
