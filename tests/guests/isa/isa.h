/* isa.h - the frame of self-checking instruction tests. Each file here is one program: guest_main
 * runs its checks and returns 0; the first check that fails prints its line and ends the machine
 * with the line as the failure's number. */
#ifndef TESTS_GUESTS_ISA_ISA_H
#define TESTS_GUESTS_ISA_ISA_H

#include "bare.h"

/* got == want, or the machine ends here. */
#define CHECK_EQUAL(got, want) check_equal(__LINE__, (uint64_t)(got), (uint64_t)(want))
void check_equal(uint64_t line, uint64_t got, uint64_t want);

/* Operands where results tend to go wrong: signs, edges of 8, 16, 32 and 64 bits, patterns. */
enum { CORNERS = 28 };
extern const uint64_t corners[CORNERS];

/* The last trap taken into M mode (seen) or S mode (seen_s), and how many since it was cleared. */
struct seen {
    uint64_t count, cause, epc, tval, status;
};
extern volatile struct seen seen, seen_s;
/* Where the next exception returns to, if not after the instruction; cleared by it. Needed for
 * jumps to nowhere. */
extern volatile uint64_t resume_at;
/* If set, that return is into M mode, whatever mode the exception came from; cleared likewise. */
extern volatile bool resume_in_machine;
/* If set, called on an interrupt instead of masking it (clearing its bit in mie or sie). */
extern void (*on_interrupt)(uint64_t number);

/* Runs the statement; exactly one trap must come of it, with this cause. */
#define CHECK_TRAPS(want_cause, statement)                                                         \
    do {                                                                                           \
        seen.count = 0;                                                                            \
        statement;                                                                                 \
        check_trap(__LINE__, want_cause);                                                          \
    } while (0)
/* The same, and the value in mtval. */
#define CHECK_TRAPS_AT(want_cause, want_value, statement)                                          \
    do {                                                                                           \
        CHECK_TRAPS(want_cause, statement);                                                        \
        check_equal(__LINE__, seen.tval, (uint64_t)(want_value));                                  \
    } while (0)
#define CHECK_NO_TRAP(statement)                                                                   \
    do {                                                                                           \
        seen.count = 0;                                                                            \
        statement;                                                                                 \
        check_equal(__LINE__, seen.count, 0);                                                      \
    } while (0)
void check_trap(uint64_t line, uint64_t want_cause);

enum mode { MODE_U = 0, MODE_S = 1, MODE_M = 3 };
/* From M mode into another; interrupts by MPIE as it stands. Then back into M mode, from any. */
void enter_mode(enum mode mode);
void leave_mode(void);
/* S mode's trap vector; records into seen_s and goes on after the instruction. */
void supervisor_trap(void);

enum {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8,
    CAUSE_ECALL_S = 9,
    CAUSE_ECALL_M = 11,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

#define MSTATUS_SIE  (1ull << 1)
#define MSTATUS_MIE  (1ull << 3)
#define MSTATUS_SPIE (1ull << 5)
#define MSTATUS_MPIE (1ull << 7)
#define MSTATUS_SPP  (1ull << 8)
#define MSTATUS_MPP  (3ull << 11)
#define MSTATUS_FS   (3ull << 13)
#define MSTATUS_MPRV (1ull << 17)
#define MSTATUS_SUM  (1ull << 18)
#define MSTATUS_MXR  (1ull << 19)
#define MSTATUS_TVM  (1ull << 20)
#define MSTATUS_TW   (1ull << 21)
#define MSTATUS_TSR  (1ull << 22)

/* All of memory for S and U mode, by one NAPOT entry. */
void pmp_open(void);

/* Register-register: `op rd, rs1, rs2` by the name of the instruction. */
#define RR(name, a, b)                                                                             \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(name " %0, %1, %2" : "=r"(to_) : "r"((uint64_t)(a)), "r"((uint64_t)(b))); \
        to_;                                                                                       \
    })
#define R1(name, a)                                                                                \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(name " %0, %1" : "=r"(to_) : "r"((uint64_t)(a)));                         \
        to_;                                                                                       \
    })
#define RI(name, a, imm)                                                                           \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(name " %0, %1, %2" : "=r"(to_) : "r"((uint64_t)(a)), "i"(imm));           \
        to_;                                                                                       \
    })
/* Every pair of corners through the instruction and through the C expression of a and b. */
#define CHECK_PAIRS(name, expression)                                                              \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        for (int j_ = 0; j_ < CORNERS; j_++) {                                                     \
            uint64_t a = corners[i_], b = corners[j_];                                             \
            CHECK_EQUAL(RR(name, a, b), (expression));                                             \
        }                                                                                          \
    }
#define CHECK_EACH(name, expression)                                                               \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        uint64_t a = corners[i_];                                                                  \
        CHECK_EQUAL(R1(name, a), (expression));                                                    \
    }
#define CHECK_IMMEDIATE(name, imm, expression)                                                     \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        uint64_t a = corners[i_], b = (uint64_t)(int64_t)(imm);                                    \
        (void)b;                                                                                   \
        CHECK_EQUAL(RI(name, a, imm), (expression));                                               \
    }

static inline uint64_t sign32(uint64_t value)
{
    return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
}

static inline void sfence(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

#endif
