#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# build-by-hand.sh CXX SOURCE NAME MODEL PACKAGE FOLDER: compiles the model and links FOLDER/program by what
# pkg-config says.
set -eu
cxx=$1 source=$2 name=$3 model=$4 package=$5 folder=$6

"$(pkg-config --variable=attnc attnc)" compile "$model" -o "$folder" --name "$name"
# Words are meant to split: they are options.
# shellcheck disable=SC2046
"$cxx" -std=c++17 -I"$folder" $(pkg-config --cflags "$package") "$source" "$folder/$name.a" \
  $(pkg-config --libs "$package") -o "$folder/program"
