/* Zicond: czero.eqz and czero.nez, by their encodings. */
#include "isa.h"

#define CZERO(funct3, a, b)                                                                        \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(".insn r 0x33, " #funct3 ", 7, %0, %1, %2" : "=r"(to_) : "r"(a), "r"(b)); \
        to_;                                                                                       \
    })

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    for (int i = 0; i < CORNERS; i++) {
        for (int j = 0; j < CORNERS; j++) {
            uint64_t a = corners[i], b = corners[j];

            CHECK_EQUAL(CZERO(5, a, b), b == 0 ? 0 : a);
            CHECK_EQUAL(CZERO(7, a, b), b != 0 ? 0 : a);
        }
    }
    return 0;
}
