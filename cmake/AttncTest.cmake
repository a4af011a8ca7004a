# How attnc's tests are built. lit runs all of them: lit tests, GoogleTests and fuzz targets.

include_guard(GLOBAL)

find_package(GTest REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# Every unit test and every helper program that lit tests call.
add_custom_target(attnc_tests)
# The unit tests that ./dev test --tsan runs.
add_custom_target(attnc_tsan_tests)
# Every fuzz target; empty without ATTNC_FUZZERS.
add_custom_target(attnc_fuzzers)

set(ATTNC_UNITTEST_DIR ${CMAKE_BINARY_DIR}/test/unit)
set(ATTNC_FUZZER_DIR ${CMAKE_BINARY_DIR}/test/fuzz)

# attnc_unittest(NAME_test SOURCES... [DEPENDS target...] [MLIR] [TSAN])
# A GoogleTest program; lit finds it by its suffix. main comes from gmock_main.
# TSAN: it also runs under the thread sanitizer.
function(attnc_unittest name)
  if(NOT name MATCHES "_test$")
    message(FATAL_ERROR "attnc_unittest: '${name}' has to end in _test")
  endif()
  cmake_parse_arguments(ARG "MLIR;TSAN" "" "SOURCES;DEPENDS" ${ARGN})
  set(mlir)
  if(ARG_MLIR)
    set(mlir MLIR)
  endif()
  attnc_program(${name} ${mlir} SOURCES ${ARG_SOURCES}
    DEPENDS ${ARG_DEPENDS} GTest::gmock_main GTest::gtest)
  set_target_properties(${name} PROPERTIES
    EXCLUDE_FROM_ALL TRUE
    RUNTIME_OUTPUT_DIRECTORY ${ATTNC_UNITTEST_DIR})
  add_dependencies(attnc_tests ${name})
  if(ARG_TSAN)
    add_dependencies(attnc_tsan_tests ${name})
  endif()
endfunction()

# attnc_test_program(NAME SOURCES... [DEPENDS target...] [MLIR])
# A program that lit tests call; it lands beside the tools.
function(attnc_test_program name)
  attnc_program(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
  add_dependencies(attnc_tests ${name})
endfunction()

# attnc_fuzzer(NAME_fuzz SOURCES... [DEPENDS target...] [MLIR] [CORPUS folder])
# A libFuzzer target and the lit test that runs it for some seconds on its seeds,
# by default the folder corpus/NAME beside it. Nothing without ATTNC_FUZZERS.
function(attnc_fuzzer name)
  if(NOT ATTNC_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "MLIR" "CORPUS" "SOURCES;DEPENDS" ${ARGN})
  set(mlir)
  if(ARG_MLIR)
    set(mlir MLIR)
  endif()
  attnc_program(${name} ${mlir} SOURCES ${ARG_SOURCES} DEPENDS ${ARG_DEPENDS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES
    EXCLUDE_FROM_ALL TRUE
    RUNTIME_OUTPUT_DIRECTORY ${ATTNC_FUZZER_DIR})
  add_dependencies(attnc_fuzzers ${name})
  if(NOT ARG_CORPUS)
    set(ARG_CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  endif()
  if(NOT IS_DIRECTORY ${ARG_CORPUS})
    message(FATAL_ERROR "attnc_fuzzer: ${name} has no folder of seeds, ${ARG_CORPUS}")
  endif()
  # New inputs go to the first folder, never to the seeds in the source tree.
  file(CONFIGURE OUTPUT ${ATTNC_FUZZER_DIR}/${name}.test @ONLY CONTENT
"RUN: mkdir -p @ATTNC_FUZZER_DIR@/corpus/@name@
RUN: @ATTNC_FUZZER_DIR@/@name@ -max_total_time=%fuzz_seconds -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=@ATTNC_FUZZER_DIR@/@name@- @ATTNC_FUZZER_DIR@/corpus/@name@ @ARG_CORPUS@ 2>&1
")
endfunction()
