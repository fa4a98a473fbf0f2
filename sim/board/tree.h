/* tree.h — the board's device tree, as its firmware and kernel read it. Inside of virt.h. */
#ifndef THAW_SIM_BOARD_TREE_H
#define THAW_SIM_BOARD_TREE_H

#include "sim/board/virt.h"

struct tree_facts {
    const struct virt_options *options;
    const char *command_line; /* or NULL */
    uint64_t initrd_start;    /* physical; equal to initrd_end: none */
    uint64_t initrd_end;
    uint64_t seed; /* of the machine: /chosen/rng-seed comes from it */
};

bool tree_write(const struct tree_facts *facts, struct buf *out, struct err *err);

#endif
