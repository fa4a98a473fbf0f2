/* uart.h — 16550A UART with 16-byte FIFOs. Schema "ns16550/1".
 * Source: National Semiconductor PC16550D data sheet (June 1995), section 8 (registers).
 *
 * | offset | read (DLAB 0)      | write (DLAB 0)     | DLAB 1        |
 * |--------|--------------------|--------------------|---------------|
 * | 0      | RBR                | THR                | DLL           |
 * | 1      | IER                | IER                | DLM           |
 * | 2      | IIR                | FCR                | IIR / FCR     |
 * | 3…7    | LCR MCR LSR MSR SCR | LCR MCR - - SCR   | the same      |
 * An access of 1, 2 or 4 bytes acts on the register at its offset; past 7: reads 0, ignores writes.
 *
 * The line is infinitely fast: a byte written to THR is sent at once (host console), so THRE and
 * TEMT are always set. Received bytes wait on the wire (`backlog`, state) and enter the FIFO as
 * room appears, so nothing is lost outside loopback. A FIFO below its trigger level times out at
 * once (IIR 0x0c). Input event "console": bytes for the wire; takes as many as the backlog has
 * room for. */
#ifndef THAW_SIM_DEVICE_UART_H
#define THAW_SIM_DEVICE_UART_H

#include "sim/core/schema.h"

#define UART_SIZE        0x1000
#define UART_FIFO_MAX    16
#define UART_BACKLOG_MAX 4096

struct uart_config {
    uint64_t base;
    uint32_t irq; /* line of the interrupt controller */
    uint32_t unused;
};

struct uart_state {
    uint32_t rx_count;
    uint32_t backlog_count;
    uint8_t rx[UART_FIFO_MAX]; /* oldest first */
    uint8_t ier;
    uint8_t fcr; /* bits 0, 6 and 7 */
    uint8_t lcr;
    uint8_t mcr;
    uint8_t scr;
    uint8_t dll;
    uint8_t dlm;
    uint8_t overrun;      /* LSR bit 1; in loopback only */
    uint8_t thre_pending; /* the THRE interrupt waits to be seen */
    uint8_t msr_delta;    /* MSR bits 0…3 */
    uint8_t unused[6];
    uint8_t backlog[UART_BACKLOG_MAX]; /* on the wire, oldest first */
};

extern const struct schema uart_schema; /* links: interrupts */
extern const struct model uart_model;   /* "ns16550" */

#endif
