/* bare.h - the runtime of bare-metal guests on a board with QEMU virt's memory map: start-up of
 * every hart (start.S), the console, ending the machine, CSRs. A guest defines guest_main and, if
 * it takes traps, guest_handle_trap. */
#ifndef TESTS_GUESTS_BARE_BARE_H
#define TESTS_GUESTS_BARE_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HARTS_MAX = 8 };

#define FINISHER     0x100000u
#define CLINT        0x2000000u
#define PLIC         0xc000000u
#define UART         0x10000000u
#define VIRTIO(slot) (0x10001000u + (slot)*0x1000u)

#define CSR_READ(name)                                                                             \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory");                              \
        value_;                                                                                    \
    })
#define CSR_WRITE(name, value)                                                                     \
    __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define CSR_SET(name, value)                                                                       \
    __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define CSR_CLEAR(name, value)                                                                     \
    __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")

/* Registers x0 to x31 of the interrupted code, by number; x2 is not kept. */
struct trap_frame {
    uint64_t x[32];
};

/* Called on each hart. Returning from hart 0 ends the machine with the value as guest_finish does;
 * others are parked. */
uint64_t guest_main(uint64_t hart, const uint8_t *tree);
/* Called for each trap into M mode, with mepc and mcause as the trap left them. */
void guest_handle_trap(struct trap_frame *frame);
/* Ends the machine: 0 is a pass, anything else the number of what failed. By tohost, and for boards
 * without HTIF by the test finisher. A hart other than 0 is parked when `failure` is 0. */
_Noreturn void guest_finish(uint64_t failure);

/* The harts that the device tree lists, 1 if there is no tree. */
uint64_t guest_hart_count(const uint8_t *tree);

/* As in string.h. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

void print_text(const char *text);
void print_hex(uint64_t value);
void print_decimal(uint64_t value);

static inline uint32_t read32(uintptr_t at)
{
    return *(volatile uint32_t *)at;
}

static inline void write32(uintptr_t at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

static inline uint64_t mtime_read(void)
{
    return *(volatile uint64_t *)(uintptr_t)(CLINT + 0xbff8u);
}

static inline void mtimecmp_write(uint64_t hart, uint64_t ticks)
{
    *(volatile uint64_t *)(uintptr_t)(CLINT + 0x4000u + 8 * hart) = ticks;
}

static inline void msip_write(uint64_t hart, uint32_t value)
{
    write32(CLINT + 4 * hart, value);
}

/* splitmix64 */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u + (sum >> 47);
}

#endif
