/* config.h — the coordinator's configuration file, YAML. deploy/coordinator.yaml shows every key
 * with its default; a test holds that file against this reader. */
#ifndef THAW_COORDINATOR_CONFIG_H
#define THAW_COORDINATOR_CONFIG_H

#include "coordinator/gateway.h"
#include "jobs/pool.h"

#define CONFIG_SECRETS_MAX 64   /* and as many commands */
#define CONFIG_SECRET_MAX  4096 /* bytes of a secret's file */

/* A secret of the coordinator's: what signs webhooks. Its bytes are in a file. */
struct config_secret {
    const char *name;
    const char *file;
};

/* A program that a job file may name, run at the end of a run. */
struct config_command {
    const char *name;
    const char *path;
};

struct coordinator_config {
    const char *state; /* folder: database, keys, spool; the store unless `store` says otherwise */
    const char *store;

    /* HTTP: the API. */
    const char *http_listen;      /* "ADDRESS:PORT" or "unix:PATH" */
    const char *http_certificate; /* PEM file; NULL: no TLS */
    const char *http_key;
    bool http_open;            /* no tokens are asked for: only on loopback or a Unix socket */
    uint32_t http_connections; /* at a time */
    uint64_t http_body_max;    /* bytes of a request that is not an upload to the store */

    /* nanomsg: agents. */
    struct gateway_options gateway;
    uint64_t beat_ms, lease_ms;

    /* What is kept for how long; 0: for ever. */
    uint64_t keep_runs; /* so many */
    uint64_t keep_run_s, keep_artifacts_s, keep_checkpoints_s;
    uint64_t keep_history_runs; /* verdicts of a test */
    uint64_t keep_history_s;
    bool sweep_store; /* free a store that `store` names, too: nobody else uses it */

    struct config_secret secrets[CONFIG_SECRETS_MAX];
    size_t secret_count;
    struct config_command commands[CONFIG_SECRETS_MAX];
    size_t command_count;
    struct pool pool; /* private: texts */
};

/* What holds without a file. Texts are constants. */
void config_default(struct coordinator_config *config);
/* Defaults, then the file. Relative paths in it are relative to its folder. `report` (may be NULL)
 * gets every mistake with its line and a caret. */
bool config_load(const char *path, struct coordinator_config **out, struct buf *report,
                 struct err *err);
bool config_parse(struct span text, const char *path, struct coordinator_config **out,
                  struct buf *report, struct err *err);
void config_free(struct coordinator_config *config);
/* ERR_USAGE for what makes no sense together: TLS with half of its files, an open API on an address
 * that others can reach, a lease shorter than two beats. */
bool config_check(const struct coordinator_config *config, struct err *err);
/* True for 127.0.0.0/8, ::1, localhost, and Unix sockets. */
bool config_is_loopback(const char *listen);

#endif
