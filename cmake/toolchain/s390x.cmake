# IBM Z: 64 bits, big endian.
set(ARCH s390x)
set(TRIPLE s390x-linux-gnu)
set(LIBRARIES s390x-linux-gnu)
set(QEMU qemu-s390x-static)
set(CMAKE_SYSTEM_PROCESSOR s390x)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
