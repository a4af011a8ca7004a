// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The attention compiler's command: picks the subcommand and reports errors.

#include "tools/attnc/CommandLine.h"
#include "tools/attnc/commands/Commands.h"
#include "tools/attnc/engine/InternalError.h"

#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace attn::tool;

char ExitStatus::ID;

static int report(Error error) {
  int code = ExitBadInput;
  handleAllErrors(
      std::move(error),
      [&](const UsageError &usage) {
        code = ExitUsage;
        WithColor::error(errs(), "attnc");
        usage.log(errs());
        errs() << "\n";
      },
      [&](const InternalError &defect) {
        code = ExitInternal;
        WithColor::error(errs(), "attnc");
        defect.log(errs());
        errs() << "\n";
      },
      [&](const ExitStatus &status) { code = status.code(); },
      [&](const ErrorInfoBase &other) {
        std::string text = other.message();
        WithColor::error(errs(), "attnc") << StringRef(text).rtrim() << "\n";
      });
  return code;
}

static Error dispatch(const CommandLine &line) {
  if (line.has(OPT_help) || line.has(OPT_h)) {
    printHelp(line.command(), outs());
    return Error::success();
  }
  struct Command {
    StringRef name;
    Error (*run)(const CommandLine &);
  };
  static constexpr Command commands[] = {
      {"compile", compileCommand}, {"run", runCommand},
      {"verify", verifyCommand},   {"bench", benchCommand},
      {"inspect", inspectCommand},
  };
  for (const Command &command : commands)
    if (command.name == line.command())
      return command.run(line);
  if (line.command() == "completion") {
    printCompletion(outs());
    return Error::success();
  }
  if (line.has(OPT_version)) {
    outs() << "attnc " << ATTNC_VERSION << " (LLVM " << LLVM_VERSION_STRING
           << ")\n";
    return Error::success();
  }
  printHelp("", errs());
  return make_error<UsageError>("expects a subcommand");
}

/// A full disk behind standard output is an error like any other.
static int checkOutput() {
  outs().flush();
  if (!outs().has_error())
    return ExitOk;
  std::error_code error = outs().error();
  outs().clear_error();
  return report(createStringError(error, "cannot write to standard output: " +
                                             error.message()));
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  Expected<CommandLine> line = CommandLine::parse(argc, argv);
  if (!line)
    return report(line.takeError());
  int code = ExitOk;
  if (Error error = dispatch(*line))
    code = report(std::move(error));
  int output = checkOutput();
  return code == ExitOk ? output : code;
}
