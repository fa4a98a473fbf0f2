/* memory.h — software put into a board's memory: firmware, kernel, initrd, device tree. Inside of
 * virt.h. */
#ifndef THAW_SIM_BOARD_MEMORY_H
#define THAW_SIM_BOARD_MEMORY_H

#include "sim/board/virt.h"

struct loaded {
    uint64_t start;      /* where the boot ROM jumps to */
    uint64_t next;       /* where firmware goes on */
    uint64_t initrd_start;
    uint64_t initrd_end;
    uint64_t tree;       /* physical address of the device tree */
    bool has_htif;
    uint64_t tohost;     /* from the ELF's symbols */
    uint64_t fromhost;   /* 0: none */
};

/* Puts firmware, kernel and initrd into `ram` and decides where the device tree goes (room for
 * FDT_BYTES_MAX at most, below the end of RAM). */
bool memory_load(const struct virt_software *software, struct image *ram, uint64_t ram_bytes,
                 struct loaded *out, struct err *err);
/* Copies bytes to a physical address. ERR_TOO_BIG with both figures if they do not fit. */
bool memory_put(struct image *ram, uint64_t ram_bytes, uint64_t address, struct span bytes,
                const char *what, struct err *err);
/* The boot ROM: a0 = hart, a1 = device tree, a2 = fw_dynamic information; jumps to start. */
void memory_boot_rom(const struct loaded *loaded, struct image *rom);

#endif
