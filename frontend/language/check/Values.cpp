// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of expressions, and how errors call them.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

Value Value::of(bool flag) {
  Value value;
  value.kind = Bool;
  value.flag = flag;
  return value;
}
Value Value::of(Dim dim) {
  Value value;
  value.kind = Int;
  value.dim = std::move(dim);
  return value;
}
Value Value::of(double real) {
  Value value;
  value.kind = Float;
  value.real = real;
  return value;
}
Value Value::of(std::string text) {
  Value value;
  value.kind = String;
  value.text = std::move(text);
  return value;
}
Value Value::of(Node *node) {
  Value value;
  value.kind = node ? Tensor : Error;
  value.node = node;
  return value;
}
Value Value::list(std::vector<Value> items) {
  Value value;
  value.kind = List;
  for (const Value &item : items)
    value.total += item.total;
  value.items = std::move(items);
  return value;
}
Value Value::null() {
  Value value;
  value.kind = Null;
  return value;
}

Value Value::of(const llvm::json::Value &json, llvm::StringRef name) {
  if (std::optional<bool> flag = json.getAsBoolean())
    return of(*flag);
  // 1.0 is a float that getAsInteger accepts; both forms mean the number 1.
  if (std::optional<int64_t> integer = json.getAsInteger()) {
    Value value = of(Dim(*integer));
    value.dim.label = name;
    return value;
  }
  if (std::optional<double> real = json.getAsNumber())
    return of(*real);
  if (std::optional<llvm::StringRef> text = json.getAsString())
    return of(text->str());
  if (json.getAsNull())
    return null();
  Value value;
  value.kind = Json;
  value.json = &json;
  return value;
}

static std::string formatReal(double real) {
  char text[32];
  snprintf(text, sizeof text, "%g", real);
  return text;
}

std::string Value::describe() const {
  switch (kind) {
  case Error:
  case Absent:
    return "nothing";
  case Null:
    return "null";
  case Bool:
    return flag ? "true" : "false";
  case Int:
    return (dim.isConstant() ? "the number " : "the dimension ") + dim.str();
  case Float:
    return "the number " + formatReal(real);
  case String:
    return "the string \"" + text.substr(0, 60) + "\"";
  case Json:
    return json->getAsArray() ? "a JSON array" : "a JSON object";
  case Tensor:
    return (node->inProgram ? "a value " : "a tensor ") + node->type.str();
  case List:
    return "a list of " + std::to_string(items.size()) + " values";
  }
  return "";
}

std::string ValueType::str() const {
  static const char *const names[] = {"f32", "i64", "bool", "index"};
  std::string text = names[size_t(element)];
  if (shape.empty())
    return text;
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "[") + shape[i].str();
  return text + "]";
}
