/* wire_proxy.h — a process between agents and the gateway that cuts connections at any byte and
 * delivers in pieces of any size. The same seed gives the same cuts for the same traffic. */
#ifndef THAW_TESTS_WIRE_PROXY_H
#define THAW_TESTS_WIRE_PROXY_H

#include <stdint.h>
#include <sys/types.h>

struct wire_proxy {
    pid_t pid;
    unsigned port; /* where to connect instead, at 127.0.0.1 */
};

/* Connections live for up to `bytes_max` bytes, both ways together. */
void wire_proxy_open(struct wire_proxy *proxy, unsigned to_port, uint64_t seed, uint32_t bytes_max);
void wire_proxy_close(struct wire_proxy *proxy);

#endif
