/* cmd_verify_agent.c — `thaw-farm verify-agent NAME`: what `thaw verify --agent` starts for each
 * enrolled agent; not for people. */
#include "cli/farm/commands.h"
#include "cli/farm/verify_relay.h"

#include "storage/base/file.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS_MAX (2 * VERIFY_FRAME_MAX)
#define ANSWERS_MAX  (256u << 20)

/* Takes the whole requests in `bytes`. */
static bool take_all(struct relay *relay, struct buf *bytes, struct buf *out, struct err *err)
{
    size_t size = 0;

    while (verify_frame_size(buf_span(bytes), &size, err)) {
        if (size == 0)
            return true;
        if (!relay_take(relay, (struct span){bytes->data, size}, out, err))
            return false;
        bytes->size -= size;
        memmove(bytes->data, bytes->data + size, bytes->size);
    }
    return false;
}

static bool serve(struct relay *relay, struct err *err)
{
    struct buf bytes = BUF_INIT(REQUESTS_MAX), out = BUF_INIT(ANSWERS_MAX);
    struct pollfd more = {STDIN_FILENO, POLLIN, 0};
    bool ended = false, ok = true;

    while (ok && !ended) {
        ok = file_read_some(STDIN_FILENO, &bytes, &ended, "requests", err) &&
             take_all(relay, &bytes, &out, err);
        if (ok && poll(&more, 1, 0) == 0) /* they come in bundles: a job for all of one */
            ok = relay_flush(relay, &out, err);
        ok = ok && file_write_all(STDOUT_FILENO, buf_span(&out), "the answers", err);
        buf_clear(&out);
    }
    buf_release(&bytes);
    buf_release(&out);
    return ok;
}

int verify_agent_command(const char *agent)
{
    const struct client client = {NULL, NULL, NULL};
    const struct common common = {.command = VERIFY_AGENT_COMMAND};
    struct remote *remote = NULL;
    struct relay *relay = NULL;
    struct err err = ERR_INIT;
    bool ok = client_open(&client, &remote, &err) && relay_open(remote, agent, &relay, &err);

    ok = ok && serve(relay, &err);
    if (relay != NULL)
        relay_close(relay);
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
