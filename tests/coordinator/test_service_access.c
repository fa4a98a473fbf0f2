#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up(void **state)
{
    *state = http_service_open(NULL);
    return 0;
}

static int set_up_open(void **state)
{
    struct service_options options = {.open = true};

    *state = http_service_open(&options);
    return 0;
}

static int tear_down(void **state)
{
    http_service_close(*state);
    return 0;
}

static void make_token(struct http_service *s, const char *name, const char *role, char *out)
{
    char body[128];
    json_t *json;

    snprintf(body, sizeof body, "{\"name\": \"%s\", \"role\": \"%s\"}", name, role);
    json = http_service_json(s, "POST /api/v1/tokens", body, 201);
    snprintf(out, TOKEN_TEXT_SIZE, "%s", json_string_value(json_object_get(json, "token")));
    json_decref(json);
}

static unsigned status_of(struct http_service *s, struct http_request request)
{
    struct http_reply reply = http_client_call(s->port, request);
    unsigned status = reply.status;

    http_reply_release(&reply);
    return status;
}

static unsigned get(struct http_service *s, const char *path, const char *token)
{
    return status_of(s, (struct http_request){"GET", path, NULL, NULL, token});
}

static unsigned post(struct http_service *s, const char *path, const char *token)
{
    return status_of(s, (struct http_request){"POST", path, NULL, "{}", token});
}

static void without_a_token_nothing_is_answered_but_health_and_the_document(void **state)
{
    struct http_service *s = *state;

    assert_int_equal(get(s, "/api/v1/health", NULL), 200);
    assert_int_equal(get(s, "/api/v1/openapi.yaml", NULL), 200);
    assert_int_equal(get(s, "/api/v1/runs", NULL), 401);
    assert_int_equal(get(s, "/metrics", NULL), 401);
    assert_int_equal(get(s, "/api/v1/events", NULL), 401);
    assert_int_equal(get(s, "/api/v1/tags", NULL), 401);
    assert_int_equal(get(s, "/api/v1/runs", "thaw_guess"), 401);
    assert_int_equal(post(s, "/api/v1/runs", NULL), 401);
    assert_int_equal(
        status_of(s, (struct http_request){"GET", "/api/v1/runs", "Authorization: Basic eDp5\r\n",
                                           NULL, NULL}),
        401);
}

static void each_role_may_what_it_may(void **state)
{
    struct http_service *s = *state;
    char reads[TOKEN_TEXT_SIZE], submits[TOKEN_TEXT_SIZE], agent[TOKEN_TEXT_SIZE];

    make_token(s, "reads", "read", reads);
    make_token(s, "submits", "submit", submits);
    make_token(s, "agent", "agent", agent);
    assert_int_equal(get(s, "/api/v1/runs", reads), 200);
    assert_int_equal(get(s, "/api/v1/runs", submits), 200);
    assert_int_equal(get(s, "/api/v1/runs", agent), 403);
    assert_int_equal(post(s, "/api/v1/runs", reads), 403);
    assert_int_equal(post(s, "/api/v1/runs", submits), 400);
    assert_int_equal(post(s, "/api/v1/tokens", submits), 403);
    assert_int_equal(post(s, "/api/v1/agents/a/drain", submits), 403);
    assert_int_equal(post(s, "/api/v1/agents/a/drain", s->token), 404);
}

static void a_removed_token_is_void_at_once_and_after_a_restart(void **state)
{
    struct http_service *s = *state;
    char token[TOKEN_TEXT_SIZE], kept[TOKEN_TEXT_SIZE];

    make_token(s, "gone", "read", token);
    make_token(s, "kept", "read", kept);
    http_service_expect(s, "POST /api/v1/tokens", "{\"name\": \"kept\", \"role\": \"read\"}", 409,
                        "");
    http_service_expect(s, "DELETE /api/v1/tokens/gone", NULL, 200, "");
    http_service_expect(s, "DELETE /api/v1/tokens/gone", NULL, 404, "");
    assert_int_equal(get(s, "/api/v1/runs", token), 401);
    http_service_restart(s);
    assert_int_equal(get(s, "/api/v1/runs", token), 401);
    assert_int_equal(get(s, "/api/v1/runs", kept), 200);
    http_service_expect(s, "GET /api/v1/tokens", NULL, 200, "\"name\": \"kept\"");
}

static void a_token_with_a_time_to_live_expires(void **state)
{
    struct http_service *s = *state;
    json_t *json = http_service_json(
        s, "POST /api/v1/tokens", "{\"name\": \"short\", \"role\": \"read\", \"ttl_s\": 60}", 201);
    const char *token = json_string_value(json_object_get(json, "token"));

    assert_int_equal(get(s, "/api/v1/runs", token), 200);
    http_service_pass(s, 61000);
    assert_int_equal(get(s, "/api/v1/runs", token), 401);
    json_decref(json);
    http_service_expect(s, "POST /api/v1/tokens", "{\"name\": \"x\", \"role\": \"king\"}", 400,
                        "write read, submit, agent or admin");
}

static void tokens_are_kept_as_hashes_only(void **state)
{
    struct http_service *s = *state;
    struct buf file = BUF_INIT(64u << 20);
    struct err err = ERR_INIT;
    char token[TOKEN_TEXT_SIZE], *wal;
    size_t size = strlen(s->database);

    make_token(s, "ci", "read", token);
    wal = mem_alloc(size + 5);
    snprintf(wal, size + 5, "%s-wal", s->database);
    BASE_OK(file_read(s->database, &file, &err), &err);
    BASE_OK(file_read(wal, &file, &err), &err);
    assert_null(memmem(file.data, file.size, token, strlen(token)));
    assert_non_null(memmem(file.data, file.size, "ci", 2));
    mem_free(wal);
    buf_release(&file);
}

static void guessing_is_slowed_down(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply;

    for (unsigned i = 0; i < TOKEN_FAILURES_MAX; i++)
        assert_int_equal(get(s, "/api/v1/runs", "thaw_guess"), 401);
    reply = http_client_call(
        s->port, (struct http_request){"GET", "/api/v1/runs", NULL, NULL, "thaw_guess"});
    assert_int_equal(reply.status, 429);
    assert_true(http_reply_has(&reply, "Retry-After: 10"));
    http_reply_release(&reply);
    assert_int_equal(get(s, "/api/v1/runs", s->token), 200);
}

static void an_open_service_asks_its_own_host_for_no_token(void **state)
{
    struct http_service *s = *state;
    int fd = http_client_connect(s->port);
    struct http_reply reply;

    http_client_send(fd, "GET /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    /* A page of somebody else in a browser here, and a name that leads here. */
    http_client_send(fd, "GET /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"
                         "Origin: http://elsewhere.example\r\n\r\n");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 401);
    http_reply_release(&reply);
    http_client_send(fd, "GET /api/v1/runs HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 401);
    http_reply_release(&reply);
    /* A wrong token is wrong here too. */
    assert_int_equal(get(s, "/api/v1/runs", "thaw_guess"), 401);
    close(fd);
}

static void agents_are_invited_only_where_there_is_a_gateway(void **state)
{
    http_service_expect(*state, "POST /api/v1/enrolments", "{\"name\": \"a1\"}", 409,
                        "has no gateway");
}

/* ---- TLS ---- */

static void make_certificate(const char *folder, char *certificate, char *key, size_t size)
{
    char command[512];

    snprintf(certificate, size, "%s/cert.pem", folder);
    snprintf(key, size, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
             "2>/dev/null",
             key, certificate);
    FILE *openssl = popen(command, "r");
    assert_non_null(openssl);
    assert_int_equal(pclose(openssl), 0);
}

static size_t take(char *data, size_t one, size_t size, void *context)
{
    struct err ignored = ERR_INIT;

    (void)one;
    return buf_append(context, data, size, &ignored) ? size : 0;
}

static CURLcode fetch(const char *url, const char *ca, const char *token, long tls, struct buf *out)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    char header[128];
    CURLcode code;

    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    headers = curl_slist_append(headers, header);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, tls);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return code;
}

static void tls_is_served_from_certificate_and_key(void **state)
{
    char certificate[128], key[128], url[128], plain[128];
    char *folder = base_folder_make();
    struct buf body = BUF_INIT(65536);
    struct service_options options = {.http = {.certificate = certificate, .private_key = key}};
    struct http_service *s;

    (void)state;
    make_certificate(folder, certificate, key, sizeof key);
    s = http_service_open(&options);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/api/v1/runs", s->port);
    snprintf(plain, sizeof plain, "http://127.0.0.1:%u/api/v1/runs", s->port);
    assert_int_equal(fetch(url, certificate, s->token, CURL_SSLVERSION_DEFAULT, &body), CURLE_OK);
    assert_int_equal(body.size, strlen("{\"runs\": []}"));
    /* Not over what is old, not to who trusts others, not in the clear. */
    assert_int_not_equal(fetch(url, certificate, s->token,
                               CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1, &body),
                         CURLE_OK);
    assert_int_not_equal(fetch(url, "/etc/hostname", s->token, CURL_SSLVERSION_DEFAULT, &body),
                         CURLE_OK);
    assert_int_not_equal(fetch(plain, certificate, s->token, CURL_SSLVERSION_DEFAULT, &body),
                         CURLE_OK);
    buf_release(&body);
    http_service_close(s);
    base_folder_remove(folder);
}

static void a_certificate_that_is_none_is_told(void **state)
{
    struct http_service *s = *state;
    struct service_options options = s->options;
    char *folder = base_folder_make();
    char database[256];
    struct service *service;
    struct err err = ERR_INIT;

    snprintf(database, sizeof database, "%s/other.db", folder);
    options.database = database;
    options.http.certificate = "/proc/self/status";
    options.http.private_key = "/proc/self/status";
    BASE_FAILS(service_open(&options, &service, &err), &err, ERR_USAGE, "certificate");
    base_folder_remove(folder);
}

#define CASE(name)      cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_OPEN(name) cmocka_unit_test_setup_teardown(name, set_up_open, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_a_token_nothing_is_answered_but_health_and_the_document),
        CASE(each_role_may_what_it_may),
        CASE(a_removed_token_is_void_at_once_and_after_a_restart),
        CASE(a_token_with_a_time_to_live_expires),
        CASE(tokens_are_kept_as_hashes_only),
        CASE(guessing_is_slowed_down),
        CASE_OPEN(an_open_service_asks_its_own_host_for_no_token),
        CASE(agents_are_invited_only_where_there_is_a_gateway),
        cmocka_unit_test(tls_is_served_from_certificate_and_key),
        CASE(a_certificate_that_is_none_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
