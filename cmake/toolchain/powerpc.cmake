# PowerPC: 32 bits, big endian. Debian has its compiler and C library, but no other libraries.
set(ARCH powerpc)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ppc)
set(CMAKE_C_COMPILER powerpc-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE powerpc-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/powerpc-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-ppc-static;-L;/usr/powerpc-linux-gnu")
include(${CMAKE_CURRENT_LIST_DIR}/sources.cmake)
