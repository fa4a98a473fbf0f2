#include "tests/support/base_test.h"

#include <errno.h>
#include <string.h>

static void error_carries_kind_and_sentence(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_false(err_set(&err, ERR_TOO_BIG, "%d bytes", 7));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_string_equal(err.text, "7 bytes");
}

static void wrapping_adds_where_and_keeps_the_kind(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_set(&err, ERR_CORRUPT, "bad hash");
    assert_false(err_wrap(&err, "chunk %d", 3));
    assert_false(err_wrap(&err, "image %s", "board.ram"));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(err.text, "image board.ram: chunk 3: bad hash");
}

static void errno_chooses_the_kind(void **state)
{
    static const struct {
        int code;
        enum err_kind kind;
    } table[] = {
        {ENOENT, ERR_NOT_FOUND}, {ENOTDIR, ERR_NOT_FOUND}, {EACCES, ERR_ACCESS},
        {EPERM, ERR_ACCESS},     {EROFS, ERR_ACCESS},      {ENOSPC, ERR_NO_SPACE},
        {EDQUOT, ERR_NO_SPACE},  {EFBIG, ERR_NO_SPACE},    {ENOMEM, ERR_NO_MEMORY},
        {EIO, ERR_IO},           {EBADF, ERR_IO},
    };
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_false(err_set_errno(&err, table[i].code, "cannot open %s", "x"));
        assert_int_equal(err.kind, table[i].kind);
        assert_true(strncmp(err.text, "cannot open x: ", 15) == 0);
        assert_non_null(strstr(err.text, strerror(table[i].code)));
    }
}

static void assert_cut(const struct err *err)
{
    size_t length = strlen(err->text);

    assert_true(length < ERR_TEXT_MAX);
    assert_true(length >= ERR_TEXT_MAX - 8);
    assert_string_equal(err->text + length - 3, "\xe2\x80\xa6");
}

static void long_sentences_are_cut_and_say_so(void **state)
{
    char text[ERR_TEXT_MAX + 100];
    struct err err = ERR_INIT;

    (void)state;
    memset(text, 'a', sizeof text);
    text[ERR_TEXT_MAX - 1] = 0; /* the longest that fits */
    err_set(&err, ERR_IO, "%s", text);
    assert_string_equal(err.text, text);

    text[ERR_TEXT_MAX - 1] = 'a';
    text[ERR_TEXT_MAX] = 0; /* one more */
    err_set(&err, ERR_IO, "%s", text);
    assert_cut(&err);

    text[ERR_TEXT_MAX - 3] = 0; /* it fits, but not with its place before it */
    err_set(&err, ERR_IO, "%s", text);
    err_wrap(&err, "here");
    assert_cut(&err);
    assert_true(strncmp(err.text, "here: aaa", 9) == 0);
}

static void cutting_never_splits_a_character(void **state)
{
    char text[ERR_TEXT_MAX + 16];
    struct err err = ERR_INIT;

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        size_t at = shift, length;
        memset(text, 'b', sizeof text);
        for (; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "\xf0\x9f\xa7\x8a", 4); /* an ice cube */
        text[at] = 0;
        err_set(&err, ERR_IO, "%s", text);
        assert_cut(&err);
        length = strlen(err.text) - 3;
        assert_int_equal((length - shift) % 4, 0);
    }
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = ERR_NONE; i <= ERR_TIMEOUT; i++)
        for (int k = ERR_NONE; k < i; k++)
            assert_string_not_equal(err_kind_name((enum err_kind)i),
                                    err_kind_name((enum err_kind)k));
    assert_string_equal(err_kind_name(ERR_NO_SPACE), "no space");
}

static void name_of_nothing(void *context)
{
    (void)context;
    (void)err_kind_name((enum err_kind)(ERR_TIMEOUT + 1));
}

static void set_nothing(void *context)
{
    struct err err = ERR_INIT;

    (void)context;
    err_set(&err, ERR_NONE, "fine");
}

static void wrap_nothing(void *context)
{
    struct err err = ERR_INIT;

    (void)context;
    err_wrap(&err, "here");
}

static void misuse_stops_the_program(void **state)
{
    (void)state;
    base_assert_aborts(name_of_nothing, NULL, "this must hold");
    base_assert_aborts(set_nothing, NULL, "this must hold: kind != ERR_NONE");
    base_assert_aborts(wrap_nothing, NULL, "this must hold: err->kind != ERR_NONE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_carries_kind_and_sentence),
        cmocka_unit_test(wrapping_adds_where_and_keeps_the_kind),
        cmocka_unit_test(errno_chooses_the_kind),
        cmocka_unit_test(long_sentences_are_cut_and_say_so),
        cmocka_unit_test(cutting_never_splits_a_character),
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
