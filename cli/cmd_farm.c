/* cmd_farm.c — hands a farm command over to `thaw-farm`, beside this program. */
#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "thaw-farm"

/* argv is the command and its arguments, what is before it the program. Returns only if there is no
 * such program. */
static void execute(const char *path, char *const *argv)
{
    execvp(path, argv);
}

int command_farm(int argc, char **argv)
{
    struct common common = {.command = argv[0]};
    char path[4096 + sizeof PROGRAM];
    struct err err = ERR_INIT;
    ssize_t length = readlink("/proc/self/exe", path, 4096);
    char *slash;

    (void)argc;
    if (length > 0) {
        path[length] = 0;
        slash = strrchr(path, '/');
        if (slash != NULL) {
            memcpy(slash + 1, PROGRAM, sizeof PROGRAM);
            execute(path, argv - 1);
        }
    }
    execute(PROGRAM, argv - 1);
    err_set_errno(&err, errno,
                  "the farm's commands are the program " PROGRAM
                  ", which is neither beside thaw nor in $PATH; install it");
    return common_fail(&common, &err);
}
