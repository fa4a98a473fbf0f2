#include "jobs/yaml_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a source line in a message; longer ones are cut. */
#define SHOWN_MAX 160u

void yaml_note(struct yaml *yaml, struct yaml_mistake place, const char *text)
{
    yaml->error_count++;
    if (yaml->mistake_count == YAML_ERRORS_MAX)
        return;
    place.text = pool_text(yaml->pool, text);
    yaml->mistakes[yaml->mistake_count++] = place;
}

bool yaml_error(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
{
    struct yaml_mistake place = {0, 0, 0, NULL};
    char text[ERR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (node != NULL)
        place = (struct yaml_mistake){node->line, node->column, node->width, NULL};
    yaml_note(yaml, place, text);
    return false;
}

size_t yaml_error_count(const struct yaml *yaml)
{
    return yaml->error_count;
}

/* Insertion sort: stable, and there are at most YAML_ERRORS_MAX. */
static void sort_mistakes(struct yaml *yaml)
{
    for (size_t i = 1; i < yaml->mistake_count; i++) {
        struct yaml_mistake moved = yaml->mistakes[i];
        size_t j = i;

        for (; j > 0 && (yaml->mistakes[j - 1].line > moved.line ||
                         (yaml->mistakes[j - 1].line == moved.line &&
                          yaml->mistakes[j - 1].column > moved.column));
             j--)
            yaml->mistakes[j] = yaml->mistakes[j - 1];
        yaml->mistakes[j] = moved;
    }
}

static struct span source_line(struct span text, uint32_t line)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    const uint8_t *newline;

    for (uint32_t i = 1; i < line && at < end; i++) {
        newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    if (newline != NULL)
        end = newline;
    if (end > at && end[-1] == '\r')
        end--;
    return (struct span){at, (size_t)(end - at)};
}

/* The source line without anything a terminal would act on, cut to what fits. */
static bool show_line(struct buf *report, struct span line, struct err *err)
{
    size_t size = line.size > SHOWN_MAX ? SHOWN_MAX : line.size;
    char shown[SHOWN_MAX];

    while (size < line.size && size > 0 && (line.data[size] & 0xc0) == 0x80)
        size--;
    for (size_t i = 0; i < size; i++) {
        bool control = line.data[i] < 0x20 || line.data[i] == 0x7f;

        shown[i] = (char)(control ? ' ' : line.data[i]);
    }
    return buf_append(report, shown, size, err) && buf_append_text(report, "\n", err);
}

static bool show_caret(struct buf *report, const struct yaml_mistake *mistake, struct err *err)
{
    uint32_t width = mistake->width;

    if (mistake->column + width > SHOWN_MAX)
        width = 1;
    if (!buf_format(report, err, "      | %*s^", (int)mistake->column - 1, ""))
        return false;
    for (uint32_t i = 1; i < width; i++) {
        if (!buf_append_text(report, "~", err))
            return false;
    }
    return buf_append_text(report, "\n", err);
}

static bool show_mistake(const struct yaml *yaml, const struct yaml_mistake *mistake,
                         struct buf *report, struct err *err)
{
    if (mistake->line == 0)
        return buf_format(report, err, "%s: %s\n", yaml->name, mistake->text);
    if (!buf_format(report, err, "%s:%u:%u: %s\n%5u | ", yaml->name, mistake->line, mistake->column,
                    mistake->text, mistake->line) ||
        !show_line(report, source_line(yaml->text, mistake->line), err))
        return false;
    return mistake->column > SHOWN_MAX || show_caret(report, mistake, err);
}

/* A report that is full is still a report: what does not fit is left out. */
static void write_report(const struct yaml *yaml, struct buf *report)
{
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < yaml->mistake_count; i++) {
        if (!show_mistake(yaml, &yaml->mistakes[i], report, &ignored))
            return;
    }
    if (yaml->error_count > yaml->mistake_count)
        buf_format(report, &ignored, "%s: and %zu more mistakes\n", yaml->name,
                   yaml->error_count - yaml->mistake_count);
}

bool yaml_finish(struct yaml *yaml, struct buf *report, struct err *err)
{
    const struct yaml_mistake *first = &yaml->mistakes[0];
    char more[64] = "";

    if (yaml->error_count == 0)
        return true;
    sort_mistakes(yaml);
    if (report != NULL)
        write_report(yaml, report);
    if (yaml->error_count > 1)
        snprintf(more, sizeof more, " (and %zu more)", yaml->error_count - 1);
    if (first->line == 0)
        return err_set(err, ERR_INVALID, "%s: %s%s", yaml->name, first->text, more);
    return err_set(err, ERR_INVALID, "%s:%u:%u: %s%s", yaml->name, first->line, first->column,
                   first->text, more);
}
