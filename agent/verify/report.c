#include "agent/verify/report.h"

#include "jobs/report.h"

#include <stdio.h>
#include <string.h>

/* What is said of a host: how fast it was where it ran. */
static uint64_t instructions_a_second(const struct verify_result *result, size_t host)
{
    uint64_t instructions = 0, ns = 0;

    for (size_t i = 0; i < result->cell_count; i++) {
        const struct verify_cell *cell = &result->cells[i];
        if (cell->thawer != host)
            continue;
        instructions += cell->instructions;
        ns += cell->run_ns;
    }
    return ns == 0 ? 0 : (uint64_t)((double)instructions * 1e9 / (double)ns);
}

static bool text_hosts(const struct verify_result *result, bool colours, struct buf *out,
                       struct err *err)
{
    static const struct table_column columns[] = {
        {"host", false}, {"instructions/s", true}, {"what it is", false}};
    struct table table;
    bool ok;

    table_init(&table, columns, 3);
    for (size_t i = 0; i < result->host_count; i++) {
        table_cell(&table, COLOUR_NONE, "%s", result->hosts[i]);
        table_cell(&table, COLOUR_NONE, "%s", report_number(instructions_a_second(result, i)).text);
        table_cell(&table, COLOUR_NONE, "%s", result->descriptions[i]);
    }
    ok = table_write(&table, colours, out, err) && buf_append_text(out, "\n", err);
    table_release(&table);
    return ok;
}

static const char *freezer_name(const struct verify_result *result, const struct verify_cell *cell)
{
    return cell->freezer == VERIFY_AS_IT_IS ? "(checkpoint)" : result->hosts[cell->freezer];
}

static const struct verify_cell *find_cell(const struct verify_result *result, size_t freezer,
                                           size_t thawer)
{
    for (size_t i = 0; i < result->cell_count; i++)
        if (!result->cells[i].ring && result->cells[i].freezer == freezer &&
            result->cells[i].thawer == thawer)
            return &result->cells[i];
    return NULL;
}

static void text_row(const struct verify_result *result, size_t freezer, const char *name,
                     struct table *table)
{
    bool any = false;

    for (size_t i = 0; i < result->host_count; i++)
        any = any || find_cell(result, freezer, i) != NULL;
    if (!any)
        return;
    table_cell(table, COLOUR_BOLD, "%s", name);
    for (size_t i = 0; i < result->host_count && i + 1 < TABLE_COLUMNS_MAX; i++) {
        const struct verify_cell *cell = find_cell(result, freezer, i);
        table_cell(table, cell == NULL ? COLOUR_NONE : report_colour(cell->verdict), "%s",
                   cell == NULL ? "-" : verdict_name(cell->verdict));
    }
}

static bool text_matrix(const struct verify_result *result, bool colours, struct buf *out,
                        struct err *err)
{
    struct table_column columns[TABLE_COLUMNS_MAX] = {{"frozen by \\ thawed by", false}};
    size_t count = 1;
    struct table table;
    bool ok;

    for (size_t i = 0; i < result->host_count && count < TABLE_COLUMNS_MAX; i++)
        columns[count++] = (struct table_column){result->hosts[i], false};
    table_init(&table, columns, count);
    text_row(result, VERIFY_AS_IT_IS, "(checkpoint)", &table);
    for (size_t i = 0; i < result->host_count; i++)
        text_row(result, i, result->hosts[i], &table);
    ok = table.cell_count == 0 ||
         (table_write(&table, colours, out, err) && buf_append_text(out, "\n", err));
    table_release(&table);
    return ok;
}

static bool text_ring(const struct verify_result *result, struct buf *out, struct err *err)
{
    bool any = false, ok = true;

    for (size_t i = 0; ok && i < result->cell_count; i++) {
        const struct verify_cell *cell = &result->cells[i];
        if (!cell->ring)
            continue;
        ok = buf_format(out, err, "%s%s", any ? " -> " : "ring: ", result->hosts[cell->thawer]) &&
             (cell->verdict == VERDICT_PASS ||
              buf_format(out, err, " (%s)", verdict_name(cell->verdict)));
        any = true;
    }
    return ok && (!any || buf_append_text(out, "\n\n", err));
}

static bool text_reasons(const struct verify_result *result, struct buf *out, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < result->cell_count; i++) {
        const struct verify_cell *cell = &result->cells[i];
        if (cell->verdict != VERDICT_PASS)
            ok = buf_format(out, err, "%s: %s thawed by %s: %s\n", verdict_name(cell->verdict),
                            freezer_name(result, cell), result->hosts[cell->thawer], cell->reason);
    }
    return ok;
}

static bool row_is_told(const struct divergence_row *row)
{
    return row->after[0] != row->after[1] || row->after[0] != row->before;
}

static bool text_registers(const struct divergence *divergence, struct buf *out, struct err *err)
{
    struct table_column columns[] = {{"attribute", false},
                                     {"before", true},
                                     {divergence->hosts[0], true},
                                     {divergence->hosts[1], true},
                                     {"", false}};
    struct table table;
    bool ok;

    table_init(&table, columns, 5);
    for (size_t i = 0; i < divergence->row_count; i++) {
        const struct divergence_row *row = &divergence->rows[i];
        bool differs = row->after[0] != row->after[1];
        if (!row_is_told(row))
            continue;
        table_cell(&table, COLOUR_NONE, "  %s.%s", row->object, row->name);
        table_cell(&table, COLOUR_NONE, "0x%llx", (unsigned long long)row->before);
        for (size_t k = 0; k < 2; k++)
            table_cell(&table, differs ? COLOUR_RED : COLOUR_NONE, "0x%llx",
                       (unsigned long long)row->after[k]);
        table_cell(&table, COLOUR_RED, "%s", differs ? "<- differs" : "");
    }
    ok = table_write(&table, false, out, err);
    table_release(&table);
    return ok;
}

static bool text_page(const struct divergence *divergence, struct buf *out, struct err *err)
{
    bool ok;

    if (!divergence->page_differs)
        return true;
    ok = buf_format(out, err, "  %s, page at 0x%llx, first different byte at 0x%llx\n",
                    divergence->image, (unsigned long long)divergence->page,
                    (unsigned long long)divergence->offset);
    for (size_t k = 0; ok && k < 2; k++) {
        ok = buf_format(out, err, "  %*s", PEER_NAME_MAX / 4, divergence->hosts[k]);
        for (size_t i = 0; ok && i < divergence->byte_count; i++)
            ok = buf_format(out, err, " %02x", divergence->bytes[k][i]);
        ok = ok && buf_append_text(out, "\n", err);
    }
    return ok;
}

static bool text_divergence(const struct divergence *divergence, struct buf *out, struct err *err)
{
    if (!buf_format(out, err, "\nDIVERGENCE of %s and %s: %s\n", divergence->hosts[0],
                    divergence->hosts[1], divergence->text))
        return false;
    if (!divergence->pinned)
        return true;
    if (divergence->hart[0] != 0 &&
        !buf_format(out, err, "  %s  0x%llx:  %0*x  %s\n", divergence->hart,
                    (unsigned long long)divergence->pc, (divergence->bits & 3) == 3 ? 8 : 4,
                    divergence->bits, divergence->disassembly))
        return false;
    if (divergence->base != divergence->agreed &&
        !buf_format(
            out, err,
            "  only in one piece from instruction %llu on: it needs what a host remembers\n",
            (unsigned long long)divergence->base))
        return false;
    return text_registers(divergence, out, err) && text_page(divergence, out, err);
}

bool verify_report_text(const struct verify_result *result, bool colours, struct buf *out,
                        struct err *err)
{
    bool passed = verify_verdict(result) == VERDICT_PASS;
    bool ok = text_hosts(result, colours, out, err) && text_matrix(result, colours, out, err) &&
              text_ring(result, out, err) && text_reasons(result, out, err);

    for (size_t i = 0; ok && i < result->divergence_count; i++)
        ok = text_divergence(&result->divergences[i], out, err);
    if (!ok)
        return false;
    if (!passed)
        return buf_format(out, err, "%s\n", verdict_name(verify_verdict(result)));
    return buf_format(out, err, "pass: %zu runs on %zu hosts, %s instructions%s, state %.16s, %s\n",
                      result->cell_count, result->host_count,
                      report_number(result->instructions).text,
                      result->ended ? " (the guest ended)" : "", hash_hex(&result->state_id).text,
                      report_duration(result->wall_ns).text);
}

/* ---- JSON ---- */

static void json_hash_key(struct json_writer *writer, const char *key, const struct hash *hash)
{
    json_write_key_text(writer, key, hash_hex(hash).text);
}

/* A 64-bit value as people compare it; JSON's own numbers end at 2^53. */
static void json_hex(struct json_writer *writer, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    json_write_key_text(writer, key, text);
}

static void json_row(const struct divergence_row *row, struct json_writer *writer)
{
    json_write_object(writer);
    json_write_key_text(writer, "object", row->object);
    json_write_key_text(writer, "name", row->name);
    json_hex(writer, "before", row->before);
    json_write_key(writer, "after");
    json_write_array(writer);
    for (size_t k = 0; k < 2; k++) {
        char text[24];
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)row->after[k]);
        json_write_text(writer, text);
    }
    json_write_close(writer);
    json_write_close(writer);
}

static void json_page(const struct divergence *divergence, struct json_writer *writer)
{
    json_write_key(writer, "page");
    if (!divergence->page_differs) {
        json_write_null(writer);
        return;
    }
    json_write_object(writer);
    json_write_key_text(writer, "image", divergence->image);
    json_write_key_uint(writer, "page", divergence->page);
    json_write_key_uint(writer, "offset", divergence->offset);
    json_write_key(writer, "bytes");
    json_write_array(writer);
    for (size_t k = 0; k < 2; k++) {
        char text[2 * DIVERGENCE_BYTES + 1] = "";
        for (size_t i = 0; i < divergence->byte_count; i++)
            snprintf(text + 2 * i, 3, "%02x", divergence->bytes[k][i]);
        json_write_text(writer, text);
    }
    json_write_close(writer);
    json_write_close(writer);
}

static void json_details(const struct divergence *divergence, struct json_writer *writer)
{
    json_write_key_uint(writer, "instruction", divergence->instruction);
    json_write_key_uint(writer, "base", divergence->base);
    json_write_key_text(writer, "hart", divergence->hart[0] != 0 ? divergence->hart : NULL);
    json_hex(writer, "pc", divergence->pc);
    json_hex(writer, "bits", divergence->bits);
    json_write_key_text(writer, "disassembly", divergence->disassembly);
    json_write_key(writer, "attribute");
    if (divergence->first_row < divergence->row_count)
        json_row(&divergence->rows[divergence->first_row], writer);
    else
        json_write_null(writer);
    json_page(divergence, writer);
    json_write_key(writer, "registers");
    json_write_array(writer);
    for (size_t i = 0; i < divergence->row_count; i++)
        json_row(&divergence->rows[i], writer);
    json_write_close(writer);
}

static void json_divergence(const struct divergence *divergence, struct json_writer *writer)
{
    json_write_object(writer);
    json_write_key(writer, "hosts");
    json_write_array(writer);
    json_write_text(writer, divergence->hosts[0]);
    json_write_text(writer, divergence->hosts[1]);
    json_write_close(writer);
    json_write_key_text(writer, "text", divergence->text);
    json_write_key_bool(writer, "pinned", divergence->pinned);
    json_write_key_uint(writer, "agreed", divergence->agreed);
    json_write_key_uint(writer, "mark", divergence->mark);
    json_write_key(writer, "state_ids");
    json_write_array(writer);
    json_write_text(writer, hash_hex(&divergence->state_ids[0]).text);
    json_write_text(writer, hash_hex(&divergence->state_ids[1]).text);
    json_write_close(writer);
    if (divergence->pinned)
        json_details(divergence, writer);
    json_write_close(writer);
}

static void json_cell(const struct verify_result *result, const struct verify_cell *cell,
                      struct json_writer *writer)
{
    json_write_object(writer);
    json_write_key_text(writer, "freezer",
                        cell->freezer == VERIFY_AS_IT_IS ? NULL : result->hosts[cell->freezer]);
    json_write_key_text(writer, "thawer", result->hosts[cell->thawer]);
    json_write_key_bool(writer, "ring", cell->ring);
    json_write_key_text(writer, "verdict", verdict_name(cell->verdict));
    json_write_key_text(writer, "reason", cell->reason);
    json_write_key_uint(writer, "instructions", cell->instructions);
    json_write_key_uint(writer, "marks", cell->marks);
    json_hash_key(writer, "state_id", &cell->state_id);
    json_write_key_ms(writer, "run_ms", cell->run_ns);
    json_write_key_ms(writer, "digest_ms", cell->digest_ns);
    json_write_close(writer);
}

static void json_hosts(const struct verify_result *result, struct json_writer *writer)
{
    json_write_key(writer, "hosts");
    json_write_array(writer);
    for (size_t i = 0; i < result->host_count; i++) {
        json_write_object(writer);
        json_write_key_text(writer, "name", result->hosts[i]);
        json_write_key_text(writer, "description", result->descriptions[i]);
        json_write_key_uint(writer, "instructions_a_second", instructions_a_second(result, i));
        json_write_close(writer);
    }
    json_write_close(writer);
}

void verify_report_json(const struct verify_result *result, const char *checkpoint,
                        struct json_writer *writer)
{
    json_write_object(writer);
    json_write_key_text(writer, "checkpoint", checkpoint);
    json_write_key_bool(writer, "passed", verify_verdict(result) == VERDICT_PASS);
    json_write_key_text(writer, "verdict", verdict_name(verify_verdict(result)));
    json_hash_key(writer, "state_id", &result->state_id);
    json_write_key_uint(writer, "instructions", result->instructions);
    json_write_key_bool(writer, "ended", result->ended);
    json_write_key_ms(writer, "wall_ms", result->wall_ns);
    json_hosts(result, writer);
    json_write_key(writer, "matrix");
    json_write_array(writer);
    for (size_t i = 0; i < result->cell_count; i++)
        json_cell(result, &result->cells[i], writer);
    json_write_close(writer);
    json_write_key(writer, "divergence");
    if (result->divergence_count != 0)
        json_divergence(&result->divergences[0], writer);
    else
        json_write_null(writer);
    json_write_key(writer, "divergences");
    json_write_array(writer);
    for (size_t i = 0; i < result->divergence_count; i++)
        json_divergence(&result->divergences[i], writer);
    json_write_close(writer);
    json_write_close(writer);
}

/* ---- JUnit ---- */

bool verify_report_junit(const struct verify_result *result, const char *name, struct buf *out,
                         struct err *err)
{
    struct test_result *tests = mem_array(result->cell_count + 1, sizeof *tests);
    struct hash_hex *ids = mem_array(result->cell_count + 1, sizeof *ids);
    char(*names)[2 * PEER_NAME_MAX + 40] = mem_array(result->cell_count + 1, sizeof *names);
    struct buf *details = mem_array(result->cell_count + 1, sizeof *details);
    struct suite_result suite = {
        .name = name, .tests = tests, .test_count = result->cell_count, .wall_ns = result->wall_ns};
    bool ok = true;

    for (size_t i = 0; ok && i < result->cell_count; i++) {
        const struct verify_cell *cell = &result->cells[i];
        snprintf(names[i], sizeof names[i], "%sfrozen by %s, thawed by %s",
                 cell->ring ? "ring: " : "", freezer_name(result, cell),
                 result->hosts[cell->thawer]);
        ids[i] = hash_hex(&cell->state_id);
        details[i] = (struct buf)BUF_INIT(4u << 20);
        if (cell->divergence < result->divergence_count)
            ok = text_divergence(&result->divergences[cell->divergence], &details[i], err);
        tests[i] = (struct test_result){.suite = name,
                                        .name = names[i],
                                        .verdict = cell->verdict,
                                        .reason = cell->reason,
                                        .exit_status = -1,
                                        .state_id = ids[i].text,
                                        .instructions = cell->instructions,
                                        .wall_ns = cell->run_ns + cell->digest_ns,
                                        .console = buf_span(&details[i])};
    }
    ok = ok && report_junit(&suite, out, err);
    for (size_t i = 0; i < result->cell_count; i++)
        buf_release(&details[i]);
    mem_free(details);
    mem_free(names);
    mem_free(ids);
    mem_free(tests);
    return ok;
}
