# A file of the source tree as an array of bytes in a library: `const uint8_t NAME[]` and `const size_t NAME_size`, which a
# header of the library declares. Also a script of its own: cmake -DFILE=… -DNAME=… -DOUT=… -P embed.cmake.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${FILE} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  get_filename_component(from ${FILE} NAME)
  file(WRITE ${OUT} "/* Made of ${from}. */\n#include <stddef.h>\n#include <stdint.h>\n\nextern const uint8_t ${NAME}[];\n"
    "extern const size_t ${NAME}_size;\nconst uint8_t ${NAME}[] = {\n${bytes}};\n"
    "const size_t ${NAME}_size = sizeof ${NAME};\n")
  return()
endif()

set(thaw_embed_script ${CMAKE_CURRENT_LIST_FILE})
function(thaw_embed library file name)
  set(out ${CMAKE_BINARY_DIR}/embedded/${name}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DFILE=${CMAKE_SOURCE_DIR}/${file} -DNAME=${name} -DOUT=${out} -P ${thaw_embed_script}
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${thaw_embed_script} VERBATIM)
  target_sources(${library} PRIVATE ${out})
endfunction()
