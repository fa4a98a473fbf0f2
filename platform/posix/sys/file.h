/* sys/file.h — locks of whole files. They bind those who ask for them, as flock does: reading and
 * writing goes on. A lock of one kind may become one of the other by being given back in between.
 * With one process alone on the host every lock is free. */
#ifndef THAW_PLATFORM_FILE_H
#define THAW_PLATFORM_FILE_H

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

int flock(int fd, int operation);

#endif
