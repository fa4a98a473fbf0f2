/* sys/file.h — locks of a host with one process that cannot lock: always free. */
#ifndef THAW_PLATFORM_FILE_H
#define THAW_PLATFORM_FILE_H

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

int flock(int fd, int operation);

#endif
