/* virt.h — the board `virt`: QEMU virt's memory map, so that stock software runs unmodified.
 *
 * | address     | size       | object      | interrupt |
 * |-------------|------------|-------------|-----------|
 * | 0x0000_1000 | 0xf000     | boot ROM    |           |
 * | 0x0010_0000 | 0x1000     | finisher    |           |
 * | 0x0010_1000 | 0x1000     | rtc         | 11        |
 * | 0x0010_2000 | 0x1000     | magic word  |           |
 * | 0x0200_0000 | 0x10000    | clint       |           |
 * | 0x0c00_0000 | 0x600000   | plic        |           |
 * | 0x1000_0000 | 0x1000     | uart0       | 10        |
 * | 0x1000_1000 | 8 x 0x1000 | virtio0…7   | 1…8       |
 * | 0x8000_0000 | ram_bytes  | RAM         |           |
 *
 * Objects are named "<board>.rom", "<board>.ram", "<board>.hart0", … Several boards may live in one
 * machine, each under a name of its own. A slot's device has the name that the slot gives it; an
 * empty slot's placeholder is named virtio0…7 (virtio_empty.h), and the device tree does not list
 * it. */
#ifndef THAW_SIM_BOARD_VIRT_H
#define THAW_SIM_BOARD_VIRT_H

#include "sim/core/machine.h"

#define VIRT_HARTS_MAX     8
#define VIRT_SLOTS         8
#define VIRT_RAM_BASE      UINT64_C(0x80000000)
#define VIRT_RAM_MIN       (UINT64_C(1) << 20)
#define VIRT_RAM_MAX       (UINT64_C(1) << 36)
#define VIRT_KERNEL_OFFSET UINT64_C(0x200000) /* where firmware expects the next stage */
#define VIRT_TIMEBASE_HZ   10000000

enum virt_slot_kind {
    VIRT_SLOT_EMPTY,
    VIRT_SLOT_BLOCK,
    VIRT_SLOT_CONSOLE,
    VIRT_SLOT_NET,
    VIRT_SLOT_RNG,
};

/* One virtio-mmio slot. */
struct virt_slot {
    enum virt_slot_kind kind;
    const char *name; /* the object's, under the board: "disk0"; a disk's serial number too */
    /* block: */
    struct image *image;     /* taken; holds at least `capacity` bytes */
    uint64_t capacity_bytes; /* 0: a slot without a medium, until one comes by an input */
    bool read_only;
    /* net: */
    uint8_t mac[6];
    const char *link; /* path of the switch, which exists already */
};

struct virt_options {
    const char *name; /* "board0" */
    uint64_t ram_bytes;
    uint32_t hart_count;
    uint32_t satp_mode_max; /* 8, 9 or 10: Sv39, Sv48, Sv57 */
    bool svadu;
    uint64_t rtc_start_ns; /* since 1970, at virtual time 0 */
    struct virt_slot slots[VIRT_SLOTS];
};

/* What is loaded. Spans are borrowed; empty ones are not there. */
struct virt_software {
    /* OpenSBI's fw_jump.bin or fw_dynamic.bin, or an ELF; at the start of RAM */
    struct span firmware;
    /* a Linux Image or an ELF; started by the firmware, or at once without one */
    struct span kernel;
    bool kernel_is_raw; /* takes any bytes as a kernel: U-Boot's u-boot.bin */
    struct span initrd;
    const char *command_line; /* NULL: none */
    /* What messages call the firmware and the kernel, such as their files; NULL: nothing. */
    const char *firmware_name;
    const char *kernel_name;
};

/* Adds the board's objects to a machine whose first object is "machine", and loads the software
 * into its memory. The caller opens and resets the machine afterwards. Takes the slots' images,
 * even on failure. */
bool virt_build(struct machine *machine, const struct virt_options *options,
                const struct virt_software *software, struct err *err);
/* All models of this build. */
void registry_standard(struct registry *registry);

#endif
