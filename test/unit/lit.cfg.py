"""GoogleTest programs, built by attnc_unittest()."""

import os
import sys

import lit.formats

sys.path.insert(0, os.path.join(config.source_root, "test"))
import attnc_lit

config.name = "attnc-unit"
config.test_format = lit.formats.GoogleTest(".", "_test")
config.suffixes = []
config.test_source_root = os.path.join(config.binary_root, "test", "unit")
config.test_exec_root = config.test_source_root

attnc_lit.set_environment(config)
