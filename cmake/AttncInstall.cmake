# What `cmake --install` gives: the compiler, the headers, the optional libraries, and the files with which
# CMake (find_package(attnc)) and pkg-config find them.

include_guard(GLOBAL)
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(ATTNC_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/attnc)

# attnc_install(NAME as EXPORTED): attnc::EXPORTED in the package.
function(attnc_install target exported)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${exported} INSTALL_RPATH_USE_LINK_PATH TRUE)
  install(TARGETS ${target} EXPORT attnc
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# Headers alone: what programs that handle any model include.
add_library(attnc_headers INTERFACE)
target_include_directories(attnc_headers INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/runtime/include>)

attnc_install(attnc attnc)
attnc_install(attnc_headers headers)
attnc_install(attn_generate generate)
attnc_install(attn_image image)
attnc_install(attn_pool pool)
install(DIRECTORY runtime/include/attn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

install(EXPORT attnc NAMESPACE attnc:: FILE attncTargets.cmake DESTINATION ${ATTNC_CMAKE_DIR})
configure_package_config_file(cmake/attncConfig.cmake.in ${CMAKE_BINARY_DIR}/package/attncConfig.cmake
  INSTALL_DESTINATION ${ATTNC_CMAKE_DIR}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/attncConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  cmake/AttnAddModel.cmake
  ${CMAKE_BINARY_DIR}/package/attncConfig.cmake
  ${CMAKE_BINARY_DIR}/package/attncConfigVersion.cmake
  DESTINATION ${ATTNC_CMAKE_DIR})

# The package can be moved: pkg-config files name their own folder's parents.
file(RELATIVE_PATH ATTNC_PC_PREFIX
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
foreach(package attnc attnc-generate attnc-image attnc-pool)
  configure_file(cmake/${package}.pc.in ${CMAKE_BINARY_DIR}/package/${package}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/package/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
