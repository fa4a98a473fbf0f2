# ARM: 64 bits, little endian.
set(ARCH arm64)
set(TRIPLE aarch64-linux-gnu)
set(LIBRARIES aarch64-linux-gnu)
set(QEMU qemu-aarch64-static)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
