# Programs of another kind of host as something that can be executed here: emulated/NAME in the build folder, a script
# that starts the emulator. Whatever these programs start in turn begins with the emulator too (storage/base/program.h).
if(CMAKE_CROSSCOMPILING_EMULATOR)
  list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " thaw_emulator)
endif()

function(thaw_emulated)
  if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
    return()
  endif()
  foreach(program ${ARGN})
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/emulated/${program} CONTENT "#!/bin/sh
# A program of another kind of host, run under the emulator.
export THAW_EMULATOR='${thaw_emulator}'
exec $THAW_EMULATOR '$<TARGET_FILE:${program}>' \"$@\"
" FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endforeach()
endfunction()
