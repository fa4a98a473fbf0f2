/* save.c — a machine to a manifest and chunks; see checkpoint.h. */
#include "sim/core/checkpoint.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_PATH_MAX (OBJECT_PATH_MAX + 64)

struct image_entry {
    char path[IMAGE_PATH_MAX];
    struct image *image;
    struct hash root;
};

static int compare_entries(const void *a, const void *b)
{
    const struct image_entry *left = a, *right = b;

    return strcmp(left->path, right->path);
}

static size_t list_images(const struct machine *machine, struct image_entry *out)
{
    size_t count = 0;

    for (uint32_t i = 0; i < machine->object_count; i++) {
        const struct object *object = machine->objects[i];
        for (uint32_t k = 0; k < object->model->schema->image_count; k++) {
            snprintf(out[count].path, sizeof out[count].path, "%s.%s", object->path,
                     object->model->schema->images[k].name);
            out[count++].image = object->images[k];
        }
    }
    if (count != 0)
        qsort(out, count, sizeof *out, compare_entries);
    return count;
}

static bool write_images(struct machine *machine, const struct chunk_sink *sink,
                         struct cbor_writer *writer)
{
    struct image_entry *entries =
        mem_array((size_t)machine->object_count * OBJECT_IMAGES_MAX, sizeof *entries);
    size_t count = list_images(machine, entries);
    bool ok = true;

    cbor_write_array(writer, count);
    for (size_t i = 0; ok && i < count; i++) {
        ok = image_commit(entries[i].image, sink, &entries[i].root, writer->err);
        if (!ok)
            err_wrap(writer->err, "%s", entries[i].path);
        cbor_write_array(writer, 3);
        cbor_write_text(writer, entries[i].path);
        cbor_write_uint(writer, entries[i].image->size);
        cbor_write_bytes(writer, (struct span){entries[i].root.bytes, HASH_SIZE});
    }
    mem_free(entries);
    return ok && writer->ok;
}

/* Keys in deterministic order: shorter first. */
static int compare_slots(const void *a, const void *b)
{
    const struct link_slot *const *left = a, *const *right = b;
    size_t left_size = strlen((*left)->name), right_size = strlen((*right)->name);

    if (left_size != right_size)
        return left_size < right_size ? -1 : 1;
    return strcmp((*left)->name, (*right)->name);
}

static void write_links(const struct object *object, struct cbor_writer *writer)
{
    const struct schema *schema = object->model->schema;
    const struct link_slot *order[OBJECT_LINKS_MAX];
    uint32_t count = 0;

    CHECK(schema->link_count <= OBJECT_LINKS_MAX);
    for (uint32_t i = 0; i < schema->link_count; i++)
        if (object->links[i] != NULL)
            order[count++] = &schema->links[i];
    if (count != 0)
        qsort(order, count, sizeof order[0], compare_slots);
    cbor_write_map(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        cbor_write_text(writer, order[i]->name);
        cbor_write_text(writer, object->links[order[i] - schema->links]->path);
    }
}

static void write_object(const struct object *object, struct cbor_writer *writer)
{
    const struct schema *schema = object->model->schema;

    cbor_write_map(writer, 6);
    cbor_write_text(writer, "path");
    cbor_write_text(writer, object->path);
    cbor_write_text(writer, "links");
    write_links(object, writer);
    cbor_write_text(writer, "config");
    attr_save(&schema->config, object->config, writer);
    cbor_write_text(writer, "schema");
    cbor_write_text(writer, schema->name);
    cbor_write_text(writer, "version");
    cbor_write_uint(writer, schema->version);
    cbor_write_text(writer, "attributes");
    attr_save(&schema->state, object->state, writer);
}

static bool write_architecture(struct machine *machine, const struct chunk_sink *sink,
                               struct cbor_writer *writer)
{
    cbor_write_map(writer, 2);
    cbor_write_text(writer, "images");
    if (!write_images(machine, sink, writer))
        return false;
    cbor_write_text(writer, "objects");
    cbor_write_array(writer, machine->object_count);
    for (uint32_t i = 0; i < machine->object_count; i++)
        write_object(machine->objects[i], writer);
    return writer->ok;
}

static int compare_objects(const void *a, const void *b)
{
    const struct object *const *left = a, *const *right = b;
    size_t left_size = strlen((*left)->path), right_size = strlen((*right)->path);

    if (left_size != right_size)
        return left_size < right_size ? -1 : 1;
    return strcmp((*left)->path, (*right)->path);
}

static bool write_execution(const struct machine *machine, struct cbor_writer *writer)
{
    const struct object *order[MACHINE_OBJECTS_MAX];

    for (uint32_t i = 0; i < machine->object_count; i++)
        order[i] = machine->objects[i];
    qsort(order, machine->object_count, sizeof order[0], compare_objects);
    cbor_write_map(writer, 2);
    cbor_write_text(writer, "micro");
    cbor_write_map(writer, 0);
    cbor_write_text(writer, "models");
    cbor_write_map(writer, machine->object_count);
    for (uint32_t i = 0; i < machine->object_count; i++) {
        cbor_write_text(writer, order[i]->path);
        cbor_write_text(writer, order[i]->model->name);
    }
    return writer->ok;
}

bool machine_save(struct machine *machine, const struct chunk_sink *sink, struct buf *manifest,
                  struct checkpoint_ids *ids, struct err *err)
{
    struct buf architecture = BUF_INIT(MANIFEST_BYTES_MAX);
    struct buf execution = BUF_INIT(MANIFEST_BYTES_MAX);
    struct buf whole = BUF_INIT(MANIFEST_BYTES_MAX);
    struct cbor_writer first = cbor_writer(&architecture, err);
    struct cbor_writer second = cbor_writer(&execution, err);
    bool ok = write_architecture(machine, sink, &first) && write_execution(machine, &second) &&
              manifest_join(buf_span(&architecture), buf_span(&execution), &whole, err);

    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i]->model->cpu->flush_writes(machine->cpus[i]);
    if (ok) {
        ids->state_id = hash_of(buf_span(&architecture));
        ids->checkpoint_id = hash_of(buf_span(&whole));
    }
    if (ok && manifest != NULL)
        ok = buf_append(manifest, whole.data, whole.size, err);
    buf_release(&whole);
    buf_release(&execution);
    buf_release(&architecture);
    return ok || err_wrap(err, "freeze");
}

bool machine_digest(struct machine *machine, struct checkpoint_ids *ids, struct err *err)
{
    return machine_save(machine, NULL, NULL, ids, err);
}
