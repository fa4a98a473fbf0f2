#include <errno.h>
#include <spawn.h>

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
    for (int i = 0; i < 3; i++)
        actions->fds[i] = -1;
    return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    (void)actions;
    return 0;
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to)
{
    if (to < 0 || to > 2 || from < 0)
        return EBADF;
    actions->fds[to] = from;
    return 0;
}

int posix_spawnattr_init(posix_spawnattr_t *attributes)
{
    *attributes = 0;
    return 0;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes)
{
    *attributes = 0;
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags)
{
    *attributes = flags;
    return 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *set)
{
    (void)attributes;
    (void)set;
    return 0;
}
