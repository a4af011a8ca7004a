// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model and what surrounds it: config, inputs, outputs, requirements.

#include "frontend/language/check/CheckerImpl.h"

using namespace attn::lang;

static constexpr int64_t maxDimSize = int64_t(1) << 31;

std::unique_ptr<Graph> attn::lang::check(const Description &description,
                                         const CheckOptions &options,
                                         Diagnostics &diagnostics) {
  return Checker(description, options, diagnostics).run();
}

Checker::Checker(const Description &description, const CheckOptions &options,
                 Diagnostics &diagnostics)
    : description(description), options(options), diagnostics(diagnostics),
      graph(std::make_unique<Graph>()) {}

Value Checker::error(Position position, const llvm::Twine &message) {
  diagnostics.error(position, message);
  // The innermost calls tell enough.
  size_t shown = 0;
  for (auto call = calls.rbegin(); call != calls.rend() && shown < 4;
       ++call, ++shown)
    diagnostics.note(*call, "in the block called here");
  return Value();
}

Node *Checker::nodeError(Position position, const llvm::Twine &message) {
  error(position, message);
  return nullptr;
}

Value Checker::mismatch(Position position, const Value &found,
                        const llvm::Twine &what, const llvm::Twine &who,
                        const llvm::Twine &role) {
  const ConfigParam *param = found.param;
  if (!param)
    return error(position, who + "expects " + what + role + ", but got " +
                               found.describe());
  const std::string &key = param->path.empty() ? param->name : param->path;
  Value unnamed = found; // the message has its name
  unnamed.dim.label.clear();
  diagnostics.errorIn(options.configPlace ? options.configPlace(key)
                                          : "config.json",
                      "expects '" + param->name + "' to be " + what +
                          ", but got " + unnamed.describe());
  diagnostics.note(position, "used here");
  return Value();
}

std::unique_ptr<Graph> Checker::run() {
  frames.emplace_back();
  const ModelDecl *model =
      checkNames()
          ? chooseEntry(description, options.model, options.kernel, diagnostics)
          : nullptr;
  if (!model)
    return nullptr;
  entry = model;
  if (model->kernel && options.config && !options.config->empty()) {
    diagnostics.error("kernel '" + model->name + "' takes no config.json");
    return nullptr;
  }
  graph->name = model->name;
  graph->position = model->position;
  graph->ignored = description.ignored;
  graph->aliases = description.aliases;
  checkGlobalRequirements();
  if (!declareInputs(*model))
    return nullptr;
  Value result;
  Flow flow = execute(model->body, result);
  if (flow == Flow::Next)
    error(model->position, kind() + " returns nothing");
  if (flow == Flow::Returned)
    checkOutputs(*model, result);
  if (!diagnostics.hasErrors())
    checkNamesEverywhere(description, diagnostics);
  return diagnostics.hasErrors() ? nullptr : std::move(graph);
}

/// "model 'ViT'": how messages call what is built.
std::string Checker::kind() const {
  return (entry->kernel ? "kernel '" : "model '") + entry->name + "'";
}

/// Parameters and constants share their names; blocks have theirs, and models
/// and kernels too.
bool Checker::checkNames() {
  using Names = std::map<llvm::StringRef, Position>;
  auto declare = [&](Names &names, llvm::StringRef name, Position position) {
    auto [entry, isNew] = names.emplace(name, position);
    if (isNew)
      return;
    diagnostics.error(position, "'" + name + "' is defined already");
    diagnostics.note(entry->second, "here");
  };
  Names values, blocks, models;
  for (const ConfigParam &param : description.config)
    declare(values, param.name, param.position);
  for (const Global &constant : description.globals)
    declare(values, constant.name, constant.position);
  for (const BlockDecl &block : description.blocks)
    declare(blocks, block.name, block.position);
  for (const ModelDecl &model : description.models)
    declare(models, model.name, model.position);
  return !diagnostics.hasErrors();
}

void Checker::checkGlobalRequirements() {
  for (const Stmt &s : description.requirements)
    require(s);
}

//===----------------------------------------------------------------------===//
// Config parameters and global constants
//===----------------------------------------------------------------------===//

/// Whether --dim may give a parameter its value. Kernels have no config.json,
/// so all of theirs; of a model's those that are a size of one of its inputs.
/// The others belong to the checkpoint.
bool Checker::isChosenByDim(const ConfigParam &param) {
  if (entry->kernel)
    return true;
  for (const Port &port : entry->inputs)
    for (const ExprPtr &dim : port.type.dims)
      if (dim->kind == Expr::Name && dim->name == param.name)
        return true;
  return false;
}

Value Checker::bindConfig(const ConfigParam &param) {
  auto fixed = options.dims.find(param.name);
  if (fixed != options.dims.end() && isChosenByDim(param)) {
    Dim size(fixed->second);
    size.label = param.name;
    return Value::of(size);
  }
  const llvm::json::Object *object = options.config;
  if (object && !param.path.empty())
    object = object->getObject(param.path);
  const llvm::json::Value *json = object ? object->get(param.name) : nullptr;
  // null means "not given" wherever there is a default.
  if (json && !(param.fallback && json->getAsNull())) {
    Value value = Value::of(*json, param.name);
    value.param = &param;
    return value;
  }
  if (param.fallback) {
    Value value = evaluate(*param.fallback);
    if (value.kind == Value::Int && value.dim.isConstant())
      value.dim.label = param.name;
    return value;
  }
  if (entry->kernel)
    return error(param.position, kind() + " takes no config.json: parameter '" +
                                     param.name + "' needs a default");
  std::vector<std::string> keys;
  if (object)
    for (const auto &entry : *object)
      keys.push_back(entry.first.str());
  std::string where = param.path.empty() ? "" : " in '" + param.path + "'";
  return error(param.position, "config key '" + param.name + "' is missing" +
                                   where + suggestion(param.name, keys));
}

Value Checker::global(const std::string &name, Position position, bool &found) {
  found = true;
  auto known = globals.find(name);
  if (known != globals.end())
    return known->second;
  const ConfigParam *param = nullptr;
  const Global *constant = nullptr;
  for (const ConfigParam &candidate : description.config)
    if (candidate.name == name)
      param = &candidate;
  for (const Global &candidate : description.globals)
    if (candidate.name == name)
      constant = &candidate;
  if (!param && !constant) {
    found = false;
    return Value();
  }
  if (!evaluating.insert(name).second)
    return error(position, "'" + name + "' is defined by itself");
  // A global sees globals only, and no weight scope.
  frames.emplace_back();
  std::vector<std::string> outerScope;
  outerScope.swap(scope);
  ProgramScope *outerProgram = std::exchange(program, nullptr);
  const ScanInfo *outerHome = std::exchange(home, nullptr);
  Value value = param ? bindConfig(*param) : evaluate(*constant->value);
  home = outerHome;
  program = outerProgram;
  scope.swap(outerScope);
  frames.pop_back();
  evaluating.erase(name);
  if (constant && value.kind == Value::Int && value.dim.isConstant())
    value.dim.label = name;
  return globals[name] = value;
}

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

bool Checker::declareInputs(const ModelDecl &model) {
  if (!declareDims(model) || !checkDimOptions(model))
    return false;
  std::vector<std::string> optionals;
  for (const Port &port : model.inputs)
    if (port.optional)
      optionals.push_back(port.name);
  for (const std::string &name : options.absent)
    if (std::find(optionals.begin(), optionals.end(), name) == optionals.end())
      diagnostics.error(kind() + " has no optional input '" + name + "'" +
                        suggestion(name, optionals));
  if (diagnostics.hasErrors())
    return false;
  bool ok = true;
  for (const Port &port : model.inputs)
    ok &= declareInput(port);
  return ok;
}

/// Names in the shapes of inputs that nothing else defines are dynamic.
bool Checker::declareDims(const ModelDecl &model) {
  std::vector<std::string> config;
  for (const ConfigParam &param : description.config)
    config.push_back(param.name);
  for (const Port &port : model.inputs)
    for (const ExprPtr &dim : port.type.dims) {
      if (dim->kind != Expr::Name || local(dim->name))
        continue;
      bool found;
      Value value = global(dim->name, dim->position, found);
      if (found && value.isError())
        return false;
      if (found)
        continue;
      // A misspelt parameter would otherwise become a dynamic dimension.
      if (dim->name.size() > 5 && !nearest(dim->name, config).empty() &&
          llvm::StringRef(dim->name).edit_distance(
              nearest(dim->name, config)) <= 2) {
        error(dim->position, "unknown dimension '" + dim->name + "'" +
                                 suggestion(dim->name, config));
        return false;
      }
      auto fixed = options.dims.find(dim->name);
      Dim size = Dim::symbol(dim->name);
      if (fixed != options.dims.end()) {
        size = Dim(fixed->second);
        size.label = dim->name;
      }
      frames.back().scopes.back()[dim->name] = Value::of(size);
    }
  return true;
}

/// The name that was meant, or all there are.
static std::string alternatives(llvm::StringRef name,
                                std::vector<std::string> names) {
  std::string meant = suggestion(name, names);
  if (!meant.empty())
    return meant;
  llvm::sort(names);
  return "; it has " + (names.empty() ? "none" : llvm::join(names, ", "));
}

bool Checker::checkDimOptions(const ModelDecl &model) {
  std::vector<std::string> dims;
  for (const auto &entry : frames.back().scopes.back())
    dims.push_back(entry.first);
  for (const ConfigParam &param : description.config)
    if (isChosenByDim(param))
      dims.push_back(param.name);
  for (const auto &option : options.dims) {
    std::string name = option.getKey().str();
    if (!llvm::is_contained(dims, name))
      diagnostics.error(kind() + " has no dimension '" + name + "'" +
                        alternatives(name, dims));
    else if (option.getValue() < 1 || option.getValue() > maxDimSize)
      diagnostics.error("dimension '" + name + "' must be from 1 to " +
                        llvm::Twine(maxDimSize) + ", but is " +
                        llvm::Twine(option.getValue()));
  }
  return !diagnostics.hasErrors();
}

bool Checker::portShape(const Port &port, std::vector<Dim> &shape) {
  for (const ExprPtr &expr : port.type.dims) {
    Value value = evaluate(*expr);
    if (value.isError())
      return false;
    std::optional<int64_t> size =
        value.kind == Value::Int ? value.dim.constant() : std::nullopt;
    if (value.kind != Value::Int ||
        (size && (*size < 1 || *size > maxDimSize))) {
      mismatch(expr->position, value,
               "a dimension from 1 to " + llvm::Twine(maxDimSize));
      return false;
    }
    shape.push_back(value.dim);
  }
  return true;
}

bool Checker::declareInput(const Port &port) {
  if (frames.back().scopes.back().count(port.name)) {
    error(port.position, "'" + port.name + "' names two things");
    return false;
  }
  ValueType type;
  type.element = port.type.element == "f32" ? Element::F32 : Element::I64;
  if (!portShape(port, type.shape))
    return false;
  bool absent = std::find(options.absent.begin(), options.absent.end(),
                          port.name) != options.absent.end();
  Node *value = nullptr;
  if (absent) {
    Value fallback = evaluate(*port.fallback);
    if (fallback.isError())
      return false;
    if (fallback.kind == Value::Null) {
      frames.back().scopes.back()[port.name] = fallback;
      return true;
    }
    bool integer = fallback.kind == Value::Int && fallback.dim.isConstant();
    if (!integer &&
        (fallback.kind != Value::Float || type.element != Element::F32)) {
      error(port.fallback->position,
            "expects a number or null as default, but got " +
                fallback.describe());
      return false;
    }
    int64_t number = integer ? *fallback.dim.constant() : 0;
    value = constant(type.element, integer ? number : fallback.real, number,
                     type.shape, port.position);
  } else {
    value = node(NodeKind::Input, type, {}, port.position);
    if (value) {
      value->name = port.name;
      value->index = graph->inputs.size();
      graph->inputs.push_back({port.name, value, std::nullopt});
    }
  }
  if (port.below) {
    Value below = evaluate(*port.below);
    std::optional<int64_t> limit =
        below.kind == Value::Int ? below.dim.constant() : std::nullopt;
    if (below.isError() || !limit || *limit < 1 ||
        type.element != Element::I64) {
      if (!below.isError())
        error(port.below->position,
              "expects an i64 input and a positive number as its range's end");
      return false;
    }
    if (!absent && value)
      graph->inputs.back().bound = limit;
  }
  frames.back().scopes.back()[port.name] = Value::of(value);
  return value != nullptr;
}

void Checker::checkOutputs(const ModelDecl &model, const Value &result) {
  if (result.isError())
    return;
  std::vector<Value> values =
      result.kind == Value::List ? result.items : std::vector<Value>{result};
  if (values.size() != model.outputs.size()) {
    error(model.position, kind() + " has " + llvm::Twine(model.outputs.size()) +
                              " outputs, but returns " +
                              llvm::Twine(values.size()) + " values");
    return;
  }
  for (auto [port, value] : llvm::zip_equal(model.outputs, values)) {
    ValueType type;
    type.element = port.type.element == "f32" ? Element::F32 : Element::I64;
    if (value.isError() || !portShape(port, type.shape))
      continue;
    // Callers give the sizes of inputs; another one they would have to derive.
    auto derived = llvm::find_if(type.shape, [](const Dim &dim) {
      return !dim.isConstant() && dim.symbolName().empty();
    });
    if (derived != type.shape.end()) {
      error(port.position, "output '" + port.name + "' has dimension " +
                               derived->str() +
                               ", which is no dimension of an input; fix it "
                               "when compiling");
      continue;
    }
    if (value.kind != Value::Tensor || value.node->type.shape != type.shape ||
        value.node->type.element != type.element)
      error(port.position, "output '" + port.name + "' is declared as " +
                               type.str() + ", but the " +
                               (entry->kernel ? "kernel" : "model") +
                               " returns " + value.describe());
    else
      graph->outputs.push_back({port.name, value.node});
  }
}
