# WebAssembly with the system interface WASI: 32 bits, little endian, one process, one thread, no memory mapping. Its C
# library is Debian's wasi-libc; what that lacks of POSIX is in platform/wasi. Node runs it (platform/wasi/run.js).
set(ARCH wasm)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_EXECUTABLE_SUFFIX .wasm)
# GNU's make no index of such objects.
set(CMAKE_AR llvm-ar-14 CACHE STRING "archiver")
set(CMAKE_RANLIB llvm-ranlib-14 CACHE STRING "its index")
set(THAW_PLATFORM wasi)
get_filename_component(platform ${CMAKE_CURRENT_LIST_DIR}/../../platform ABSOLUTE)
execute_process(COMMAND clang -print-resource-dir OUTPUT_VARIABLE resource OUTPUT_STRIP_TRAILING_WHITESPACE)
# Never the headers of the machine that builds.
string(CONCAT CMAKE_C_FLAGS_INIT "-nostdinc -isystem ${platform}/wasi/include -isystem ${platform}/posix "
  "-isystem /usr/include/wasm32-wasi -isystem ${resource}/include -include ${platform}/wasi/include/missing.h")
# Memory is asked for once: Node was seen to crash collecting garbage while it grew. What is not touched costs nothing.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-z,stack-size=8388608 -Wl,--initial-memory=2147483648 -Wl,--max-memory=4294967296")
# Its threads are the empty ones of platform/wasi.
set(CMAKE_HAVE_PTHREAD_H TRUE)
set(CMAKE_HAVE_LIBC_PTHREAD TRUE)
set(CMAKE_FIND_ROOT_PATH "")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
include(${CMAKE_CURRENT_LIST_DIR}/sources.cmake)
set(CMAKE_CROSSCOMPILING_EMULATOR "node;${platform}/wasi/run.js")
