# What is installed beside the program: manual pages (if help2man is there) and bash's completion. Both come from
# the program itself, so they cannot go stale.
if(NOT TARGET thaw OR CMAKE_CROSSCOMPILING)
  return()
endif()
include(GNUInstallDirs)

set(completion ${CMAKE_BINARY_DIR}/completion/thaw)
add_custom_command(OUTPUT ${completion}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completion
  COMMAND thaw completion bash > ${completion}
  DEPENDS thaw VERBATIM)
add_custom_target(completion ALL DEPENDS ${completion})
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command)

find_program(HELP2MAN help2man)
if(NOT HELP2MAN)
  message(STATUS "no help2man: manual pages are left out")
  return()
endif()

# The rows of the command table.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cli/main.c)
file(STRINGS ${CMAKE_SOURCE_DIR}/cli/main.c rows REGEX "^    {\"[a-z]+\", \"")
set(pages)
# The farm's commands say what they do themselves: `thaw` hands over to the program beside it.
set(programs thaw)
if(TARGET thaw-farm)
  list(APPEND programs thaw-farm)
endif()
foreach(row "{\"thaw\"" ${rows})
  string(REGEX MATCH "{\"([a-z]+)\"" unused "${row}")
  set(command ${CMAKE_MATCH_1})
  if(command STREQUAL thaw)
    set(page ${CMAKE_BINARY_DIR}/man/man1/thaw.1)
  else()
    set(page ${CMAKE_BINARY_DIR}/man/man1/thaw-${command}.1)
  endif()
  add_custom_command(OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man/man1
    COMMAND ${CMAKE_SOURCE_DIR}/cmake/manual ${HELP2MAN} $<TARGET_FILE:thaw> ${command} ${page}
    DEPENDS ${programs} ${CMAKE_SOURCE_DIR}/cmake/manual ${CMAKE_SOURCE_DIR}/cmake/manual.h2m VERBATIM)
  list(APPEND pages ${page})
endforeach()
add_custom_target(manuals ALL DEPENDS ${pages})
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command)
