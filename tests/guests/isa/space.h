/* space.h - page tables for the tests of translation: one address space of 3 to 5 levels with a
 * window of 4 KiB pages, and the code and devices mapped where they are. */
#ifndef TESTS_GUESTS_ISA_SPACE_H
#define TESTS_GUESTS_ISA_SPACE_H

#include "isa.h"

enum {
    PTE_V = 1,
    PTE_R = 2,
    PTE_W = 4,
    PTE_X = 8,
    PTE_U = 16,
    PTE_G = 32,
    PTE_A = 64,
    PTE_D = 128
};
#define PTE_RWX        (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)
#define PTE_RW         (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)
#define PTE_N          (1ull << 63)
#define PTE_PBMT_SHIFT 61

/* Virtual address of the window's page i: the third gigabyte of the lowest half, below code at 2
 * GiB. */
#define WINDOW  0x40000000ull
#define PAGE(i) (WINDOW + (uint64_t)(i)*4096u)

enum { SATP_39 = 8, SATP_48 = 9, SATP_57 = 10 };

/* The leaf table under the window, and the tables above it: gigabyte[1] points to megabyte,
 * megabyte[0] to leaf. */
extern uint64_t leaf[512], megabyte[512], gigabyte[512];
/* 32 frames to map. */
extern volatile uint64_t frames[32][512];

static inline uint64_t pte(const volatile void *at, uint64_t bits)
{
    return (uint64_t)(uintptr_t)at >> 12 << 10 | bits;
}

/* Builds the tables and writes satp with ASID 0. False, and nothing changed, if the hart has no
 * such mode. */
bool space_init(uint64_t satp_mode);

static inline void flush(uint64_t address)
{
    __asm__ volatile("sfence.vma %0" ::"r"(address) : "memory");
}

/* In S mode: what the access at a virtual address gives, FINE or a cause. */
enum { FINE = 99 };
uint64_t try_load(uint64_t address);
uint64_t try_store(uint64_t address);
uint64_t try_fetch(uint64_t address);

#endif
