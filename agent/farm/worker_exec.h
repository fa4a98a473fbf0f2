/* worker_exec.h — workers as a program of their own: for hosts whose simulator runs under a wrapper
 * (`--sim-wrapper "qemu-s390x -L /srv/s390x"`), so that it cannot be forked from a thawed template.
 *
 * The wrapper is words (storage/base/words.h). Its last word may be the program (any path that ends
 * in `thaw-farm`); otherwise this program's own path is appended. Then come worker --store FOLDER
 * --spec HEX --kind test|boot [--checkpoint HEX] [--wall-ms N] --fd 3 and the outcome goes to
 * descriptor 3. Such a worker puts up the walls that it can by itself. */
#ifndef THAW_AGENT_FARM_WORKER_EXEC_H
#define THAW_AGENT_FARM_WORKER_EXEC_H

#include "agent/farm/worker.h"

#define WORKER_COMMAND "worker"

/* ERR_USAGE, ERR_TOO_BIG: these are no words that could be a wrapper. */
bool worker_wrapper_check(const char *wrapper, struct err *err);
/* In a fresh child process: becomes the program. Returns only if it could not; the outcome then
 * says why. */
int worker_exec(const struct worker_place *place, const struct worker_order *order, int fd);
/* The program: argv[0] is WORKER_COMMAND. Returns the exit status. */
int worker_command(int argc, char **argv);

#endif
