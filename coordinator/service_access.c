#include "coordinator/service_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Who may: tokens, and the host's own people where the service is open. */

/* A change of a token that is in the bracket; the copy in memory follows the commit. */
struct token_change {
    struct token_change *next;
    bool is_removal;
    struct queue_token token; /* its name is `name` */
    char name[QUEUE_TAG_MAX + 1];
};

static bool load_token(void *context, const struct queue_token *token)
{
    struct err ignored = ERR_INIT;

    return token_table_add(context, token, &ignored);
}

bool service_tokens_load(struct service *service, struct err *err)
{
    return queue_tokens_each(service->queue, load_token, service->tokens, err);
}

static void note_change(struct service *service, const struct queue_token *token, bool is_removal)
{
    struct token_change *change = mem_alloc(sizeof *change);
    struct token_change **end = &service->token_changes;

    while (*end != NULL)
        end = &(*end)->next;
    *change = (struct token_change){NULL, is_removal, *token, ""};
    snprintf(change->name, sizeof change->name, "%s", token->name);
    change->token.name = change->name;
    *end = change;
}

bool service_token_set(struct service *service, const struct queue_token *token, struct err *err)
{
    if (!queue_token_add(service->queue, token, err))
        return false;
    note_change(service, token, false);
    return true;
}

bool service_token_drop(struct service *service, const char *name, struct err *err)
{
    struct queue_token token = {.name = name};

    if (!queue_token_remove(service->queue, name, err))
        return false;
    note_change(service, &token, true);
    return true;
}

void service_tokens_commit(struct service *service, bool ok)
{
    while (service->token_changes != NULL) {
        struct token_change *change = service->token_changes;
        struct err ignored = ERR_INIT;

        service->token_changes = change->next;
        if (ok && change->is_removal)
            token_table_remove(service->tokens, change->name);
        else if (ok)
            (void)token_table_add(service->tokens, &change->token, &ignored);
        mem_free(change);
    }
}

/* Before service_run there are no brackets but this one. */
static bool commit_now(struct service *service, bool ok, struct err *err)
{
    if (ok)
        ok = queue_commit(service->queue, err);
    else
        queue_rollback(service->queue);
    service_tokens_commit(service, ok);
    return ok;
}

bool service_token(struct service *service, const struct service_token_request *request, char *out,
                   struct err *err)
{
    struct queue_token token = {.name = request->name,
                                .role = (enum queue_role)request->role,
                                .created_ms = service_wall_ms(service),
                                .expires_ms = request->expires_ms};
    struct err ignored = ERR_INIT;
    struct token_text text;
    bool ok;

    if (!token_make(&text, &token.hash, err) || !queue_begin(service->queue, err))
        return false;
    ok = !request->replace || service_token_drop(service, request->name, &ignored) ||
         service_error_is_request(&ignored);
    if (!ok)
        *err = ignored;
    ok = ok && service_token_set(service, &token, err);
    if (!commit_now(service, ok, err))
        return false;
    memcpy(out, text.text, sizeof text.text);
    return true;
}

bool service_enrolment(struct service *service, uint64_t expires_ms, char *out, struct err *err)
{
    struct token_text text;
    struct hash hash;

    if (!token_make(&text, &hash, err) || !queue_begin(service->queue, err) ||
        !commit_now(service, queue_enrolment_add(service->queue, &hash, expires_ms, err), err))
        return false;
    memcpy(out, text.text, sizeof text.text);
    return true;
}

/* Whether a request of a browser could come from a page of somebody else: pages can post to any
 * address, and names can be made to lead here. So an open service answers only to numbers and
 * "localhost", and not to other pages. */
static bool is_own_page(const struct http_exchange *exchange)
{
    const char *host = http_header(exchange, "Host"), *origin = http_header(exchange, "Origin");
    char name[80];
    size_t size;
    struct in6_addr six;
    struct in_addr four;

    if (origin != NULL &&
        (host == NULL || strncasecmp(origin, "http", 4) != 0 || strstr(origin, "://") == NULL ||
         strcasecmp(strstr(origin, "://") + 3, host) != 0))
        return false;
    if (host == NULL || strcmp(http_peer(exchange), "unix") == 0)
        return true;
    size = host[0] == '[' ? strcspn(++host, "]") : strcspn(host, ":");
    snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : 0), host);
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &four) == 1 ||
           inet_pton(AF_INET6, name, &six) == 1;
}

static bool allow_open(struct http_exchange *exchange, struct err *err)
{
    if (!is_own_page(exchange))
        return err_set(err, ERR_ACCESS,
                       "this coordinator is open to its own host only: call it by 127.0.0.1 or "
                       "localhost, and not from another page");
    http_set_identity(exchange, "local", QUEUE_ROLE_ADMIN);
    return true;
}

bool service_allow(void *context, struct http_exchange *exchange, struct err *err)
{
    struct service *service = context;
    uint32_t roles = http_request_route(exchange)->roles;
    const char *shown = http_header(exchange, "Authorization");
    struct token_identity identity;

    if (roles == HTTP_ANYBODY)
        return true;
    if (shown == NULL && service->options.open && http_peer_is_local(exchange))
        return allow_open(exchange, err);
    if (shown == NULL)
        return err_set(err, ERR_ACCESS, "show a token: Authorization: Bearer TOKEN");
    if (strncasecmp(shown, "Bearer ", 7) != 0)
        return err_set(err, ERR_ACCESS,
                       "only bearer tokens are taken: Authorization: Bearer TOKEN");
    if (!token_table_check(service->tokens, shown + 7 + strspn(shown + 7, " "), http_peer(exchange),
                           &identity, err))
        return false;
    http_set_identity(exchange, identity.name, identity.role);
    if ((roles & 1u << identity.role) != 0 || identity.role == QUEUE_ROLE_ADMIN)
        return true;
    return err_set(err, ERR_ACCESS, "the token \"%s\" has the role %s, which may not do this",
                   identity.name, queue_role_name(identity.role));
}
