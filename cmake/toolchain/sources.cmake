# What the toolchain files of hosts share that Debian has no libraries for: deploy/sysroot built those that the simulator
# and the command need, as archives. Set before: ARCH.
if(NOT THAW_SYSROOT)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../../deploy/sysroot --print ${ARCH}
    OUTPUT_VARIABLE THAW_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT THAW_SYSROOT)
    message(FATAL_ERROR "the libraries of ${ARCH} are not here yet: run deploy/sysroot ${ARCH} once")
  endif()
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THAW_SYSROOT)
list(APPEND CMAKE_FIND_ROOT_PATH ${THAW_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${THAW_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${THAW_SYSROOT}/usr/lib/pkgconfig)
