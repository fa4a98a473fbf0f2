#include "jobs/console_check.h"

#include "jobs/pattern.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 80

void console_last_line(struct span text, char *out, size_t size)
{
    size_t end = text.size, start;

    while (end > 0 &&
           (text.data[end - 1] == '\n' || text.data[end - 1] == '\r' || text.data[end - 1] == ' '))
        end--;
    start = end;
    while (start > 0 && text.data[start - 1] != '\n' && end - start < size - 1)
        start--;
    while (start < end && (text.data[start] & 0xc0) == 0x80)
        start++;
    for (size_t i = start; i < end; i++)
        *out++ = (char)(text.data[i] < 0x20 || text.data[i] == 0x7f ? ' ' : text.data[i]);
    *out = '\0';
}

bool console_check_status(const struct console_check *check, int64_t status, char *reason)
{
    if (check->any_status || status == check->exit_status)
        return true;
    snprintf(reason, CONSOLE_REASON_MAX, "exit status %lld, expected %d", (long long)status,
             check->exit_status);
    return false;
}

static struct span without_line_ends(struct span text)
{
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    return text;
}

static struct span line_of(struct span text, size_t at)
{
    size_t start = at, end = at;

    while (start > 0 && text.data[start - 1] != '\n')
        start--;
    while (end < text.size && text.data[end] != '\n')
        end++;
    return (struct span){text.data + start, end - start};
}

static bool check_exact(const char *expected, struct span output, char *reason)
{
    struct span want = without_line_ends(span_of_text(expected));
    struct span have = without_line_ends(output);
    char want_line[SHOWN_MAX], have_line[SHOWN_MAX];
    size_t at = 0, line = 1;

    if (span_equal(want, have))
        return true;
    for (; at < want.size && at < have.size && want.data[at] == have.data[at]; at++)
        line += want.data[at] == '\n' ? 1 : 0;
    console_last_line(line_of(want, at), want_line, sizeof want_line);
    console_last_line(line_of(have, at), have_line, sizeof have_line);
    snprintf(reason, CONSOLE_REASON_MAX, "output differs in line %zu: `%s`, expected `%s`", line,
             have_line, want_line);
    return false;
}

static bool check_pattern(const char *text, struct span output, bool wanted, char *reason)
{
    struct err err = ERR_INIT;
    struct pattern *pattern = pattern_new(text, &err);
    struct pattern_place place;
    char line[SHOWN_MAX];
    bool found = pattern != NULL && pattern_search(pattern, output, &place, &err);

    pattern_free(pattern);
    if (!found && err.kind != ERR_NONE) {
        snprintf(reason, CONSOLE_REASON_MAX, "%.400s", err.text);
        return false;
    }
    if (found == wanted)
        return true;
    if (found) {
        console_last_line(line_of(output, place.start), line, sizeof line);
        snprintf(reason, CONSOLE_REASON_MAX, "the output has `%s`, which matches /%.200s/", line,
                 text);
        return false;
    }
    console_last_line(output, line, sizeof line);
    snprintf(reason, CONSOLE_REASON_MAX,
             "nothing in the output matches /%.200s/; it ends with `%s`", text, line);
    return false;
}

bool console_check_output(const struct console_check *check, struct span output, char *reason)
{
    if (check->output != NULL && !check_exact(check->output, output, reason))
        return false;
    for (size_t i = 0; i < check->expect_count; i++) {
        if (!check_pattern(check->expect[i], output, true, reason))
            return false;
    }
    for (size_t i = 0; i < check->reject_count; i++) {
        if (!check_pattern(check->reject[i], output, false, reason))
            return false;
    }
    return true;
}

void console_describe(const struct console_step *step, size_t index, char *out, size_t size)
{
    static const char *const names[] = {"send", "expect", "expect_not", "wait", "command", "halt"};
    bool is_pattern = step->kind == CONSOLE_EXPECT || step->kind == CONSOLE_EXPECT_NOT;
    const char *text = step->text == NULL || step->kind == CONSOLE_SEND ? "" : step->text;
    const char *slash = is_pattern ? "/" : "";
    int shown = (int)strcspn(text, "\n");

    if (shown > SHOWN_MAX)
        shown = SHOWN_MAX;
    snprintf(out, size, "step %zu (%s%s%s%.*s%s)", index + 1, names[step->kind],
             shown > 0 ? " " : "", slash, shown, text, slash);
}
