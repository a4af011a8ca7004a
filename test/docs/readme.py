# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a program around the README's C example.

usage: readme.py README.md
"""

import re
import sys

PROGRAM = """{include}
static float pixels[2 * 32 * 32], logits[2 * 10];
int main(void) {{
attn_model *model;
attn_error error;
{body}
return logits[0] == 0;
}}
"""

with open(sys.argv[1], encoding="utf-8") as readme:
    example = re.search(r"```c\n(#include[^\n]*)\n(.*?)```", readme.read(), re.DOTALL)
print(PROGRAM.format(include=example[1], body=example[2]))
