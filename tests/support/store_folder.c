#include "tests/support/store_folder.h"

#include "storage/base/check.h"
#include "storage/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *test_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *path;

    if (parent == NULL) /* in memory, where flushing thousands of small files costs nothing */
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    path = path_join(parent, "thaw-test-XXXXXX");

    CHECK(mkdtemp(path) != NULL);
    return path;
}

void test_folder_remove(char *path)
{
    struct err err = ERR_INIT;

    CHECK(file_remove(path, &err));
    mem_free(path);
}

struct store *test_store_open(const char *path)
{
    struct store_options options = {.create = true};
    struct store *store = NULL;
    struct err err = ERR_INIT;

    if (!store_open(path, &options, &store, &err)) {
        fprintf(stderr, "%s\n", err.text);
        CHECK(store != NULL);
    }
    return store;
}

const char *test_path(const char *folder, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];

    CHECK(snprintf(path, sizeof paths[0], "%s/%s", folder, name) < (int)sizeof paths[0]);
    return path;
}

char *test_only_file(const char *folder, const char *name, const char *suffix)
{
    const char *path = test_path(folder, name);
    struct name_list list;
    struct err err = ERR_INIT;
    char *found = NULL;

    CHECK(folder_list(path, &list, &err));
    for (size_t i = 0; i < list.count; i++) {
        size_t size = strlen(list.names[i]), tail = strlen(suffix);
        if (size < tail || strcmp(list.names[i] + size - tail, suffix) != 0)
            continue;
        CHECK(found == NULL);
        found = path_join(path, list.names[i]);
    }
    CHECK(found != NULL);
    name_list_release(&list);
    return found;
}

void test_flip_bit(const char *path, uint64_t bit)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;

    CHECK(fd >= 0);
    CHECK(pread(fd, &byte, 1, (off_t)(bit / 8)) == 1);
    byte = (uint8_t)(byte ^ 1u << bit % 8);
    CHECK(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1);
    close(fd);
}

void test_cut(const char *path, uint64_t size)
{
    CHECK(truncate(path, (off_t)size) == 0);
}
