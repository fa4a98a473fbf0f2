#include "jobs/console_filter.h"
#include "jobs/report.h"
#include "jobs/utf8.h"

#include <stdio.h>
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

/* It ran, and does not count. */
static bool put_quarantined(const struct test_result *test, struct buf *out, struct err *err)
{
    struct buf text = BUF_INIT(8192);
    bool ok = buf_format(&text, err, "in quarantine (%s), and came to %s: %s", test->quarantine,
                         verdict_name(test->verdict), test->reason == NULL ? "" : test->reason) &&
              buf_append(&text, "", 1, err) && buf_append_text(out, "      <skipped", err) &&
              put_attribute("message", (const char *)text.data, out, err) &&
              buf_append_text(out, "/>\n", err);

    buf_release(&text);
    return ok;
}

static bool put_verdict(const struct test_result *test, struct buf *out, struct err *err)
{
    const char *name = element(test->verdict);
    const char *reason = test->reason == NULL ? "" : test->reason;
    struct buf text = BUF_INIT(4096);
    bool ok;

    if (name == NULL)
        return true;
    if (test->quarantine != NULL)
        return put_quarantined(test, out, err);
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

static bool put_property(const char *name, const char *value, struct buf *out, struct err *err)
{
    return value == NULL ||
           (buf_append_text(out, "        <property", err) &&
            put_attribute("name", name, out, err) && put_attribute("value", value, out, err) &&
            buf_append_text(out, "/>\n", err));
}

/* What the farm knows of the test besides. */
static bool put_properties(const struct test_result *test, struct buf *out, struct err *err)
{
    char attempts[16];
    bool ok;

    if (test->attempts == 0)
        return true;
    snprintf(attempts, sizeof attempts, "%u", test->attempts);
    ok = buf_append_text(out, "      <properties>\n", err) &&
         put_property("attempts", attempts, out, err) &&
         put_property("agent", test->agent, out, err) &&
         put_property("cached", test->cached ? "true" : NULL, out, err) &&
         put_property("quarantine", test->quarantine, out, err) &&
         put_property("checkpoint", test->checkpoint, out, err) &&
         put_property("state_id", test->state_id, out, err) &&
         put_property("console", test->console_id, out, err);
    for (size_t i = 0; ok && i < test->artifact_count; i++) {
        struct buf name = BUF_INIT(4096);

        ok = buf_format(&name, err, "artifact %s", test->artifacts[i].name) &&
             buf_append(&name, "", 1, err) &&
             put_property((const char *)name.data, test->artifacts[i].id, out, err);
        buf_release(&name);
    }
    return ok && buf_append_text(out, "      </properties>\n", err);
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
    ok = ok && buf_append_text(out, ">\n", err) && put_properties(test, out, err) &&
         put_verdict(test, out, err);
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
    size_t quarantined = 0, skipped = suite_count(suite, VERDICT_SKIPPED);

    suite_quarantined(suite, &quarantined);
    for (size_t i = 0; i < suite->test_count; i++)
        skipped += suite->tests[i].quarantine != NULL && suite->tests[i].verdict == VERDICT_SKIPPED;

    return put_attribute("name", suite->name, out, err) &&
           buf_format(out, err, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
                      suite->test_count, failures, errors, skipped + quarantined) &&
           put_time("time", suite->wall_ns, out, err) && buf_append_text(out, ">\n", err);
}

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"
#define TAIL "  </testsuite>\n</testsuites>\n"

static bool put_head(const struct suite_result *suite, struct buf *out, struct err *err)
{
    return buf_append_text(out, HEAD, err) && put_counts(suite, out, err) &&
           buf_append_text(out, "  <testsuite", err) && put_counts(suite, out, err);
}

bool report_junit(const struct suite_result *suite, struct buf *out, struct err *err)
{
    struct numbered *all = number_copies(suite);
    bool ok = put_head(suite, out, err);

    for (size_t i = 0; i < suite->test_count && ok; i++)
        ok = put_case(suite, all[i].test, all[i].copy, out, err);
    mem_free(all);
    return ok && buf_append_text(out, TAIL, err);
}

/* One file of several. */
struct part {
    const struct suite_result *suite;
    const struct report_taker *taker;
    size_t max;
    size_t frame;        /* bytes around the cases, at most */
    size_t first, count; /* tests in it */
    size_t index;
    struct buf cases;
    struct err *err;
};

/* What is around the cases: no count of a part has more digits than that of the whole. */
static bool measure_frame(struct part *part)
{
    struct buf head = BUF_INIT(64 * 1024);
    bool ok = put_head(part->suite, &head, part->err);

    part->frame = head.size + sizeof TAIL - 1;
    buf_release(&head);
    return ok;
}

static bool finish_part(struct part *part)
{
    struct suite_result slice = *part->suite;
    struct buf file = BUF_INIT(part->max);
    bool ok;

    slice.tests += part->first;
    slice.test_count = part->count;
    ok = put_head(&slice, &file, part->err) &&
         buf_append(&file, part->cases.data, part->cases.size, part->err) &&
         buf_append_text(&file, TAIL, part->err) &&
         part->taker->take(part->taker->context, part->index, buf_span(&file), part->err);
    buf_release(&file);
    buf_clear(&part->cases);
    part->first += part->count;
    part->count = 0;
    part->index++;
    return ok;
}

/* Adds a case; one that does not fit begins the next file. */
static bool add_case(struct part *part, struct span text)
{
    if (part->frame + part->cases.size + text.size > part->max && part->count > 0 &&
        !finish_part(part))
        return false;
    if (part->frame + text.size > part->max)
        return err_set(part->err, ERR_TOO_BIG,
                       "test %s alone takes more than the %zu bytes of a file",
                       part->suite->tests[part->first + part->count].name, part->max);
    part->count++;
    return buf_append(&part->cases, text.data, text.size, part->err);
}

bool report_junit_split(const struct suite_result *suite, size_t max,
                        const struct report_taker *taker, struct err *err)
{
    struct part part = {
        .suite = suite, .taker = taker, .max = max, .cases = BUF_INIT(max), .err = err};
    struct numbered *all = number_copies(suite);
    struct buf text = BUF_INIT(max);
    bool ok = measure_frame(&part);

    for (size_t i = 0; i < suite->test_count && ok; i++) {
        buf_clear(&text);
        ok = put_case(suite, all[i].test, all[i].copy, &text, err) &&
             add_case(&part, buf_span(&text));
    }
    ok = ok && ((part.count == 0 && part.index > 0) || finish_part(&part));
    buf_release(&text);
    buf_release(&part.cases);
    mem_free(all);
    return ok;
}
