# attn_add_model(TARGET MODEL PATH
#                [CONFIG FILE] [WEIGHTS PATH] [ENTRY NAME] [NAME NAME]
#                [TARGETS ISA...] [DIMS NAME=SIZE...] [WITHOUT INPUT...]
#                [GENERATION] [SHARED])
#
# Compiles a model while building and gives a library, TARGET, for target_link_libraries: whoever links it
# can include NAME.h. The options are those of `attnc compile`; paths are relative to the current source folder.
#   MODEL    a Hugging Face directory, or a .attn description
#   NAME     of the library and prefix of its functions; TARGET unless given
#   TARGETS  instruction sets; without them, code for the machine that builds
#   GENERATION  steps over a key and value cache in place of the whole sequence
#   SHARED   a shared library instead of an archive
# The weights file is put where programs of this folder are built, as NAME.weights. Its path is the
# property ATTN_WEIGHTS of TARGET: $<TARGET_PROPERTY:TARGET,ATTN_WEIGHTS>.

include_guard(GLOBAL)

function(attn_add_model target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "GENERATION;SHARED" "MODEL;CONFIG;WEIGHTS;ENTRY;NAME" "TARGETS;DIMS;WITHOUT")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "attn_add_model(${target}): does not know '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(ARG_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "attn_add_model(${target}): expects a value after ${ARG_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT ARG_MODEL)
    message(FATAL_ERROR "attn_add_model(${target}): expects MODEL, a model directory or a .attn file")
  endif()
  if(NOT ARG_NAME)
    set(ARG_NAME ${target})
  endif()

  set(files)
  foreach(what MODEL CONFIG WEIGHTS)
    if(ARG_${what})
      _attn_model_files(${target} ${what} "${ARG_${what}}" path found)
      set(ARG_${what} ${path})
      list(APPEND files ${found})
    endif()
  endforeach()

  set(options --name ${ARG_NAME})
  foreach(pair CONFIG=config WEIGHTS=weights ENTRY=entry DIMS=dim WITHOUT=without)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 argument)
    list(GET pair 1 option)
    foreach(value IN LISTS ARG_${argument})
      list(APPEND options --${option} ${value})
    endforeach()
  endforeach()
  if(ARG_TARGETS)
    list(JOIN ARG_TARGETS "," targets)
    list(APPEND options --target ${targets})
  endif()

  if(ARG_GENERATION)
    list(APPEND options --generation)
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/attn/${target})
  set(suffix a)
  set(kind STATIC)
  if(ARG_SHARED)
    set(suffix so)
    set(kind SHARED)
    list(APPEND options --emit shared)
  endif()
  set(library ${folder}/${ARG_NAME}.${suffix})
  set(outputs ${library} ${folder}/${ARG_NAME}.h)

  set(programs ${CMAKE_CURRENT_BINARY_DIR})
  if(CMAKE_RUNTIME_OUTPUT_DIRECTORY)
    set(programs ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  endif()
  set(weights)
  set(place_weights)
  if(IS_DIRECTORY ${ARG_MODEL} OR ARG_WEIGHTS)
    set(weights ${programs}/${ARG_NAME}.weights)
    # The same file under a second name: weights are large.
    set(place_weights
      COMMAND ${CMAKE_COMMAND} -E make_directory ${programs}
      COMMAND ${CMAKE_COMMAND} -E create_hardlink ${folder}/${ARG_NAME}.weights ${weights})
    list(APPEND outputs ${folder}/${ARG_NAME}.weights ${weights})
  endif()

  add_custom_command(OUTPUT ${outputs}
    COMMAND attnc::attnc compile ${ARG_MODEL} -o ${folder} ${options}
    ${place_weights}
    DEPENDS attnc::attnc ${files}
    COMMENT "Compiling the model ${ARG_NAME}"
    VERBATIM)
  add_custom_target(${target}_model DEPENDS ${outputs})

  # Imported targets name include directories when they are made, so this one has to be there.
  file(MAKE_DIRECTORY ${folder})
  add_library(${target} ${kind} IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${library}
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_INCLUDE_DIRECTORIES ${folder}
    ATTN_WEIGHTS "${weights}")
  if(ARG_SHARED)
    set_target_properties(${target} PROPERTIES IMPORTED_SONAME ${ARG_NAME}.so)
  endif()
  add_dependencies(${target} ${target}_model)
endfunction()

# The absolute path of an argument, and the files that the model then depends on.
function(_attn_model_files target what path out_path out_files)
  get_filename_component(path "${path}" ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "attn_add_model(${target}): ${what} ${path} does not exist")
  endif()
  set(files ${path})
  if(IS_DIRECTORY ${path})
    file(GLOB files CONFIGURE_DEPENDS ${path}/*.json ${path}/*.safetensors)
  elseif(path MATCHES "\\.attn$")
    # What it imports stands beside it.
    get_filename_component(folder ${path} DIRECTORY)
    file(GLOB files CONFIGURE_DEPENDS ${folder}/*.attn)
  endif()
  set(${out_path} ${path} PARENT_SCOPE)
  set(${out_files} ${files} PARENT_SCOPE)
endfunction()
