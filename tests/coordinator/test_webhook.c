/* What happens at a run's end: a signed POST, tried again; a command; and both through the service.
 */
#include "coordinator/webhook.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"

#include "storage/base/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY "{\"run\": 7}"

/* Answers each connection with the next of its replies, the last one again and again; keeps what it
 * was sent. */
struct receiver {
    int listener;
    char url[64];
    const char *const *replies; /* up to a NULL */
    size_t reply_count;
    bool endless;         /* never stops answering */
    char received[16384]; /* the last request */
    unsigned requests;
    pthread_t thread;
    pthread_mutex_t lock;
};

static bool is_whole(const char *text)
{
    const char *head = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

    return head != NULL && length != NULL && strlen(head + 4) >= (size_t)atoi(length + 16);
}

static void answer(struct receiver *receiver, int fd)
{
    char text[sizeof receiver->received] = "";
    size_t used = 0, reply;
    ssize_t got;

    while (!is_whole(text) && used < sizeof text - 1 &&
           (got = read(fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)got;
        text[used] = 0;
    }
    pthread_mutex_lock(&receiver->lock);
    memcpy(receiver->received, text, sizeof text);
    reply = receiver->requests++;
    pthread_mutex_unlock(&receiver->lock);
    reply = reply < receiver->reply_count ? reply : receiver->reply_count - 1;
    if (send(fd, receiver->replies[reply], strlen(receiver->replies[reply]), MSG_NOSIGNAL) < 0)
        return;
    while (receiver->endless && send(fd, text, sizeof text, MSG_NOSIGNAL) > 0)
        ;
}

static void *receive(void *context)
{
    struct receiver *receiver = context;
    int fd;

    while ((fd = accept(receiver->listener, NULL, NULL)) >= 0) {
        answer(receiver, fd);
        close(fd);
    }
    return NULL;
}

static void receiver_open(struct receiver *receiver, const char *const *replies)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    memset(receiver, 0, sizeof *receiver);
    receiver->replies = replies;
    while (replies[receiver->reply_count] != NULL)
        receiver->reply_count++;
    pthread_mutex_init(&receiver->lock, NULL);
    receiver->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(receiver->listener, (void *)&address, size), 0);
    assert_int_equal(listen(receiver->listener, 8), 0);
    assert_int_equal(getsockname(receiver->listener, (void *)&address, &size), 0);
    snprintf(receiver->url, sizeof receiver->url, "http://127.0.0.1:%d/hook",
             ntohs(address.sin_port));
    assert_int_equal(pthread_create(&receiver->thread, NULL, receive, receiver), 0);
}

static void receiver_close(struct receiver *receiver)
{
    shutdown(receiver->listener, SHUT_RDWR);
    pthread_join(receiver->thread, NULL);
    close(receiver->listener);
    pthread_mutex_destroy(&receiver->lock);
}

/* ---- hooks that the test moves ---- */

#define OK_REPLY "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
#define BAD_REPLY                                                                                  \
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define GONE_REPLY "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define MOVED_REPLY                                                                                \
    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"

struct rig {
    char *folder;
    uint64_t now_ns;
    struct clock_source clock;
    struct hooks *hooks;
};

static uint64_t now(void *context)
{
    return ((struct rig *)context)->now_ns;
}

static int set_up(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    struct hooks_options options;
    struct err err = ERR_INIT;

    rig->folder = base_folder_make();
    rig->now_ns = UINT64_C(1800000000) * 1000000000;
    rig->clock = (struct clock_source){now, now, rig};
    options = (struct hooks_options){.folder = rig->folder, .clock = &rig->clock};
    BASE_OK(hooks_open(&options, &rig->hooks, &err), &err);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    hooks_close(rig->hooks);
    base_folder_remove(rig->folder);
    mem_free(rig);
    return 0;
}

/* Turns, `step_s` of the clock's time passing now and then, until all is over. What came of run 7
 * is given back, freed by the caller. */
static char *run_hooks(struct rig *rig, struct hook_request request, uint64_t step_s)
{
    struct buf out = BUF_INIT(65536);
    struct err err = ERR_INIT;

    request.run = 7;
    request.body = span_of_text(BODY);
    BASE_OK(hooks_add(rig->hooks, &request, &err), &err);
    for (int i = 0; hooks_waiting(rig->hooks) != 0; i++) {
        hooks_turn(rig->hooks, 10);
        if (i % 20 == 19) /* commands and connections have had a while of real time, too */
            rig->now_ns += step_s * UINT64_C(1000000000);
    }
    BASE_OK(hooks_outcome(rig->folder, 7, &out, &err), &err);
    BASE_OK(buf_append(&out, "", 1, &err), &err);
    return (char *)out.data;
}

static void holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("not in there: %s\n%s", part, text);
}

static void a_post_is_signed_and_its_receiver_can_check_it(void **state)
{
    static const char *const replies[] = {OK_REPLY, NULL};
    struct rig *rig = *state;
    struct receiver receiver;
    char *outcome;

    receiver_open(&receiver, replies);
    outcome = run_hooks(
        rig, (struct hook_request){.url = receiver.url, .secret = span_of_text("key")}, 1000);
    receiver_close(&receiver);
    holds(outcome, "\"delivered\": true");
    holds(outcome, "\"status\": 204");
    holds(outcome, "\"command\": null");
    holds(receiver.received, "POST /hook HTTP/1.1\r\n");
    holds(receiver.received, "X-Thaw-Delivery: run-7\r\n");
    holds(receiver.received, "\r\n\r\n" BODY);
    /* printf '1800000000.{"run": 7}' | openssl dgst -sha256 -hmac key */
    holds(receiver.received,
          "X-Thaw-Signature: "
          "t=1800000000,v1=9f6e2544a3d3bafec0c88067a773c34d04a54922c3f90c85135e1b12037919ea\r\n");
    mem_free(outcome);
}

static void what_may_pass_is_tried_again_and_what_may_not_is_final(void **state)
{
    static const char *const later[] = {BAD_REPLY, BAD_REPLY, OK_REPLY, NULL};
    static const char *const gone[] = {GONE_REPLY, NULL};
    static const char *const moved[] = {MOVED_REPLY, NULL};
    struct rig *rig = *state;
    struct receiver receiver;
    char *outcome;

    receiver_open(&receiver, later);
    outcome = run_hooks(rig, (struct hook_request){.url = receiver.url}, 1000);
    receiver_close(&receiver);
    holds(outcome, "\"delivered\": true, \"tries\": 3");
    assert_null(strstr(receiver.received, "X-Thaw-Signature"));
    mem_free(outcome);
    receiver_open(&receiver, gone);
    outcome = run_hooks(rig, (struct hook_request){.url = receiver.url}, 1000);
    receiver_close(&receiver);
    holds(outcome, "\"delivered\": false, \"tries\": 1, \"status\": 410");
    mem_free(outcome);
    receiver_open(&receiver, moved); /* redirections are not followed */
    outcome = run_hooks(rig, (struct hook_request){.url = receiver.url}, 1000);
    receiver_close(&receiver);
    holds(outcome, "\"delivered\": false, \"tries\": 1, \"status\": 302");
    mem_free(outcome);
}

static void nobody_there_is_given_up_after_a_while(void **state)
{
    struct rig *rig = *state;
    char *outcome = run_hooks(rig, (struct hook_request){.url = "http://127.0.0.1:1/"}, 1000);

    holds(outcome, "\"delivered\": false, \"tries\": 8, \"status\": -1");
    mem_free(outcome);
}

static void an_endless_answer_is_an_error(void **state)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                                          GONE_REPLY, NULL};
    struct rig *rig = *state;
    struct receiver receiver;
    char *outcome;

    receiver_open(&receiver, replies);
    receiver.endless = true;
    outcome = run_hooks(rig, (struct hook_request){.url = receiver.url}, 1000);
    receiver_close(&receiver);
    holds(outcome, "\"delivered\": false, \"tries\": 2");
    mem_free(outcome);
}

static void other_schemes_are_not_called(void **state)
{
    struct rig *rig = *state;
    char *outcome = run_hooks(rig, (struct hook_request){.url = "file:///etc/hostname"}, 1000);

    holds(outcome, "\"delivered\": false");
    mem_free(outcome);
}

/* A program in the rig's folder. */
static char *program(struct rig *rig, const char *text)
{
    char *path = path_join(rig->folder, "program");
    struct err err = ERR_INIT;

    BASE_OK(file_write(path, span_of_text(text), &err), &err);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static void a_command_gets_the_run_and_little_else(void **state)
{
    struct rig *rig = *state;
    struct buf said = BUF_INIT(65536);
    struct err err = ERR_INIT;
    char text[512], *path, *outcome, *out = path_join(rig->folder, "out");

    snprintf(text, sizeof text, "#!/bin/sh\n{ cat; echo; echo \"$1 $THAW_RUN\"; env; } >%s\n", out);
    path = program(rig, text);
    outcome = run_hooks(rig, (struct hook_request){.command = path}, 1);
    holds(outcome, "\"webhook\": null");
    holds(outcome, "\"delivered\": true, \"tries\": 1, \"status\": 0");
    BASE_OK(file_read(out, &said, &err), &err);
    BASE_OK(buf_append(&said, "", 1, &err), &err);
    holds((char *)said.data, BODY "\n7 7\n");
    assert_null(strstr((char *)said.data, "HOME="));
    buf_release(&said);
    mem_free(outcome);
    mem_free(path);
    mem_free(out);
}

static void a_command_that_fails_is_tried_thrice(void **state)
{
    struct rig *rig = *state;
    char *path = program(rig, "#!/bin/sh\nexit 3\n"), *outcome;

    outcome = run_hooks(rig, (struct hook_request){.command = path}, 1);
    holds(outcome, "\"delivered\": false, \"tries\": 3, \"status\": 3");
    holds(outcome, "exit status is 3");
    mem_free(outcome);
    mem_free(path);
}

static void a_command_that_does_not_end_is_ended(void **state)
{
    struct rig *rig = *state;
    char *path = program(rig, "#!/bin/sh\nsleep 100000 & wait\n"), *outcome;

    outcome = run_hooks(rig, (struct hook_request){.command = path}, 40);
    holds(outcome, "\"delivered\": false, \"tries\": 3");
    holds(outcome, "more than 60 seconds");
    mem_free(outcome);
    mem_free(path);
}

/* ---- through the service ---- */

static void submit_with_hook(struct http_service *s, const char *url)
{
    char options[256], *text;

    snprintf(options, sizeof options,
             "{\"no_cache\": true, \"webhook\": {\"url\": \"%s\", \"secret\": \"night\"}}", url);
    text = http_service_submission("nightly", 1, options);
    json_decref(http_service_json(s, "POST /api/v1/runs", text, 201));
    mem_free(text);
}

static void await_requests(struct http_service *s, struct receiver *receiver, unsigned count)
{
    for (unsigned seen = 0; seen < count;) {
        http_service_pass(s, 200);
        http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "");
        pthread_mutex_lock(&receiver->lock);
        seen = receiver->requests;
        pthread_mutex_unlock(&receiver->lock);
    }
}

static void a_runs_end_is_told_once_and_again_after_a_restart_in_between(void **state)
{
    static const char *const replies[] = {BAD_REPLY, OK_REPLY, NULL};
    struct service_options options = {.secrets = {{"night", span_of_text("key")}},
                                      .secret_count = 1};
    struct http_service *s = http_service_open(&options);
    struct receiver receiver;

    (void)state;
    receiver_open(&receiver, replies);
    submit_with_hook(s, receiver.url);
    http_service_work(s, 1, VERDICT_FAIL);
    await_requests(s, &receiver, 1);
    http_service_restart(s);
    await_requests(s, &receiver, 2);
    holds(receiver.received, "\"verdict\": \"fail\"");
    holds(receiver.received, "X-Thaw-Signature: t=");
    for (int i = 0; i < 20; i++) { /* delivered: nobody calls again */
        http_service_pass(s, 1000);
        http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"done\"");
    }
    http_service_restart(s);
    for (int i = 0; i < 20; i++) {
        http_service_pass(s, 1000);
        http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"done\"");
    }
    assert_int_equal(receiver.requests, 2);
    http_service_close(s);
    receiver_close(&receiver);
}

static void only_http_may_be_asked_for(void **state)
{
    struct http_service *s = http_service_open(NULL);
    char *text =
        http_service_submission("n", 1, "{\"webhook\": {\"url\": \"file:///etc/passwd\"}}");

    (void)state;
    http_service_expect(s, "POST /api/v1/runs", text, 400, "must begin with http:// or https://");
    mem_free(text);
    http_service_close(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_post_is_signed_and_its_receiver_can_check_it),
        CASE(what_may_pass_is_tried_again_and_what_may_not_is_final),
        CASE(nobody_there_is_given_up_after_a_while),
        CASE(an_endless_answer_is_an_error),
        CASE(other_schemes_are_not_called),
        CASE(a_command_gets_the_run_and_little_else),
        CASE(a_command_that_fails_is_tried_thrice),
        CASE(a_command_that_does_not_end_is_ended),
        cmocka_unit_test(a_runs_end_is_told_once_and_again_after_a_restart_in_between),
        cmocka_unit_test(only_http_may_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
