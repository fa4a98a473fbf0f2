/* cmd_verify_host.c — `thaw verify-host`: what `thaw verify` starts on each host; not for people.
 */
#include "cli/commands.h"

#include "agent/verify/host.h"

#include <unistd.h>

int command_verify_host(int argc, char **argv)
{
    struct common common = {.command = argv[0]};
    struct err err = ERR_INIT;

    (void)argc;
    return verify_host_run(STDIN_FILENO, STDOUT_FILENO, &err) ? EXIT_PASS
                                                              : common_fail(&common, &err);
}
