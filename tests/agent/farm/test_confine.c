#include "agent/farm/confine.h"

#include "agent/farm/child.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct confinement *confinement;
static uint32_t walls;

static int set_up(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(confine_new(&confinement, &err), &err);
    BASE_OK(confine_probe(confinement, &walls, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    confine_free(confinement);
    return 0;
}

/* Runs `deed` behind the walls in a process of its own; how it ended. */
static int behind_walls(const struct confine_rules *rules, void (*deed)(void *context),
                        void *context)
{
    struct err err = ERR_INIT;
    pid_t child = child_fork(NULL, 0, &err);
    int status;

    if (child == 0) {
        if (!confine_enter(confinement, rules, &err))
            child_end(1);
        deed(context);
        child_end(0);
    }
    assert_true(child > 0);
    child_wait(child, &status);
    return status;
}

static const struct confine_rules bare = {.memory_bytes = UINT64_C(256) << 20, .cpu_s = 10};

static void assert_stopped(int status, enum confine_wall expected)
{
    enum confine_wall wall;
    char how[64];

    child_status_text(status, how, sizeof how);
    if (!confine_wall_of(status, &wall))
        fail_msg("not stopped: %s", how);
    assert_string_equal(confine_wall_name(wall), confine_wall_name(expected));
}

/* What the kernel gives, asked without the code that is tested: limits and system call filters are
 * in every kernel that runs this, Landlock in those that know the call. */
static bool host_gives(enum confine_wall wall)
{
    if (wall != CONFINE_FILES)
        return true;
    return syscall(444 /* landlock_create_ruleset */, NULL, 0, 1 /* its version */) > 0;
}

/* A wall that the probe does not find, on a host that gives it, is a failure. */
#define NEEDS(wall)                                                                                \
    do {                                                                                           \
        if (!host_gives(wall))                                                                     \
            skip();                                                                                \
        assert_true(walls & 1u << (wall));                                                         \
    } while (0)

static void udp(void *context)
{
    (void)context;
    (void)socket(AF_INET, SOCK_DGRAM, 0);
}
static void local_socket(void *context)
{
    (void)context;
    (void)socket(AF_UNIX, SOCK_STREAM, 0);
}
static void socket_pair(void *context)
{
    int ends[2];

    (void)context;
    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}
static void network_is_out_of_reach(void **state)
{
    (void)state;
    NEEDS(CONFINE_NETWORK);
    assert_stopped(behind_walls(&bare, udp, NULL), CONFINE_NETWORK);
    assert_stopped(behind_walls(&bare, local_socket, NULL), CONFINE_NETWORK);
    assert_stopped(behind_walls(&bare, socket_pair, NULL), CONFINE_NETWORK);
}

static void make_file(void *context)
{
    (void)open(context, O_WRONLY | O_CREAT, 0600);
}
static void change_file(void *context)
{
    (void)open(context, O_RDWR);
}
static void remove_file(void *context)
{
    (void)unlink(context);
}
static void read_file(void *context)
{
    if (open(context, O_RDONLY) >= 0)
        child_end(3);
    child_end(errno == EACCES ? 4 : 5);
}
static void list_folder(void *context)
{
    if (open(context, O_RDONLY | O_DIRECTORY) >= 0)
        child_end(3);
    child_end(errno == EACCES ? 4 : 5);
}
static void only_files_that_were_given_can_be_read(void **state)
{
    char *folder = base_folder_make();
    char *given = path_join(folder, "given"), *other = path_join(folder, "other");
    const char *readable[] = {given};
    struct confine_rules rules = bare;
    struct err err = ERR_INIT;

    (void)state;
    NEEDS(CONFINE_FILES);
    BASE_OK(file_write(given, span_of_text("x"), &err), &err);
    BASE_OK(file_write(other, span_of_text("x"), &err), &err);
    rules.readable = readable;
    rules.readable_count = 1;
    assert_int_equal(WEXITSTATUS(behind_walls(&rules, read_file, given)), 3);
    assert_int_equal(WEXITSTATUS(behind_walls(&rules, read_file, other)), 4);
    assert_int_equal(WEXITSTATUS(behind_walls(&rules, list_folder, folder)), 4);
    assert_stopped(behind_walls(&rules, change_file, given), CONFINE_FILES);
    assert_stopped(behind_walls(&rules, make_file, (void *)(uintptr_t)test_path(folder, "new")),
                   CONFINE_FILES);
    assert_stopped(behind_walls(&rules, remove_file, other), CONFINE_FILES);
    assert_true(file_exists(other));
    mem_free(given);
    mem_free(other);
    base_folder_remove(folder);
}

static void read_parents_memory(void *context)
{
    char path[64];

    (void)context;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
    read_file(path);
}
static void list_own_descriptors(void *context)
{
    (void)context;
    list_folder((void *)(uintptr_t) "/proc/self/fd");
}
static void proc_is_out_of_reach(void **state)
{
    (void)state;
    NEEDS(CONFINE_FILES);
    assert_int_equal(WEXITSTATUS(behind_walls(&bare, read_parents_memory, NULL)), 4);
    assert_int_equal(WEXITSTATUS(behind_walls(&bare, list_own_descriptors, NULL)), 4);
}

static void write_file(void *context)
{
    int fd = open(context, O_WRONLY | O_CREAT, 0600);

    if (fd < 0)
        child_end(errno == EACCES ? 4 : 5);
    child_end(write(fd, "x", 1) == 1 ? 3 : 5);
}
static void boot_writes_below_its_folder_only(void **state)
{
    char *folder = base_folder_make(), *elsewhere = base_folder_make();
    struct confine_rules rules = bare;

    (void)state;
    NEEDS(CONFINE_FILES);
    rules.kind = CONFINE_BOOT;
    rules.writable = folder;
    assert_int_equal(
        WEXITSTATUS(behind_walls(&rules, write_file, (void *)(uintptr_t)test_path(folder, "new"))),
        3);
    assert_int_equal(WEXITSTATUS(behind_walls(&rules, write_file,
                                              (void *)(uintptr_t)test_path(elsewhere, "new"))),
                     4);
    base_folder_remove(folder);
    base_folder_remove(elsewhere);
}

static void *nothing(void *context)
{
    return context;
}
static void start_thread(void *context)
{
    pthread_t thread;

    (void)context;
    child_end(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0
                  ? 3
                  : 5);
}
static void fork_one(void *context)
{
    (void)context;
    (void)fork();
}
static void run_program(void *context)
{
    char *arguments[] = {"true", NULL};

    (void)context;
    (void)execv("/bin/true", arguments);
}
static void signal_parent(void *context)
{
    (void)context;
    (void)kill(getppid(), SIGTERM);
}
static void signal_thread_of_parent(void *context)
{
    (void)context;
    (void)syscall(SYS_tgkill, getppid(), getppid(), SIGTERM);
}
static void trace_parent(void *context)
{
    (void)context;
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static void map_code(void *context)
{
    (void)context;
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void processes_are_neither_made_nor_touched(void **state)
{
    struct confine_rules boot = bare;

    (void)state;
    NEEDS(CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, fork_one, NULL), CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, run_program, NULL), CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, signal_parent, NULL), CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, signal_thread_of_parent, NULL), CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, trace_parent, NULL), CONFINE_PROCESSES);
    assert_stopped(behind_walls(&bare, start_thread, NULL), CONFINE_PROCESSES);
    assert_true(behind_walls(&bare, map_code, NULL) != 0);
    boot.kind = CONFINE_BOOT;
    assert_stopped(behind_walls(&boot, fork_one, NULL), CONFINE_PROCESSES);
    assert_int_equal(WEXITSTATUS(behind_walls(&boot, start_thread, NULL)), 3);
}

/* Without the C library's allocator, for which a sanitizer has one of its own. */
static void take(size_t pieces)
{
    const size_t size = 16u << 20;

    for (size_t i = 0; i < pieces; i++) {
        void *piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(piece != MAP_FAILED);
        memset(piece, 1, size);
    }
}
static void take_much(void *context)
{
    (void)context;
    take(64);
}
static void take_some(void *context)
{
    (void)context;
    take(1);
}
static void memory_ends_at_its_share(void **state)
{
    (void)state;
    NEEDS(CONFINE_MEMORY);
    assert_int_equal(behind_walls(&bare, take_some, NULL), 0);
    assert_stopped(behind_walls(&bare, take_much, NULL), CONFINE_MEMORY);
}

static void break_promise(void *context)
{
    (void)context;
    check_failed("a file", 1, "a promise");
}
static void bug_is_not_taken_for_a_wall(void **state)
{
    enum confine_wall wall;
    int status;

    (void)state;
    status = behind_walls(&bare, break_promise, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(confine_wall_of(status, &wall));
}

static void spin(void *context)
{
    volatile uint64_t turns = 0;

    (void)context;
    for (;;)
        turns = turns + 1;
}
static void processor_time_ends_at_its_share(void **state)
{
    struct confine_rules rules = bare;

    (void)state;
    NEEDS(CONFINE_TIME);
    rules.cpu_s = 1;
    assert_stopped(behind_walls(&rules, spin, NULL), CONFINE_TIME);
}

static void sets_of_walls_have_names(void **state)
{
    char text[96];

    (void)state;
    confine_walls_text(CONFINE_ALL, text, sizeof text);
    assert_string_equal(text, "network, files, processes, memory, time");
    confine_walls_text(0, text, sizeof text);
    assert_string_equal(text, "none");
    confine_walls_text(1u << CONFINE_MEMORY, text, sizeof text);
    assert_string_equal(text, "memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_is_out_of_reach),
        cmocka_unit_test(only_files_that_were_given_can_be_read),
        cmocka_unit_test(proc_is_out_of_reach),
        cmocka_unit_test(boot_writes_below_its_folder_only),
        cmocka_unit_test(processes_are_neither_made_nor_touched),
        cmocka_unit_test(memory_ends_at_its_share),
        cmocka_unit_test(bug_is_not_taken_for_a_wall),
        cmocka_unit_test(processor_time_ends_at_its_share),
        cmocka_unit_test(sets_of_walls_have_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
