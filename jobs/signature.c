#include "jobs/signature.h"

#include "jobs/utf8.h"

#include <string.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Behind `[   12.345678]` and `[T123]`/`[C0]`, as printk writes them. */
static struct span without_stamp(struct span line)
{
    for (;;) {
        size_t at = 1, digits = 0;

        while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
            line = (struct span){line.data + 1, line.size - 1};
        if (line.size == 0 || line.data[0] != '[')
            return line;
        while (at < line.size && line.data[at] == ' ')
            at++;
        if (at < line.size && (line.data[at] == 'T' || line.data[at] == 'C'))
            at++;
        for (; at < line.size && (is_digit(line.data[at]) || line.data[at] == '.'); at++)
            digits++;
        if (digits == 0 || at == line.size || line.data[at] != ']')
            return line;
        line = (struct span){line.data + at + 1, line.size - at - 1};
    }
}

struct writer {
    char *out;
    size_t size;
};

static void put(struct writer *writer, const char *text, size_t size)
{
    size_t room = SIGNATURE_TITLE_MAX - 1 - writer->size;

    if (size > room)
        size = room;
    memcpy(writer->out + writer->size, text, size);
    writer->size += size;
}

/* A run of letters, digits and `_`: what becomes of it depends on what it looks like. */
static size_t put_word(struct writer *writer, struct span text, size_t at)
{
    const char *word = (const char *)text.data + at;
    size_t size = 0, hex = 0, digits = 0, leading = 0;

    while (at + leading < text.size && is_digit(text.data[at + leading]))
        leading++;
    while (at + size < text.size && is_word(text.data[at + size])) {
        hex += is_hex(text.data[at + size]) ? 1 : 0;
        digits += is_digit(text.data[at + size]) ? 1 : 0;
        size++;
    }
    if (size > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X') && hex == size - 1) {
        put(writer, "ADDR", 4);
    } else if (size >= 8 && hex == size && digits > 0) {
        put(writer, "ADDR", 4);
    } else if (leading > 0 && size - leading <= 2) {
        /* A number, perhaps with a unit: 26s, 512kB. */
        put(writer, "N", 1);
        put(writer, word + leading, size - leading);
    } else {
        put(writer, word, size);
    }
    return size;
}

/* `+0x12/0x34` behind a function's name says where in it: left out. */
static size_t offset_size(struct span text, size_t at)
{
    size_t size = 1;

    if (text.data[at] != '+' || at + 3 >= text.size || text.data[at + 1] != '0' ||
        text.data[at + 2] != 'x')
        return 0;
    while (at + size < text.size && (is_word(text.data[at + size]) || text.data[at + size] == '/'))
        size++;
    return size;
}

void signature_title(struct span line, char out[SIGNATURE_TITLE_MAX])
{
    struct span text = without_stamp(line);
    struct writer writer = {out, 0};
    bool blank = false;

    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at];
        size_t offset = offset_size(text, at);

        if (c <= ' ' || c == 0x7f) {
            blank = writer.size > 0;
            at++;
            continue;
        }
        if (blank)
            put(&writer, " ", 1);
        blank = false;
        if (offset > 0) {
            at += offset;
        } else if (is_word(c)) {
            at += put_word(&writer, text, at);
        } else {
            put(&writer, (const char *)&text.data[at], 1);
            at++;
        }
    }
    writer.size = utf8_valid_size((struct span){(uint8_t *)out, writer.size});
    out[writer.size] = '\0';
}

/* Functions that report a fault, or are on the way of every fault: no part of what failed. */
static bool is_reporter(const char *name)
{
    static const char *const names[] = {
        "dump_backtrace",
        "dump_stack",
        "dump_stack_lvl",
        "show_stack",
        "panic",
        "vpanic",
        "__warn",
        "warn_slowpath_fmt",
        "report_bug",
        "die",
        "die_kernel_fault",
        "do_trap_error",
        "do_trap",
        "handle_break",
        "do_trap_break",
        "ret_from_exception",
        "handle_exception",
        "do_page_fault",
        "handle_page_fault",
        "no_context",
        "oops_exit",
        "__die",
        "bad_area_nosemaphore",
        "print_report",
        "kasan_report",
        "bust_spinlocks",
        "do_trap_insn_illegal",
        "walk_stackframe",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static void add_frame(struct signature *signature, const char *name, size_t size)
{
    char frame[SIGNATURE_FRAME_MAX];
    const char *dot;

    if (signature->frame_count == SIGNATURE_FRAMES_MAX)
        return;
    /* `foo.constprop.0`, `foo.part.3`, `foo.isra.0` are foo to people. */
    dot = memchr(name, '.', size);
    if (dot != NULL && dot > name)
        size = (size_t)(dot - name);
    if (size >= sizeof frame)
        size = sizeof frame - 1;
    memcpy(frame, name, size);
    frame[size] = '\0';
    if (is_reporter(frame))
        return;
    for (uint32_t i = 0; i < signature->frame_count; i++) {
        if (strcmp(signature->frames[i], frame) == 0)
            return;
    }
    memcpy(signature->frames[signature->frame_count++], frame, sizeof frame);
}

/* The first `name+0x12/0x34` of a line. */
static void frame_of_line(struct signature *signature, struct span line)
{
    for (size_t at = 1; at + 3 < line.size; at++) {
        size_t start = at;

        if (offset_size(line, at) == 0)
            continue;
        while (start > 0 && (is_word(line.data[start - 1]) || line.data[start - 1] == '.'))
            start--;
        if (start < at)
            add_frame(signature, (const char *)line.data + start, at - start);
        return;
    }
}

static bool starts_with(struct span text, const char *word)
{
    size_t size = strlen(word);

    return text.size >= size && memcmp(text.data, word, size) == 0;
}

void signature_make(enum verdict verdict, struct span title, struct span report,
                    struct signature *out)
{
    bool in_trace = false;

    memset(out, 0, sizeof *out);
    out->verdict = verdict;
    signature_title(title, out->title);
    for (size_t at = 0; at < report.size;) {
        const uint8_t *newline = memchr(report.data + at, '\n', report.size - at);
        size_t end = newline == NULL ? report.size : (size_t)(newline - report.data);
        struct span line = without_stamp((struct span){report.data + at, end - at});

        if (starts_with(line, "Call Trace:"))
            in_trace = true;
        else if (starts_with(line, "---["))
            in_trace = false;
        /* `epc` is where it happened; `ra` adds its caller when there is no trace. */
        else if (in_trace || starts_with(line, "epc : ") || starts_with(line, "pc : "))
            frame_of_line(out, line);
        at = end + 1;
    }
}

bool signature_text(const struct signature *signature, struct buf *out, struct err *err)
{
    if (!buf_append_text(out, verdict_name(signature->verdict), err))
        return false;
    if (signature->title[0] != '\0' && !buf_format(out, err, ": %s", signature->title))
        return false;
    for (uint32_t i = 0; i < signature->frame_count; i++) {
        if (!buf_format(out, err, "%s%s", i == 0 ? " (" : ", ", signature->frames[i]))
            return false;
    }
    return signature->frame_count == 0 || buf_append_text(out, ")", err);
}
