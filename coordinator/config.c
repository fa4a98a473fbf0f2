#include "coordinator/config.h"

#include "jobs/paths.h"
#include "jobs/yaml.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"

#include <string.h>

#define DAY_S    UINT64_C(86400)
#define YEARS_NS (UINT64_C(100) * 365 * DAY_S * NS_PER_S)

void config_default(struct coordinator_config *config)
{
    *config = (struct coordinator_config){
        .state = "/var/lib/thaw",
        .http_listen = "127.0.0.1:7090",
        .http_connections = 1024,
        .http_body_max = UINT64_C(256) << 20,
        .gateway = {.urls = {"tcp://127.0.0.1:7091"},
                    .url_count = 1,
                    .limits = gateway_limits_default},
        .beat_ms = 5000,
        .lease_ms = 30000,
        .keep_runs = 400,
        .keep_run_s = 90 * DAY_S,
        .keep_artifacts_s = 30 * DAY_S,
        .keep_checkpoints_s = 14 * DAY_S,
        .keep_history_runs = 1000,
        .keep_history_s = 365 * DAY_S,
    };
}

static void read_http(struct yaml_map *map, struct coordinator_config *config)
{
    uint64_t connections = config->http_connections;
    struct yaml_map http;
    const struct yaml_node *node = yaml_map_find(map, "http");

    if (node == NULL || !yaml_map_open(map->yaml, node, "`http`", &http))
        return;
    yaml_get_text(&http, "listen", &config->http_listen);
    yaml_get_text(&http, "certificate", &config->http_certificate);
    yaml_get_text(&http, "key", &config->http_key);
    yaml_get_bool(&http, "open", &config->http_open);
    yaml_get_number(&http, "connections", &connections, (struct yaml_range){1, 65536});
    yaml_get_bytes(&http, "body", &config->http_body_max,
                   (struct yaml_range){1u << 16, UINT64_C(4) << 30});
    config->http_connections = (uint32_t)connections;
    yaml_map_close(&http);
}

static void read_number(struct yaml_map *map, const char *key, uint32_t *out, uint32_t max)
{
    uint64_t value = *out;

    if (yaml_get_number(map, key, &value, (struct yaml_range){1, max}))
        *out = (uint32_t)value;
}

static void read_urls(struct yaml_map *map, struct gateway_options *gateway)
{
    const char *const *urls = NULL;
    size_t count = 0;

    if (!yaml_get_texts(map, "listen", GATEWAY_URLS_MAX, &urls, &count))
        return;
    if (count == 0)
        yaml_error(map->yaml, yaml_map_key(map, "listen"), "`listen` names no address");
    for (size_t i = 0; i < count; i++) {
        gateway->urls[i] = urls[i];
        if (strncmp(urls[i], "tcp://", 6) != 0 && strncmp(urls[i], "ipc://", 6) != 0)
            yaml_error(map->yaml, yaml_map_find(map, "listen"),
                       "\"%.200s\" is no address for agents: tcp://ADDRESS:PORT or ipc://PATH",
                       urls[i]);
    }
    gateway->url_count = count;
}

static void read_milliseconds(struct yaml_map *map, const char *key, uint64_t *ms, uint64_t max_s)
{
    uint64_t ns = *ms * NS_PER_MS;

    if (yaml_get_duration_ns(map, key, &ns, (struct yaml_range){10 * NS_PER_MS, max_s * NS_PER_S}))
        *ms = ns / NS_PER_MS;
}

static void read_agents(struct yaml_map *map, struct coordinator_config *config)
{
    struct gateway_limits *limits = &config->gateway.limits;
    struct yaml_map agents;
    const struct yaml_node *node = yaml_map_find(map, "agents");

    if (node == NULL || !yaml_map_open(map->yaml, node, "`agents`", &agents))
        return;
    read_urls(&agents, &config->gateway);
    read_number(&agents, "connections", &limits->connections, 65536);
    read_number(&agents, "rate", &limits->rate, 1000000);
    read_number(&agents, "burst", &limits->burst, 1000000);
    yaml_get_bytes(&agents, "memory", &limits->memory_bytes,
                   (struct yaml_range){UINT64_C(64) << 20, UINT64_C(1) << 40});
    read_milliseconds(&agents, "beat", &config->beat_ms, 3600);
    read_milliseconds(&agents, "lease", &config->lease_ms, 86400);
    yaml_map_close(&agents);
}

static void read_seconds(struct yaml_map *map, const char *key, uint64_t *seconds)
{
    uint64_t ns;

    if (yaml_get_duration_ns(map, key, &ns, (struct yaml_range){0, YEARS_NS}))
        *seconds = ns / NS_PER_S;
}

static void read_retention(struct yaml_map *map, struct coordinator_config *config)
{
    struct yaml_map keep;
    const struct yaml_node *node = yaml_map_find(map, "retention");

    if (node == NULL || !yaml_map_open(map->yaml, node, "`retention`", &keep))
        return;
    yaml_get_number(&keep, "runs", &config->keep_runs, (struct yaml_range){0, 1000000});
    read_seconds(&keep, "run", &config->keep_run_s);
    read_seconds(&keep, "artifacts", &config->keep_artifacts_s);
    read_seconds(&keep, "checkpoints", &config->keep_checkpoints_s);
    yaml_get_number(&keep, "history_runs", &config->keep_history_runs,
                    (struct yaml_range){0, 1000000});
    read_seconds(&keep, "history", &config->keep_history_s);
    yaml_get_bool(&keep, "sweep_store", &config->sweep_store);
    yaml_map_close(&keep);
}

/* A map of names to paths, which `take` notes one by one. */
static void read_paths(struct yaml_map *map, const char *key, struct coordinator_config *config,
                       void (*take)(struct coordinator_config *, const char *, const char *))
{
    const struct yaml_node *node = yaml_map_find(map, key);
    const char *path;

    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        yaml_error(map->yaml, node, "`%s` is a map of names to files", key);
        return;
    }
    if (node->count > CONFIG_SECRETS_MAX) {
        yaml_error(map->yaml, node, "%zu %s, at most %d", node->count, key, CONFIG_SECRETS_MAX);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        if (yaml_node_text(map->yaml, node->entries[i].value, &path))
            take(config, node->entries[i].key->text, path);
}

static void take_secret(struct coordinator_config *config, const char *name, const char *path)
{
    config->secrets[config->secret_count++] = (struct config_secret){name, path};
}

static void take_command(struct coordinator_config *config, const char *name, const char *path)
{
    config->commands[config->command_count++] = (struct config_command){name, path};
}

/* Paths in the file are meant from where the file is. */
static void place(struct coordinator_config *config, const char *folder, const char **path)
{
    if (*path != NULL)
        *path = paths_join(folder, *path, &config->pool);
}

static bool read_all(struct yaml *yaml, const char *path, struct coordinator_config *config,
                     struct buf *report, struct err *err)
{
    const char *folder = paths_folder(path, &config->pool);
    struct yaml_map map;

    if (yaml_map_open(yaml, yaml_root(yaml), "a coordinator's configuration", &map)) {
        yaml_get_text(&map, "state", &config->state);
        yaml_get_text(&map, "store", &config->store);
        read_http(&map, config);
        read_agents(&map, config);
        read_retention(&map, config);
        read_paths(&map, "secrets", config, take_secret);
        read_paths(&map, "commands", config, take_command);
        yaml_map_close(&map);
    }
    if (!yaml_finish(yaml, report, err))
        return false;
    place(config, folder, &config->state);
    place(config, folder, &config->store);
    place(config, folder, &config->http_certificate);
    place(config, folder, &config->http_key);
    for (size_t i = 0; i < config->secret_count; i++)
        place(config, folder, &config->secrets[i].file);
    for (size_t i = 0; i < config->command_count; i++)
        place(config, folder, &config->commands[i].path);
    return config_check(config, err) || err_wrap(err, "%s", path);
}

bool config_parse(struct span text, const char *path, struct coordinator_config **out,
                  struct buf *report, struct err *err)
{
    struct coordinator_config *config = mem_alloc(sizeof *config);

    config_default(config);
    if (!read_all(yaml_open(text, path, &config->pool), path, config, report, err)) {
        config_free(config);
        return false;
    }
    *out = config;
    return true;
}

bool config_load(const char *path, struct coordinator_config **out, struct buf *report,
                 struct err *err)
{
    struct buf text = BUF_INIT(YAML_FILE_BYTES_MAX);
    bool ok = file_read(path, &text, err) && config_parse(buf_span(&text), path, out, report, err);

    buf_release(&text);
    return ok;
}

void config_free(struct coordinator_config *config)
{
    if (config == NULL)
        return;
    pool_release(&config->pool);
    mem_free(config);
}

bool config_is_loopback(const char *listen)
{
    static const char *const beginnings[] = {"unix:", "127.", "localhost:", "[::1]:"};

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(listen, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

bool config_check(const struct coordinator_config *config, struct err *err)
{
    if ((config->http_certificate == NULL) != (config->http_key == NULL))
        return err_set(err, ERR_USAGE, "TLS needs both `http: certificate:` and `http: key:`");
    if (config->http_open && !config_is_loopback(config->http_listen))
        return err_set(err, ERR_USAGE,
                       "`http: open:` lets anybody in, and %s is not a loopback address: make "
                       "tokens instead",
                       config->http_listen);
    if (config->http_certificate == NULL && !config_is_loopback(config->http_listen))
        return err_set(err, ERR_USAGE,
                       "tokens would go over the network in the clear: %s is not a loopback "
                       "address, so give `http: certificate:` and `http: key:`",
                       config->http_listen);
    if (config->lease_ms < 2 * config->beat_ms)
        return err_set(err, ERR_USAGE,
                       "a lease of %llu ms ends before two beats of %llu ms: make it longer",
                       (unsigned long long)config->lease_ms, (unsigned long long)config->beat_ms);
    return true;
}
