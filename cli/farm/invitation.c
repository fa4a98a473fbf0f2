#include "cli/farm/invitation.h"

#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text != NULL && text[0] != 0 ? text : NULL;
}

static bool read_texts(struct invitation *out, struct err *err)
{
    const char *key = text_of(out->json, "coordinator_key");

    out->name = text_of(out->json, "name");
    out->token = text_of(out->json, "token");
    out->dial = json_string_value(json_array_get(json_object_get(out->json, "agents"), 0));
    out->coordinator = text_of(out->json, "coordinator");
    out->store_token = text_of(out->json, "store_token");
    out->ca = text_of(out->json, "ca");
    if (out->dial == NULL)
        return err_set(err, ERR_INVALID, "\"agents\" names no address of a gateway");
    if (key == NULL)
        return err_set(err, ERR_INVALID, "\"coordinator_key\" is missing");
    return seal_key_parse(key, out->key, err) || err_wrap(err, "\"coordinator_key\"");
}

bool invitation_read(const char *path, struct invitation *out, struct err *err)
{
    struct buf text = BUF_INIT(INVITATION_BYTES_MAX);
    json_error_t why;
    bool ok = file_read(path, &text, err);

    memset(out, 0, sizeof *out);
    if (ok) {
        out->json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why);
        ok = json_is_object(out->json)
                 ? read_texts(out, err)
                 : err_set(err, ERR_INVALID, "this is no invitation (JSON): %s",
                           out->json == NULL ? why.text : "not an object");
        if (!ok)
            err_wrap(err, "%s", path);
    }
    buf_release(&text);
    if (!ok)
        invitation_release(out);
    return ok;
}

void invitation_release(struct invitation *invitation)
{
    json_decref(invitation->json);
    memset(invitation, 0, sizeof *invitation);
}

static bool add_address(json_t *json, const struct client *client, struct err *err)
{
    const char *address = client_address(client), *ca = client_ca(client);
    struct buf pem = BUF_INIT(INVITATION_BYTES_MAX / 2);
    bool ok = true;

    if (address != NULL)
        json_object_set_new(json, "coordinator", json_string(address));
    if (ca != NULL) {
        ok = file_read(ca, &pem, err);
        if (ok)
            json_object_set_new(json, "ca", json_stringn((const char *)pem.data, pem.size));
    }
    buf_release(&pem);
    return ok;
}

bool invitation_make(struct remote *remote, const struct client *client, const char *name,
                     struct buf *out, struct err *err)
{
    json_t *ask = json_pack("{s:s}", "name", name), *json = NULL;
    char *body = json_dumps(ask, JSON_COMPACT), *text;
    bool ok = client_ask(remote, "POST", "enrolments", span_of_text(body), &json, err) &&
              (client == NULL || add_address(json, client, err));

    if (ok) {
        text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
        ok = buf_append_text(out, text, err) && buf_append_text(out, "\n", err);
        free(text);
    }
    free(body);
    json_decref(ask);
    json_decref(json);
    return ok;
}

bool invitation_write(const char *path, struct span text, struct err *err)
{
    struct buf temporary = BUF_INIT(65536);
    const char *name;
    int fd;
    bool ok = buf_format(&temporary, err, "%s.new", path) && buf_append(&temporary, "", 1, err);

    if (!ok)
        return false;
    name = (const char *)temporary.data;
    (void)unlink(name);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = fd >= 0 || err_set_errno(err, errno, "cannot write %s", name);
    ok = ok && file_write_all(fd, text, name, err);
    if (fd >= 0)
        close(fd);
    if (ok && rename(name, path) != 0)
        ok = err_set_errno(err, errno, "cannot write %s", path);
    buf_release(&temporary);
    return ok;
}
