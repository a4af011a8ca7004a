"""lit tests: one file for each op, pass and tool, and the e2e tests."""

import os
import sys

import lit.formats

sys.path.insert(0, os.path.join(config.source_root, "test"))
import attnc_lit

config.name = "attnc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "fuzz", "golden"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.binary_root, "test")

attnc_lit.set_environment(config)
attnc_lit.add_substitutions(config)
attnc_lit.add_features(config, lit_config)
