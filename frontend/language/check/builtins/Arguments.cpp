// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions of the arguments of built-in functions.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

bool Checker::argError(Args &args, unsigned i, const llvm::Twine &expected) {
  llvm::SmallVector<llvm::StringRef> params;
  args.builtin.params.split(params, ' ', -1, false);
  if (params.front().starts_with("..."))
    params.erase(params.begin());
  mismatch(args.positions[i], args.values[i], expected,
           "'" + args.call.name + "' ", " as '" + params[i].rtrim('?') + "'");
  return false;
}

bool Checker::tensorArg(Args &args, unsigned i, Node *&out) {
  const Value &value = args.values[i];
  if (value.kind != Value::Tensor)
    return value.kind == Value::Absent || argError(args, i, "a tensor");
  out = value.node;
  return true;
}

bool Checker::dimArg(Args &args, unsigned i, Dim &out) {
  const Value &value = args.values[i];
  if (value.kind == Value::Absent)
    return true;
  std::optional<int64_t> size = value.dim.constant();
  if (value.kind != Value::Int || (size && *size < 1))
    return argError(args, i, "a size of at least 1");
  out = value.dim;
  // A size is best called what the description calls it.
  for (const Argument &argument : args.call.arguments)
    if (argument.value->position.offset == args.positions[i].offset &&
        out.label.empty() && out.isConstant() &&
        argument.value->kind == Expr::Name)
      out.label = argument.value->name;
  return true;
}

bool Checker::intArg(Args &args, unsigned i, int64_t &out) {
  const Value &value = args.values[i];
  if (value.kind == Value::Absent)
    return true;
  if (value.kind != Value::Int || !value.dim.isConstant())
    return argError(args, i, "a whole number known when compiling");
  out = *value.dim.constant();
  return true;
}

bool Checker::sizeArg(Args &args, unsigned i, int64_t &out) {
  return intArg(args, i, out) &&
         (out >= 1 || argError(args, i, "a size of at least 1"));
}

bool Checker::realArg(Args &args, unsigned i, double &out) {
  const Value &value = args.values[i];
  if (value.kind == Value::Absent)
    return true;
  if (value.kind == Value::Float)
    out = value.real;
  else if (value.kind == Value::Int && value.dim.isConstant())
    out = double(*value.dim.constant());
  else
    return argError(args, i, "a number known when compiling");
  return true;
}

bool Checker::textArg(Args &args, unsigned i, std::string &out) {
  if (args.values[i].kind == Value::Absent)
    return true;
  if (args.values[i].kind != Value::String)
    return argError(args, i, "a string");
  out = args.values[i].text;
  return true;
}

bool Checker::flagArg(Args &args, unsigned i, bool &out) {
  if (args.values[i].kind == Value::Absent)
    return true;
  if (args.values[i].kind != Value::Bool)
    return argError(args, i, "true or false");
  out = args.values[i].flag;
  return true;
}

bool Checker::axisArg(Args &args, unsigned i, size_t rank, int64_t &out) {
  if (!intArg(args, i, out))
    return false;
  if (out < 0)
    out += int64_t(rank);
  return (out >= 0 && out < int64_t(rank)) ||
         argError(args, i, "a dimension below " + llvm::Twine(rank));
}

bool Checker::shapeArg(Args &args, unsigned i, std::vector<Dim> &out) {
  const Value &value = args.values[i];
  if (value.kind != Value::List || value.items.empty())
    return argError(args, i, "a shape such as [batch, 3]");
  for (const Value &item : value.items) {
    std::optional<int64_t> size = item.dim.constant();
    if (item.kind != Value::Int || (size && *size < 1)) {
      mismatch(args.positions[i], item, "a size of at least 1",
               "'" + args.call.name + "' ");
      return false;
    }
    out.push_back(item.dim);
  }
  return true;
}
