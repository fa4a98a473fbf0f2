#include "sim/device/uart.h"

#include "sim/device/device.h"

#include <string.h>

enum uart_register { RBR_THR, IER_, IIR_FCR, LCR_, MCR_, LSR_, MSR_, SCR_ };

#define IER_RDA 0x01
#define IER_THR 0x02
#define IER_RLS 0x04
#define IER_MSI 0x08

#define IIR_NONE    0x01
#define IIR_MSI     0x00
#define IIR_THR     0x02
#define IIR_RDA     0x04
#define IIR_RLS     0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_KEPT     0xc1

#define LCR_DLAB 0x80

#define MCR_KEPT 0x1f
#define MCR_LOOP 0x10

#define LSR_DATA    0x01
#define LSR_OVERRUN 0x02
#define LSR_EMPTY   0x60 /* THRE and TEMT */

#define MSR_CONNECTED 0xb0 /* DCD, DSR and CTS: somebody listens */
#define MSR_RI        0x40

static uint32_t uart_fifo_size(const struct uart_state *state)
{
    return (state->fcr & FCR_ENABLE) != 0 ? UART_FIFO_MAX : 1;
}

static uint32_t uart_trigger(const struct uart_state *state)
{
    static const uint8_t triggers[4] = {1, 4, 8, 14};

    return (state->fcr & FCR_ENABLE) != 0 ? triggers[state->fcr >> 6] : 1;
}

/* What IIR says, in the order of priority of table 8-5; without the FIFO bits. */
static uint8_t uart_cause(const struct uart_state *state)
{
    if ((state->ier & IER_RLS) != 0 && state->overrun != 0)
        return IIR_RLS;
    if ((state->ier & IER_RDA) != 0 && state->rx_count != 0)
        return state->rx_count >= uart_trigger(state) ? IIR_RDA : IIR_TIMEOUT;
    if ((state->ier & IER_THR) != 0 && state->thre_pending != 0)
        return IIR_THR;
    if ((state->ier & IER_MSI) != 0 && state->msr_delta != 0)
        return IIR_MSI;
    return IIR_NONE;
}

/* Tells the interrupt controller. Not to be called where nothing happened: a line that is said to
 * be high is a new request there. */
static void uart_update(struct object *object)
{
    const struct uart_config *config = object->config;

    object_set_line(object->links[0], config->irq, uart_cause(object->state) != IIR_NONE);
}

/* From the wire into the FIFO, while there is room; the wire is cut off in loopback (8.6.6). */
static void uart_receive(struct uart_state *state)
{
    while ((state->mcr & MCR_LOOP) == 0 && state->backlog_count != 0 &&
           state->rx_count < uart_fifo_size(state)) {
        state->rx[state->rx_count] =
            queue_take(state->backlog, UART_BACKLOG_MAX, &state->backlog_count);
        state->rx_count++;
    }
}

static uint8_t uart_modem(const struct uart_state *state)
{
    uint8_t mcr = state->mcr;

    if ((mcr & MCR_LOOP) == 0)
        return MSR_CONNECTED;
    /* RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD (8.6.6). */
    return (uint8_t)((mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4);
}

static void uart_write_mcr(struct uart_state *state, uint8_t value)
{
    uint8_t before = uart_modem(state);

    state->mcr = value & MCR_KEPT;
    uint8_t changed = before ^ uart_modem(state);
    /* TERI tells of RI's end only; the other three of any change (8.6.8). */
    if ((changed & MSR_RI) != 0 && (before & MSR_RI) == 0)
        changed &= (uint8_t)~MSR_RI;
    state->msr_delta |= changed >> 4;
}

static void uart_write_fcr(struct uart_state *state, uint8_t value)
{
    /* Changing the enable bit clears the FIFOs, too (8.6.4). */
    if ((value & FCR_CLEAR_RX) != 0 || ((value ^ state->fcr) & FCR_ENABLE) != 0)
        queue_clear(state->rx, UART_FIFO_MAX, &state->rx_count);
    state->fcr = (value & FCR_ENABLE) != 0 ? value & FCR_KEPT : 0;
}

static void uart_transmit(struct object *object, uint8_t byte)
{
    struct uart_state *state = object->state;

    if ((state->mcr & MCR_LOOP) == 0) {
        device_console(object, &byte, 1);
    } else if (state->rx_count < uart_fifo_size(state)) {
        state->rx[state->rx_count++] = byte;
    } else {
        state->overrun = 1;
    }
    state->thre_pending = 1;
}

static void uart_write_ier(struct uart_state *state, uint8_t value)
{
    /* Enabling the THRE interrupt while THR is empty, as it always is, raises it. */
    if ((value & IER_THR) != 0 && (state->ier & IER_THR) == 0)
        state->thre_pending = 1;
    state->ier = value & 0x0f;
}

static uint8_t uart_take(struct uart_state *state)
{
    uint8_t byte = 0;

    if (state->rx_count != 0)
        byte = queue_take(state->rx, UART_FIFO_MAX, &state->rx_count);
    uart_receive(state);
    return byte;
}

/* Sets `event` if the read served a cause of interrupts. */
static uint8_t uart_read_register(struct uart_state *state, uint64_t offset, bool *event)
{
    uint8_t value = 0;

    switch ((enum uart_register)offset) {
    case RBR_THR:
        *event = (state->lcr & LCR_DLAB) == 0;
        return *event ? uart_take(state) : state->dll;
    case IER_:
        return (state->lcr & LCR_DLAB) != 0 ? state->dlm : state->ier;
    case IIR_FCR:
        *event = true;
        value = uart_cause(state);
        if (value == IIR_THR)
            state->thre_pending = 0;
        return value | ((state->fcr & FCR_ENABLE) != 0 ? IIR_FIFO : 0);
    case LCR_:
        return state->lcr;
    case MCR_:
        return state->mcr;
    case LSR_:
        value = LSR_EMPTY | (state->rx_count != 0 ? LSR_DATA : 0);
        value |= state->overrun != 0 ? LSR_OVERRUN : 0;
        *event = state->overrun != 0;
        state->overrun = 0;
        return value;
    case MSR_:
        value = uart_modem(state) | state->msr_delta;
        *event = state->msr_delta != 0;
        state->msr_delta = 0;
        return value;
    case SCR_:
        return state->scr;
    }
    return 0;
}

static bool uart_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    bool event = false;

    if (size > 4 || offset >= UART_SIZE)
        return false;
    *value = uart_read_register(object->state, offset, &event);
    if (event)
        uart_update(object);
    return true;
}

static void uart_write_register(struct object *object, uint64_t offset, uint8_t value)
{
    struct uart_state *state = object->state;
    bool dlab = (state->lcr & LCR_DLAB) != 0;

    switch ((enum uart_register)offset) {
    case RBR_THR:
        if (dlab)
            state->dll = value;
        else
            uart_transmit(object, value);
        break;
    case IER_:
        if (dlab)
            state->dlm = value;
        else
            uart_write_ier(state, value);
        break;
    case IIR_FCR:
        uart_write_fcr(state, value);
        break;
    case MCR_:
        uart_write_mcr(state, value);
        break;
    case LCR_:
        state->lcr = value;
        return;
    case SCR_:
        state->scr = value;
        return;
    default:
        return;
    }
    uart_receive(state);
    uart_update(object);
}

static bool uart_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    if (size > 4 || offset >= UART_SIZE)
        return false;
    uart_write_register(object, offset, (uint8_t)value);
    return true;
}

static bool uart_input(struct object *object, const char *kind, struct span bytes, size_t *taken,
                       struct err *err)
{
    struct uart_state *state = object->state;

    if (strcmp(kind, "console") != 0)
        return err_set(err, ERR_USAGE, "%s takes no input of kind %s, only console", object->path,
                       kind);
    *taken = queue_put(state->backlog, UART_BACKLOG_MAX, &state->backlog_count, bytes);
    uart_receive(state);
    /* What moved into the FIFO made room again. */
    bytes.data += *taken;
    bytes.size -= *taken;
    *taken += queue_put(state->backlog, UART_BACKLOG_MAX, &state->backlog_count, bytes);
    uart_update(object);
    return true;
}

static bool uart_check_config(const void *config, struct err *err)
{
    const struct uart_config *uart = config;

    return device_check_region(uart->base, UART_SIZE, err);
}

static bool uart_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct uart_state *uart = state;

    (void)object;
    if ((uart->fcr & ~FCR_KEPT) != 0 || (uart->fcr != 0 && (uart->fcr & FCR_ENABLE) == 0))
        return device_impossible(err, "fcr", uart->fcr);
    if (uart->ier > 0x0f)
        return device_impossible(err, "ier", uart->ier);
    if ((uart->mcr & ~MCR_KEPT) != 0)
        return device_impossible(err, "mcr", uart->mcr);
    if (uart->msr_delta > 0x0f)
        return device_impossible(err, "msr_delta", uart->msr_delta);
    if (uart->rx_count > uart_fifo_size(uart))
        return device_impossible(err, "rx_count", uart->rx_count);
    return queue_check("rx", uart->rx, UART_FIFO_MAX, uart->rx_count, err) &&
           queue_check("backlog", uart->backlog, UART_BACKLOG_MAX, uart->backlog_count, err);
}

static bool uart_open(struct object *object, struct err *err)
{
    const struct uart_config *config = object->config;

    return device_add_region(object, config->base, UART_SIZE, err);
}

static const struct attr uart_config_attrs[] = {
    ATTR(struct uart_config, base, 0, "physical address"),
    ATTR(struct uart_config, irq, 0, "line of the interrupt controller"),
    ATTR(struct uart_config, unused, 0, "fills the struct"),
};

static const struct attr uart_state_attrs[] = {
    ATTR(struct uart_state, rx_count, 0, "bytes in rx"),
    ATTR(struct uart_state, backlog_count, 0, "bytes in backlog"),
    ATTR_BLOB(struct uart_state, rx, "receive fifo, oldest first"),
    ATTR(struct uart_state, ier, 0, "interrupt enable"),
    ATTR(struct uart_state, fcr, 0, "fifo control: enable and trigger level"),
    ATTR(struct uart_state, lcr, 0, "line control"),
    ATTR(struct uart_state, mcr, 0, "modem control"),
    ATTR(struct uart_state, scr, 0, "scratch"),
    ATTR(struct uart_state, dll, 0, "divisor, low"),
    ATTR(struct uart_state, dlm, 0, "divisor, high"),
    ATTR_FLAG(struct uart_state, overrun, 0, "a byte was lost in loopback"),
    ATTR_FLAG(struct uart_state, thre_pending, 0, "the interrupt of the empty transmitter waits"),
    ATTR(struct uart_state, msr_delta, 0, "modem lines that changed since they were read"),
    ATTR_ARRAY(struct uart_state, unused, 0, "fills the struct"),
    ATTR_BLOB(struct uart_state, backlog, "bytes on the wire, oldest first"),
};

static const struct link_slot uart_links[] = {
    {"interrupts", "sifive-plic", false, "the interrupt controller"},
};

const struct schema uart_schema = {
    .name = "ns16550",
    .version = 1,
    .state = ATTR_TABLE(struct uart_state, uart_state_attrs),
    .config = ATTR_TABLE(struct uart_config, uart_config_attrs),
    .links = uart_links,
    .link_count = 1,
    .meaning = "serial port",
};

static const struct mmio_ops uart_mmio = {uart_read, uart_write};

const struct model uart_model = {
    .name = "ns16550",
    .schema = &uart_schema,
    .open = uart_open,
    .check_config = uart_check_config,
    .check_state = uart_check_state,
    .input = uart_input,
    .mmio = &uart_mmio,
};
