/* software.h — kernels of a few bytes for tests of the board: an ELF file and a Linux Image. */
#ifndef THAW_TESTS_SIM_BOARD_SOFTWARE_H
#define THAW_TESTS_SIM_BOARD_SOFTWARE_H

#include "sim/board/virt.h"
#include "storage/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SMALL_CODE = 16, SMALL_SIZE = 64 + 56 + SMALL_CODE };

/* One segment of SMALL_CODE bytes 0x11, 0x12, … at `address`, entered at its start. */
static inline void small_elf(uint8_t out[SMALL_SIZE], uint64_t address)
{
    memset(out, 0, SMALL_SIZE);
    memcpy(out, "\x7f\x45\x4c\x46\x02\x01\x01", 7); /* "ELF", 64-bit, little-endian, version 1 */
    store_le16(out + 16, 2);                        /* executable */
    store_le16(out + 18, 243);                      /* RISC-V */
    store_le32(out + 20, 1);
    store_le64(out + 24, address); /* entry */
    store_le64(out + 32, 64);      /* program headers */
    store_le16(out + 52, 64);
    store_le16(out + 54, 56);
    store_le16(out + 56, 1);
    store_le32(out + 64, 1); /* load */
    store_le32(out + 68, 5);
    store_le64(out + 72, 64 + 56);     /* offset */
    store_le64(out + 80, address);     /* virtual */
    store_le64(out + 88, address);     /* physical */
    store_le64(out + 96, SMALL_CODE);  /* in the file */
    store_le64(out + 104, SMALL_CODE); /* in memory */
    store_le64(out + 112, 4);          /* alignment */
    for (uint8_t i = 0; i < SMALL_CODE; i++)
        out[64 + 56 + i] = (uint8_t)(0x11 + i);
}

/* Nothing but the header: enough to be known for what it is. */
static inline void small_image(uint8_t out[64], uint64_t memory_size)
{
    memset(out, 0, 64);
    store_le64(out + 8, VIRT_KERNEL_OFFSET);
    store_le64(out + 16, memory_size);
    memcpy(out + 48, "RISCV\0\0\0", 8);
    memcpy(out + 56, "RSC\x05", 4);
}

#endif
