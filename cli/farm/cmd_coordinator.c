/* cmd_coordinator.c — `thaw coordinator`: the service that keeps a farm's queue. */
#include "cli/farm/commands.h"
#include "cli/farm/invitation.h"
#include "cli/farm/notify.h"

#include "cli/base/output.h"
#include "coordinator/config.h"
#include "coordinator/queue/backup.h"
#include "coordinator/service.h"
#include "coordinator/token.h"
#include "storage/base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_MAX  (1u << 20)
#define ADDRESS_MAX 256
#define ADMIN       "admin" /* the first token's name */
#define DATABASE    "queue.sqlite"

enum { KEY_CONFIG = 0x5900, KEY_STATE, KEY_HTTP, KEY_AGENTS, KEY_OPEN, KEY_BACKUP, KEY_RESTORE };

struct coordinator_input {
    const char *config;
    const char *state, *http, *agents;
    bool open;
    const char *backup, *restore; /* instead of serving */
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct coordinator_input *input = context;

    switch (key) {
    case KEY_CONFIG:
        input->config = value;
        return true;
    case KEY_STATE:
        input->state = value;
        return true;
    case KEY_HTTP:
        input->http = value;
        return true;
    case KEY_AGENTS:
        input->agents = value;
        return true;
    case KEY_OPEN:
        input->open = true;
        return true;
    case KEY_BACKUP:
        input->backup = value;
        return true;
    case KEY_RESTORE:
        input->restore = value;
        return true;
    case ARGP_KEY_END:
        return input->backup == NULL || input->restore == NULL ||
               err_set(err, ERR_USAGE, "either --backup or --restore");
    case ARGP_KEY_ARG:
        return err_set(err, ERR_USAGE, "\"%s\" is too much: a coordinator takes options only",
                       value);
    default:
        return false;
    }
}

/* All that a running coordinator holds. */
struct coordinator {
    struct coordinator_config *config;
    struct service_options options;
    struct file_lock lock; /* of the state folder: one coordinator at a time */
    struct seal_keys keys;
    struct store *store;
    struct service *service;
    char *database, *hooks, *store_folder;
    char address[ADDRESS_MAX]; /* of HTTP, without its port */
    struct buf secrets[CONFIG_SECRETS_MAX];
};

static struct service *stoppable;

static void on_signal(int number)
{
    (void)number;
    service_stop(stoppable);
}

static bool load_config(const struct coordinator_input *input, const struct common *common,
                        struct coordinator *out, struct err *err)
{
    struct buf report = BUF_INIT(REPORT_MAX);
    bool ok = input->config != NULL
                  ? config_load(input->config, &out->config, &report, err)
                  : config_parse(span_of_text("{}"), "./", &out->config, &report, err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    buf_release(&report);
    if (!ok)
        return false;
    if (input->state != NULL)
        out->config->state = input->state;
    if (common->store_url != NULL)
        out->config->store = common->store_url;
    if (input->http != NULL)
        out->config->http_listen = input->http;
    if (input->agents != NULL) {
        out->config->gateway.urls[0] = input->agents;
        out->config->gateway.url_count = 1;
    }
    out->config->http_open = out->config->http_open || input->open;
    return config_check(out->config, err);
}

/* "ADDRESS:PORT", "[ADDRESS]:PORT", "unix:PATH". */
static bool read_address(struct coordinator *coordinator, struct err *err)
{
    const char *listen = coordinator->config->http_listen, *colon = strrchr(listen, ':');
    struct http_options *http = &coordinator->options.http;
    uint64_t port;
    size_t size;
    char *end;

    if (strncmp(listen, "unix:", 5) == 0) {
        http->socket_path = listen + 5;
        return true;
    }
    errno = 0;
    port = colon != NULL ? strtoull(colon + 1, &end, 10) : 0;
    if (colon == NULL || errno != 0 || colon[1] == 0 || *end != 0 || port > UINT16_MAX)
        return err_set(err, ERR_USAGE, "\"%.200s\" is neither ADDRESS:PORT nor unix:PATH", listen);
    size = (size_t)(colon - listen);
    if (size >= 2 && listen[0] == '[' && colon[-1] == ']') {
        listen++;
        size -= 2;
    }
    snprintf(coordinator->address, sizeof coordinator->address, "%.*s", (int)size, listen);
    http->address =
        strcmp(coordinator->address, "localhost") == 0 ? "127.0.0.1" : coordinator->address;
    http->port = (uint16_t)port;
    return true;
}

static bool load_keys(struct coordinator *coordinator, struct err *err)
{
    char *path = path_join(coordinator->config->state, "keys");
    bool ok = file_exists(path) ? seal_keys_load(path, &coordinator->keys, err)
                                : seal_keys_make(&coordinator->keys, err) &&
                                      seal_keys_save(&coordinator->keys, path, err);

    mem_free(path);
    return ok;
}

static bool load_secrets(struct coordinator *coordinator, struct err *err)
{
    const struct coordinator_config *config = coordinator->config;
    struct service_options *options = &coordinator->options;

    for (size_t i = 0; i < config->secret_count; i++) {
        coordinator->secrets[i] = (struct buf)BUF_INIT(CONFIG_SECRET_MAX);
        if (!file_read(config->secrets[i].file, &coordinator->secrets[i], err))
            return err_wrap(err, "the secret \"%s\"", config->secrets[i].name);
        options->secrets[i] =
            (struct service_secret){config->secrets[i].name, buf_span(&coordinator->secrets[i])};
    }
    options->secret_count = config->secret_count;
    for (size_t i = 0; i < config->command_count; i++)
        options->commands[i] =
            (struct service_command){config->commands[i].name, config->commands[i].path};
    options->command_count = config->command_count;
    return true;
}

/* The state folder is this coordinator's alone, from now on. */
static bool hold_state(struct coordinator *coordinator, struct err *err)
{
    const char *state = coordinator->config->state;
    char *path = path_join(state, "lock");
    bool ok = folder_make(state, err) && file_lock(&coordinator->lock, path, true, false, err);

    if (!ok && err->kind == ERR_CONFLICT)
        err_set(err, ERR_CONFLICT, "another coordinator is running with the state folder %s",
                state);
    mem_free(path);
    return ok;
}

static bool open_store(struct coordinator *coordinator, struct err *err)
{
    static const struct store_options options = {.create = true};

    coordinator->store_folder = coordinator->config->store != NULL
                                    ? mem_text(coordinator->config->store)
                                    : path_join(coordinator->config->state, "store");
    return store_open(coordinator->store_folder, &options, &coordinator->store, err);
}

static void fill_options(struct coordinator *coordinator)
{
    const struct coordinator_config *config = coordinator->config;
    struct service_options *options = &coordinator->options;

    coordinator->database = path_join(config->state, DATABASE);
    coordinator->hooks = path_join(config->state, "hooks");
    options->database = coordinator->database;
    options->hooks = coordinator->hooks;
    options->store = coordinator->store;
    options->owns_store = config->store == NULL || config->sweep_store;
    options->clock = &clock_host;
    options->seed = seal_random();
    options->beat_ms = (uint32_t)config->beat_ms;
    options->lease_ms = (uint32_t)config->lease_ms;
    options->http.certificate = config->http_certificate;
    options->http.private_key = config->http_key;
    options->http.connections = config->http_connections;
    options->open = config->http_open;
    options->gateway = config->gateway;
    options->keys = &coordinator->keys;
    options->store_told = coordinator->store_folder;
    options->retention = (struct queue_retention){.runs = config->keep_runs,
                                                  .run_s = config->keep_run_s,
                                                  .artifacts_s = config->keep_artifacts_s,
                                                  .checkpoints_s = config->keep_checkpoints_s,
                                                  .history_runs = config->keep_history_runs,
                                                  .history_s = config->keep_history_s};
}

/* The first token, for whoever may read the state folder. */
static bool write_admin_token(struct coordinator *coordinator, struct err *err)
{
    const struct service_token_request request = {
        .name = ADMIN, .role = QUEUE_ROLE_ADMIN, .replace = true};
    char *path = path_join(coordinator->config->state, "admin.token");
    char token[TOKEN_TEXT_SIZE + 1];
    bool ok = true;

    if (!file_exists(path)) {
        ok = service_token(coordinator->service, &request, token, err);
        if (ok) {
            memcpy(token + strlen(token), "\n", 2);
            ok = invitation_write(path, span_of_text(token), err);
        }
        seal_wipe(token, sizeof token);
    }
    mem_free(path);
    return ok;
}

static bool open_all(const struct coordinator_input *input, const struct common *common,
                     struct coordinator *coordinator, struct err *err)
{
    if (!load_config(input, common, coordinator, err) || !read_address(coordinator, err) ||
        !hold_state(coordinator, err) || !load_keys(coordinator, err) ||
        !load_secrets(coordinator, err) || !open_store(coordinator, err))
        return false;
    fill_options(coordinator);
    return service_open(&coordinator->options, &coordinator->service, err) &&
           write_admin_token(coordinator, err);
}

static void close_all(struct coordinator *coordinator)
{
    service_close(coordinator->service);
    store_close(coordinator->store);
    file_unlock(&coordinator->lock);
    for (size_t i = 0; i < CONFIG_SECRETS_MAX; i++)
        buf_release(&coordinator->secrets[i]);
    mem_free(coordinator->database);
    mem_free(coordinator->hooks);
    mem_free(coordinator->store_folder);
    seal_wipe(&coordinator->keys, sizeof coordinator->keys);
    config_free(coordinator->config);
    mem_free(coordinator);
}

static void announce(const struct coordinator *coordinator)
{
    const struct coordinator_config *config = coordinator->config;

    if (coordinator->options.http.socket_path != NULL)
        fprintf(stderr, "thaw coordinator: the API is at %s", config->http_listen);
    else
        fprintf(stderr, "thaw coordinator: the API is at %s://%s:%u",
                config->http_certificate != NULL ? "https" : "http", coordinator->address,
                service_port(coordinator->service));
    fprintf(stderr, ", agents dial %s; state in %s\n", config->gateway.urls[0], config->state);
    notify_manager("READY=1");
}

static bool serve(struct coordinator *coordinator, struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    bool ok;

    stoppable = coordinator->service;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    announce(coordinator);
    ok = service_run(coordinator->service, err);
    notify_manager("STOPPING=1");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    return ok;
}

/* Beside a coordinator that serves, or without one: only the database's file is needed. */
static bool take_backup(const struct coordinator *coordinator, const char *path, bool json,
                        struct err *err)
{
    char *database = path_join(coordinator->config->state, DATABASE);
    uint64_t size = 0;
    bool ok = backup_take(database, path, err) && file_size(path, &size, err);

    if (ok && json)
        print_json(json_pack("{s:s, s:o}", "backup", path, "bytes", json_u64(size)));
    else if (ok)
        printf("%s: %s of %s\n", path, size_text(size).text, database);
    mem_free(database);
    return ok;
}

static bool put_back(struct coordinator *coordinator, const char *path, bool json, struct err *err)
{
    char *database = path_join(coordinator->config->state, DATABASE);
    bool ok = hold_state(coordinator, err) && backup_restore(path, database, err);

    if (ok && json)
        print_json(json_pack("{s:s, s:s}", "restored", path, "database", database));
    else if (ok)
        printf("%s: as in %s; the next run's number is over %u higher\n", database, path,
               (unsigned)BACKUP_RUNS_SKIPPED);
    mem_free(database);
    return ok;
}

static bool act(const struct coordinator_input *input, const struct common *common,
                struct coordinator *coordinator, struct err *err)
{
    if (input->backup != NULL)
        return load_config(input, common, coordinator, err) &&
               take_backup(coordinator, input->backup, common->json, err);
    if (input->restore != NULL)
        return load_config(input, common, coordinator, err) &&
               put_back(coordinator, input->restore, common->json, err);
    return open_all(input, common, coordinator, err) && serve(coordinator, err);
}

int command_coordinator(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"config", KEY_CONFIG, "FILE", 0, "the configuration; the options below go before it", 0},
        {"state", KEY_STATE, "FOLDER", 0, "database, keys, and the store unless --store says", 0},
        {"http", KEY_HTTP, "ADDRESS", 0, "where the API listens: ADDRESS:PORT or unix:PATH", 0},
        {"agents", KEY_AGENTS, "URL", 0, "where agents dial in: tcp://ADDRESS:PORT or ipc://PATH",
         0},
        {"backup", KEY_BACKUP, "FILE", 0,
         "write a copy of the database, also while a coordinator serves; and no more", 0},
        {"restore", KEY_RESTORE, "FILE", 0,
         "put such a copy in the database's place, while none does; and no more", 0},
        {"open", KEY_OPEN, 0, 0, "ask nobody on this host for a token", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "coordinator", "",
        "Keep a farm's queue, until SIGTERM. The first time, a token with all rights is written to "
        "admin.token in the state folder.\v"
        "Example:\n  thaw coordinator --config /etc/thaw/coordinator.yaml\n"
        "  thaw coordinator --config /etc/thaw/coordinator.yaml --backup monday.sqlite",
        options, take};
    struct coordinator *coordinator = mem_alloc(sizeof *coordinator);
    struct coordinator_input input = {.config = NULL};
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    coordinator->lock = (struct file_lock)FILE_LOCK_INIT;
    common_parse(&usage, &common, argc, argv, &input);
    ok = act(&input, &common, coordinator, &err);
    close_all(coordinator);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
