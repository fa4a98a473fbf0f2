#include "jobs/console_filter.h"
#include "jobs/report.h"
#include "jobs/utf8.h"

#include <stdlib.h>
#include <string.h>

/* XML 1.0, production 2: what may stand in a document at all. */
static bool is_xml(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xd7ff) ||
           (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

static const char *entity(uint32_t c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\n':
        return attribute ? "&#10;" : NULL;
    case '\t':
        return attribute ? "&#9;" : NULL;
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

static bool put_text(struct span text, bool attribute, struct buf *out, struct err *err)
{
    for (size_t at = 0; at < text.size;) {
        struct span rest = {text.data + at, text.size - at};
        uint32_t c = 0;
        size_t size = utf8_read(rest, &c);
        const char *name = size == 0 ? NULL : entity(c, attribute);
        bool ok;

        if (size == 0 || !is_xml(c))
            ok = buf_append_text(out, UTF8_REPLACEMENT, err);
        else if (name != NULL)
            ok = buf_append_text(out, name, err);
        else
            ok = buf_append(out, rest.data, size, err);
        if (!ok)
            return false;
        at += size == 0 ? 1 : size;
    }
    return true;
}

static bool put_attribute(const char *name, const char *value, struct buf *out, struct err *err)
{
    return buf_format(out, err, " %s=\"", name) && put_text(span_of_text(value), true, out, err) &&
           buf_append_text(out, "\"", err);
}

static bool put_time(const char *name, uint64_t ns, struct buf *out, struct err *err)
{
    return buf_format(out, err, " %s=\"%llu.%06llu\"", name, (unsigned long long)(ns / 1000000000),
                      (unsigned long long)(ns % 1000000000 / 1000));
}

/* The console's end, as text. */
static bool put_console(struct span console, struct buf *out, struct err *err)
{
    struct console_filter filter = {0};
    struct buf text = BUF_INIT(REPORT_CONSOLE_MAX + 16);
    bool ok = true;

    if (console.size > REPORT_CONSOLE_MAX) {
        console.data += console.size - REPORT_CONSOLE_MAX;
        console.size = REPORT_CONSOLE_MAX;
        ok = buf_append_text(out, "[…]\n", err);
    }
    for (size_t i = 0; i < console.size && ok; i++) {
        uint8_t bytes[2];
        size_t count = console_filter_put(&filter, console.data[i], bytes);

        for (size_t j = 0; j < count && ok; j++)
            ok = buf_append(&text, bytes[j] == '\r' ? (const uint8_t *)"\n" : &bytes[j], 1, err);
    }
    ok = ok && put_text(buf_span(&text), false, out, err);
    buf_release(&text);
    return ok;
}

static const char *element(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return NULL;
    case VERDICT_SKIPPED:
        return "skipped";
    case VERDICT_INFRA:
    case VERDICT_CANCELLED:
        return "error";
    default:
        return "failure";
    }
}

static bool put_verdict(const struct test_result *test, struct buf *out, struct err *err)
{
    const char *name = element(test->verdict);
    const char *reason = test->reason == NULL ? "" : test->reason;
    struct buf text = BUF_INIT(4096);
    bool ok;

    if (name == NULL)
        return true;
    ok = buf_format(out, err, "      <%s", name) && put_attribute("message", reason, out, err);
    if (ok && test->verdict != VERDICT_SKIPPED)
        ok = put_attribute("type", verdict_name(test->verdict), out, err);
    if (ok && test->signature != NULL && test->verdict != VERDICT_SKIPPED)
        ok = signature_text(test->signature, &text, err) && buf_append_text(out, ">", err) &&
             put_text(buf_span(&text), false, out, err) && buf_format(out, err, "</%s>\n", name);
    else
        ok = ok && buf_append_text(out, "/>\n", err);
    buf_release(&text);
    return ok;
}

/* `copy`: how many tests of this name came before. */
static bool put_case(const struct suite_result *suite, const struct test_result *test, size_t copy,
                     struct buf *out, struct err *err)
{
    struct buf name = BUF_INIT(4096);
    bool ok = buf_append_text(&name, test->name, err) &&
              (copy == 0 || buf_format(&name, err, " (%zu)", copy + 1)) &&
              buf_append(&name, "", 1, err) && buf_append_text(out, "    <testcase", err) &&
              put_attribute("classname", suite->name, out, err) &&
              put_attribute("name", (const char *)name.data, out, err) &&
              put_time("time", test->wall_ns, out, err);

    buf_release(&name);
    if (ok && test->file != NULL)
        ok = put_attribute("file", test->file, out, err);
    if (ok && test->line > 0)
        ok = buf_format(out, err, " line=\"%u\"", test->line);
    ok = ok && buf_append_text(out, ">\n", err) && put_verdict(test, out, err);
    if (ok && test->console.size > 0)
        ok = buf_append_text(out, "      <system-out>", err) &&
             put_console(test->console, out, err) && buf_append_text(out, "</system-out>\n", err);
    return ok && buf_append_text(out, "    </testcase>\n", err);
}

struct numbered {
    const struct test_result *test;
    size_t index, copy;
};

static int compare(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    int order = strcmp(x->test->name, y->test->name);

    return order != 0 ? order : x->index < y->index ? -1 : x->index > y->index;
}

static int compare_index(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

static struct numbered *number_copies(const struct suite_result *suite)
{
    struct numbered *all = mem_array(suite->test_count, sizeof *all);

    for (size_t i = 0; i < suite->test_count; i++)
        all[i] = (struct numbered){&suite->tests[i], i, 0};
    qsort(all, suite->test_count, sizeof *all, compare);
    for (size_t i = 1; i < suite->test_count; i++) {
        if (strcmp(all[i].test->name, all[i - 1].test->name) == 0)
            all[i].copy = all[i - 1].copy + 1;
    }
    qsort(all, suite->test_count, sizeof *all, compare_index);
    return all;
}

static bool put_counts(const struct suite_result *suite, struct buf *out, struct err *err)
{
    size_t failures = suite_count(suite, VERDICT_FAIL) + suite_count(suite, VERDICT_TIMEOUT) +
                      suite_count(suite, VERDICT_DIVERGENCE);
    size_t errors = suite_count(suite, VERDICT_INFRA) + suite_count(suite, VERDICT_CANCELLED);

    return put_attribute("name", suite->name, out, err) &&
           buf_format(out, err, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
                      suite->test_count, failures, errors, suite_count(suite, VERDICT_SKIPPED)) &&
           put_time("time", suite->wall_ns, out, err) && buf_append_text(out, ">\n", err);
}

bool report_junit(const struct suite_result *suite, struct buf *out, struct err *err)
{
    struct numbered *all = number_copies(suite);
    bool ok =
        buf_append_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", err) &&
        put_counts(suite, out, err) && buf_append_text(out, "  <testsuite", err) &&
        put_counts(suite, out, err);

    for (size_t i = 0; i < suite->test_count && ok; i++)
        ok = put_case(suite, all[i].test, all[i].copy, out, err);
    mem_free(all);
    return ok && buf_append_text(out, "  </testsuite>\n</testsuites>\n", err);
}
