#include "storage/base/file.h"

#include "tests/support/base_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static int folder_setup(void **state)
{
    *state = base_folder_make();
    return 0;
}

static int folder_teardown(void **state)
{
    base_folder_remove(*state);
    return 0;
}

static void assert_holds(const char *path, const char *text)
{
    struct buf bytes = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    BASE_OK(file_read(path, &bytes, &err), &err);
    assert_true(span_equal(buf_span(&bytes), span_of_text(text)));
    buf_release(&bytes);
}

static void assert_names(const char *folder, size_t count, const char *const *names)
{
    struct name_list list;
    struct err err = ERR_INIT;

    BASE_OK(folder_list(folder, &list, &err), &err);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list.names[i], names[i]);
    name_list_release(&list);
}

static void written_file_reads_back_and_leaves_nothing_beside(void **state)
{
    const char *folder = *state;
    char *path = path_join(folder, "a");
    struct err err = ERR_INIT;
    uint64_t size;

    BASE_OK(file_write(path, span_of_text("first"), &err), &err);
    assert_holds(path, "first");
    BASE_OK(file_write(path, span_of_text("second, longer"), &err), &err);
    assert_holds(path, "second, longer");
    BASE_OK(file_size(path, &size, &err), &err);
    assert_int_equal(size, 14);
    BASE_OK(file_write(path, (struct span){NULL, 0}, &err), &err);
    assert_holds(path, "");
    assert_names(folder, 1, (const char *const[]){"a"});
    mem_free(path);
}

static void umask_decides_who_may_read(void **state)
{
    char *path = path_join(*state, "secret");
    struct err err = ERR_INIT;
    struct stat info;
    mode_t before = umask(077);
    bool ok = file_write(path, span_of_text("x"), &err);

    umask(before);
    BASE_OK(ok, &err);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    mem_free(path);
}

static void reading_stops_at_the_ceiling(void **state)
{
    char *path = path_join(*state, "a");
    struct err err = ERR_INIT;
    struct buf exact = BUF_INIT(8), small = BUF_INIT(7);

    BASE_OK(file_write(path, span_of_text("8 bytes!"), &err), &err);
    BASE_OK(file_read(path, &exact, &err), &err);
    assert_int_equal(exact.size, 8);
    BASE_FAILS(file_read(path, &small, &err), &err, ERR_TOO_BIG, "limit of 7");
    buf_release(&exact);
    buf_release(&small);
    mem_free(path);
}

static void endless_file_of_unknown_size_is_bounded_too(void **state)
{
    struct buf bytes = BUF_INIT(100000);
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(file_read("/dev/zero", &bytes, &err), &err, ERR_TOO_BIG, "limit of 100000 bytes");
    assert_true(bytes.size <= 100000);
    buf_release(&bytes);
}

static void missing_and_odd_files_are_named(void **state)
{
    const char *folder = *state;
    char *path = path_join(folder, "none"), *under = path_join(path, "deeper");
    struct buf bytes = BUF_INIT(100);
    struct err err = ERR_INIT;
    struct name_list list;
    uint64_t size;

    BASE_FAILS(file_read(path, &bytes, &err), &err, ERR_NOT_FOUND, path);
    BASE_FAILS(file_size(path, &size, &err), &err, ERR_NOT_FOUND, path);
    BASE_FAILS(folder_list(path, &list, &err), &err, ERR_NOT_FOUND, path);
    BASE_FAILS(folder_sync(path, &err), &err, ERR_NOT_FOUND, path);
    BASE_FAILS(file_write(under, span_of_text("x"), &err), &err, ERR_NOT_FOUND, under);
    BASE_FAILS(file_read(folder, &bytes, &err), &err, ERR_INVALID, folder);
    BASE_OK(file_write(path, span_of_text("x"), &err), &err);
    BASE_FAILS(folder_list(path, &list, &err), &err, ERR_NOT_FOUND, path); /* a file */
    BASE_FAILS(folder_make(under, &err), &err, ERR_IO, path);
    assert_true(file_exists(path));
    assert_false(file_exists(under));
    buf_release(&bytes);
    mem_free(under);
    mem_free(path);
}

static void full_disk_is_told_as_such(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(fd >= 0);
    BASE_FAILS(file_write_all(fd, span_of_text("x"), "the pack", &err), &err, ERR_NO_SPACE,
               "cannot write the pack");
    close(fd);
}

/* In a child: no file may grow over 1000 bytes, as on a disk that fills while writing. */
static void write_over_quota(void *context)
{
    static uint8_t bytes[5000];
    const struct rlimit limit = {1000, 1000};
    struct err err = ERR_INIT;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (file_write(context, (struct span){bytes, sizeof bytes}, &err))
        _exit(1);
    _exit(err.kind == ERR_NO_SPACE ? 0 : 2);
}

static void failed_write_keeps_the_old_file_and_no_rest(void **state)
{
    const char *folder = *state;
    char *path = path_join(folder, "a");
    struct err err = ERR_INIT;
    char errors[256];

    BASE_OK(file_write(path, span_of_text("old"), &err), &err);
    assert_int_equal(base_child(write_over_quota, path, errors, sizeof errors), 0);
    assert_holds(path, "old");
    assert_names(folder, 1, (const char *const[]){"a"});
    mem_free(path);
}

static void try_without_rights(void *context)
{
    char *path = path_join(context, "new");
    struct buf bytes = BUF_INIT(100);
    struct err err = ERR_INIT;
    bool refused;

    if (geteuid() == 0 && setuid(NOBODY) != 0)
        _exit(1);
    refused = !file_write(path, span_of_text("x"), &err) && err.kind == ERR_ACCESS;
    mem_free(path);
    path = path_join(context, "closed");
    refused = refused && !file_read(path, &bytes, &err) && err.kind == ERR_ACCESS;
    refused = refused && !file_remove(path, &err) && err.kind == ERR_ACCESS;
    mem_free(path);
    buf_release(&bytes);
    _exit(refused ? 0 : 2);
}

static void missing_rights_are_told_as_such(void **state)
{
    char *folder = *state, *closed = path_join(folder, "closed");
    struct err err = ERR_INIT;
    char errors[256];

    BASE_OK(file_write(closed, span_of_text("x"), &err), &err);
    assert_int_equal(chmod(closed, 0), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(base_child(try_without_rights, folder, errors, sizeof errors), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    mem_free(closed);
}

static void reads_at_places_are_whole_or_corrupt(void **state)
{
    char *path = path_join(*state, "a"), bytes[8] = "";
    struct err err = ERR_INIT;
    int fd;

    BASE_OK(file_write(path, span_of_text("0123456789"), &err), &err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    BASE_OK(file_read_at(fd, bytes, 4, 6, path, &err), &err);
    assert_memory_equal(bytes, "6789", 4);
    BASE_FAILS(file_read_at(fd, bytes, 4, 7, path, &err), &err, ERR_CORRUPT,
               "ends at byte 10, 1 more were expected");
    BASE_FAILS(file_read_at(fd, bytes, 1, 10, path, &err), &err, ERR_CORRUPT, "ends at byte 10");
    close(fd);
    BASE_FAILS(file_read_at(fd, bytes, 1, 0, path, &err), &err, ERR_IO, path);
    mem_free(path);
}

static void what_has_come_is_read_and_the_end_is_told(void **state)
{
    struct buf bytes = BUF_INIT(8);
    struct err err = ERR_INIT;
    bool ended = true;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    BASE_OK(file_write_all(ends[1], span_of_text("one"), "the pipe", &err), &err);
    BASE_OK(file_read_some(ends[0], &bytes, &ended, "the pipe", &err), &err);
    assert_false(ended);
    assert_int_equal(bytes.size, 3);
    BASE_OK(file_write_all(ends[1], span_of_text("two"), "the pipe", &err), &err);
    close(ends[1]);
    BASE_OK(file_read_some(ends[0], &bytes, &ended, "the pipe", &err), &err);
    assert_false(ended);
    BASE_OK(file_read_some(ends[0], &bytes, &ended, "the pipe", &err), &err);
    assert_true(ended);
    assert_int_equal(bytes.size, 6);
    assert_memory_equal(bytes.data, "onetwo", 6);
    close(ends[0]);
    BASE_FAILS(file_read_some(ends[0], &bytes, &ended, "the pipe", &err), &err, ERR_IO,
               "cannot read the pipe");
    buf_release(&bytes);
}

static void a_file_that_moved_is_not_where_it_was(void **state)
{
    char *here = path_join(*state, "here"), *there = path_join(*state, "there");
    struct err err = ERR_INIT;
    int fd;

    BASE_OK(file_write(here, span_of_text("x"), &err), &err);
    fd = open(here, O_RDONLY | O_CLOEXEC);
    assert_true(file_is_at(fd, here));
    assert_int_equal(rename(here, there), 0);
    assert_false(file_is_at(fd, here));
    assert_true(file_is_at(fd, there));
    BASE_OK(file_write(here, span_of_text("x"), &err), &err);
    assert_false(file_is_at(fd, here));
    close(fd);
    mem_free(here);
    mem_free(there);
}

static void folders_are_made_with_parents_and_removed_with_contents(void **state)
{
    const char *folder = *state;
    char *top = path_join(folder, "x"), *deep = path_join(top, "y/z"), *file = path_join(deep, "f");
    char *outside = path_join(folder, "kept"), *link = path_join(deep, "link");
    struct err err = ERR_INIT;

    BASE_OK(folder_make(deep, &err), &err);
    BASE_OK(folder_make(deep, &err), &err); /* twice is no error */
    BASE_OK(folder_sync(deep, &err), &err);
    BASE_OK(file_write(file, span_of_text("f"), &err), &err);
    BASE_OK(file_write(outside, span_of_text("kept"), &err), &err);
    assert_int_equal(symlink(folder, link), 0);
    BASE_OK(file_remove(top, &err), &err);
    BASE_OK(file_remove(top, &err), &err); /* gone is no error */
    assert_names(folder, 1, (const char *const[]){"kept"});
    assert_holds(outside, "kept"); /* links are removed, not followed */
    mem_free(link);
    mem_free(outside);
    mem_free(file);
    mem_free(deep);
    mem_free(top);
}

static void names_come_sorted_bytewise(void **state)
{
    static const char *const names[] = {".dot", "B", "a", "a0", "b", "\xc3\xa4"};
    static const char *const mixed[] = {"b", "\xc3\xa4", "a", ".dot", "a0", "B"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 6; i++) {
        char *path = path_join(*state, mixed[i]);
        BASE_OK(file_write(path, span_of_text(""), &err), &err);
        mem_free(path);
    }
    assert_names(*state, 6, names);
}

static void long_lists_are_whole(void **state)
{
    struct name_list list;
    struct err err = ERR_INIT;

    for (int i = 0; i < 100; i++) {
        struct buf name = BUF_INIT(64);
        char *path;
        BASE_OK(buf_format(&name, &err, "n%03d%c", i, 0), &err);
        path = path_join(*state, (const char *)name.data);
        BASE_OK(folder_make(path, &err), &err);
        mem_free(path);
        buf_release(&name);
    }
    BASE_OK(folder_list(*state, &list, &err), &err);
    assert_int_equal(list.count, 100);
    assert_string_equal(list.names[57], "n057");
    name_list_release(&list);
    assert_int_equal(list.count, 0);
}

static void lock_keeps_others_out_until_released(void **state)
{
    char *path = path_join(*state, "lock");
    struct file_lock first = FILE_LOCK_INIT, second = FILE_LOCK_INIT;
    struct err err = ERR_INIT;

    BASE_OK(file_lock(&first, path, true, false, &err), &err);
    BASE_FAILS(file_lock(&second, path, true, false, &err), &err, ERR_CONFLICT, path);
    BASE_FAILS(file_lock(&second, path, false, false, &err), &err, ERR_CONFLICT, path);
    assert_int_equal(second.fd, -1);
    file_unlock(&first);
    file_unlock(&first);
    BASE_OK(file_lock(&first, path, false, true, &err), &err);
    BASE_OK(file_lock(&second, path, false, false, &err), &err); /* readers share */
    file_unlock(&first);
    BASE_FAILS(file_lock(&first, path, true, false, &err), &err, ERR_CONFLICT, path);
    file_unlock(&second);
    BASE_OK(file_lock(&first, path, true, false, &err), &err);
    file_unlock(&first);
    mem_free(path);
}

static void die_holding_the_lock(void *context)
{
    struct file_lock lock = FILE_LOCK_INIT;
    struct err err = ERR_INIT;

    if (!file_lock(&lock, context, true, false, &err))
        _exit(1);
    raise(SIGKILL);
}

static void killed_holder_frees_its_lock(void **state)
{
    char *path = path_join(*state, "lock"), errors[256];
    struct file_lock lock = FILE_LOCK_INIT;
    struct err err = ERR_INIT;
    int status = base_child(die_holding_the_lock, path, errors, sizeof errors);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    BASE_OK(file_lock(&lock, path, true, false, &err), &err);
    file_unlock(&lock);
    mem_free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_file_reads_back_and_leaves_nothing_beside),
        TEST(umask_decides_who_may_read),
        TEST(reading_stops_at_the_ceiling),
        TEST(endless_file_of_unknown_size_is_bounded_too),
        TEST(missing_and_odd_files_are_named),
        TEST(full_disk_is_told_as_such),
        TEST(failed_write_keeps_the_old_file_and_no_rest),
        TEST(missing_rights_are_told_as_such),
        TEST(reads_at_places_are_whole_or_corrupt),
        TEST(what_has_come_is_read_and_the_end_is_told),
        TEST(a_file_that_moved_is_not_where_it_was),
        TEST(folders_are_made_with_parents_and_removed_with_contents),
        TEST(names_come_sorted_bytewise),
        TEST(long_lists_are_whole),
        TEST(lock_keeps_others_out_until_released),
        TEST(killed_holder_frees_its_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
