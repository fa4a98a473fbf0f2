/* cmd_farm.c — hands a farm command over to `thaw-farm`, beside this program. */
#include "cli/commands.h"
#include "storage/base/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "thaw-farm"

/* argv is the command and its arguments, what is before it the program. Returns only if there is no
 * such program, or no memory. */
static void execute(const struct program *program, int argc, char *const *argv)
{
    char **words = calloc(PROGRAM_WORDS_MAX + (size_t)argc + 1, sizeof *words);

    if (words == NULL)
        return;
    memcpy(words, program->words, program->count * sizeof *words);
    memcpy(words + program->count, argv, (size_t)argc * sizeof *words);
    execvp(program->file, words);
    free(words);
}

int command_farm(int argc, char **argv)
{
    struct common common = {.command = argv[0]};
    struct err err = ERR_INIT;
    struct program program;

    if (program_beside(&program, PROGRAM, &err))
        execute(&program, argc, argv);
    execvp(PROGRAM, argv - 1);
    err_set_errno(&err, errno,
                  "the farm's commands are the program " PROGRAM
                  ", which is neither beside thaw nor in $PATH; install it");
    return common_fail(&common, &err);
}
