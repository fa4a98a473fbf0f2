#include "storage/base/program.h"

#include "tests/support/base_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SELF "storage_base_test_program"

static void path_is_this_program(void **state)
{
    char path[4096];

    (void)state;
    assert_true(program_path(path, sizeof path));
    assert_non_null(strstr(path, "/" SELF));
    assert_false(program_path(path, 8)); /* cut short is no path */
}

static void arch_is_the_programs_own(void **state)
{
    static const struct {
        const char *name;
        uint32_t bits;
        bool big_endian;
    } kinds[] = {{"x86_64", 64, false},  {"i386", 32, false},  {"aarch64", 64, false},
                 {"armhf", 32, false},   {"s390x", 64, true},  {"powerpc", 32, true},
                 {"riscv64", 64, false}, {"wasm32", 32, false}};
    size_t i = 0;

    (void)state;
    while (i < sizeof kinds / sizeof *kinds && strcmp(kinds[i].name, program_arch()) != 0)
        i++;
    assert_true(i < sizeof kinds / sizeof *kinds);
    assert_int_equal(kinds[i].bits, sizeof(void *) * 8);
    assert_int_equal(kinds[i].big_endian, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void a_program_starts_itself_without_an_emulator(void **state)
{
    struct err err = ERR_INIT;
    struct program program;

    (void)state;
    unsetenv("THAW_EMULATOR");
    assert_true(program_self(&program, "somebody", &err));
    assert_string_equal(program.file, "/proc/self/exe");
    assert_int_equal(program.count, 1);
    assert_string_equal(program.words[0], "somebody");
}

static void a_neighbour_is_in_the_same_folder(void **state)
{
    struct err err = ERR_INIT;
    struct program program;
    char path[4096];

    (void)state;
    unsetenv("THAW_EMULATOR");
    assert_true(program_path(path, sizeof path));
    strcpy(strrchr(path, '/') + 1, "neighbour");
    assert_true(program_beside(&program, "neighbour", &err));
    assert_string_equal(program.file, path);
    assert_int_equal(program.count, 1);
    assert_string_equal(program.words[0], path);
}

static void an_emulators_words_come_first(void **state)
{
    struct err err = ERR_INIT;
    struct program program;

    (void)state;
    setenv("THAW_EMULATOR", "qemu-s390x  -L /sysroot", 1);
    assert_true(program_self(&program, "somebody", &err));
    assert_string_equal(program.file, "qemu-s390x");
    assert_int_equal(program.count, 4);
    assert_string_equal(program.words[0], "qemu-s390x");
    assert_string_equal(program.words[1], "-L");
    assert_string_equal(program.words[2], "/sysroot");
    assert_non_null(strstr(program.words[3], "/" SELF));
    assert_true(program_beside(&program, "neighbour", &err));
    assert_non_null(strstr(program.words[3], "/neighbour"));
    setenv("THAW_EMULATOR", "", 1);
    assert_true(program_self(&program, "somebody", &err));
    assert_int_equal(program.count, 1);
}

static void an_endless_emulator_is_refused(void **state)
{
    char words[2 * PROGRAM_WORDS_MAX + 1], letters[PROGRAM_TEXT_MAX + 1];
    struct err err = ERR_INIT;
    struct program program;

    (void)state;
    for (size_t i = 0; i < 2 * PROGRAM_WORDS_MAX; i++)
        words[i] = i % 2 == 0 ? 'a' : ' ';
    words[2 * PROGRAM_WORDS_MAX] = 0;
    setenv("THAW_EMULATOR", words, 1);
    assert_false(program_self(&program, "somebody", &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    memset(letters, 'a', sizeof letters - 1);
    letters[sizeof letters - 1] = 0;
    setenv("THAW_EMULATOR", letters, 1);
    assert_false(program_beside(&program, "neighbour", &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_this_program),
        cmocka_unit_test(arch_is_the_programs_own),
        cmocka_unit_test(a_program_starts_itself_without_an_emulator),
        cmocka_unit_test(a_neighbour_is_in_the_same_folder),
        cmocka_unit_test(an_emulators_words_come_first),
        cmocka_unit_test(an_endless_emulator_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
