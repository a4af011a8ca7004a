// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command line of attnc: one subcommand, its options and its operands.

#ifndef ATTN_TOOLS_ATTNC_COMMANDLINE_H
#define ATTN_TOOLS_ATTNC_COMMANDLINE_H

#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace attn::tool {

/// Exit codes, documented in `attnc --help`.
enum ExitCode {
  ExitOk = 0,
  ExitBadInput = 1,  ///< the model, a file or a value in it
  ExitUsage = 2,     ///< the command line
  ExitDrift = 3,     ///< verify: the model differs from the reference
  ExitInternal = 70, ///< a defect of attnc
};

/// A mistake on the command line: exits with ExitUsage.
class UsageError : public llvm::ErrorInfo<UsageError> {
public:
  static char ID;
  explicit UsageError(const llvm::Twine &message) : message(message.str()) {}
  void log(llvm::raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override {
    return std::make_error_code(std::errc::invalid_argument);
  }

private:
  std::string message;
};

/// Options by the names of Options.td.
enum OptionId {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "tools/attnc/Options.inc"
#undef OPTION
};

/// A parsed command line.
class CommandLine {
public:
  /// Checks that the subcommand exists, that every option belongs to it and has
  /// its value. A misspelt name is answered with the nearest one.
  static llvm::Expected<CommandLine> parse(int argc, char **argv);

  /// Empty for `attnc` alone, `attnc --help` and `attnc --version`.
  const std::string &command() const { return commandName; }
  const std::vector<std::string> &operands() const { return operandTexts; }

  bool has(OptionId id) const { return args.hasArg(id); }
  /// The last value of an option, or `otherwise`.
  std::string value(OptionId id, llvm::StringRef otherwise = "") const;
  std::vector<std::string> values(OptionId id) const;
  /// The value as an integer in [min, max], or `otherwise` where absent.
  llvm::Expected<int64_t> integer(OptionId id, int64_t otherwise, int64_t min,
                                  int64_t max) const;
  /// The value as a finite number in [min, max], or `otherwise` where absent.
  llvm::Expected<double> number(OptionId id, double otherwise, double min,
                                double max) const;
  /// Each value of an option as integers of at least 0, separated by commas;
  /// an empty value is an empty list.
  llvm::Expected<std::vector<std::vector<int64_t>>> idLists(OptionId id) const;
  /// The only operand: what `what` is, for the message.
  llvm::Expected<std::string> operand(llvm::StringRef what) const;
  /// The NAME=VALUE pairs of an option, values at least 1, each name once.
  llvm::Expected<std::vector<std::pair<std::string, int64_t>>>
  namedSizes(OptionId id) const;

private:
  std::string commandName;
  std::vector<std::string> operandTexts;
  std::vector<std::string> storage;
  llvm::opt::InputArgList args;
};

/// The help of a subcommand, or of all for an empty name.
void printHelp(llvm::StringRef command, llvm::raw_ostream &os);
/// A bash completion script, made from the options.
void printCompletion(llvm::raw_ostream &os);

} // namespace attn::tool

#endif // ATTN_TOOLS_ATTNC_COMMANDLINE_H
