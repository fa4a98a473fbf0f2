#include "tests/support/base_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_MS 100000

/* This program, started again with "child" as its first word, says its other words one a line, then
 * what comes in, and ends with 7. With "waits" it only waits for its input's end. */
static int be_child(int argc, char **argv)
{
    char line[64];

    for (int i = 2; i < argc; i++)
        printf("<%s>\n", argv[i]);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        if (strcmp(argv[1], "child") == 0)
            printf("in: %s", line);
    return 7;
}

struct child {
    pid_t pid;
    int in, out; /* our ends */
};

static struct child start(char *const words[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    struct child child;
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawnattr_init(&attributes), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawnp(&child.pid, "/proc/self/exe", &actions, &attributes, words, NULL),
                     0);
    close(in[0]);
    close(out[1]);
    child.in = in[1];
    child.out = out[0];
    return child;
}

static void read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
}

static void words_arrive_as_they_were_given(void **state)
{
    char *words[] = {"self",
                     "child",
                     "plain",
                     "two words",
                     "",
                     "a\"b",
                     "back\\slash",
                     "end\\",
                     "spaced end\\",
                     "\\\"both\\\\\"",
                     "gr\xc3\xbc\xc3\x9f",
                     "*.c",
                     NULL};
    struct child child = start(words);
    char text[1024];
    int status;

    (void)state;
    assert_int_equal(write(child.in, "hello\n", 6), 6);
    close(child.in);
    read_all(child.out, text, sizeof text);
    assert_string_equal(text, "<plain>\n<two words>\n<>\n<a\"b>\n<back\\slash>\n<end\\>\n"
                              "<spaced end\\>\n<\\\"both\\\\\">\n<gr\xc3\xbc\xc3\x9f>\n<*.c>\n"
                              "in: hello\n");
    close(child.out);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(waitpid(child.pid, &status, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void what_is_killed_died_of_a_signal(void **state)
{
    char *words[] = {"self", "waits", NULL};
    struct child child = start(words);
    int status;

    (void)state;
    assert_int_equal(waitpid(child.pid, &status, WNOHANG), 0);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    close(child.in);
    close(child.out);
}

static void a_program_that_is_not_there_is_told(void **state)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes = 0;
    char *words[] = {"nothing-of-this-name", NULL};
    pid_t pid;

    (void)state;
    (void)posix_spawn_file_actions_init(&actions);
    assert_int_equal(posix_spawnp(&pid, words[0], &actions, &attributes, words, NULL), ENOENT);
}

static void a_pipe_is_ready_when_something_is_in_it_and_at_its_end(void **state)
{
    struct pollfd looked[2] = {{.fd = -1, .events = POLLIN}, {.events = POLLIN}};
    char found[8];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    looked[1].fd = ends[0];
    assert_int_equal(poll(looked, 2, 0), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    assert_int_equal(poll(looked, 2, GUARD_MS), 1);
    assert_int_equal(looked[0].revents, 0);
    assert_int_equal(looked[1].revents, POLLIN);
    assert_int_equal(read(ends[0], found, sizeof found), 3);
    assert_int_equal(poll(looked, 2, 0), 0);
    close(ends[1]);
    assert_int_equal(poll(looked, 2, GUARD_MS), 1);
    assert_int_equal(read(ends[0], found, sizeof found), 0);
    close(ends[0]);
}

static void a_full_or_empty_pipe_does_not_hold_who_will_not_wait(void **state)
{
    static char much[1 << 20];
    size_t put = 0, taken = 0;
    char found[4096];
    ssize_t got;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ends[0], found, sizeof found), -1);
    assert_int_equal(errno, EAGAIN);
    while (put < sizeof much && (got = write(ends[1], much, sizeof much - put)) > 0)
        put += (size_t)got;
    assert_true(put > 0 && put < sizeof much);
    assert_int_equal(errno, EAGAIN);
    while ((got = read(ends[0], found, sizeof found)) > 0)
        taken += (size_t)got;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(taken, put);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_arrive_as_they_were_given),
        cmocka_unit_test(what_is_killed_died_of_a_signal),
        cmocka_unit_test(a_program_that_is_not_there_is_told),
        cmocka_unit_test(a_pipe_is_ready_when_something_is_in_it_and_at_its_end),
        cmocka_unit_test(a_full_or_empty_pipe_does_not_hold_who_will_not_wait),
    };

    if (argc > 1)
        return be_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
