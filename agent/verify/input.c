#include "agent/verify/input.h"

void input_write(struct cbor_writer *writer, uint64_t at, const char *object, const char *kind,
                 struct span bytes)
{
    cbor_write_array(writer, 4);
    cbor_write_uint(writer, at);
    cbor_write_text(writer, object);
    cbor_write_text(writer, kind);
    cbor_write_bytes(writer, bytes);
}

static char *copy_of(struct span text)
{
    char *copy = mem_alloc(text.size + 1);

    verify_text(text, copy, text.size + 1);
    return copy;
}

static bool read_one(struct cbor_reader *reader, struct input *out)
{
    struct span object = {NULL, 0}, kind = {NULL, 0};
    size_t parts = 0;

    if (!cbor_read_array(reader, 4, &parts) || !cbor_read_uint(reader, &out->at) ||
        !cbor_read_text(reader, OBJECT_PATH_MAX, &object) || !cbor_read_text(reader, 64, &kind) ||
        !cbor_read_bytes(reader, INPUT_BYTES_MAX, &out->bytes))
        return false;
    if (parts != 4)
        return cbor_fail(reader, ERR_INVALID, "an input has 4 parts, not %zu", parts);
    out->object = copy_of(object);
    out->kind = copy_of(kind);
    return true;
}

bool input_list_read(struct span bytes, struct input_list *out, struct err *err)
{
    struct input_list list = {NULL, 0, BUF_INIT(INPUT_BYTES_MAX)};
    struct cbor_reader reader;
    size_t count = 0;

    if (!buf_append(&list.bytes, bytes.data, bytes.size, err))
        return false;
    reader = cbor_reader(buf_span(&list.bytes), err);
    if (cbor_read_array(&reader, INPUT_COUNT_MAX, &count))
        list.items = mem_array(count + 1, sizeof *list.items);
    while (reader.ok && list.count < count) {
        struct input *input = &list.items[list.count];
        if (!read_one(&reader, input))
            break;
        list.count++;
        if (list.count > 1 && input[-1].at > input->at)
            cbor_fail(&reader, ERR_INVALID, "inputs out of order");
    }
    if (reader.ok && list.count == count) {
        *out = list;
        return true;
    }
    input_list_release(&list);
    return false;
}

void input_list_release(struct input_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i].object);
        mem_free(list->items[i].kind);
    }
    mem_free(list->items);
    buf_release(&list->bytes);
    list->items = NULL;
    list->count = 0;
}

static const struct input *next_input(const struct input_run *run)
{
    if (run->place->index >= run->inputs->count)
        return NULL;
    return &run->inputs->items[run->place->index];
}

/* Offers what is due; an idle machine gets the next one even if it is not. *given tells whether any
 * was taken. */
static bool offer(const struct input_run *run, bool idle, bool *given, struct err *err)
{
    const struct input *input;
    struct object *object;
    size_t taken;

    *given = false;
    while ((input = next_input(run)) != NULL) {
        struct span rest = {input->bytes.data + run->place->offset,
                            input->bytes.size - (size_t)run->place->offset};
        if (!idle && input->at > machine_instructions(run->machine))
            break;
        object = input->object[0] == 0 ? run->console : machine_find(run->machine, input->object);
        if (object == NULL)
            return err_set(err, ERR_NOT_FOUND, "nothing to give an input to: \"%s\"",
                           input->object);
        if (!machine_input(run->machine, object, input->kind, rest, &taken, err))
            return false;
        *given = *given || taken != 0 || rest.size == 0;
        if (taken != rest.size) {
            run->place->offset += taken;
            break;
        }
        *run->place = (struct input_place){run->place->index + 1, 0};
        idle = false;
    }
    return true;
}

/* True where inputs are offered: decided by the count of instructions alone. */
static bool is_point(const struct input *input, uint64_t now)
{
    return input->at == now || (input->at < now && now % INPUT_STEP == 0);
}

static uint64_t next_point(const struct input *input, uint64_t now)
{
    return input->at > now ? input->at : (now / INPUT_STEP + 1) * INPUT_STEP;
}

bool input_run(const struct input_run *run, uint64_t to, enum verify_stop *stop, struct err *err)
{
    uint64_t now = machine_instructions(run->machine);
    enum machine_stop why = MACHINE_STOP_NONE;
    bool given = false;

    *stop = VERIFY_STOP_MARK;
    while (now < to) {
        const struct input *input = next_input(run);
        struct machine_limits limits = {to, UINT64_MAX};
        if (input != NULL && is_point(input, now) && !offer(run, false, &given, err))
            return false;
        input = next_input(run);
        if (input != NULL && next_point(input, now) < to)
            limits.instructions = next_point(input, now);
        why = machine_run(run->machine, &limits);
        now = machine_instructions(run->machine);
        if (why == MACHINE_STOP_HALTED) {
            *stop = VERIFY_STOP_HALTED;
            return true;
        }
        if (why != MACHINE_STOP_IDLE || now >= to)
            continue;
        if (!offer(run, true, &given, err))
            return false;
        if (!given) {
            *stop = VERIFY_STOP_IDLE;
            return true;
        }
    }
    return true;
}
