/* commands.h — the commands of `thaw-farm`, which `thaw` hands over to, and what they share. */
#ifndef THAW_CLI_FARM_COMMANDS_H
#define THAW_CLI_FARM_COMMANDS_H

#include "cli/farm/client.h"
#include "cli/farm/submission.h"

int command_jobs(int argc, char **argv);
int command_coordinator(int argc, char **argv);
int command_agent(int argc, char **argv);
int command_farm(int argc, char **argv);
int command_submit(int argc, char **argv);
int command_watch(int argc, char **argv);
int command_results(int argc, char **argv);
int command_schedules(int argc, char **argv);
int command_baseline(int argc, char **argv);
int command_history(int argc, char **argv);
int command_cancel(int argc, char **argv);
int command_agents(int argc, char **argv);

/* For tests: prints the routes that the coordinator serves, a line each: method, path, roles with
 * commas ("-": nobody needs a token), query parameters. An exit status. */
#define ROUTES_COMMAND "routes"
int routes_command(void);

/* For `thaw verify --agent`: an agent as a host that it drives (verify_relay.h), over standard
 * input and output; the coordinator is the environment's. An exit status. */
#define VERIFY_AGENT_COMMAND "verify-agent"
int verify_agent_command(const char *agent);

/* Reads a job file; its mistakes go to standard error, all of them. */
bool submit_load(const char *path, struct job_file **out, struct err *err);
/* POST runs, and the parts that come after the first; the new run's number. A run of which a part
 * is refused is cancelled. */
bool submit_send(struct remote *remote, const struct submission *submission, uint64_t *run,
                 struct err *err);
/* $USER, for the coordinator's list of runs. */
const char *submit_who(void);

#endif
