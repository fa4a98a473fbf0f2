/* program.h — how this program starts itself again, or the program beside it.
 *
 * A program of another kind of host cannot be executed as a file where it runs under an emulator:
 * $THAW_EMULATOR names the emulator's words then, as words.h has them (such as
 * "qemu-s390x-static -L /sysroot"), and whatever starts a program of ours begins with them. */
#ifndef THAW_STORAGE_BASE_PROGRAM_H
#define THAW_STORAGE_BASE_PROGRAM_H

#include "storage/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_WORDS_MAX 16
#define PROGRAM_TEXT_MAX  8192

/* Set by program_self and program_beside; points into itself, so it is not copied. */
struct program {
    const char *file;               /* what is executed: a path, or a name in $PATH */
    char *words[PROGRAM_WORDS_MAX]; /* the first words of argv, argv[0] among them */
    size_t count;                   /* of words, at least 1 */
    char text[PROGRAM_TEXT_MAX];    /* private: what words point to */
};

/* The kind of processor that this program is built for, under the name that `uname -m` has for it
 * ("x86_64", "aarch64", "s390x"), or Debian where a kernel of 64 bits would tell of itself only
 * ("i386", "armhf"); "unknown" if it is none of those that Thaw was ever built for. */
const char *program_arch(void);
/* Where the program running now is, as a path; false if the host does not tell. */
bool program_path(char *path, size_t size);
/* The program running now; `name` is its argv[0] where there is no emulator. ERR_TOO_BIG if
 * $THAW_EMULATOR has too many words, ERR_USAGE if a quote in it is not closed, ERR_IO where the
 * host does not tell which program runs. */
bool program_self(struct program *program, const char *name, struct err *err);
/* The program `name` in the folder of the one running now. Does not look whether it is there. */
bool program_beside(struct program *program, const char *name, struct err *err);

#endif
