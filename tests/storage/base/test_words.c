#include "storage/base/words.h"

#include "tests/support/base_test.h"

#include <stdio.h>
#include <string.h>

#define ROOM 6

struct split {
    char text[200];
    char *list[ROOM];
    struct words words;
};

static bool split(struct split *split, const char *text, struct err *err)
{
    snprintf(split->text, sizeof split->text, "%s", text);
    split->words = (struct words){split->list, ROOM, 0};
    return words_split(split->text, "the emulator", &split->words, err);
}

static void blanks_separate(void **state)
{
    struct err err = ERR_INIT;
    struct split found;

    (void)state;
    BASE_OK(split(&found, "  qemu-s390x   -L /srv/s390x ", &err), &err);
    assert_int_equal(found.words.count, 3);
    assert_string_equal(found.list[0], "qemu-s390x");
    assert_string_equal(found.list[1], "-L");
    assert_string_equal(found.list[2], "/srv/s390x");
    BASE_OK(split(&found, "", &err), &err);
    assert_int_equal(found.words.count, 0);
    BASE_OK(split(&found, "   ", &err), &err);
    assert_int_equal(found.words.count, 0);
}

static void quotes_keep_together(void **state)
{
    struct err err = ERR_INIT;
    struct split found;

    (void)state;
    BASE_OK(split(&found, "'/opt/a b/thaw' -x\" y \"z '' C:\\a\\b \"it's\"", &err), &err);
    assert_int_equal(found.words.count, 5);
    assert_string_equal(found.list[0], "/opt/a b/thaw");
    assert_string_equal(found.list[1], "-x y z");
    assert_string_equal(found.list[2], "");
    assert_string_equal(found.list[3], "C:\\a\\b");
    assert_string_equal(found.list[4], "it's");
}

static void what_does_not_fit_is_told(void **state)
{
    struct err err = ERR_INIT;
    struct split found;

    (void)state;
    BASE_OK(split(&found, "1 2 3 4 5 6", &err), &err);
    assert_false(split(&found, "1 2 3 4 5 6 7", &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_string_equal(err.text, "the emulator has more than 6 words");
    err = (struct err)ERR_INIT;
    assert_false(split(&found, "a 'b c", &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.text, "the emulator has a quote that is not closed");
    err = (struct err)ERR_INIT;
    assert_false(split(&found, "\"", &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void more_words_come_behind(void **state)
{
    char more[] = "b 'c d'";
    struct err err = ERR_INIT;
    struct split found;

    (void)state;
    BASE_OK(split(&found, "a", &err), &err);
    BASE_OK(words_split(more, "more", &found.words, &err), &err);
    assert_int_equal(found.words.count, 3);
    assert_string_equal(found.list[0], "a");
    assert_string_equal(found.list[2], "c d");
}

static void what_was_joined_is_split_again(void **state)
{
    static const char *const words[ROOM] = {"plain", "/opt/a b/thaw", "",
                                            "it's",  "''\"' \"",      "' '"};
    struct buf text = BUF_INIT(200);
    struct err err = ERR_INIT;
    struct split found;

    (void)state;
    for (size_t i = 0; i < ROOM; i++)
        BASE_OK(words_join(&text, words[i], &err), &err);
    assert_memory_equal(text.data, "plain '", 7); /* no quotes that are not needed */
    BASE_OK(buf_append(&text, "", 1, &err), &err);
    BASE_OK(split(&found, (const char *)text.data, &err), &err);
    assert_int_equal(found.words.count, ROOM);
    for (size_t i = 0; i < ROOM; i++)
        assert_string_equal(found.list[i], words[i]);
    buf_release(&text);
}

static void a_full_text_is_an_error(void **state)
{
    static const char *const words[] = {"12345678", "1234 67", "1'2'34"};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t room = 0; room < 8; room++) {
            struct buf text = BUF_INIT(room);
            assert_false(words_join(&text, words[i], &err));
            buf_release(&text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_separate),
        cmocka_unit_test(quotes_keep_together),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(more_words_come_behind),
        cmocka_unit_test(what_was_joined_is_split_again),
        cmocka_unit_test(a_full_text_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
