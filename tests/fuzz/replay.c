/* Runs a harness over the files given, or over all files of the folders given: no fuzzing, no
 * Clang. */
#include "storage/base/file.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

static bool replay_file(const char *path, struct err *err)
{
    struct buf bytes = BUF_INIT(INPUT_MAX);
    uint8_t *exact;

    if (!file_read(path, &bytes, err))
        return false;
    exact = mem_alloc(bytes.size); /* so that a sanitizer sees one byte too many */
    if (bytes.size != 0)
        memcpy(exact, bytes.data, bytes.size);
    (void)LLVMFuzzerTestOneInput(exact, bytes.size);
    mem_free(exact);
    buf_release(&bytes);
    return true;
}

static bool replay_folder(const char *path, size_t *count, struct err *err)
{
    struct name_list list;
    bool ok = folder_list(path, &list, err);

    for (size_t i = 0; ok && i < list.count; i++) {
        char *file = path_join(path, list.names[i]);
        ok = replay_file(file, err);
        mem_free(file);
        *count += 1;
    }
    if (ok)
        name_list_release(&list);
    return ok;
}

static bool replay(const char *path, size_t *count, struct err *err)
{
    struct stat info;

    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return replay_folder(path, count, err);
    *count += 1;
    return replay_file(path, err);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    size_t count = 0;

    for (int i = 1; i < argc; i++)
        if (!replay(argv[i], &count, &err)) {
            fprintf(stderr, "%s\n", err.text);
            return EXIT_FAILURE;
        }
    printf("%zu inputs\n", count);
    return count == 0 ? EXIT_FAILURE : EXIT_SUCCESS; /* an empty corpus proves nothing */
}
