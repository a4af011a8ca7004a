# How attnc builds its libraries, programs and tests: one library for each folder, one set of flags.

include_guard(GLOBAL)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers and -gline-tables-only are safe to cache with these.
  set(ATTNC_CCACHE ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${ATTNC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ATTNC_CCACHE})
endif()

# One code model for libraries and programs, so that all share the precompiled header.
add_compile_options(-fPIC)
add_link_options(-fuse-ld=lld)
if(ATTNC_SANITIZER)
  add_compile_options(-fsanitize=${ATTNC_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  # LLVM's shared library carries no vptr information for its own classes.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr,function>)
  add_link_options(-fsanitize=${ATTNC_SANITIZER})
endif()

if(ATTNC_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Flags for our own sources; MLIR's headers are system headers, so that its warnings stay its own.
add_library(attnc_options INTERFACE)
target_compile_options(attnc_options INTERFACE -Wall -Wextra -Wno-unused-parameter)
target_include_directories(attnc_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})

add_library(attnc_mlir INTERFACE)
target_include_directories(attnc_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(attnc_llvm_definitions NATIVE_COMMAND ${LLVM_DEFINITIONS})
target_compile_definitions(attnc_mlir INTERFACE ${attnc_llvm_definitions})
target_link_libraries(attnc_mlir INTERFACE MLIR LLVM)

# For libraries that need LLVM's support library (errors, JSON, files) but not MLIR.
add_library(attnc_llvm INTERFACE)
target_include_directories(attnc_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_compile_definitions(attnc_llvm INTERFACE ${attnc_llvm_definitions})
target_link_libraries(attnc_llvm INTERFACE LLVM)

# attnc_library(NAME SOURCES... [DEPENDS target...] [MLIR])
# A static library of one folder. MLIR adds MLIR, LLVM and the shared precompiled header.
function(attnc_library name)
  cmake_parse_arguments(ARG "MLIR" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC $<BUILD_INTERFACE:attnc_options> ${ARG_DEPENDS})
  if(ARG_MLIR)
    target_link_libraries(${name} PUBLIC attnc_mlir)
    if(NOT name STREQUAL attn_dialect)
      add_dependencies(${name} attn_dialect_tablegen)
    endif()
    attnc_use_pch(${name})
  endif()
endfunction()

# attnc_program(NAME SOURCES... [DEPENDS target...] [MLIR]): an executable in build/.../bin.
function(attnc_program name)
  cmake_parse_arguments(ARG "MLIR" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE attnc_options ${ARG_DEPENDS})
  if(ARG_MLIR)
    target_link_libraries(${name} PRIVATE attnc_mlir)
    attnc_use_pch(${name})
  endif()
endfunction()

# The MLIR headers that nearly every compiler source includes, parsed once.
add_library(attnc_pch OBJECT ${CMAKE_CURRENT_LIST_DIR}/Precompiled.cpp)
target_link_libraries(attnc_pch PRIVATE attnc_options attnc_mlir)
target_compile_options(attnc_pch PRIVATE -Xclang -fno-pch-timestamp)
target_precompile_headers(attnc_pch PRIVATE
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/Builders.h>
  <mlir/IR/BuiltinOps.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/Pass.h>
  <map> <memory> <string> <vector>)

function(attnc_use_pch name)
  target_precompile_headers(${name} REUSE_FROM attnc_pch)
  target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
endfunction()
