/* platform.h — tells SoftFloat what the host's compiler knows: byte order, 128-bit integers,
 * clz. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLEENDIAN 1
#endif
#define INLINE                 inline
#define THREAD_LOCAL           _Thread_local
#define SOFTFLOAT_BUILTIN_CLZ  1
#if defined(__SIZEOF_INT128__)
#define SOFTFLOAT_INTRINSIC_INT128 1
#endif
#include "opts-GCC.h"
