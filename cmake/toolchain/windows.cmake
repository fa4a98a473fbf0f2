# Windows: 64 bits, little endian, made with mingw-w64's compiler; Wine runs it here. What its C library lacks of POSIX is in
# platform/win32.
set(ARCH windows)
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_AR x86_64-w64-mingw32-ar CACHE FILEPATH "archiver")
set(CMAKE_RANLIB x86_64-w64-mingw32-ranlib CACHE FILEPATH "its index")
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(THAW_PLATFORM win32)
get_filename_component(platform ${CMAKE_CURRENT_LIST_DIR}/../../platform ABSOLUTE)
# Structures as everywhere else, printf as C says.
string(CONCAT CMAKE_C_FLAGS_INIT "-isystem ${platform}/win32/include -isystem ${platform}/posix "
  "-include ${platform}/win32/include/missing.h "
  "-D__USE_MINGW_ANSI_STDIO=1 -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -DPCRE2_STATIC -mno-ms-bitfields "
  "-Wno-format -Wno-format-extra-args") # they take printf for Microsoft's; the other hosts check formats)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,--stack,8388608")
set(CMAKE_CROSSCOMPILING_EMULATOR "${platform}/win32/run")
include(${CMAKE_CURRENT_LIST_DIR}/sources.cmake)
