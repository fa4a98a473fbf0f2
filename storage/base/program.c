#include "storage/base/program.h"

#include "storage/base/words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SELF     "/proc/self/exe"
#define PATH_END 4096

const char *program_arch(void)
{
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__i386__)
    return "i386";
#elif defined(__aarch64__)
    return "aarch64";
#elif defined(__arm__)
    return "armhf";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__powerpc__) && !defined(__powerpc64__)
    return "powerpc";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__wasm32__)
    return "wasm32";
#else
    return "unknown";
#endif
}

/* The emulator's words go to the front; `*used` is how much of the text they took. */
static bool take_emulator(struct program *program, size_t *used, struct err *err)
{
    const char *emulator = getenv("THAW_EMULATOR");
    size_t size = emulator != NULL ? strlen(emulator) + 1 : 0;
    struct words words = {program->words, PROGRAM_WORDS_MAX - 1, 0};

    program->count = 0;
    *used = size;
    if (size > PROGRAM_TEXT_MAX - PATH_END)
        return err_set(err, ERR_TOO_BIG, "$THAW_EMULATOR has %zu characters", size - 1);
    if (size == 0)
        return true;
    memcpy(program->text, emulator, size);
    if (!words_split(program->text, "$THAW_EMULATOR", &words, err))
        return false;
    program->count = words.count;
    return true;
}

bool program_path(char *path, size_t size)
{
    ssize_t length = readlink(SELF, path, size);

    if (length <= 0 || (size_t)length >= size)
        return false;
    path[length] = 0;
    return true;
}

/* In `path`, PATH_END bytes. */
static bool own_path(char *path, struct err *err)
{
    return program_path(path, PATH_END) ||
           err_set(err, ERR_IO, "cannot tell which program this is");
}

static void finish(struct program *program, char *path, const char *name)
{
    program->file = program->count > 0 ? program->words[0] : path;
    if (program->count == 0 && name != NULL) { /* argv[0] says what people call it */
        path += strlen(path) + 1;
        memcpy(path, name, strlen(name) + 1);
    }
    program->words[program->count++] = path;
}

bool program_self(struct program *program, const char *name, struct err *err)
{
    char *path;
    size_t used;

    if (strlen(name) >= PATH_END / 2)
        return err_set(err, ERR_TOO_BIG, "a program's name has %zu characters", strlen(name));
    if (!take_emulator(program, &used, err))
        return false;
    path = program->text + used;
    if (program->count == 0) {
        memcpy(path, SELF, sizeof SELF); /* even where its file was replaced meanwhile */
        finish(program, path, name);
        return true;
    }
    if (!own_path(path, err))
        return false;
    finish(program, path, NULL);
    return true;
}

bool program_beside(struct program *program, const char *name, struct err *err)
{
    size_t used, size = strlen(name) + 1;
    char *path, *end;

    if (!take_emulator(program, &used, err))
        return false;
    path = program->text + used;
    if (!own_path(path, err))
        return false;
    end = strrchr(path, '/');
    end = end != NULL ? end + 1 : path;
    if (size > PATH_END - (size_t)(end - path))
        return err_set(err, ERR_TOO_BIG, "a program's path has more than %d characters", PATH_END);
    memcpy(end, name, size);
    finish(program, path, NULL);
    return true;
}
