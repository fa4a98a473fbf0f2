#include "tests/support/farm_process.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN_MAX 16

size_t farm_children(pid_t parent, pid_t *out, size_t room)
{
    char path[64], text[4096] = "";
    size_t count = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(text, sizeof text, file) != NULL)
        for (char *rest, *at = strtok_r(text, " \n", &rest); at != NULL && count < room;
             at = strtok_r(NULL, " \n", &rest))
            out[count++] = (pid_t)strtol(at, NULL, 10);
    fclose(file);
    return count;
}

pid_t farm_child(pid_t parent, size_t index)
{
    pid_t pids[CHILDREN_MAX];

    while (farm_children(parent, pids, CHILDREN_MAX) <= index)
        sched_yield();
    return pids[index];
}

void farm_until_gone(pid_t pid)
{
    while (kill(pid, 0) == 0)
        sched_yield();
}
