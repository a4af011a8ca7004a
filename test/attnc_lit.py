"""What attnc's lit suites have in common: environment, substitutions, features."""

import os
import platform
import shutil
import subprocess

# LLVM's shared library is not instrumented: memory that its bump allocators hand
# out stays poisoned in the eyes of our instrumented code (allow_user_poisoning),
# and containers that cross the border are annotated on one side only.
ASAN_OPTIONS = ":".join(
    [
        "allow_user_poisoning=0",
        "detect_container_overflow=0",
        "detect_stack_use_after_return=1",
        "strict_string_checks=1",
    ]
)
UBSAN_OPTIONS = "print_stacktrace=1"
TSAN_OPTIONS = "halt_on_error=1:second_deadlock_stack=1"


def set_environment(config):
    """Tools are found by name; a sanitizer build gets its options here."""
    env = config.environment
    env["PATH"] = os.pathsep.join(
        [config.tools_dir, config.llvm_tools_dir, env.get("PATH", "")]
    )
    if "HOME" in os.environ:
        env["HOME"] = os.environ["HOME"]
    # Compiled models of one run of the tests serve the next, and no user's.
    env["XDG_CACHE_HOME"] = os.path.join(config.binary_root, "test", "cache")
    env["ATTNC_SOURCE_ROOT"] = config.source_root
    if config.sanitizer:
        symbolizer = os.path.join(config.llvm_tools_dir, "llvm-symbolizer")
        env["ASAN_SYMBOLIZER_PATH"] = symbolizer
        env["ASAN_OPTIONS"] = ASAN_OPTIONS
        env["UBSAN_OPTIONS"] = UBSAN_OPTIONS
        env["TSAN_OPTIONS"] = TSAN_OPTIONS + ":external_symbolizer_path=" + symbolizer


def add_substitutions(config):
    """%source_root, %binary_root, %llvm_tools, %python, %cc and %cxx."""
    config.substitutions += [
        ("%source_root", config.source_root),
        ("%binary_root", config.binary_root),
        ("%llvm_tools", config.llvm_tools_dir),
        ("%python", config.python),
        ("%cc", config.c_compiler),
        ("%cxx", config.cxx_compiler),
    ]


def add_features(config, lit_config):
    """Features that tests may REQUIRE; what is missing is told, with its reason."""
    if config.sanitizer:
        config.available_features.update(config.sanitizer.split(","))
    config.available_features.add(platform.machine())
    config.available_features.update(host_isa())
    if os.path.exists(os.path.join(config.tools_dir, "attnc")):
        config.available_features.add("attnc")
    if shutil.which("rustc"):
        config.available_features.add("rustc")
    if can_mount():
        config.available_features.add("user-mounts")
    missing = missing_for_aarch64()
    if missing:
        lit_config.note("aarch64 tests are skipped, missing: " + ", ".join(missing))
    else:
        config.available_features.add("aarch64-emulator")


def missing_for_aarch64():
    """What running aarch64 programs lacks on this machine."""
    missing = []
    if not shutil.which("qemu-aarch64-static"):
        missing.append("qemu-user-static")
    if not os.path.isdir("/usr/aarch64-linux-gnu/lib"):
        missing.append("libc6-dev-arm64-cross")
    if not os.path.isdir("/usr/lib/gcc-cross/aarch64-linux-gnu"):
        missing.append("libgcc-12-dev-arm64-cross")
    return missing


def can_mount():
    """Whether a test may mount a file system of its own."""
    words = "unshare --user --map-root-user --mount mount -t tmpfs none /mnt"
    try:
        return not subprocess.run(words.split(), check=False, capture_output=True).returncode
    except OSError:
        return False


def host_isa():
    """The vector extensions of this machine that tests choose by."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
            words = set(info.read().split())
    except OSError:
        return set()
    return words & {"avx2", "fma", "avx512f", "amx_bf16", "asimd"}
