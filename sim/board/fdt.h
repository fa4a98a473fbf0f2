/* fdt.h — flattened device trees: written for the guest, read within bounds.
 * Source: Devicetree Specification 0.4, chapter 5. Version 17, big endian. */
#ifndef THAW_SIM_BOARD_FDT_H
#define THAW_SIM_BOARD_FDT_H

#include "storage/base/buf.h"

#define FDT_BYTES_MAX (1u << 20)
#define FDT_DEPTH_MAX 16

/* Sticky: after one failure nothing more is written; fdt_finish says so. */
struct fdt_writer {
    struct buf structure;
    struct buf strings;
    struct err *err; /* borrowed; the first failure */
    uint32_t depth;
    bool ok;
};
struct fdt_writer fdt_writer(struct err *err);
void fdt_begin(struct fdt_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fdt_end(struct fdt_writer *writer);
void fdt_empty(struct fdt_writer *writer, const char *name);
void fdt_u32(struct fdt_writer *writer, const char *name, uint32_t value);
void fdt_cells(struct fdt_writer *writer, const char *name, const uint32_t *cells, size_t count);
/* One 64-bit number as two cells. */
void fdt_u64(struct fdt_writer *writer, const char *name, uint64_t value);
/* A "reg" of one range with two cells each for address and size. */
void fdt_reg(struct fdt_writer *writer, uint64_t address, uint64_t size);
void fdt_text(struct fdt_writer *writer, const char *name, const char *text);
/* Several texts, each ended by a NUL: "a\0b" with size 4. */
void fdt_texts(struct fdt_writer *writer, const char *name, const char *texts, size_t size);
/* Appends the whole tree to `out` and releases the writer. */
bool fdt_finish(struct fdt_writer *writer, struct buf *out);

/* Checks a tree of any origin: every offset, length, name and nesting. */
bool fdt_check(struct span tree, struct err *err);
/* The property of the node at `path` ("/soc/serial@10000000") of a tree that fdt_check accepted.
 * False: there is none. */
bool fdt_find(struct span tree, const char *path, const char *property, struct span *out);

#endif
