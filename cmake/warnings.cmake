# Warnings are errors, with GCC and with Clang. Third-party sources (SoftFloat) do not link this.
add_library(thaw_options INTERFACE)
target_compile_options(thaw_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Werror -fno-strict-aliasing)
# Labels as values are how the interpreter dispatches; both compilers know them.
target_compile_options(thaw_options INTERFACE -Wno-pedantic)
# The host's own contraction of a*b+c would change guest-visible bits.
target_compile_options(thaw_options INTERFACE -ffp-contract=off)
target_compile_definitions(thaw_options INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64)
if(THAW_SANITIZE)
  target_compile_options(thaw_options INTERFACE -fsanitize=${THAW_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(thaw_options INTERFACE -fsanitize=${THAW_SANITIZE})
endif()
