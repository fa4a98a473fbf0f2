#include "coordinator/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

/* A socket that nobody listens at any more may be replaced; one that answers may not. */
static bool path_free(const struct sockaddr_un *address, struct err *err)
{
    struct stat status;
    int fd;
    bool answers;

    if (lstat(address->sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode))
        return err_set(err, ERR_CONFLICT, "%s is there and is no socket", address->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "socket");
    answers = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    if (answers)
        return err_set(err, ERR_CONFLICT, "another program serves at %s", address->sun_path);
    if (unlink(address->sun_path) != 0)
        return err_set_errno(err, errno, "cannot replace %s", address->sun_path);
    return true;
}

static bool listen_unix(const char *path, int fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ERR_USAGE, "%s: a socket's path has at most %zu bytes", path,
                       sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!path_free(&address, err))
        return false;
    /* The mode of the socket is that of its descriptor at bind: nobody else in between. */
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return err_set_errno(err, errno, "cannot serve at %s", path);
    return true;
}

static bool bind_internet(int fd, const void *address, socklen_t size, const char *name,
                          struct err *err)
{
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, size) == 0)
        return true;
    if (errno == EADDRINUSE)
        return err_set(err, ERR_CONFLICT, "another program serves at %s", name);
    return err_set_errno(err, errno, "cannot serve at %s", name);
}

static bool listen_internet(const struct http_options *options, bool is_six, int fd,
                            struct err *err)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(options->port)};

    if (is_six) {
        (void)inet_pton(AF_INET6, options->address, &six.sin6_addr);
        return bind_internet(fd, &six, sizeof six, options->address, err);
    }
    if (inet_pton(AF_INET, options->address, &four.sin_addr) != 1)
        return err_set(err, ERR_USAGE,
                       "%s is no address to serve at: write 127.0.0.1, ::1, 0.0.0.0 or another "
                       "number of this host",
                       options->address);
    return bind_internet(fd, &four, sizeof four, options->address, err);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

bool http_listen(const struct http_options *options, int *fd, uint16_t *port, struct err *err)
{
    struct in6_addr six;
    bool is_unix = options->socket_path != NULL;
    bool is_six =
        !is_unix && options->address != NULL && inet_pton(AF_INET6, options->address, &six) == 1;
    bool ok;
    int made;

    if (!is_unix && options->address == NULL)
        return err_set(err, ERR_USAGE, "neither an address nor a socket to serve at is given");
    made = socket(is_unix  ? AF_UNIX
                  : is_six ? AF_INET6
                           : AF_INET,
                  SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return err_set_errno(err, errno, "socket");
    ok = is_unix ? listen_unix(options->socket_path, made, err)
                 : listen_internet(options, is_six, made, err);
    if (ok && listen(made, BACKLOG) != 0)
        ok = err_set_errno(err, errno, "listen");
    if (!ok) {
        close(made);
        return false;
    }
    *fd = made;
    *port = port_of(made);
    return true;
}
