/* Hosts: what they answer, and how long they are waited for. The hosts here are small shells. */
#include "agent/verify/peer.h"

#include "tests/support/base_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* Stands still unless the test moves it. */
static uint64_t fake_now(void *context)
{
    const uint64_t *now = context;

    return *now;
}

/* An answer to the greeting, and then whatever `then` does, as a shell script in a file. */
static char *host_script(const char *folder, const char *then)
{
    static char path[256];
    struct verify_message hello = {.number = 1,
                                   .verb = VERIFY_HELLO,
                                   .values = {VERIFY_VERSION, 64, 0},
                                   .value_count = HELLO_COUNT,
                                   .text = span_of_text("Linux test"),
                                   .bytes = span_of_text("1")};
    struct buf bytes = BUF_INIT(4096);
    struct err err = ERR_INIT;
    FILE *file;

    BASE_OK(verify_message_write(&hello, &bytes, &err), &err);
    snprintf(path, sizeof path, "%s/host", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("printf '", file);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(file, "\\%03o", bytes.data[i]);
    fprintf(file, "'\n%s\n", then);
    fclose(file);
    buf_release(&bytes);
    return path;
}

static struct peer *start(const char *folder, const char *then, const struct clock_source *clock)
{
    char command[300];
    struct peer_options options = {.name = "test", .command = command, .clock = clock};
    struct peer *peer = NULL;
    struct err err = ERR_INIT;

    snprintf(command, sizeof command, "sh %s", host_script(folder, then));
    BASE_OK(peer_start(&options, &peer, &err), &err);
    assert_null(peer_failure(peer));
    assert_string_equal(peer_description(peer), "Linux test, 64 bits, little endian, thaw 1");
    return peer;
}

static void a_silent_host_is_given_up(void **state)
{
    char *folder = base_folder_make();
    uint64_t now = 0;
    struct clock_source clock = {fake_now, fake_now, &now};
    struct verify_message request = {.verb = VERIFY_RUN, .value_count = RUN_COUNT}, answer;
    struct peer *peer = start(folder, "cat >/dev/null", &clock);

    (void)state;
    peer_ask(peer, &request, PEER_INSTRUCTIONS_A_SECOND * 50); /* so 50 s more */
    now += PEER_GUARD_NS + 40 * SECOND;
    assert_false(peer_answer(peer, &answer));
    assert_null(peer_failure(peer));
    now += 11 * SECOND;
    peers_wait(&peer, 1);
    assert_int_equal(peer_failure(peer)->kind, ERR_TIMEOUT);
    assert_non_null(strstr(peer_failure(peer)->text, "after it was asked to run"));
    peer_stop(peer);
    base_folder_remove(folder);
}

static void the_guard_scales_with_the_host(void **state)
{
    const uint64_t mark = 50000000;                             /* instructions */
    const uint64_t fast = 3 * SECOND / 1000, slow = 100 * fast; /* a million */

    (void)state;
    assert_int_equal(peer_guard_ns(PEER_GUARD_NS, 0, 0), PEER_GUARD_NS);
    /* A host not heard of yet may be a hundred times slower than one of 20 M a second. */
    assert_true(peer_guard_ns(PEER_GUARD_NS, mark, 0) > PEER_GUARD_NS + 50 * 5 * SECOND - SECOND);
    assert_true(peer_guard_ns(PEER_GUARD_NS, mark, fast) < PEER_GUARD_NS + 4 * SECOND);
    /* One that took 15 s for a mark has 20 times that for the next. */
    assert_true(peer_guard_ns(PEER_GUARD_NS, mark, slow) > PEER_GUARD_NS + 20 * 15 * SECOND);
}

static void a_host_that_dies_is_told_with_its_last_words(void **state)
{
    char *folder = base_folder_make();
    struct verify_message request = {.verb = VERIFY_RUN, .value_count = RUN_COUNT}, answer;
    struct peer *peer = start(folder, "echo one >&2; echo two >&2; exit 7", &clock_host);
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(peer_call(peer, &request, &answer, &err), &err, ERR_IO,
               "it ended with status 7, asked to run: two");
    peer_ask(peer, &request, 0); /* of no effect any more */
    assert_int_equal(peer_waiting(peer), 0);
    peer_stop(peer);
    base_folder_remove(folder);
}

static void an_answer_nobody_asked_for_is_nonsense(void **state)
{
    char *folder = base_folder_make();
    struct verify_message request = {.verb = VERIFY_RUN, .value_count = RUN_COUNT}, answer;
    struct peer *peer = start(folder, "sh $0 </dev/null; cat >/dev/null", &clock_host);
    struct err err = ERR_INIT;

    (void)state;
    (void)request;
    /* The script says hello again and again. */
    BASE_FAILS(peer_call(peer, &request, &answer, &err), &err, ERR_INVALID,
               "an answer to what it was not asked");
    peer_stop(peer);
    base_folder_remove(folder);
}

static void a_command_that_cannot_be_started_is_refused(void **state)
{
    struct peer_options options = {.name = "none", .clock = &clock_host};
    struct peer *peer = NULL;
    struct err err = ERR_INIT;

    (void)state;
    options.command = "/nonexistent/thaw x";
    BASE_FAILS(peer_start(&options, &peer, &err), &err, ERR_USAGE, "cannot start /nonexistent");
    options.command = "  ";
    BASE_FAILS(peer_start(&options, &peer, &err), &err, ERR_USAGE, "is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_host_is_given_up),
        cmocka_unit_test(the_guard_scales_with_the_host),
        cmocka_unit_test(a_host_that_dies_is_told_with_its_last_words),
        cmocka_unit_test(an_answer_nobody_asked_for_is_nonsense),
        cmocka_unit_test(a_command_that_cannot_be_started_is_refused),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
