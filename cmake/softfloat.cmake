# Berkeley SoftFloat 3e, RISC-V specialisation, from Debian's source package of edk2.
# deploy/softfloat puts its sources into the cache folder and prints where they are.
set(THAW_SOFTFLOAT_SOURCE "" CACHE PATH "SoftFloat's source/ folder (default: what deploy/softfloat fetched)")
if(NOT THAW_SOFTFLOAT_SOURCE)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/deploy/softfloat --print
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
  if(status OR NOT IS_DIRECTORY "${found}")
    message(FATAL_ERROR "SoftFloat's sources are not here yet: run deploy/softfloat once (it needs apt and 17 MB)")
  endif()
  set(THAW_SOFTFLOAT_SOURCE ${found} CACHE PATH "" FORCE)
endif()
set(S ${THAW_SOFTFLOAT_SOURCE})
file(GLOB softfloat_sources
  ${S}/f16_*.c ${S}/f32_*.c ${S}/f64_*.c
  ${S}/ui32_to_f[136][264].c ${S}/ui64_to_f[136][264].c
  ${S}/i32_to_f[136][264].c ${S}/i64_to_f[136][264].c
  ${S}/s_*.c ${S}/softfloat_state.c ${S}/RISCV/s_*.c ${S}/RISCV/softfloat_raiseFlags.c)
list(FILTER softfloat_sources EXCLUDE REGEX
  "F128|ExtF80|f128|extF80|(M|M_to|256M|96M|128M)\\.c$|compare|F16M|remStepMBy|shift.*M\\.c|X\\.c")
add_library(softfloat STATIC ${softfloat_sources})
target_include_directories(softfloat SYSTEM PUBLIC ${CMAKE_SOURCE_DIR}/cmake/softfloat ${S}/RISCV ${S}/include)
target_compile_definitions(softfloat PUBLIC
  SOFTFLOAT_FAST_INT64 SOFTFLOAT_ROUND_ODD INLINE_LEVEL=5 SOFTFLOAT_FAST_DIV32TO16 SOFTFLOAT_FAST_DIV64TO32)
# Always optimised: at -O0 it would be what a debug build spends its time in.
target_compile_options(softfloat PRIVATE -w -O2)
