/* Channels between processes: what was said before an end is heard. */
#include "agent/farm/child.h"
#include "tests/support/base_test.h"

#include <string.h>
#include <unistd.h>

static void last_words_are_heard_though_the_peer_left_things_unread(void **state)
{
    struct err err = ERR_INIT;
    char text[16];
    struct channel_message message = {.bytes = text, .room = sizeof text};
    int ends[2];

    (void)state;
    BASE_OK(channel_pair(ends, &err), &err);
    BASE_OK(channel_send(ends[0], span_of_text("unread"), -1, &err), &err);
    BASE_OK(channel_send(ends[1], span_of_text("why"), -1, &err), &err);
    close(ends[1]);
    BASE_OK(channel_receive(ends[0], &message, &err), &err);
    assert_int_equal(message.size, 3);
    assert_memory_equal(text, "why", 3);
    BASE_OK(channel_receive(ends[0], &message, &err), &err);
    assert_int_equal(message.size, 0);
    close(ends[0]);
}

static void one_that_is_gone_cannot_be_told_anything(void **state)
{
    struct err err = ERR_INIT;
    int ends[2];

    (void)state;
    BASE_OK(channel_pair(ends, &err), &err);
    close(ends[1]);
    BASE_FAILS(channel_send(ends[0], span_of_text("hello"), -1, &err), &err, ERR_CONFLICT, "gone");
    close(ends[0]);
}

static void longer_message_than_there_is_room_for_is_refused(void **state)
{
    struct err err = ERR_INIT;
    char text[4];
    struct channel_message message = {.bytes = text, .room = sizeof text};
    int ends[2];

    (void)state;
    BASE_OK(channel_pair(ends, &err), &err);
    BASE_OK(channel_send(ends[0], span_of_text("hello"), -1, &err), &err);
    BASE_FAILS(channel_receive(ends[1], &message, &err), &err, ERR_TOO_BIG, "4 bytes");
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_words_are_heard_though_the_peer_left_things_unread),
        cmocka_unit_test(one_that_is_gone_cannot_be_told_anything),
        cmocka_unit_test(longer_message_than_there_is_room_for_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
