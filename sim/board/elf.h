/* elf.h — 64-bit little-endian RISC-V executables, read within bounds: hostile input.
 * Source: System V ABI, ELF-64 object file format 1.5; RISC-V ELF psABI 1.0, chapter 8. */
#ifndef THAW_SIM_BOARD_ELF_H
#define THAW_SIM_BOARD_ELF_H

#include "storage/base/buf.h"

#define ELF_SEGMENTS_MAX 64

struct elf_segment {
    uint64_t address;     /* physical */
    struct span bytes;    /* in the file */
    uint64_t memory_size; /* bytes; past the file's bytes: zeros */
};

struct elf {
    struct span file; /* borrowed */
    uint64_t entry; /* physical, if it is in an executable segment; else as the header says */
    struct elf_segment segments[ELF_SEGMENTS_MAX];
    uint32_t segment_count;
};

/* True if the file begins as an ELF file does. */
bool elf_is(struct span file);
/* Checks everything; ERR_INVALID says what is wrong, and for other machines which it is. */
bool elf_open(struct span file, struct elf *out, struct err *err);
/* The value of a symbol; false if there is none, or no symbol table. */
bool elf_symbol(const struct elf *elf, const char *name, uint64_t *out);

#endif
