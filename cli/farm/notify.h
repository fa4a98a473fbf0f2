/* notify.h — tells the service manager how things are (sd_notify(3)'s protocol: a datagram to the
 * socket that $NOTIFY_SOCKET names). Does nothing where there is none. */
#ifndef THAW_CLI_FARM_NOTIFY_H
#define THAW_CLI_FARM_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=…". */
void notify_manager(const char *state);

#endif
