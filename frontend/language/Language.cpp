// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parser, checker and builder, one after the other.

#include "frontend/language/Language.h"

#include "frontend/language/check/Checker.h"
#include "frontend/language/emit/Builder.h"
#include "frontend/language/syntax/Parser.h"

using namespace attn::lang;

mlir::OwningOpRef<mlir::ModuleOp>
attn::lang::buildModel(mlir::MLIRContext *context, const Source &source,
                       const BuildOptions &options, std::string &text) {
  Diagnostics diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Description description = parse(source, options.import, diagnostics);
  if (!diagnostics.hasErrors()) {
    CheckOptions checkOptions{&options.config, options.model,
                              options.kernel,  options.dims,
                              options.absent,  options.configPlace};
    if (std::unique_ptr<Graph> graph =
            check(description, checkOptions, diagnostics))
      module = build(context, *graph, diagnostics);
  }
  text = diagnostics.text();
  return module;
}

static ModelSummary summarize(const ModelDecl &model) {
  ModelSummary summary;
  summary.name = model.name;
  summary.kernel = model.kernel;
  for (const Port &port : model.inputs) {
    summary.inputs.push_back(port.name);
    if (port.optional)
      summary.optionalInputs.push_back(port.name);
  }
  for (const Port &port : model.outputs)
    summary.outputs.push_back(port.name);
  return summary;
}

llvm::Expected<std::vector<ModelSummary>> attn::lang::listModels(
    const Source &source,
    const std::function<llvm::Expected<Source>(llvm::StringRef)> &import) {
  Diagnostics diagnostics;
  Description description = parse(source, import, diagnostics);
  if (diagnostics.hasErrors())
    return llvm::createStringError(diagnostics.text());
  std::vector<ModelSummary> models;
  for (const ModelDecl &model : description.models)
    models.push_back(summarize(model));
  return models;
}
