// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parses the command line against Options.td.

#include "tools/attnc/CommandLine.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace llvm::opt;
using namespace attn::tool;

char UsageError::ID;

namespace {

#define OPTTABLE_STR_TABLE_CODE
#include "tools/attnc/Options.inc"
#undef OPTTABLE_STR_TABLE_CODE
#define OPTTABLE_PREFIXES_TABLE_CODE
#include "tools/attnc/Options.inc"
#undef OPTTABLE_PREFIXES_TABLE_CODE
#define OPTTABLE_SUBCOMMAND_IDS_TABLE_CODE
#include "tools/attnc/Options.inc"
#undef OPTTABLE_SUBCOMMAND_IDS_TABLE_CODE
#define OPTTABLE_SUBCOMMANDS_CODE
#include "tools/attnc/Options.inc"
#undef OPTTABLE_SUBCOMMANDS_CODE

constexpr opt::OptTable::Info kInfos[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "tools/attnc/Options.inc"
#undef OPTION
};

class AttncOptions : public opt::GenericOptTable {
public:
  AttncOptions()
      : GenericOptTable(OptionStrTable, OptionPrefixesTable, kInfos,
                        /*IgnoreCase=*/false, OptionSubCommands,
                        OptionSubCommandIDsTable) {}

  const Info *infoOf(unsigned id) const {
    for (const Info &info : kInfos)
      if (info.ID == id)
        return &info;
    return nullptr;
  }
  StringRef nameOf(const Info &info) const {
    return info.getPrefixedName(OptionStrTable);
  }
  bool belongsTo(const Info &info, StringRef command) const {
    if (command.empty())
      return !info.hasSubCommands() || info.ID == OPT_help || info.ID == OPT_h;
    return isMember(info, command);
  }
  /// Long names without '=' that belong to a subcommand.
  std::vector<std::string> optionNames(StringRef command) const {
    std::vector<std::string> names;
    for (const Info &info : kInfos)
      if (info.Kind != opt::Option::InputClass &&
          info.Kind != opt::Option::UnknownClass &&
          !(info.Flags & opt::HelpHidden) && belongsTo(info, command) &&
          !nameOf(info).ends_with("="))
        names.push_back(nameOf(info).str());
    return names;
  }

private:
  bool isMember(const Info &info, StringRef command) const {
    for (unsigned id : info.getSubCommandIDs(OptionSubCommandIDsTable))
      if (OptionSubCommands[id].Name == command)
        return true;
    return false;
  }
};

std::string suggestion(StringRef word, ArrayRef<std::string> candidates) {
  const std::string *nearest = nullptr;
  unsigned best = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string &candidate : candidates) {
    unsigned distance = word.edit_distance(candidate, true, best);
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

Error checkCommand(StringRef command) {
  std::vector<std::string> names;
  for (const auto &known : OptionSubCommands) {
    if (command == known.Name)
      return Error::success();
    names.push_back(known.Name);
  }
  return make_error<UsageError>("'" + command +
                                "' is not a subcommand of attnc" +
                                suggestion(command, names));
}

} // namespace

Expected<CommandLine> CommandLine::parse(int argc, char **argv) {
  CommandLine line;
  int first = 1;
  if (argc > 1 && argv[1][0] != '-') {
    line.commandName = argv[1];
    if (Error error = checkCommand(line.commandName))
      return std::move(error);
    first = 2;
  }
  AttncOptions table;
  unsigned missingIndex = 0, missingCount = 0;
  SmallVector<const char *> words(argv + first, argv + argc);
  line.args = table.ParseArgs(words, missingIndex, missingCount);
  if (missingCount)
    return make_error<UsageError>("option '" +
                                  Twine(line.args.getArgString(missingIndex)) +
                                  "' expects a value");
  for (const opt::Arg *arg : line.args) {
    std::string spelling = arg->getSpelling().str();
    if (arg->getOption().getKind() == opt::Option::InputClass) {
      line.operandTexts.push_back(arg->getValue());
      continue;
    }
    bool known = arg->getOption().getKind() != opt::Option::UnknownClass;
    if (known && table.belongsTo(*table.infoOf(arg->getOption().getID()),
                                 line.commandName))
      continue;
    if (!known)
      spelling = StringRef(arg->getAsString(line.args)).split('=').first.str();
    std::string owner =
        line.commandName.empty() ? "attnc" : "attnc " + line.commandName;
    return make_error<UsageError>(
        Twine("'") + spelling + "' is not an option of '" + owner + "'" +
        suggestion(spelling, table.optionNames(line.commandName)));
  }
  return line;
}

std::string CommandLine::value(OptionId id, StringRef otherwise) const {
  return args.getLastArgValue(id, otherwise).str();
}

std::vector<std::string> CommandLine::values(OptionId id) const {
  return args.getAllArgValues(id);
}

Expected<int64_t> CommandLine::integer(OptionId id, int64_t otherwise,
                                       int64_t min, int64_t max) const {
  const opt::Arg *arg = args.getLastArg(id);
  if (!arg)
    return otherwise;
  int64_t value;
  if (StringRef(arg->getValue()).getAsInteger(10, value) || value < min ||
      value > max)
    return make_error<UsageError>("option '" + arg->getSpelling() +
                                  "' expects an integer from " + Twine(min) +
                                  " to " + Twine(max) + ", but got '" +
                                  arg->getValue() + "'");
  return value;
}

Expected<double> CommandLine::number(OptionId id, double otherwise, double min,
                                     double max) const {
  const opt::Arg *arg = args.getLastArg(id);
  if (!arg)
    return otherwise;
  double value;
  if (!StringRef(arg->getValue()).getAsDouble(value) && value >= min &&
      value <= max)
    return value;
  return make_error<UsageError>(
      "option '" + arg->getSpelling() + "' expects a number from " +
      formatv("{0} to {1}", min, max) + ", but got '" + arg->getValue() + "'");
}

Expected<std::vector<std::vector<int64_t>>>
CommandLine::idLists(OptionId id) const {
  std::vector<std::vector<int64_t>> lists;
  for (const opt::Arg *arg : args.filtered(id)) {
    SmallVector<StringRef> words;
    StringRef text(arg->getValue());
    if (!text.empty())
      text.split(words, ',');
    lists.emplace_back();
    for (StringRef word : words) {
      int64_t value;
      if (word.trim().getAsInteger(10, value) || value < 0)
        return make_error<UsageError>(
            "option '" + arg->getSpelling() +
            "' expects token ids separated by commas, but got '" + text + "'");
      lists.back().push_back(value);
    }
  }
  return lists;
}

Expected<std::string> CommandLine::operand(StringRef what) const {
  if (operandTexts.size() == 1)
    return operandTexts.front();
  return make_error<UsageError>(
      "'attnc " + commandName + "' expects " + what +
      (operandTexts.empty()
           ? std::string()
           : ", but got " + std::to_string(operandTexts.size()) +
                 " operands: '" + join(operandTexts, "', '") + "'"));
}

Expected<std::vector<std::pair<std::string, int64_t>>>
CommandLine::namedSizes(OptionId id) const {
  std::vector<std::pair<std::string, int64_t>> result;
  for (const opt::Arg *arg : args.filtered(id)) {
    auto wrong = [&](const Twine &message) {
      return make_error<UsageError>("option '" + arg->getSpelling() + "' " +
                                    message + "'" + arg->getValue() + "'");
    };
    auto [name, size] = StringRef(arg->getValue()).split('=');
    int64_t value;
    if (name.empty() || size.getAsInteger(10, value) || value < 1)
      return wrong("expects NAME=VALUE with a size of at least 1, but got ");
    if (is_contained(make_first_range(result), name))
      return wrong("names a dimension twice: ");
    result.emplace_back(name.str(), value);
  }
  return result;
}

/// What users type most; LLVM's option tables have no place for it.
static StringRef examples(StringRef command) {
  return StringSwitch<StringRef>(command)
      .Case("compile", "  attnc compile vit-base/ -o build\n"
                       "  attnc compile vit.attn --config config.json "
                       "--weights model.safetensors -o build --emit shared\n"
                       "  attnc compile bert/ --dim sequence=128 -o build\n"
                       "  attnc compile gpt2/ --generation -o build\n")
      .Case("run", "  attnc run bert/ --inputs in.safetensors "
                   "--outputs out.safetensors\n"
                   "  attnc run vit/ --image cat.png\n"
                   "  attnc run gpt2/ --ids 464,3616,286 --generate 20\n"
                   "  attnc run build/vit.so --inputs pixel_values=cat.npy\n")
      .Case("verify", "  attnc verify vit/\n"
                      "  attnc verify gpt2/ --generate 8\n"
                      "  attnc verify bert/ --inputs in.safetensors\n")
      .Case("bench", "  attnc bench vit/ --batch 1 --threads 2\n"
                     "  attnc bench bert/ --size sequence=128 --by-kernel\n")
      .Case("inspect", "  attnc inspect vit/\n"
                       "  attnc inspect build/vit.weights --check\n")
      .Case("completion", "  source <(attnc completion)\n")
      .Default("  attnc compile vit-base/ -o build\n");
}

void attn::tool::printHelp(StringRef command, raw_ostream &os) {
  AttncOptions table;
  if (command.empty())
    os << "attnc, the attention compiler: from a Transformer or ViT model to "
          "native code\nthat any program can link.\n\n";
  table.printHelp(os, command.empty() ? "attnc COMMAND [options]" : "", "",
                  /*ShowHidden=*/false, /*ShowAllAliases=*/false,
                  opt::Visibility(), command);
  os << "\nEXAMPLES:\n" << examples(command);
  if (command.empty())
    os << "\n'attnc COMMAND --help' tells more, with examples.\n";
  os << "\nExit codes: 0 success; 1 a model or file is at fault; 2 the command "
        "line is;\n3 verify found a difference; 70 a defect of attnc.\n";
}

void attn::tool::printCompletion(raw_ostream &os) {
  AttncOptions table;
  os << "# bash completion for attnc\n_attnc() {\n"
        "  local word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
        "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"";
  for (const auto &command : OptionSubCommands)
    os << command.Name << ' ';
  os << "--help --version\" -- \"$word\"))\n    return\n  fi\n"
        "  case \"${COMP_WORDS[1]}\" in\n";
  for (const auto &command : OptionSubCommands)
    os << "  " << command.Name << ") COMPREPLY=($(compgen -W \""
       << join(table.optionNames(command.Name), " ")
       << "\" -- \"$word\")) ;;\n";
  os << "  esac\n  case \"$word\" in\n  -*) ;;\n"
        "  *) COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n  esac\n}\n"
        "complete -o filenames -F _attnc attnc\n";
}
