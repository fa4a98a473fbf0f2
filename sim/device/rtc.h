/* rtc.h — goldfish real-time clock, in virtual time. Schema "goldfish-rtc/1".
 * Source: Android's goldfish virtual hardware document, section "Goldfish timer" (as Linux's
 * rtc-goldfish driver and the "google,goldfish-rtc" binding use it).
 *
 * | offset | register (4 bytes; other sizes: access fault)                           |
 * |--------|-------------------------------------------------------------------------|
 * | 0x00   | TIME_LOW: read latches TIME_HIGH; write sets the low half                |
 * | 0x04   | TIME_HIGH: of the last read of TIME_LOW; write sets the high half         |
 * | 0x08   | ALARM_LOW: write sets the low half and arms the alarm                     |
 * | 0x0c   | ALARM_HIGH                                                              |
 * | 0x10   | IRQ_ENABLED                                                             |
 * | 0x14   | CLEAR_ALARM: any write disarms                                          |
 * | 0x18   | ALARM_STATUS: 1 while armed                                             |
 * | 0x1c   | CLEAR_INTERRUPT: any write                                              |
 * Time is in nanoseconds since 1970: start_ns + virtual time + offset (what the guest set). */
#ifndef THAW_SIM_DEVICE_RTC_H
#define THAW_SIM_DEVICE_RTC_H

#include "sim/core/schema.h"

#define RTC_SIZE 0x1000

struct rtc_config {
    uint64_t base;
    uint64_t start_ns; /* since 1970, at virtual time 0 */
    uint32_t irq;      /* line of the interrupt controller */
    uint32_t unused;
};

struct rtc_state {
    uint64_t offset_ns; /* added, modulo 2^64 */
    uint64_t alarm_ns;
    uint32_t time_high; /* latched */
    uint8_t alarm_armed;
    uint8_t irq_enabled;
    uint8_t irq_pending;
    uint8_t unused;
};

extern const struct schema rtc_schema; /* links: interrupts */
extern const struct model rtc_model;   /* "goldfish-rtc" */

#endif
