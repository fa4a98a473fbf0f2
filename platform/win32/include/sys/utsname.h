/* sys/utsname.h — what host this is. */
#ifndef THAW_PLATFORM_UTSNAME_H
#define THAW_PLATFORM_UTSNAME_H

struct utsname {
    char sysname[32], nodename[32], release[32], version[32], machine[32];
};

int uname(struct utsname *out);

#endif
