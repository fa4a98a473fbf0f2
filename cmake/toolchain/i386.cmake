# x86: 32 bits, little endian, with its SSE instead of the x87, whose registers round differently.
set(ARCH i386)
set(TRIPLE i686-linux-gnu)
set(LIBRARIES i386-linux-gnu)
set(QEMU qemu-i386-static)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CMAKE_C_FLAGS_INIT "-msse2 -mfpmath=sse")
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)

# Most x86-64 kernels run these programs themselves, if they find their loader and libraries: no emulator then.
set(loader ${CMAKE_SYSROOT}/lib/ld-linux.so.2)
execute_process(COMMAND ${loader} --version RESULT_VARIABLE foreign OUTPUT_QUIET ERROR_QUIET)
if(foreign EQUAL 0)
  unset(CMAKE_CROSSCOMPILING_EMULATOR)
  set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,--disable-new-dtags,--dynamic-linker,${loader} -Wl,-rpath,${CMAKE_SYSROOT}/lib/${LIBRARIES}:${CMAKE_SYSROOT}/usr/lib/${LIBRARIES}")
endif()
