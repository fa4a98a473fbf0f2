/* disassemble.h — one instruction as text, for traces and reports: every instruction that the hart
 * executes.
 *
 * The standard assembler's syntax with the plainest names: a compressed instruction is shown as
 * what it stands for, registers by their ABI names, jump targets as addresses. Hints and fences are
 * "nop". */
#ifndef THAW_SIM_HART_DISASSEMBLE_H
#define THAW_SIM_HART_DISASSEMBLE_H

#include <stdint.h>

#define DISASSEMBLE_MAX 64

struct disassembly {
    char text[DISASSEMBLE_MAX];
    uint32_t bytes; /* 2 or 4 */
};

/* `bits` has 16 or 32 significant bits, as its own low bits say; `pc` is where it stands. Bits that
 * are no instruction give "illegal 0x…". */
struct disassembly disassemble(uint32_t bits, uint64_t pc);

#endif
