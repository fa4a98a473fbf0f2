# The operands of Berkeley TestFloat 3e, from Debian's source package of qemu: deploy/testfloat puts its sources into
# the cache folder. Without them, tests/sim/hart/test_testfloat.c is not built.
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/deploy/testfloat --print
  OUTPUT_VARIABLE THAW_TESTFLOAT_SOURCE OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
if(status)
  message(STATUS "TestFloat's sources are not here (deploy/testfloat fetches 24 MB): its test is left out")
else()
  set(T ${THAW_TESTFLOAT_SOURCE})
  add_library(testfloat STATIC ${T}/fail.c ${T}/random.c ${T}/genCases_common.c
    ${T}/genCases_i32.c ${T}/genCases_i64.c ${T}/genCases_ui32.c ${T}/genCases_ui64.c
    ${T}/genCases_f32.c ${T}/genCases_f64.c)
  target_include_directories(testfloat SYSTEM PUBLIC ${T})
  target_compile_definitions(testfloat PUBLIC FLOAT64)
  target_compile_options(testfloat PRIVATE -w -O2)
  target_link_libraries(testfloat PUBLIC softfloat)
endif()
