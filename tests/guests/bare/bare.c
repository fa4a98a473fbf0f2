#include "bare.h"

extern volatile uint64_t tohost;

void *memset(void *to, int byte, size_t size)
{
    uint8_t *at = to;

    while (size-- > 0)
        *at++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *at = to;
    const uint8_t *source = from;

    while (size-- > 0)
        *at++ = *source++;
    return to;
}

static void print_byte(char byte)
{
    while (!(*(volatile uint8_t *)(uintptr_t)(UART + 5) & 0x20u)) {
    }
    *(volatile uint8_t *)(uintptr_t)UART = (uint8_t)byte;
}

void print_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            print_byte('\r');
        print_byte(*text);
    }
}

void print_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        print_byte("0123456789abcdef"[(value >> shift) & 15u]);
}

void print_decimal(uint64_t value)
{
    if (value >= 10)
        print_decimal(value / 10);
    print_byte((char)('0' + value % 10));
}

static uint32_t read_big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t guest_hart_count(const uint8_t *tree)
{
    uint64_t count = 0;

    if (tree == NULL || read_big_endian(tree) != 0xd00dfeedu)
        return 1;
    uint32_t size = read_big_endian(tree + 4);
    /* A node begins with the token 1, its name follows: cpu@0, cpu@1 and so on. */
    for (uint32_t at = read_big_endian(tree + 8); at + 8 <= size; at += 4)
        if (read_big_endian(tree + at) == 1 && read_big_endian(tree + at + 4) == 0x63707540u)
            count++;
    if (count == 0)
        return 1;
    return count < HARTS_MAX ? count : HARTS_MAX;
}

_Noreturn void guest_finish(uint64_t failure)
{
    CSR_WRITE(mie, 0);
    if (CSR_READ(mhartid) == 0 || failure != 0) {
        tohost = failure << 1 | 1u;
        write32(FINISHER, failure == 0 ? 0x5555u : (uint32_t)(failure << 16) | 0x3333u);
    }
    for (;;)
        __asm__ volatile("wfi");
}
