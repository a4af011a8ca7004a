#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Unpacks the Halide SDK (the project's own wheel on PyPI) into the cache and prints its folder.
# It is needed to build attnc's image kernels and never at run time.
set -eu

version=21.0.0
wheel=halide-$version-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
sha256=3686c2b4c9aed1e26e1e55631608b2c4a4c3fe2d4386505ba1921859adb683ab
folder=${ATTNC_HALIDE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/attnc/halide-$version}

if [ -e "$folder/halide/lib64/libHalide.so" ]; then
  echo "$folder"
  exit 0
fi
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  echo "fetch-halide.sh: Halide $version is published for Linux on x86-64; this is $(uname -s) on $(uname -m)" >&2
  exit 1
fi

mkdir -p "$(dirname "$folder")"
# Beside the final folder, so that the last step is one rename.
temporary=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
echo "fetch-halide.sh: downloading Halide $version (69 MB)" >&2
# The tags are named because the SDK does not depend on the Python that runs pip.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --python-version 3.11 --implementation cp --abi cp311 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
  --dest "$temporary" "halide==$version" >&2
echo "$sha256  $temporary/$wheel" | sha256sum --check --quiet - >&2
python3 -m zipfile -e "$temporary/$wheel" "$temporary/sdk"
if ! mv -T "$temporary/sdk" "$folder" 2>/dev/null && [ ! -e "$folder/halide/lib64/libHalide.so" ]; then
  echo "fetch-halide.sh: $folder exists but holds no Halide; remove it and try again" >&2
  exit 1
fi
echo "$folder"
