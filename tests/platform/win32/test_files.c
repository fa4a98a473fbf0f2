#include "tests/support/base_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the store relies on of POSIX's files, on Windows. */
struct place {
    char *folder;
    char path[600], other[600];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    place->folder = base_folder_make();
    snprintf(place->path, sizeof place->path, "%s/one", place->folder);
    snprintf(place->other, sizeof place->other, "%s/zw\xc3\xb6lf \xe2\x82\xac", place->folder);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    base_folder_remove(place->folder);
    free(place);
    return 0;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void assert_holds(int fd, const char *text)
{
    char found[64] = "";

    assert_int_equal(pread(fd, found, sizeof found - 1, 0), strlen(text));
    assert_string_equal(found, text);
}

static void a_file_that_is_open_is_replaced_and_its_reader_keeps_the_old_one(void **state)
{
    struct place *place = *state;
    struct stat before, after;
    int fd;

    put(place->path, "old");
    put(place->other, "newer");
    fd = open(place->other, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(stat(place->path, &before), 0);
    assert_int_equal(rename(place->other, place->path), 0); /* what moves is open */
    assert_holds(fd, "newer");
    assert_int_equal(close(fd), 0);
    assert_int_equal(stat(place->path, &after), 0);
    assert_int_equal(after.st_size, 5);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(stat(place->other, &after), -1);
    assert_int_equal(errno, ENOENT);
}

static void a_file_that_is_open_is_removed(void **state)
{
    struct place *place = *state;
    int fd;

    put(place->path, "still here");
    fd = open(place->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(unlink(place->path), 0);
    assert_holds(fd, "still here");
    assert_int_equal(close(fd), 0);
    assert_int_equal(open(place->path, O_RDONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, ENOENT);
}

static void reading_at_a_place_moves_nothing(void **state)
{
    struct place *place = *state;
    char found[4] = "";
    int fd;

    put(place->path, "abcdefgh");
    fd = open(place->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(read(fd, found, 2), 2);
    assert_memory_equal(found, "ab", 2);
    assert_int_equal(pread(fd, found, 3, 5), 3);
    assert_memory_equal(found, "fgh", 3);
    assert_int_equal(pwrite(fd, "XY", 2, 6), 2);
    assert_int_equal(read(fd, found, 2), 2);
    assert_memory_equal(found, "cd", 2);
    assert_int_equal(pread(fd, found, 1, 8), 0); /* the end */
    assert_holds(fd, "abcdefXY");
    assert_int_equal(close(fd), 0);
}

static void bytes_stay_as_they_are(void **state)
{
    struct place *place = *state;
    const char text[] = "a\r\nb\nc\x1a d"; /* what a stream of text would change */
    FILE *file = fopen(place->other, "w");
    char found[32];

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    assert_int_equal(fclose(file), 0);
    file = fopen(place->other, "r");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found, file), sizeof text);
    assert_memory_equal(found, text, sizeof text);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(access(place->other, F_OK), 0);
}

static void a_file_grows_beyond_four_gibibytes_without_being_written(void **state)
{
    struct place *place = *state;
    const off_t size = (off_t)5 << 30;
    int fd = open(place->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    char found[2] = "xy";
    struct stat info;

    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_true(info.st_size == size);
    assert_true(info.st_blocks < 1 << 20);
    assert_int_equal(pread(fd, found, 2, size - 2), 2);
    assert_memory_equal(found, "\0", 2);
    assert_int_equal(close(fd), 0);
}

static void locks_bind_who_asks_for_them_and_nobody_else(void **state)
{
    struct place *place = *state;
    int one, two;

    put(place->path, "free to read");
    one = open(place->path, O_RDONLY | O_CLOEXEC);
    two = open(place->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(one, LOCK_SH), 0);
    assert_int_equal(flock(two, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(flock(two, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(close(one), 0);
    assert_int_equal(flock(two, LOCK_EX | LOCK_NB), 0);
    one = open(place->path, O_RDWR | O_CLOEXEC);
    assert_holds(one, "free to read");
    assert_int_equal(pwrite(one, "F", 1, 0), 1);
    assert_int_equal(flock(one, LOCK_SH | LOCK_NB), -1);
    assert_int_equal(flock(two, LOCK_UN), 0);
    assert_int_equal(flock(one, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(close(one), 0);
    assert_int_equal(close(two), 0);
}

static void a_private_view_changes_no_file(void **state)
{
    struct place *place = *state;
    char *view, *again;
    int fd;

    put(place->path, "shared bytes");
    fd = open(place->path, O_RDONLY | O_CLOEXEC);
    view = mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    again = mmap(NULL, 12, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(view != MAP_FAILED && again != MAP_FAILED);
    memcpy(view, "MINE!!", 6);
    assert_memory_equal(again, "shared bytes", 12);
    assert_memory_equal(view, "MINE!! bytes", 12);
    assert_holds(fd, "shared bytes");
    assert_int_equal(munmap(view, 12), 0);
    assert_int_equal(munmap(again, 12), 0);
    assert_true(mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_int_equal(close(fd), 0);
    view = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(view != MAP_FAILED);
    assert_int_equal(view[(1 << 20) - 1], 0);
    assert_int_equal(munmap(view, 1 << 20), 0);
}

static void steps_below_a_folder_never_leave_it(void **state)
{
    struct place *place = *state;
    static const char *const ways_out[] = {"../one", "a/b", "a\\b", "C:one", "one:stream"};
    int folder = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

    assert_true(folder >= 0);
    assert_int_equal(mkdirat(folder, "inner", 0755), 0);
    assert_int_equal(mkdirat(folder, "inner", 0755), -1);
    assert_int_equal(errno, EEXIST);
    fd = openat(folder, "one", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(access(place->path, F_OK), 0);
    for (size_t i = 0; i < sizeof ways_out / sizeof ways_out[0]; i++) {
        assert_int_equal(openat(folder, ways_out[i], O_RDONLY | O_CLOEXEC), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(openat(folder, "one", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(fsync(folder), 0);
    assert_int_equal(close(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_file_that_is_open_is_replaced_and_its_reader_keeps_the_old_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_open_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_at_a_place_moves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_stay_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_grows_beyond_four_gibibytes_without_being_written,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(locks_bind_who_asks_for_them_and_nobody_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_private_view_changes_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(steps_below_a_folder_never_leave_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
