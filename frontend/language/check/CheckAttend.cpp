// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attend(q, k, v) { score = ...; keep = ...; weight = ... }

#include "frontend/language/check/CheckerImpl.h"

#include <cmath>

using namespace attn::lang;

namespace attn::lang {
/// The operands and options of one attend, while they are gathered.
struct AttendCall {
  ProgramScope scope;
  std::unique_ptr<AttentionInfo> info = std::make_unique<AttentionInfo>();
  Node *value = nullptr, *sink = nullptr;
  std::map<std::string, std::pair<Value, Position>> named;
  Value scale;
};
} // namespace attn::lang

std::vector<std::string> attn::lang::attendParameters() {
  return {"q", "k", "v", "scale", "normalizer", "sink", "weights", "logsumexp"};
}

std::vector<std::string> attn::lang::programNames() {
  return {"q", "k", "dot", "b", "h", "i", "j", "M", "N", "normalized"};
}

Value Checker::attend(const Expr &call) {
  AttendCall attend;
  attend.scale.kind = Value::Absent;
  attend.scope.info = attend.info.get();
  if (!attendArguments(call, attend) || !attendPairs(call, attend) ||
      !attendShapes(call, attend) || !attendOptions(call, attend))
    return Value();
  program = &attend.scope;
  declareProgramNames(call.position);
  bool ok = runProgram(call, attend.scale);
  program = nullptr;
  if (!ok)
    return Value();
  Node *output = attentionNode(call, attend);
  if (!output)
    return Value();
  std::vector<Value> results{Value::of(output)};
  const AttentionInfo &info = *output->attention;
  const Dim &b = attend.scope.batch, &h = attend.scope.heads,
            &m = attend.scope.rows, &n = attend.scope.columns;
  if (!info.weights.empty()) {
    ValueType type{Element::F32, {b, h, m, n}};
    if (info.weights == "mean")
      type.shape.erase(type.shape.begin() + 1);
    results.push_back(Value::of(
        node(NodeKind::AttentionWeights, type, {output}, call.position)));
  }
  if (info.logsumexp)
    results.push_back(
        Value::of(node(NodeKind::AttentionLogSumExp, {Element::F32, {b, h, m}},
                       {output}, call.position)));
  return results.size() == 1 ? results[0] : Value::list(std::move(results));
}

//===----------------------------------------------------------------------===//
// Operands and options
//===----------------------------------------------------------------------===//

bool Checker::attendArguments(const Expr &call, AttendCall &attend) {
  std::vector<std::string> names = attendParameters();
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const Argument &argument = call.arguments[i];
    Position at = argument.value->position;
    std::string name = argument.name;
    if (name.empty() && i < 3)
      name = names[i];
    if (std::find(names.begin(), names.end(), name) == names.end())
      return nodeError(at, name.empty()
                               ? "attend takes q, k, v; what follows is named"
                               : "attend has no parameter '" + name + "'" +
                                     suggestion(name, names)) != nullptr;
    Value value = evaluate(*argument.value);
    if (value.isError())
      return false;
    if (!attend.named.emplace(name, std::pair(value, at)).second)
      return nodeError(at, "parameter '" + name + "' is given twice") !=
             nullptr;
  }
  for (const char *name : {"q", "k", "v"})
    if (!attend.named.count(name))
      return nodeError(call.position, llvm::Twine("attend needs an argument "
                                                  "for '") +
                                          name + "'") != nullptr;
  return true;
}

bool Checker::attendPairs(const Expr &call, AttendCall &attend) {
  auto gather = [&](const std::string &name, std::vector<Node *> &out) {
    auto &[value, at] = attend.named.at(name);
    std::vector<Value> items =
        value.kind == Value::List ? value.items : std::vector<Value>{value};
    for (const Value &item : items) {
      if (item.kind != Value::Tensor || item.node->type.rank() != 4 ||
          item.node->type.element != Element::F32)
        return nodeError(at, "attend expects a tensor f32[batch, heads, "
                             "sequence, width] as '" +
                                 name + "', but got " + item.describe()) !=
               nullptr;
      out.push_back(item.node);
    }
    return true;
  };
  std::vector<Node *> value;
  if (!gather("q", attend.scope.queries) || !gather("k", attend.scope.keys) ||
      !gather("v", value))
    return false;
  if (attend.scope.queries.size() != attend.scope.keys.size() ||
      attend.scope.queries.empty() || value.size() != 1)
    return nodeError(call.position,
                     "attend expects as many keys as queries and one value") !=
           nullptr;
  attend.value = value[0];
  attend.info->pairs = attend.scope.queries.size();
  return true;
}

bool Checker::attendShapes(const Expr &call, AttendCall &attend) {
  ProgramScope &s = attend.scope;
  const std::vector<Dim> &q = s.queries[0]->type.shape;
  const std::vector<Dim> &v = attend.value->type.shape;
  s.batch = q[0], s.heads = q[1], s.rows = q[2], s.columns = v[2];
  std::optional<int64_t> heads = q[1].constant(), groups = v[1].constant();
  bool divides =
      heads && groups ? *groups && *heads % *groups == 0 : q[1] == v[1];
  bool fits = divides && v[0] == q[0];
  for (auto [query, key] : llvm::zip_equal(s.queries, s.keys)) {
    const std::vector<Dim> &a = query->type.shape, &b = key->type.shape;
    fits = fits && a[3] == b[3] && a[3].isConstant() && a[0] == q[0] &&
           a[1] == q[1] && a[2] == q[2] && b[0] == v[0] && b[1] == v[1] &&
           b[2] == v[2];
    if (!fits)
      return nodeError(call.position,
                       "attend expects q [b, h, m, d], k [b, g, n, d] and v "
                       "[b, g, n, e] where g divides h, but got " +
                           query->type.str() + ", " + key->type.str() +
                           " and " + attend.value->type.str()) != nullptr;
  }
  return true;
}

bool Checker::attendOptions(const Expr &call, AttendCall &attend) {
  AttentionInfo &info = *attend.info;
  auto fail = [&](const std::string &name, const llvm::Twine &expected) {
    auto &[value, at] = attend.named.at(name);
    nodeError(at, "attend expects " + expected + " as '" + name +
                      "', but got " + value.describe());
    return false;
  };
  for (auto &[name, given] : attend.named) {
    const Value &value = given.first;
    // As with other functions, null means "not given".
    if (value.kind == Value::Null)
      continue;
    if (name == "scale") {
      attend.scale = value;
    } else if (name == "normalizer") {
      if (value.text != "softmax" && value.text != "sigmoid" &&
          value.text != "sum")
        return fail(name, "\"softmax\", \"sigmoid\" or \"sum\"");
      info.normalizer = value.text;
    } else if (name == "weights") {
      if (value.text != "heads" && value.text != "mean")
        return fail(name, "\"heads\" or \"mean\"");
      info.weights = value.text;
    } else if (name == "logsumexp") {
      if (value.kind != Value::Bool)
        return fail(name, "true or false");
      info.logsumexp = value.flag;
    } else if (name == "sink") {
      if (value.kind != Value::Tensor ||
          value.node->type.element != Element::F32 ||
          value.node->type.shape != std::vector<Dim>{attend.scope.heads})
        return fail(name, "a tensor f32[heads]");
      attend.sink = value.node;
      info.hasSink = true;
    }
  }
  if (info.normalizer != "softmax" && (info.hasSink || info.logsumexp))
    return nodeError(call.position, "'sink' and 'logsumexp' go with the "
                                    "softmax normalizer only") != nullptr;
  if (attend.scale.kind != Value::Absent && call.hasProgram)
    return nodeError(call.position, "'scale' goes without a score program; "
                                    "write score = dot * ...") != nullptr;
  return true;
}

Node *Checker::attentionNode(const Expr &call, AttendCall &attend) {
  ProgramScope &s = attend.scope;
  std::vector<Node *> operands = s.queries;
  operands.insert(operands.end(), s.keys.begin(), s.keys.end());
  operands.push_back(attend.value);
  operands.insert(operands.end(), s.captures.begin(), s.captures.end());
  if (attend.sink)
    operands.push_back(attend.sink);
  attend.info->captures = s.captures.size();
  ValueType type{Element::F32,
                 {s.batch, s.heads, s.rows, attend.value->type.shape[3]}};
  Node *result = node(NodeKind::Attention, type, operands, call.position);
  if (result)
    result->attention = std::move(attend.info);
  return result;
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

Node *Checker::argument(int64_t index, ValueType type, std::string name,
                        Position position) {
  Node *result = node(NodeKind::Argument, std::move(type), {}, position);
  if (result) {
    result->index = index;
    result->name = std::move(name);
  }
  return result;
}

/// q, k, dot (lists of them for several pairs), b, h, i, j, M, N, normalized.
void Checker::declareProgramNames(Position position) {
  ProgramScope &s = *program;
  std::vector<Value> q, k, dot;
  for (size_t p = 0; p < s.queries.size(); ++p) {
    ValueType type{Element::F32, {s.queries[p]->type.shape[3]}};
    Node *query = argument(2 * p, type, "q", position);
    Node *key = argument(2 * p + 1, type, "k", position);
    if (!query || !key)
      return;
    q.push_back(Value::of(query));
    k.push_back(Value::of(key));
    dot.push_back(Value::of(
        node(NodeKind::Dot, {Element::F32, {}}, {query, key}, position)));
  }
  bool one = q.size() == 1;
  s.names["q"] = one ? q[0] : Value::list(q);
  s.names["k"] = one ? k[0] : Value::list(k);
  s.names["dot"] = one ? dot[0] : Value::list(dot);
  int64_t index = 2 * s.queries.size();
  for (const char *name : {"b", "h", "i", "j", "M", "N"})
    s.names[name] =
        Value::of(argument(index++, {Element::Index, {}}, name, position));
  s.names["normalized"] =
      Value::of(argument(-1, {Element::F32, {}}, "normalized", position));
}

bool Checker::runProgram(const Expr &call, const Value &scale) {
  unsigned errorsBefore = diagnostics.hasErrors();
  if (!runProgramBody(call.program))
    return false;
  if (!program->info->score && !defaultScore(scale, call.position))
    return false;
  return !diagnostics.hasErrors() || errorsBefore;
}

bool Checker::runProgramBody(const StmtList &body) {
  for (const Stmt &s : body) {
    bool ok = s.names.size() == 1;
    if (ok && s.kind == Stmt::Assign)
      ok = assignInProgram(s);
    else if (ok && s.kind == Stmt::For && !s.scope)
      ok = runProgramLoop(s);
    else if (ok && s.kind == Stmt::Let)
      ok = !(program->names[s.names[0]] = evaluate(*s.value)).isError();
    else
      return nodeError(s.position,
                       "expects let, for, score, keep, weight or a "
                       "new value of a name in a score program") != nullptr;
    if (!ok)
      return false;
  }
  return true;
}

/// Unrolled like any loop; what its body defines ends with it.
bool Checker::runProgramLoop(const Stmt &s) {
  int64_t low, high;
  if (!loopRange(s, low, high))
    return false;
  for (int64_t i = low; i < high; ++i) {
    std::map<std::string, Value> outer = program->names;
    program->names[s.names[0]] = Value::of(Dim(i));
    if (!runProgramBody(s.body))
      return false;
    for (auto &[name, value] : outer)
      if (name != s.names[0])
        value = program->names[name];
    program->names = std::move(outer);
  }
  return true;
}

/// score, keep, weight, or a new value for a name that `let` defined.
bool Checker::assignInProgram(const Stmt &s) {
  auto known = program->names.find(s.names[0]);
  if (known == program->names.end() ||
      llvm::is_contained(programNames(), s.names[0]))
    return assignRegion(s);
  Value value = evaluate(*s.value);
  known->second = value;
  return !value.isError();
}

bool Checker::assignRegion(const Stmt &s) {
  AttentionInfo &info = *program->info;
  const std::string &name = s.names[0];
  Node **region = name == "score"    ? &info.score
                  : name == "keep"   ? &info.keep
                  : name == "weight" ? &info.weight
                                     : nullptr;
  if (!region)
    return nodeError(s.position, "expects score, keep or weight before '=', "
                                 "but got '" +
                                     name + "'") != nullptr;
  if (*region)
    return nodeError(s.position, "'" + name + "' is given twice") != nullptr;
  Value value = evaluate(*s.value);
  Node *result = value.isError() ? nullptr : asNode(value, s.value->position);
  result = result ? programValue(result, s.value->position) : nullptr;
  if (!result)
    return false;
  Element wanted = region == &info.keep ? Element::Bool : Element::F32;
  if (wanted == Element::F32 && !result->type.rank() &&
      result->type.element != Element::Bool &&
      result->type.element != Element::F32)
    result = map(Function::ToF32, {result}, s.value->position);
  if (!result)
    return false;
  if (result->type.rank() || result->type.element != wanted)
    return nodeError(s.value->position,
                     "expects '" + name + "' to be one " +
                         (wanted == Element::Bool ? "condition" : "number") +
                         ", but got a value " + result->type.str()) != nullptr;
  // A mask that an absent input made constant keeps everything.
  if (region == &info.keep && result->isConstant() && result->integer)
    return true;
  *region = result;
  return true;
}

bool Checker::defaultScore(const Value &scale, Position position) {
  ProgramScope &s = *program;
  if (s.queries.size() != 1)
    return nodeError(position, "several pairs need a score program") != nullptr;
  Value factor = scale;
  if (factor.kind == Value::Absent) {
    int64_t width = *s.queries[0]->type.shape[3].constant();
    factor = Value::of(1 / std::sqrt(double(width)));
  }
  Value score = apply(Function::Mul, {s.names["dot"], factor}, position);
  s.info->score = score.node;
  return !score.isError();
}

Value Checker::programSum(Args &args) {
  Node *x = nullptr;
  if (args.values[1].kind != Value::Absent ||
      args.values[2].kind != Value::Absent)
    return error(args.call.position,
                 "'sum' takes one vector in a score program");
  if (!tensorArg(args, 0, x) || !(x = programValue(x, args.call.position)))
    return Value();
  if (x->type.rank() != 1 || x->type.element != Element::F32)
    return error(args.call.position,
                 "expects a vector f32, but got " + x->type.str());
  return Value::of(
      node(NodeKind::VectorSum, {Element::F32, {}}, {x}, args.call.position));
}
