#include "sim/device/htif.h"

#include "sim/device/device.h"
#include "sim/device/finisher.h"
#include "storage/base/bytes.h"

#include <string.h>

#define COMMAND_GETCHAR (UINT64_C(0x0100) << 48)
#define COMMAND_PUTCHAR (UINT64_C(0x0101) << 48)
#define COMMAND_SYSTEM  UINT64_C(0)
#define COMMAND_MASK    (UINT64_C(0xffff) << 48)
#define GETCHAR_BYTE    0x100

#define SYSTEM_WRITE   64
#define SYSTEM_EXIT    93
#define SYSTEM_UNKNOWN (UINT64_C(0) - 38) /* -ENOSYS, whatever the host calls it */
#define SYSTEM_FAULT   (UINT64_C(0) - 14) /* -EFAULT */
#define SYSTEM_BADF    (UINT64_C(0) - 9)  /* -EBADF */

static bool htif_load(struct object *object, uint64_t address, uint64_t *value)
{
    uint8_t bytes[8];

    if (!bus_dma_read(object_bus(object), address, bytes, sizeof bytes))
        return false;
    *value = load_le64(bytes);
    return true;
}

static bool htif_store(struct object *object, uint64_t address, uint64_t value)
{
    uint8_t bytes[8];

    store_le64(bytes, value);
    return bus_dma_write(object_bus(object), address, bytes, sizeof bytes);
}

static uint64_t htif_system_write(struct object *object, const uint64_t *words)
{
    uint64_t size = words[3] < HTIF_WRITE_MAX ? words[3] : HTIF_WRITE_MAX;
    uint8_t bytes[256];

    if (words[1] != 1 && words[1] != 2)
        return SYSTEM_BADF;
    for (uint64_t done = 0; done < size;) {
        uint64_t piece = size - done < sizeof bytes ? size - done : sizeof bytes;
        if (!bus_dma_read(object_bus(object), words[2] + done, bytes, piece))
            return SYSTEM_FAULT;
        device_console(object, bytes, (size_t)piece);
        done += piece;
    }
    return size;
}

static void htif_system(struct object *object, uint64_t address)
{
    struct htif_state *state = object->state;
    uint64_t words[8];
    uint64_t result = SYSTEM_UNKNOWN;

    for (uint32_t i = 0; i < 8; i++)
        if (!htif_load(object, address + 8 * i, &words[i]))
            return;
    if (words[0] == SYSTEM_EXIT)
        machine_halt(object->machine, FINISHER_HALT_END, words[1]);
    else if (words[0] == SYSTEM_WRITE)
        result = htif_system_write(object, words);
    htif_store(object, address, result);
    state->answer = 1;
    state->answer_waiting = 1;
}

static void htif_command(struct object *object, uint64_t word)
{
    struct htif_state *state = object->state;
    uint64_t payload = word & ~COMMAND_MASK;
    uint8_t byte = (uint8_t)word;

    switch (word & COMMAND_MASK) {
    case COMMAND_SYSTEM:
        if ((payload & 1) != 0)
            machine_halt(object->machine, FINISHER_HALT_END, payload >> 1);
        else
            htif_system(object, payload);
        break;
    case COMMAND_GETCHAR:
        state->getchar_waiting = 1;
        break;
    case COMMAND_PUTCHAR:
        device_console(object, &byte, 1);
        break;
    default:
        break;
    }
}

static void htif_answer(struct object *object)
{
    const struct htif_config *config = object->config;
    struct htif_state *state = object->state;
    uint64_t busy = 0;

    if (state->answer_waiting == 0 && state->getchar_waiting != 0 && state->backlog_count != 0) {
        state->answer = COMMAND_GETCHAR | GETCHAR_BYTE |
                        queue_take(state->backlog, HTIF_BACKLOG_MAX, &state->backlog_count);
        state->getchar_waiting = 0;
        state->answer_waiting = 1;
    }
    if (state->answer_waiting == 0)
        return;
    if (config->fromhost != 0) {
        if (!htif_load(object, config->fromhost, &busy) || busy != 0)
            return;
        htif_store(object, config->fromhost, state->answer);
    }
    state->answer_waiting = 0;
    state->answer = 0;
}

/* One of the two words changed. `object->host` is set while we work: our own stores need no second
 * look, and a system call's words laid over tohost must not recurse. */
static bool htif_written(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    const struct htif_config *config = object->config;
    uint64_t word = 0;

    (void)offset, (void)size, (void)value;
    if (object->host != NULL)
        return true;
    object->host = object;
    if (htif_load(object, config->tohost, &word) && word != 0) {
        htif_store(object, config->tohost, 0);
        htif_command(object, word);
    }
    htif_answer(object);
    object->host = NULL;
    return true;
}

static bool htif_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    (void)object, (void)offset, (void)size, (void)value;
    return false;
}

static bool htif_input(struct object *object, const char *kind, struct span bytes, size_t *taken,
                       struct err *err)
{
    struct htif_state *state = object->state;

    if (strcmp(kind, "console") != 0)
        return err_set(err, ERR_USAGE, "%s takes no input of kind %s, only console", object->path,
                       kind);
    *taken = queue_put(state->backlog, HTIF_BACKLOG_MAX, &state->backlog_count, bytes);
    htif_written(object, 0, 8, 0);
    return true;
}

static bool htif_check_config(const void *config, struct err *err)
{
    const struct htif_config *htif = config;

    if (htif->tohost == 0 || htif->tohost % 8 != 0)
        return device_impossible(err, "tohost", htif->tohost);
    if (htif->fromhost % 8 != 0 || htif->fromhost == htif->tohost)
        return device_impossible(err, "fromhost", htif->fromhost);
    return true;
}

static bool htif_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct htif_state *htif = state;

    (void)object;
    return queue_check("backlog", htif->backlog, HTIF_BACKLOG_MAX, htif->backlog_count, err);
}

static bool htif_open(struct object *object, struct err *err)
{
    const struct htif_config *config = object->config;
    struct bus_watch tohost = {config->tohost, 8, object};
    struct bus_watch fromhost = {config->fromhost, 8, object};

    return bus_watch(object_bus(object), &tohost, err) &&
           (config->fromhost == 0 || bus_watch(object_bus(object), &fromhost, err));
}

static const struct attr htif_config_attrs[] = {
    ATTR(struct htif_config, tohost, 0, "physical address of the word from the guest"),
    ATTR(struct htif_config, fromhost, 0, "physical address of the word to the guest; 0: none"),
};

static const struct attr htif_state_attrs[] = {
    ATTR(struct htif_state, answer, 0, "word that waits for fromhost to be free"),
    ATTR(struct htif_state, backlog_count, 0, "bytes in backlog"),
    ATTR_FLAG(struct htif_state, answer_waiting, 0, "an answer waits"),
    ATTR_FLAG(struct htif_state, getchar_waiting, 0, "the guest waits for a byte"),
    ATTR_ARRAY(struct htif_state, unused, 0, "fills the struct"),
    ATTR_BLOB(struct htif_state, backlog, "console bytes not yet asked for, oldest first"),
};

const struct schema htif_schema = {
    .name = "htif",
    .version = 1,
    .state = ATTR_TABLE(struct htif_state, htif_state_attrs),
    .config = ATTR_TABLE(struct htif_config, htif_config_attrs),
    .meaning = "tohost and fromhost words of bare-metal programs",
};

static const struct mmio_ops htif_mmio = {htif_read, htif_written};

const struct model htif_model = {
    .name = "htif",
    .schema = &htif_schema,
    .open = htif_open,
    .check_config = htif_check_config,
    .check_state = htif_check_state,
    .input = htif_input,
    .mmio = &htif_mmio,
};
