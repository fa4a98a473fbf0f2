/* The coordinator's configuration file. */
#include "coordinator/config.h"

#include "tests/support/base_test.h"

#include <string.h>

#define EXAMPLE THAW_TESTS_DIR "/../deploy/coordinator.yaml"

static struct coordinator_config *parse(const char *text)
{
    struct coordinator_config *config;
    struct err err = ERR_INIT;

    BASE_OK(config_parse(span_of_text(text), "/etc/thaw/coordinator.yaml", &config, NULL, &err),
            &err);
    return config;
}

static void refuse(const char *text, enum err_kind kind, const char *part)
{
    struct coordinator_config *config;
    struct err err = ERR_INIT;

    BASE_FAILS(config_parse(span_of_text(text), "c.yaml", &config, NULL, &err), &err, kind, part);
}

static void the_example_says_what_holds_without_it(void **state)
{
    struct coordinator_config *example, defaults;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(config_load(EXAMPLE, &example, NULL, &err), &err);
    config_default(&defaults);
    assert_string_equal(example->state, defaults.state);
    assert_null(example->store);
    assert_string_equal(example->http_listen, defaults.http_listen);
    assert_null(example->http_certificate);
    assert_false(example->http_open);
    assert_int_equal(example->http_connections, defaults.http_connections);
    assert_int_equal(example->http_body_max, defaults.http_body_max);
    assert_int_equal(example->gateway.url_count, 1);
    assert_string_equal(example->gateway.urls[0], defaults.gateway.urls[0]);
    assert_memory_equal(&example->gateway.limits, &defaults.gateway.limits,
                        sizeof defaults.gateway.limits);
    assert_int_equal(example->beat_ms, defaults.beat_ms);
    assert_int_equal(example->lease_ms, defaults.lease_ms);
    assert_int_equal(example->keep_runs, defaults.keep_runs);
    assert_int_equal(example->keep_run_s, defaults.keep_run_s);
    assert_int_equal(example->keep_artifacts_s, defaults.keep_artifacts_s);
    assert_int_equal(example->keep_checkpoints_s, defaults.keep_checkpoints_s);
    assert_int_equal(example->keep_history_runs, defaults.keep_history_runs);
    assert_int_equal(example->keep_history_s, defaults.keep_history_s);
    assert_int_equal(example->secret_count, 0);
    config_free(example);
}

static void every_key_is_read(void **state)
{
    struct coordinator_config *config =
        parse("state: here\nstore: /srv/store\n"
              "http:\n  listen: 0.0.0.0:1\n  certificate: a.crt\n  key: /k/a.key\n"
              "  connections: 7\n  body: 1 MiB\n"
              "agents:\n  listen: [tcp://*:2, ipc:///run/x]\n  connections: 8\n  rate: 9\n"
              "  burst: 10\n  memory: 128 MiB\n  beat: 1 s\n  lease: 4 s\n"
              "retention:\n  runs: 3\n  run: 1 d\n  artifacts: 2 h\n  checkpoints: 0 s\n"
              "  history_runs: 5\n  history: 7 d\n"
              "secrets:\n  nightly: n.secret\n"
              "commands:\n  announce: bin/announce\n");

    (void)state;
    assert_string_equal(config->state, "/etc/thaw/here");
    assert_string_equal(config->store, "/srv/store");
    assert_string_equal(config->http_listen, "0.0.0.0:1");
    assert_string_equal(config->http_certificate, "/etc/thaw/a.crt");
    assert_string_equal(config->http_key, "/k/a.key");
    assert_int_equal(config->http_connections, 7);
    assert_int_equal(config->http_body_max, 1u << 20);
    assert_int_equal(config->gateway.url_count, 2);
    assert_string_equal(config->gateway.urls[1], "ipc:///run/x");
    assert_int_equal(config->gateway.limits.connections, 8);
    assert_int_equal(config->gateway.limits.rate, 9);
    assert_int_equal(config->gateway.limits.burst, 10);
    assert_int_equal(config->gateway.limits.memory_bytes, 128u << 20);
    assert_int_equal(config->beat_ms, 1000);
    assert_int_equal(config->lease_ms, 4000);
    assert_int_equal(config->keep_runs, 3);
    assert_int_equal(config->keep_run_s, 86400);
    assert_int_equal(config->keep_artifacts_s, 7200);
    assert_int_equal(config->keep_checkpoints_s, 0);
    assert_int_equal(config->keep_history_runs, 5);
    assert_int_equal(config->keep_history_s, 7 * 86400);
    assert_int_equal(config->secret_count, 1);
    assert_string_equal(config->secrets[0].name, "nightly");
    assert_string_equal(config->secrets[0].file, "/etc/thaw/n.secret");
    assert_int_equal(config->command_count, 1);
    assert_string_equal(config->commands[0].name, "announce");
    assert_string_equal(config->commands[0].path, "/etc/thaw/bin/announce");
    config_free(config);
}

static void a_misspelt_key_is_an_error_with_a_suggestion(void **state)
{
    (void)state;
    refuse("http:\n  lisen: 127.0.0.1:1\n", ERR_INVALID, "listen");
    refuse("retention:\n  run: 3 d\n  artefacts: 2 h\n", ERR_INVALID, "artifacts");
    refuse("stat: x\n", ERR_INVALID, "c.yaml:1:");
}

static void all_mistakes_are_reported_at_once(void **state)
{
    struct buf report = BUF_INIT(65536);
    struct coordinator_config *config;
    struct err err = ERR_INIT;

    (void)state;
    assert_false(config_parse(span_of_text("http:\n  connections: 0\nagents:\n  rate: many\n"),
                              "c.yaml", &config, &report, &err));
    assert_true(buf_append(&report, "", 1, &err));
    assert_non_null(strstr((const char *)report.data, "c.yaml:2:"));
    assert_non_null(strstr((const char *)report.data, "c.yaml:4:"));
    buf_release(&report);
}

static void what_makes_no_sense_together_is_refused(void **state)
{
    (void)state;
    refuse("http: {certificate: a}\n", ERR_USAGE, "key");
    refuse("http: {listen: '0.0.0.0:80', open: true, certificate: a, key: b}\n", ERR_USAGE,
           "loopback");
    refuse("http: {listen: '10.0.0.1:80'}\n", ERR_USAGE, "in the clear");
    refuse("agents: {beat: 5 s, lease: 9 s}\n", ERR_USAGE, "two beats");
    refuse("agents: {listen: 'http://x'}\n", ERR_INVALID, "tcp://");
    refuse("agents: {listen: []}\n", ERR_INVALID, "listen");
    refuse("secrets: [a]\n", ERR_INVALID, "secrets");
    refuse("commands: x\n", ERR_INVALID, "commands");
}

static void loopback_is_known(void **state)
{
    (void)state;
    assert_true(config_is_loopback("127.0.0.1:80"));
    assert_true(config_is_loopback("[::1]:80"));
    assert_true(config_is_loopback("localhost:80"));
    assert_true(config_is_loopback("unix:/run/thaw.sock"));
    assert_false(config_is_loopback("0.0.0.0:80"));
    assert_false(config_is_loopback("[::]:80"));
    assert_false(config_is_loopback("farm.example:80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_says_what_holds_without_it),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(a_misspelt_key_is_an_error_with_a_suggestion),
        cmocka_unit_test(all_mistakes_are_reported_at_once),
        cmocka_unit_test(what_makes_no_sense_together_is_refused),
        cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
