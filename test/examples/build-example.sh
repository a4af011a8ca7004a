#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs attnc and builds an example against it, as a user would, in an empty folder.
# build-example.sh ATTNC_BUILD FOLDER EXAMPLE [CMAKE_OPTION...]
# leaves FOLDER/attnc (the installed tree) and FOLDER/build.
set -eu
attnc_build=$1 folder=$2 example=$3
shift 3

rm -rf "$folder"
mkdir -p "$folder"
cmake --install "$attnc_build" --prefix "$folder/attnc" >"$folder/install.log"
cmake -S "$example" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$folder/attnc" "$@" >"$folder/configure.log"
cmake --build "$folder/build"
