#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Runs a command where FOLDER is a disk of some KiB, tells its exit code and what it left there:
# full-disk.sh KIB FOLDER COMMAND...
set -u
kibibytes=$1 folder=$2
shift 2
mkdir -p "$folder"
# shellcheck disable=SC2016 # for the inner shell to expand
exec unshare --user --map-root-user --mount sh -c '
  mount -t tmpfs -o "size=$0k" none "$1" || exit 99
  folder=$1
  shift
  "$@" 2>&1
  echo "exit code $?, left: $(find "$folder" -type f | wc -l) files"' "$kibibytes" "$folder" "$@"
