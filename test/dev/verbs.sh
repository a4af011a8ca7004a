#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Fails where the help of ./dev names a verb that it does not have: verbs.sh DEV
set -eu

verbs=$("$1" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | sort -u | grep -vx help)
for verb in $verbs; do
  grep -q "^verb_$verb() {" "$1" || {
    echo "the help names '$verb', but there is no verb_$verb"
    exit 1
  }
done
echo "$verbs" | wc -l
