/* commands.h — the subcommands of `thaw`. */
#ifndef THAW_CLI_COMMANDS_H
#define THAW_CLI_COMMANDS_H

#include "cli/base/command.h"

extern const struct command commands[];
extern const size_t command_count;

int command_boot(int argc, char **argv);
int command_run(int argc, char **argv);
int command_shell(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_show(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_tag(int argc, char **argv);
int command_rm(int argc, char **argv);
int command_gc(int argc, char **argv);
int command_fsck(int argc, char **argv);
int command_attrs(int argc, char **argv);
int command_export(int argc, char **argv);
int command_import(int argc, char **argv);
int command_verify(int argc, char **argv);
/* What `verify` starts on each host. */
int command_verify_host(int argc, char **argv);
int command_completion(int argc, char **argv);
/* All commands of the farm: hands over to `thaw-farm`, beside this program. */
int command_farm(int argc, char **argv);

#endif
