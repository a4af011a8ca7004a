# Finds the Halide SDK that cmake/fetch-halide.sh unpacks, and adds what is built with it.

include_guard(GLOBAL)

set(cache_home "$ENV{XDG_CACHE_HOME}")
if(NOT cache_home)
  set(cache_home "$ENV{HOME}/.cache")
endif()
set(ATTNC_HALIDE_DIR "${cache_home}/attnc/halide-21.0.0" CACHE PATH "Unpacked wheel of Halide 21.0.0")
if(NOT EXISTS ${ATTNC_HALIDE_DIR}/halide/include/Halide.h)
  message(FATAL_ERROR "no Halide in ${ATTNC_HALIDE_DIR}: cmake/fetch-halide.sh (or ./dev setup) fetches it")
endif()
