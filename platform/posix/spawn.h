/* spawn.h — programs started with three of our files as their standard input, output and error.
 * On a host that cannot start any, posix_spawnp says ENOSYS. */
#ifndef THAW_PLATFORM_SPAWN_H
#define THAW_PLATFORM_SPAWN_H

#include <signal.h>
#include <sys/types.h>

struct spawn_files {
    int fds[3]; /* theirs; -1: ours of that number */
};

typedef struct spawn_files posix_spawn_file_actions_t;
typedef int posix_spawnattr_t;

#define POSIX_SPAWN_SETSIGDEF  4
#define POSIX_SPAWN_SETSIGMASK 8

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to);
int posix_spawnattr_init(posix_spawnattr_t *attributes);
int posix_spawnattr_destroy(posix_spawnattr_t *attributes);
int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags);
int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *set);
/* `environment` must be the program's own. */
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[],
                 char *const environment[]);

#endif
