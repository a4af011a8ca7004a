// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks the attributes that functions of a model carry; AttnDialect.td says
// what each means.

#include "dialect/AttnOps.h"
#include "dialect/ProgramAttributes.h"
#include "dialect/Verify.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace attn;

/// Fails, naming the attribute and where it stands.
static InFlightDiagnostic refuse(Operation *op, NamedAttribute attribute,
                                 const Twine &place) {
  return op->emitOpError() << "attribute '" << attribute.getName().getValue()
                           << "'" << place << " expects ";
}

static bool isPositive(Attribute attribute) {
  auto integer = dyn_cast<IntegerAttr>(attribute);
  return integer && integer.getValue().isStrictlyPositive() &&
         integer.getValue().isSignedIntN(64);
}

static LogicalResult verifyName(Operation *op, NamedAttribute attribute,
                                const Twine &place) {
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (name && !name.getValue().empty())
    return success();
  return refuse(op, attribute, place)
         << "a name, but got " << attribute.getValue();
}

/// One string for each dimension: a name for a dynamic one, "" for a static.
static LogicalResult verifyDims(Operation *op, NamedAttribute attribute,
                                const Twine &place, Type type) {
  auto names = dyn_cast<ArrayAttr>(attribute.getValue());
  if (!names || !llvm::all_of(names, llvm::IsaPred<StringAttr>))
    return refuse(op, attribute, place)
           << "an array of strings, but got " << attribute.getValue();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return refuse(op, attribute, place) << "a ranked tensor, but got " << type;
  if (static_cast<int64_t>(names.size()) != tensor.getRank())
    return refuse(op, attribute, place)
           << tensor.getRank() << " strings, one for each dimension of " << type
           << ", but got " << names.size();
  for (auto [dim, name] : llvm::enumerate(names.getAsRange<StringAttr>()))
    if (tensor.isDynamicDim(dim) == name.getValue().empty())
      return refuse(op, attribute, place)
             << (tensor.isDynamicDim(dim) ? "a name for dynamic"
                                          : "no name for static")
             << " dimension " << dim << " of " << type;
  return success();
}

/// A positive bound on the elements of an integer tensor.
static LogicalResult verifyBound(Operation *op, NamedAttribute attribute,
                                 const Twine &place, Type type) {
  if (!isPositive(attribute.getValue()))
    return refuse(op, attribute, place)
           << "a positive integer, but got " << attribute.getValue();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.getElementType().isInteger())
    return refuse(op, attribute, place)
           << "a tensor of integers, but got " << type;
  return success();
}

static LogicalResult verifyLayout(Operation *op, NamedAttribute attribute,
                                  const Twine &place, Type type) {
  if (!isa<PanelsAttr>(attribute.getValue()))
    return refuse(op, attribute, place)
           << "#attn.panels, but got " << attribute.getValue();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.getRank() == 2)
    return success();
  return refuse(op, attribute, place) << "a matrix, but got " << type;
}

/// Upper bounds: {name = positive integer, ...}.
static LogicalResult verifyDimMax(Operation *op, NamedAttribute attribute) {
  auto limits = dyn_cast<DictionaryAttr>(attribute.getValue());
  if (!limits)
    return refuse(op, attribute, "")
           << "a dictionary of integers, but got " << attribute.getValue();
  for (NamedAttribute limit : limits)
    if (!isPositive(limit.getValue()))
      return refuse(op, attribute, "")
             << "a positive integer for '" << limit.getName().getValue()
             << "', but got " << limit.getValue();
  return success();
}

/// One of the words.
static LogicalResult verifyWord(Operation *op, NamedAttribute attribute,
                                const Twine &place, ArrayRef<StringRef> words) {
  auto word = dyn_cast<StringAttr>(attribute.getValue());
  if (word && llvm::is_contained(words, word.getValue()))
    return success();
  return refuse(op, attribute, place) << "one of " << llvm::join(words, ", ")
                                      << ", but got " << attribute.getValue();
}

/// A number, or the name of a dimension.
static LogicalResult verifyMemoryLength(Operation *op,
                                        NamedAttribute attribute) {
  if (isPositive(attribute.getValue()))
    return success();
  if (isa<StringAttr>(attribute.getValue()))
    return verifyName(op, attribute, "");
  return refuse(op, attribute, "")
         << "a positive integer or the name of a dimension, but got "
         << attribute.getValue();
}

static bool areStrings(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && llvm::all_of(array, llvm::IsaPred<StringAttr>);
}

static LogicalResult verifyPatterns(Operation *op, NamedAttribute attribute) {
  if (areStrings(attribute.getValue()))
    return success();
  return refuse(op, attribute, "")
         << "an array of strings, but got " << attribute.getValue();
}

static LogicalResult verifyAliases(Operation *op, NamedAttribute attribute) {
  auto aliases = dyn_cast<ArrayAttr>(attribute.getValue());
  auto isPair = [](Attribute alias) {
    return areStrings(alias) && cast<ArrayAttr>(alias).size() == 2;
  };
  if (aliases && llvm::all_of(aliases, isPair))
    return success();
  return refuse(op, attribute, "")
         << "an array of pairs of strings, but got " << attribute.getValue();
}

LogicalResult AttnDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  if (name == kTapAttr)
    return verifyName(op, attribute, "");
  if (name == kIgnoredWeightsAttr)
    return verifyPatterns(op, attribute);
  if (name == kWeightAliasesAttr)
    return verifyAliases(op, attribute);
  if (name != kDimMaxAttr && name != kKernelAttr && name != kMaxPositionsAttr &&
      name != kProgramAttr && name != kMemoryLengthAttr && name != kWindowAttr)
    return success();
  if (!isa<FunctionOpInterface>(op))
    return refuse(op, attribute, "") << "to stand on a function";
  if (name == kDimMaxAttr)
    return verifyDimMax(op, attribute);
  if (name == kMaxPositionsAttr || name == kWindowAttr) {
    if (isPositive(attribute.getValue()))
      return success();
    return refuse(op, attribute, "")
           << "a positive integer, but got " << attribute.getValue();
  }
  if (name == kProgramAttr)
    return verifyWord(op, attribute, "", {"step", "encode"});
  if (name == kMemoryLengthAttr)
    return verifyMemoryLength(op, attribute);
  if (isa<UnitAttr>(attribute.getValue()))
    return success();
  return refuse(op, attribute, "")
         << "no value, but got " << attribute.getValue();
}

LogicalResult AttnDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned index,
                                                    NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  Type type = function.getArgumentTypes()[index];
  std::string place = (" of argument " + Twine(index)).str();
  StringRef name = attribute.getName().getValue();
  if (name == kNameAttr)
    return verifyName(op, attribute, place);
  if (name == kDimsAttr)
    return verifyDims(op, attribute, place, type);
  if (name == kBoundAttr)
    return verifyBound(op, attribute, place, type);
  if (name == kLayoutAttr)
    return verifyLayout(op, attribute, place, type);
  if (name == kInPlaceAttr && isa<UnitAttr>(attribute.getValue()))
    return success();
  if (name == kInPlaceAttr)
    return refuse(op, attribute, place)
           << "no value, but got " << attribute.getValue();
  if (name == kRoleAttr)
    return verifyWord(op, attribute, place,
                      {"tokens", "counts", "past", "pages", "cache",
                       "memory_pages", "memory_lengths"});
  return refuse(op, attribute, place) << "not to stand on an argument";
}

LogicalResult AttnDialect::verifyRegionResultAttribute(
    Operation *op, unsigned, unsigned index, NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  std::string place = (" of result " + Twine(index)).str();
  StringRef name = attribute.getName().getValue();
  if (name == kNameAttr)
    return verifyName(op, attribute, place);
  if (name == kDimsAttr)
    return verifyDims(op, attribute, place, function.getResultTypes()[index]);
  return refuse(op, attribute, place) << "not to stand on a result";
}
