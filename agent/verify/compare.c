#include "agent/verify/compare.h"

#include "agent/verify/look.h"
#include "sim/board/virt.h"
#include "sim/hart/hart.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (MANIFEST_BYTES_MAX)

struct comparison {
    struct registry registry;
    struct buf manifests[3];
    struct checkpoint_view *views[3];
    struct buf next;
    struct buf changes[2];
};

struct comparison *comparison_new(void)
{
    struct comparison *comparison = mem_alloc(sizeof *comparison);

    registry_standard(&comparison->registry);
    for (size_t i = 0; i < 3; i++)
        comparison->manifests[i] = (struct buf)BUF_INIT(ANSWER_MAX);
    comparison->next = (struct buf)BUF_INIT(ANSWER_MAX);
    for (size_t i = 0; i < 2; i++)
        comparison->changes[i] = (struct buf)BUF_INIT(ANSWER_MAX);
    return comparison;
}

void comparison_free(struct comparison *comparison)
{
    for (size_t i = 0; i < 3; i++) {
        checkpoint_view_free(comparison->views[i]);
        buf_release(&comparison->manifests[i]);
    }
    buf_release(&comparison->next);
    for (size_t i = 0; i < 2; i++)
        buf_release(&comparison->changes[i]);
    mem_free(comparison);
}

bool comparison_take_state(struct comparison *comparison, size_t which, struct span manifest,
                           struct err *err)
{
    struct buf *bytes = &comparison->manifests[which];

    return buf_append(bytes, manifest.data, manifest.size, err) &&
           checkpoint_view_open(&comparison->registry, buf_span(bytes), &comparison->views[which],
                                err);
}

bool comparison_take_next(struct comparison *comparison, struct span next, struct err *err)
{
    return cbor_check(next, err) && buf_append(&comparison->next, next.data, next.size, err);
}

bool comparison_take_changes(struct comparison *comparison, size_t which, struct span changes,
                             struct err *err)
{
    return cbor_check(changes, err) &&
           buf_append(&comparison->changes[which], changes.data, changes.size, err);
}

static const struct checkpoint_object *find(const struct comparison *comparison, size_t which,
                                            struct span path)
{
    const struct checkpoint_view *view = comparison->views[which];

    for (size_t i = 0; i < checkpoint_view_count(view); i++)
        if (span_equal(checkpoint_view_at(view, i)->path, path))
            return checkpoint_view_at(view, i);
    return NULL;
}

/* The three states of an object. False: not all of them are known here. */
static bool states_of(const struct comparison *comparison, struct span path,
                      const struct schema **schema, const void *states[3])
{
    for (size_t i = 0; i < 3; i++) {
        const struct checkpoint_object *object = find(comparison, i, path);
        if (object == NULL || object->known == NULL)
            return false;
        *schema = object->known;
        states[i] = object->state;
    }
    return true;
}

static void add_row(struct divergence *out, struct span path, const struct attr *attr,
                    uint32_t index, const void *const states[3])
{
    struct divergence_row *row = &out->rows[out->row_count];

    if (out->row_count == DIVERGENCE_ROWS_MAX)
        return;
    verify_text(path, row->object, sizeof row->object);
    if (attr->count == 1)
        snprintf(row->name, sizeof row->name, "%s", attr->name);
    else
        snprintf(row->name, sizeof row->name, "%s[%u]", attr->name, index);
    row->before = attr_get(attr, states[COMPARISON_BEFORE], index);
    for (size_t i = 0; i < 2; i++)
        row->after[i] = attr_get(attr, states[i], index);
    out->row_count++;
}

/* All attributes of the object, or only those that the hosts differ in. */
static void add_rows(const struct comparison *comparison, struct span path, bool all,
                     struct divergence *out)
{
    const struct schema *schema = NULL;
    const void *states[3];

    if (!states_of(comparison, path, &schema, states))
        return;
    for (uint32_t i = 0; i < schema->state.count; i++) {
        const struct attr *attr = &schema->state.attrs[i];
        for (uint32_t k = 0; k < attr->count; k++)
            if (all || attr_get(attr, states[0], k) != attr_get(attr, states[1], k))
                add_row(out, path, attr, k, states);
    }
}

static uint64_t executed(const struct comparison *comparison, size_t which, struct span path)
{
    const struct checkpoint_object *object = find(comparison, which, path);
    const struct hart_state *state = object != NULL ? object->state : NULL;

    return object != NULL && object->known == &hart_schema ? state->instructions : 0;
}

/* Reads one [path, pc, bits, text]. */
static bool read_next(struct cbor_reader *reader, struct span *path, struct divergence *out)
{
    struct span text = {NULL, 0};
    uint64_t bits = 0;
    size_t parts = 0;

    if (!cbor_read_array(reader, 4, &parts) || !cbor_read_text(reader, OBJECT_PATH_MAX - 1, path) ||
        !cbor_read_uint(reader, &out->pc) || !cbor_read_uint(reader, &bits) ||
        !cbor_read_text(reader, sizeof out->disassembly - 1, &text))
        return false;
    out->bits = (uint32_t)bits;
    verify_text(text, out->disassembly, sizeof out->disassembly);
    return true;
}

/* The hart that ran it, on either host. */
static bool find_hart(const struct comparison *comparison, struct divergence *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(buf_span(&comparison->next), err);
    struct span path = {NULL, 0};
    size_t count = 0;

    if (!cbor_read_array(&reader, MACHINE_CPUS_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_next(&reader, &path, out))
            return false;
        uint64_t before = executed(comparison, COMPARISON_BEFORE, path);
        if (executed(comparison, 0, path) != before || executed(comparison, 1, path) != before) {
            verify_text(path, out->hart, sizeof out->hart);
            return true;
        }
    }
    out->pc = 0;
    out->bits = 0;
    out->disassembly[0] = 0;
    return true;
}

bool comparison_fill(const struct comparison *comparison, struct divergence *out, struct err *err)
{
    struct span hart;

    if (!find_hart(comparison, out, err))
        return false;
    hart = span_of_text(out->hart);
    mem_free(out->rows);
    out->rows = mem_array(DIVERGENCE_ROWS_MAX, sizeof *out->rows);
    out->row_count = 0;
    if (hart.size != 0)
        add_rows(comparison, hart, true, out);
    for (size_t i = 0; i < checkpoint_view_count(comparison->views[0]); i++) {
        struct span path = checkpoint_view_at(comparison->views[0], i)->path;
        if (!span_equal(path, hart))
            add_rows(comparison, path, false, out);
    }
    out->first_row = 0;
    while (out->first_row < out->row_count &&
           out->rows[out->first_row].after[0] == out->rows[out->first_row].after[1])
        out->first_row++;
    return true;
}

/* One entry of a host's list of changes. */
struct changed {
    struct span image;
    uint64_t chunk;
    struct span hash;
};

static bool read_changed(struct cbor_reader *reader, struct changed *out)
{
    size_t parts = 0;

    return cbor_read_array(reader, 3, &parts) && cbor_read_text(reader, 255, &out->image) &&
           cbor_read_uint(reader, &out->chunk) && cbor_read_bytes(reader, HASH_SIZE, &out->hash);
}

/* Whether the host has the same change. */
static bool has_change(const struct comparison *comparison, size_t which,
                       const struct changed *wanted)
{
    struct err ignored = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&comparison->changes[which]), &ignored);
    struct changed changed;
    size_t count = 0;

    if (!cbor_read_array(&reader, LOOK_CHANGES_MAX, &count))
        return false;
    for (size_t i = 0; i < count && read_changed(&reader, &changed); i++)
        if (changed.chunk == wanted->chunk && span_equal(changed.image, wanted->image) &&
            span_equal(changed.hash, wanted->hash))
            return true;
    return false;
}

bool comparison_first_chunk(const struct comparison *comparison, char *image, size_t size,
                            uint64_t *chunk)
{
    for (size_t which = 0; which < 2; which++) {
        struct err ignored = ERR_INIT;
        struct cbor_reader reader = cbor_reader(buf_span(&comparison->changes[which]), &ignored);
        struct changed changed;
        size_t count = 0;
        if (!cbor_read_array(&reader, LOOK_CHANGES_MAX, &count))
            continue;
        for (size_t i = 0; i < count && read_changed(&reader, &changed); i++) {
            if (has_change(comparison, 1 - which, &changed))
                continue;
            verify_text(changed.image, image, size);
            *chunk = changed.chunk;
            return true;
        }
    }
    return false;
}
