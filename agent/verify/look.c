#include "agent/verify/look.h"

#include "sim/hart/disassemble.h"
#include "sim/hart/walk.h"
#include "storage/base/hash.h"

#include <stdio.h>
#include <string.h>

#define IMAGE_NAME_MAX (OBJECT_PATH_MAX + 64)

/* 16 bits of code. */
static bool parcel(struct hart *hart, uint64_t pc, uint32_t *out)
{
    struct translation where;
    uint64_t value = 0;

    if (!hart_translate(hart, pc, 2, ACCESS_FETCH, &where) ||
        bus_ram(hart->bus, where.physical, 2) == NULL ||
        !bus_read(hart->bus, where.physical, 2, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static void write_next(struct hart *hart, struct cbor_writer *writer)
{
    uint64_t pc = hart->state->pc;
    uint32_t low = 0, high = 0;
    bool found = parcel(hart, pc, &low) && ((low & 3) != 3 || parcel(hart, pc + 2, &high));
    uint32_t bits = low | high << 16;

    cbor_write_array(writer, 4);
    cbor_write_text(writer, hart->object->path);
    cbor_write_uint(writer, pc);
    cbor_write_uint(writer, found ? bits : 0);
    cbor_write_text(writer, found ? disassemble(bits, pc).text : "(cannot be fetched)");
}

bool look_next(struct machine *machine, struct buf *out, struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);

    cbor_write_array(&writer, machine->cpu_count);
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        write_next(hart_of(machine->cpus[i]), &writer);
    return writer.ok;
}

bool look_changes(const struct history *history, struct buf *out, struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);
    size_t count = 0;
    const struct history_change *changes = history_changes(history, &count);

    if (count > LOOK_CHANGES_MAX)
        count = LOOK_CHANGES_MAX;
    cbor_write_array(&writer, count);
    for (size_t i = 0; i < count; i++) {
        const struct object *object = changes[i].object;
        const struct hash *nodes = image_nodes(object->images[changes[i].slot]);
        char name[IMAGE_NAME_MAX];
        snprintf(name, sizeof name, "%s.%s", object->path,
                 object->model->schema->images[changes[i].slot].name);
        cbor_write_array(&writer, 3);
        cbor_write_text(&writer, name);
        cbor_write_uint(&writer, changes[i].chunk);
        cbor_write_bytes(&writer, (struct span){nodes[changes[i].chunk].bytes, HASH_SIZE});
    }
    return writer.ok;
}

static const struct image *find_image(const struct machine *machine, struct span wanted)
{
    for (uint32_t i = 0; i < machine->object_count; i++) {
        const struct object *object = machine->objects[i];
        for (uint32_t k = 0; k < object->model->schema->image_count; k++) {
            char name[IMAGE_NAME_MAX];
            snprintf(name, sizeof name, "%s.%s", object->path,
                     object->model->schema->images[k].name);
            if (span_equal(wanted, span_of_text(name)))
                return object->images[k];
        }
    }
    return NULL;
}

bool look_chunk(struct machine *machine, struct span image, uint64_t chunk, struct span *out,
                struct err *err)
{
    const struct image *found = find_image(machine, image);

    if (found == NULL || chunk >= found->size / IMAGE_CHUNK_SIZE)
        return err_set(err, ERR_NOT_FOUND, "no such chunk");
    *out = (struct span){found->data + chunk * IMAGE_CHUNK_SIZE, IMAGE_CHUNK_SIZE};
    return true;
}
