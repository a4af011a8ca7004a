// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The subcommands of attnc, one source each.

#ifndef ATTN_TOOLS_ATTNC_COMMANDS_COMMANDS_H
#define ATTN_TOOLS_ATTNC_COMMANDS_COMMANDS_H

#include "tools/attnc/CommandLine.h"

namespace attn::tool {

/// An exit code for a failure that was already reported.
class ExitStatus : public llvm::ErrorInfo<ExitStatus> {
public:
  static char ID;
  explicit ExitStatus(ExitCode code) : exitCode(code) {}
  ExitCode code() const { return exitCode; }
  void log(llvm::raw_ostream &os) const override { os << "failed"; }
  std::error_code convertToErrorCode() const override {
    return std::make_error_code(std::errc::operation_canceled);
  }

private:
  ExitCode exitCode;
};

llvm::Error compileCommand(const CommandLine &line);
llvm::Error runCommand(const CommandLine &line);
/// `attnc run` with --generate.
llvm::Error generateCommand(const CommandLine &line);
llvm::Error verifyCommand(const CommandLine &line);
llvm::Error benchCommand(const CommandLine &line);
llvm::Error inspectCommand(const CommandLine &line);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDS_COMMANDS_H
