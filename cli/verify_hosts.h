/* verify_hosts.h — which hosts `thaw verify` compares: builds on this machine, and commands. */
#ifndef THAW_CLI_VERIFY_HOSTS_H
#define THAW_CLI_VERIFY_HOSTS_H

#include "agent/verify/verify.h"

struct verify_hosts {
    struct verify_host_choice items[VERIFY_HOSTS_MAX];
    size_t count;
};
void verify_hosts_release(struct verify_hosts *hosts);
/* "NAME=COMMAND": a host of that name. */
bool verify_hosts_add(struct verify_hosts *hosts, const char *text, struct err *err);
/* Builds of this program: the folders beside the one it runs from (build/NAME) that hold a `thaw`.
 * A file `emulator` in such a folder has the words that go before it. `names`: "all", or names
 * joined by ',', of which each must be there. */
bool verify_hosts_add_local(struct verify_hosts *hosts, const char *names, struct err *err);
/* Agents of the coordinator that the environment names ($THAW_COORDINATOR): names joined by ','. */
bool verify_hosts_add_agents(struct verify_hosts *hosts, const char *names, struct err *err);

#endif
