# ARM with hardware floating point: 32 bits, little endian.
set(ARCH armhf)
set(TRIPLE arm-linux-gnueabihf)
set(LIBRARIES arm-linux-gnueabihf)
set(QEMU qemu-arm-static)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
