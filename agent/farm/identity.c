#include "agent/farm/identity.h"

#include "agent/farm/child.h"
#include "storage/base/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_TEXT_SIZE (2 * MESSAGE_ID_SIZE + 1)
#define TIMEOUT_MS   30000

static bool open_keys(const char *state, struct seal_keys *keys, struct err *err)
{
    char *path = path_join(state, "keys");
    bool ok = folder_make(state, err);

    if (ok && file_exists(path))
        ok = seal_keys_load(path, keys, err);
    else
        ok = ok && seal_keys_make(keys, err) && seal_keys_save(keys, path, err);
    mem_free(path);
    return ok;
}

static bool parse_id(struct span text, struct message_id *out)
{
    static const char digits[] = "0123456789abcdef";

    while (text.size != 0 && text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size != 2 * MESSAGE_ID_SIZE)
        return false;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < text.size; i++) {
        const char *at = memchr(digits, text.data[i], 16);
        if (at == NULL)
            return false;
        out->bytes[i / 2] = (uint8_t)(out->bytes[i / 2] << 4 | (at - digits));
    }
    return true;
}

static bool read_id(const char *path, struct message_id *out, struct err *err)
{
    struct buf text = BUF_INIT(256);
    bool ok = file_read(path, &text, err);

    if (ok && !parse_id(buf_span(&text), out))
        ok = err_set(err, ERR_CORRUPT, "%s is not 32 hex digits: enrol anew", path);
    buf_release(&text);
    return ok;
}

static bool write_id(const char *path, const struct message_id *id, struct err *err)
{
    char text[ID_TEXT_SIZE + 1];

    for (size_t i = 0; i < MESSAGE_ID_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
    text[ID_TEXT_SIZE - 1] = '\n';
    return file_write(path, (struct span){(const uint8_t *)text, ID_TEXT_SIZE}, err);
}

static bool ask(const struct agent_options *options, const struct identity *identity,
                struct message_id *id, struct err *err)
{
    struct message *request = mem_alloc(sizeof *request);
    struct message *answer = mem_alloc(sizeof *answer);
    struct link_options to = identity->link;
    struct link *link = NULL;
    char host[MESSAGE_NAME_MAX + 1] = "agent";
    bool ok;

    memset(&to.agent, 0, sizeof to.agent);
    (void)gethostname(host, sizeof host - 1);
    message_init(request, MESSAGE_ENROL);
    request->u.enrol.token = span_of_text(options->enrol_token);
    request->u.enrol.name = span_of_text(options->name != NULL ? options->name : host);
    memcpy(request->u.enrol.public_key, identity->keys.public_key, SEAL_KEY_SIZE);
    ok = link_open(&to, &link, err) && link_call(link, request, TIMEOUT_MS, answer, err);
    if (ok && answer->kind != MESSAGE_ENROLLED)
        ok = err_set(err, ERR_INVALID, "the answer to an enrolment is %s",
                     message_kind_name(answer->kind));
    if (ok)
        *id = answer->u.enrolled.agent;
    link_close(link);
    mem_free(request);
    mem_free(answer);
    return ok;
}

/* In a process of its own; what went wrong comes back through the channel. */
static int enrol(const struct agent_options *options, const struct identity *identity,
                 const char *path, int channel)
{
    struct err err = ERR_INIT, ignored = ERR_INIT;
    struct message_id id;
    bool ok = ask(options, identity, &id, &err) && write_id(path, &id, &err);

    (void)channel_send(channel, (struct span){(const uint8_t *)&err, sizeof err}, -1, &ignored);
    return ok ? 0 : 1;
}

static bool enrol_apart(const struct agent_options *options, const struct identity *identity,
                        const char *path, struct err *err)
{
    struct err said = ERR_INIT;
    struct channel_message message = {.bytes = &said, .room = sizeof said};
    int ends[2], status;
    pid_t child;
    bool ok;

    if (!channel_pair(ends, err))
        return false;
    child = child_fork(&ends[1], 1, err);
    if (child == 0)
        child_end(enrol(options, identity, path, ends[1]));
    close(ends[1]);
    ok = child > 0 && channel_receive(ends[0], &message, err);
    close(ends[0]);
    if (child < 0)
        return false;
    child_wait(child, &status);
    if (!ok || message.size != sizeof said)
        return err_set(err, ERR_IO, "the process that enrols this agent died");
    if (said.kind == ERR_NONE)
        return true;
    *err = said;
    return err_wrap(err, "enrolment");
}

bool identity_open(const struct agent_options *options, struct identity *out, struct err *err)
{
    char *path = path_join(options->state, "id");
    bool ok;

    memset(out, 0, sizeof *out);
    ok = open_keys(options->state, &out->keys, err);
    memcpy(out->coordinator, options->coordinator, SEAL_KEY_SIZE);
    out->link = (struct link_options){
        .url = options->url, .keys = &out->keys, .coordinator = out->coordinator};
    if (ok && !file_exists(path))
        ok = options->enrol_token != NULL
                 ? enrol_apart(options, out, path, err)
                 : err_set(err, ERR_NOT_FOUND,
                           "this agent is not enrolled (%s is not there) and has no token to enrol "
                           "with: ask for one on the coordinator's side",
                           path);
    ok = ok && read_id(path, &out->id, err);
    out->link.agent = out->id;
    mem_free(path);
    return ok;
}

struct line_opener identity_opener(struct identity *identity)
{
    return (struct line_opener){line_open_link, &identity->link};
}
