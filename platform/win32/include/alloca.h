/* alloca.h — where mingw-w64 keeps it elsewhere. */
#ifndef THAW_PLATFORM_ALLOCA_H
#define THAW_PLATFORM_ALLOCA_H

#include <malloc.h>

#endif
