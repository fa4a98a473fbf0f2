/* farm_process.h — the processes below a process, as the kernel lists them. */
#ifndef THAW_TESTS_SUPPORT_FARM_PROCESS_H
#define THAW_TESTS_SUPPORT_FARM_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Those whose parent is `parent`, oldest first; how many there are, at most `room`. */
size_t farm_children(pid_t parent, pid_t *out, size_t room);
/* Waits until the process has more than `index` children; that one. */
pid_t farm_child(pid_t parent, size_t index);
/* Waits until there is no such process any more. */
void farm_until_gone(pid_t pid);

#endif
