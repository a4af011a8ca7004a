// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recurrences: the body of a scan is checked once and runs for every step.

#include "frontend/language/check/CheckerImpl.h"

#include "llvm/ADT/STLExtras.h"

using namespace attn::lang;

namespace attn::lang {
/// A scan while it is checked.
struct ScanCall {
  std::unique_ptr<ScanInfo> info = std::make_unique<ScanInfo>();
  /// What the body assigns of the names around it, and their first values,
  /// tensors or lists of tensors: the carried values are these tensors.
  std::vector<std::string> carried;
  std::vector<Value> first;
  std::vector<Node *> initials, inputs; // inputs with the steps in front
  std::vector<int64_t> axes;            // where the steps of each input were
  Dim steps;
};
} // namespace attn::lang

namespace {

/// Collects the names that statements give a new value and do not define.
class AssignedNames {
public:
  void collect(const StmtList &body, std::set<std::string> defined) {
    for (const Stmt &s : body) {
      visit(s.value, defined);
      for (const ExprPtr &value : s.values)
        visit(value, defined);
      for (const std::string &name : s.names)
        if (s.kind == Stmt::Let)
          defined.insert(name);
        else if (s.kind == Stmt::Assign && !defined.count(name) &&
                 !llvm::is_contained(names, name))
          names.push_back(name);
      std::set<std::string> inside = defined;
      if (s.kind == Stmt::For)
        inside.insert(s.names[0]);
      collect(s.body, inside);
      collect(s.otherwise, inside);
    }
  }
  std::vector<std::string> names; // in order of appearance

private:
  /// Scans in expressions assign names, too.
  void visit(const ExprPtr &expr, const std::set<std::string> &defined) {
    if (!expr)
      return;
    for (const ExprPtr &child : expr->children)
      visit(child, defined);
    for (const Argument &argument : expr->arguments)
      visit(argument.value, defined);
    for (const ScanInput &input : expr->inputs)
      visit(input.value, defined);
    if (expr->kind != Expr::Scan)
      return;
    std::set<std::string> inside = defined;
    for (const ScanInput &input : expr->inputs)
      inside.insert(input.name);
    collect(expr->program, inside);
  }
};

/// The tensors of a value, in order; false where it has others.
bool flatten(const Value &value, std::vector<Node *> &tensors) {
  if (value.kind == Value::Tensor)
    tensors.push_back(value.node);
  return value.kind == Value::Tensor ||
         (value.kind == Value::List &&
          llvm::all_of(value.items, [&](const Value &item) {
            return flatten(item, tensors);
          }));
}

/// The same value with the next tensors in place of its own.
Value withTensors(Value value, llvm::ArrayRef<Node *> &tensors) {
  if (value.kind == Value::Tensor) {
    value = Value::of(tensors.front());
    tensors = tensors.drop_front();
  }
  for (Value &item : value.items)
    item = withTensors(std::move(item), tensors);
  return value;
}

/// Whether two lists have their tensors at the same places.
bool haveOneForm(const Value &a, const Value &b) {
  return a.kind == b.kind && a.items.size() == b.items.size() &&
         llvm::all_of(llvm::zip(a.items, b.items), [](const auto &pair) {
           return haveOneForm(std::get<0>(pair), std::get<1>(pair));
         });
}

/// The order of dimensions that puts one of them in front, or back.
std::vector<int64_t> moveAxis(size_t rank, int64_t from, int64_t to) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < rank; ++i)
    if (int64_t(i) != from)
      order.push_back(i);
  order.insert(order.begin() + to, from);
  return order;
}

} // namespace

//===----------------------------------------------------------------------===//
// What goes in
//===----------------------------------------------------------------------===//

Node *Checker::scanArgument(ValueType type, std::string name, Position position,
                            ScanCall &scan) {
  Node *argument = node(NodeKind::ScanArgument, std::move(type), {}, position);
  if (argument) {
    argument->name = std::move(name);
    argument->home = scan.info.get();
    scan.info->arguments.push_back(argument);
  }
  return argument;
}

bool Checker::scanInput(const ScanInput &input, ScanCall &scan) {
  Value value = evaluate(*input.value);
  if (value.isError())
    return false;
  if (value.kind != Value::Tensor || value.node->type.rank() < 2) {
    mismatch(input.value->position, value,
             "a tensor of two dimensions or more to scan");
    return false;
  }
  Node *x = value.node;
  int64_t rank = x->type.rank(), axis = 0;
  if (input.axis) {
    Value along = evaluate(*input.axis);
    if (along.isError())
      return false;
    std::optional<int64_t> number =
        along.kind == Value::Int ? along.dim.constant() : std::nullopt;
    if (!number || *number < -rank || *number >= rank) {
      mismatch(input.axis->position, along,
               "a dimension of " + x->type.str() + " after 'along'");
      return false;
    }
    axis = *number < 0 ? *number + rank : *number;
  }
  if (scan.inputs.empty())
    scan.steps = x->type.shape[axis];
  else if (!(x->type.shape[axis] == scan.steps))
    return nodeError(input.value->position,
                     "expects as many steps as the first input has, " +
                         scan.steps.str() + ", but dimension " +
                         llvm::Twine(axis) + " of '" + input.name + "' in " +
                         x->type.str() + " is " + x->type.shape[axis].str()) !=
           nullptr;
  if (axis != 0)
    x = transpose(x, moveAxis(rank, axis, 0), input.position);
  if (!x)
    return false;
  scan.axes.push_back(axis);
  scan.inputs.push_back(x);
  return true;
}

bool Checker::scanInputs(const Expr &expr, ScanCall &scan) {
  return llvm::all_of(expr.inputs, [&](const ScanInput &input) {
    return scanInput(input, scan);
  });
}

/// A name from around the scan that its body assigns is carried: a step sees
/// what the one before it has assigned.
bool Checker::scanCarried(const Expr &expr, ScanCall &scan) {
  AssignedNames assigned;
  std::set<std::string> steps;
  for (const ScanInput &input : expr.inputs)
    steps.insert(input.name);
  assigned.collect(expr.program, steps);
  for (const std::string &name : assigned.names) {
    Value *value = local(name);
    if (!value)
      continue; // an unknown name, reported where it is assigned
    if (value->isError())
      return false;
    if (!flatten(*value, scan.initials)) {
      mismatch(expr.position, *value,
               "a tensor, or a list of tensors, as the first value of '" +
                   name + "', which the scan carries from step to step");
      return false;
    }
    scan.carried.push_back(name);
    scan.first.push_back(*value);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

/// Checks the body with the names of this step in scope. The carried names
/// stand for what the step before it left until they are assigned.
bool Checker::runScan(const Expr &expr, ScanCall &scan, Value &returned) {
  for (Node *initial : scan.initials)
    if (!scanArgument(initial->type, initial->name, initial->position, scan))
      return false;
  llvm::ArrayRef<Node *> arguments = scan.info->arguments;
  for (auto [name, first] : llvm::zip_equal(scan.carried, scan.first))
    *local(name) = withTensors(first, arguments);
  frames.back().scopes.emplace_back();
  std::map<std::string, Value> &names = frames.back().scopes.back();
  Flow flow = Flow::Next;
  for (auto [input, x] : llvm::zip_equal(expr.inputs, scan.inputs)) {
    ValueType entry{x->type.element,
                    {x->type.shape.begin() + 1, x->type.shape.end()}};
    Node *argument = scanArgument(entry, input.name, input.position, scan);
    if (!argument)
      flow = Flow::Failed;
    else if (!names.emplace(input.name, Value::of(argument)).second) {
      error(input.position, "'" + input.name + "' is the step of two inputs");
      flow = Flow::Failed;
    }
  }
  size_t assigned = frames.back().assigned.size();
  if (flow == Flow::Next)
    flow = execute(expr.program, returned);
  frames.back().assigned.resize(assigned);
  frames.back().scopes.pop_back();
  if (flow == Flow::Next)
    returned.kind = Value::Absent;
  return flow != Flow::Failed;
}

/// What a step carries on has the type that it found.
bool Checker::yieldCarried(const Expr &expr, ScanCall &scan) {
  std::vector<Node *> &yielded = scan.info->yielded;
  for (auto [name, first] : llvm::zip_equal(scan.carried, scan.first)) {
    Value next = *local(name);
    size_t begin = yielded.size();
    if (next.isError())
      return false;
    if (!flatten(next, yielded) || !haveOneForm(next, first)) {
      error(expr.position,
            "expects '" + name + "', which the scan carries, to stay " +
                first.describe() + ", but a step makes it " + next.describe());
      return false;
    }
    for (size_t i = begin; i < yielded.size(); ++i) {
      const ValueType &before = scan.initials[i]->type;
      const ValueType &after = yielded[i]->type;
      if (before.element == after.element && before.shape == after.shape)
        continue;
      error(yielded[i]->position,
            "expects '" + name + "', which the scan carries, to stay " +
                before.str() + ", but a step makes it " + after.str());
      return false;
    }
  }
  return true;
}

bool Checker::yieldOutputs(const Expr &expr, const Value &returned,
                           ScanCall &scan) {
  std::vector<Value> outputs;
  if (returned.kind == Value::List)
    outputs = returned.items;
  else if (returned.kind != Value::Absent)
    outputs = {returned};
  for (const Value &output : outputs) {
    if (output.isError())
      return false;
    if (output.kind != Value::Tensor || !output.node->type.rank() ||
        int64_t(output.node->type.rank()) < scan.axes.front()) {
      mismatch(expr.position, output,
               "a tensor of " +
                   llvm::Twine(std::max<int64_t>(1, scan.axes.front())) +
                   " dimensions or more from every step",
               "",
               " to stack along dimension " + llvm::Twine(scan.axes.front()));
      return false;
    }
    scan.info->yielded.push_back(output.node);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// What comes out
//===----------------------------------------------------------------------===//

/// Gives the carried names their last values, and returns the outputs of all
/// steps, along the dimension that the first input is scanned along.
Value Checker::scanResults(const Expr &expr, ScanCall &scan) {
  unsigned carried = scan.initials.size();
  std::vector<Node *> yielded = scan.info->yielded, operands = scan.initials;
  operands.insert(operands.end(), scan.inputs.begin(), scan.inputs.end());
  Node *whole =
      node(NodeKind::Scan, scan.inputs[0]->type, operands, expr.position);
  if (!whole)
    return Value();
  whole->scan = std::move(scan.info);
  std::vector<Value> outputs;
  std::vector<Node *> last;
  for (auto [i, entry] : llvm::enumerate(yielded)) {
    ValueType type = entry->type;
    if (i >= carried)
      type.shape.insert(type.shape.begin(), scan.steps);
    Node *result = node(NodeKind::ScanResult, type, {whole}, expr.position);
    if (!result)
      return Value();
    result->index = i;
    if (i < carried) {
      last.push_back(result);
      continue;
    }
    if (scan.axes.front() != 0)
      result = transpose(result, moveAxis(type.rank(), 0, scan.axes.front()),
                         expr.position);
    outputs.push_back(Value::of(result));
  }
  llvm::ArrayRef<Node *> results = last;
  for (auto [name, first] : llvm::zip_equal(scan.carried, scan.first)) {
    *local(name) = withTensors(first, results);
    frames.back().assigned.push_back(name);
  }
  if (outputs.size() == 1)
    return outputs.front();
  Value all = Value::list(outputs);
  all.kind = outputs.empty() ? Value::Absent : all.kind;
  return all;
}

Value Checker::evaluateScan(const Expr &expr) {
  if (program)
    return error(expr.position, "a scan cannot stand in a score program");
  ScanCall scan;
  if (!scanInputs(expr, scan) || !scanCarried(expr, scan))
    return Value();
  const ScanInfo *outer = std::exchange(home, scan.info.get());
  scan.info->carried = scan.initials.size();
  scan.info->reversed = expr.flag;
  Value returned;
  bool ok = runScan(expr, scan, returned) && yieldCarried(expr, scan) &&
            yieldOutputs(expr, returned, scan);
  home = outer;
  if (ok)
    return scanResults(expr, scan);
  // The error is told; what reads the values of the body would repeat it.
  for (const std::string &name : scan.carried)
    *local(name) = Value();
  return Value();
}
