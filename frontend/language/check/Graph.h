// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A checked model: typed nodes with known shapes, ready to be built as IR.

#ifndef FRONTEND_LANGUAGE_CHECK_GRAPH_H
#define FRONTEND_LANGUAGE_CHECK_GRAPH_H

#include "frontend/language/Diagnostics.h"
#include "frontend/language/check/Dim.h"
#include "frontend/language/syntax/AST.h"

#include <deque>
#include <memory>

namespace attn::lang {

enum class Element { F32, I64, Bool, Index };

struct ValueType {
  Element element = Element::F32;
  std::vector<Dim> shape;
  size_t rank() const { return shape.size(); }
  /// "f32[batch, sequence, hidden_size (64)]"
  std::string str() const;
};

/// Scalar functions; a Map node applies one to each element.
enum class Function {
  Copy,
  Add,
  Sub,
  Mul,
  Div,
  FloorDiv,
  Mod,
  Pow,
  Min,
  Max,
  Neg,
  Abs,
  Exp,
  Log,
  Sqrt,
  Rsqrt,
  Erf,
  Tanh,
  Sigmoid,
  Sin,
  Cos,
  Floor,
  Relu,
  Silu,
  Gelu,
  GeluTanh,
  QuickGelu,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  And,
  Or,
  Not,
  Where,
  ToF32,
  ToI64
};

enum class NodeKind {
  // Tensors of the model.
  Input,     // index: which input
  Weight,    // name
  Constant,  // real or integer in every element; rank 0 is a scalar operand
  Iota,      // index: the dimension whose coordinate is the value
  Map,       // function over broadcast operands
  Linear,    // x, weight [, bias]
  LayerNorm, // x [, scale, shift]; real: eps, index: normalised dimensions
  RmsNorm,   // x [, scale]; real: eps
  Softmax,   // index: axis
  Matmul,    // a, b; flag: transposed b
  Embedding, // ids, table
  Reshape,   // operand with the same elements in order
  Transpose, // integers: permutation
  Concat,    // index: axis
  Slice,     // integers: offsets
  Sum,
  Maximum,       // index: axis, which the result lacks
  CumulativeSum, // index: axis
  Attention,     // queries, keys, value, captures [, sink]; see AttentionInfo
  AttentionWeights,   // the attention's map
  AttentionLogSumExp, // the attention's log-sum-exp
  Scan,         // initial values, inputs with the steps in front; see ScanInfo
  ScanArgument, // what the body of a scan receives
  ScanResult,   // index: which result of a scan
  // Values inside a score program.
  Argument,    // index: which region argument; -1: the normalised weight
  Extract,     // capture argument, then indices for its leading dimensions
  CaptureSize, // capture argument; index: the dimension whose size is meant
  Dot,         // two vectors
  VectorSum,   // one vector
};

struct Node;

/// The regions and sizes of an Attention node.
struct AttentionInfo {
  unsigned pairs = 1;
  unsigned captures = 0;
  bool hasSink = false;
  std::string normalizer = "softmax";
  std::string weights; // "", "heads" or "mean"
  bool logsumexp = false;
  Node *score = nullptr, *keep = nullptr, *weight = nullptr;
  /// Nodes of the programs, in order of creation.
  std::vector<Node *> body;
};

/// The body of a Scan node: its arguments and what it yields, the carried
/// values first.
struct ScanInfo {
  unsigned carried = 0;
  bool reversed = false;
  std::vector<Node *> arguments, yielded;
};

struct Node {
  NodeKind kind;
  ValueType type;
  Position position;
  unsigned id = 0;
  std::vector<Node *> operands;
  Function function = Function::Copy;
  std::string name;
  double real = 0;
  int64_t integer = 0;
  int64_t index = 0;
  bool flag = false;
  bool inProgram = false;   // a value inside a score program
  bool needsInputs = false; // known only when the model is called
  /// Of a Map: what its operands are converted to before `function`.
  Element operandElement = Element::F32;
  std::vector<int64_t> integers;
  std::unique_ptr<AttentionInfo> attention;
  std::unique_ptr<ScanInfo> scan;
  /// The scan in whose body the value is computed, step after step.
  const ScanInfo *home = nullptr;
  /// Scopes that assigned this value last.
  std::vector<std::string> taps;

  bool isConstant() const { return kind == NodeKind::Constant; }
  bool isScalarConstant() const { return isConstant() && !type.rank(); }
  double constantAsReal() const {
    return type.element == Element::F32 ? real : double(integer);
  }
};

struct GraphInput {
  std::string name;
  Node *node = nullptr;
  std::optional<int64_t> bound;
};

struct GraphOutput {
  std::string name;
  Node *node = nullptr;
};

/// Nodes own nothing but their fields; the graph owns the nodes, and each
/// node's operands stand before it.
struct Graph {
  std::string name;
  Position position;
  std::deque<Node> nodes;
  std::vector<GraphInput> inputs;
  std::vector<GraphOutput> outputs;
  std::map<std::string, int64_t> dimMax;
  std::vector<std::string> ignored;
  std::vector<Alias> aliases;
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_CHECK_GRAPH_H
