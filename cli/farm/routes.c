/* routes.c — what the coordinator serves, from the tables that it serves by. */
#include "cli/farm/commands.h"

#include "coordinator/api.h"
#include "coordinator/queue/tokens.h"
#include "coordinator/store_http.h"

#include <stdio.h>

static void print_roles(uint32_t roles)
{
    const char *before = "";

    if (roles == HTTP_ANYBODY)
        fputs("-", stdout);
    for (unsigned i = 0; i < QUEUE_ROLE_COUNT; i++) {
        if ((roles & 1u << i) == 0)
            continue;
        printf("%s%s", before, queue_role_name((enum queue_role)i));
        before = ",";
    }
}

static void print_routes(const struct http_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s %s ", http_method_name(routes[i].method), routes[i].path);
        print_roles(routes[i].roles);
        printf(" %s\n", routes[i].query);
    }
}

int routes_command(void)
{
    struct http_table store = store_http_table(NULL);

    print_routes(api_routes, api_route_count);
    print_routes(store.routes, store.count);
    return fflush(stdout) == 0 ? EXIT_STATUS_PASS : EXIT_STATUS_INFRA;
}
