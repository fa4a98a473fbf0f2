#include "storage/base/check.h"
#include "tests/support/base_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run_child(void (*body)(void *context), void *context, int errors)
{
    const struct rlimit none = {0, 0};

    signal(SIGABRT, SIG_DFL); /* cmocka catches it */
    setrlimit(RLIMIT_CORE, &none);
    dup2(errors, STDERR_FILENO);
    body(context);
    fflush(stderr);
    _exit(0);
}

int base_child(void (*body)(void *context), void *context, char *errors, size_t size)
{
    int ends[2], status;
    size_t used = 0;
    ssize_t got;
    pid_t child;

    CHECK(pipe(ends) == 0);
    fflush(stdout);
    fflush(stderr);
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        run_child(body, context, ends[1]);
    close(ends[1]);
    while (used < size - 1 && (got = read(ends[0], errors + used, size - 1 - used)) > 0)
        used += (size_t)got;
    errors[used] = 0;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

void base_assert_aborts(void (*body)(void *context), void *context, const char *part)
{
    char errors[4096];
    int status = base_child(body, context, errors, sizeof errors);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(errors, part));
}
