/* map.h — where things are on the board `virt`; the table is in virt.h. */
#ifndef THAW_SIM_BOARD_MAP_H
#define THAW_SIM_BOARD_MAP_H

enum {
    MAP_ROM = 0x1000,
    MAP_ROM_SIZE = 0xf000,
    MAP_FINISHER = 0x100000,
    MAP_RTC = 0x101000,
    MAP_MAGIC = 0x102000,
    MAP_CLINT = 0x2000000,
    MAP_PLIC = 0xc000000,
    MAP_UART = 0x10000000,
    MAP_VIRTIO = 0x10001000,
    MAP_PAGE = 0x1000,
    IRQ_VIRTIO = 1,
    IRQ_UART = 10,
    IRQ_RTC = 11,
};

#endif
