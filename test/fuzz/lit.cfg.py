"""libFuzzer targets, each run for some seconds on its seeds; see attnc_fuzzer()."""

import os
import sys

import lit.formats

sys.path.insert(0, os.path.join(config.source_root, "test"))
import attnc_lit

config.name = "attnc-fuzz"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".test"]
config.excludes = ["corpus"]
config.test_source_root = os.path.join(config.binary_root, "test", "fuzz")
config.test_exec_root = config.test_source_root

attnc_lit.set_environment(config)
config.substitutions.append(
    ("%fuzz_seconds", lit_config.params.get("fuzz_seconds", "5"))
)
