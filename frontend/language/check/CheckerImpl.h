// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The checker's state; private to the checker's sources.

#ifndef FRONTEND_LANGUAGE_CHECK_CHECKERIMPL_H
#define FRONTEND_LANGUAGE_CHECK_CHECKERIMPL_H

#include "frontend/language/check/Checker.h"
#include "llvm/ADT/ArrayRef.h"

#include <set>

namespace attn::lang {

/// What an expression evaluates to. Error stands for a value whose error has
/// been reported; whatever uses it is silent.
struct Value {
  enum Kind {
    Error,
    Absent,
    Null,
    Bool,
    Int,
    Float,
    String,
    Json,
    Tensor,
    List
  };
  Kind kind = Error;
  bool flag = false;
  Dim dim;
  double real = 0;
  std::string text;
  const llvm::json::Value *json = nullptr;
  Node *node = nullptr;
  std::vector<Value> items;
  size_t total = 1; // how many values this is, with those of its items
  const ConfigParam *param = nullptr; // whose value in config.json this is

  static Value of(bool flag);
  static Value of(Dim dim);
  static Value of(double real);
  static Value of(std::string text);
  static Value of(Node *node); // null: Error
  static Value list(std::vector<Value> items);
  static Value null();
  /// What config holds under a name.
  static Value of(const llvm::json::Value &json, llvm::StringRef name);
  bool isError() const { return kind == Error; }
  bool isNumber() const { return kind == Int || kind == Float; }
  /// "the number 3", "a tensor f32[batch, 3]", ...
  std::string describe() const;
};

struct Builtin;

/// The values bound to a built-in function's parameters, in their order.
struct Args {
  const Expr &call;
  const Builtin &builtin;
  std::vector<Value> values; // Absent where not given
  std::vector<Position> positions;
  std::vector<Value> rest; // of a variadic function
};

struct Builtin {
  llvm::StringRef name;
  /// Parameter names; "x?" is optional, a leading "..." takes all positional.
  llvm::StringRef params;
  bool inPrograms; // may stand in a score program
  Value (*apply)(class Checker &, Args &);
};

/// All built-in functions.
llvm::ArrayRef<Builtin> builtins();

/// Parameters of attend; the first three, q, k and v, need no name.
std::vector<std::string> attendParameters();
/// What a score program sees beside the names of the model.
std::vector<std::string> programNames();

/// Reports unknown names and functions and wrong arguments everywhere in the
/// description, also where the entry that was built does not come.
void checkNamesEverywhere(const Description &description,
                          Diagnostics &diagnostics);

/// The names visible inside attend(...) { ... }.
struct ProgramScope {
  AttentionInfo *info;
  std::vector<Node *> queries, keys, captures;
  Dim batch, heads, rows, columns; // extents of b, h, i, j
  std::map<std::string, Value> names;
  std::map<Node *, Node *> captureArguments;
};

class Checker {
public:
  /// Bounds the recursion of evaluation, blocks included.
  static constexpr unsigned maxDepth = 600;

  Checker(const Description &description, const CheckOptions &options,
          Diagnostics &diagnostics);
  std::unique_ptr<Graph> run();

  // Errors; the value forms return Error, so that callers can return them.
  Value error(Position position, const llvm::Twine &message);
  Node *nodeError(Position position, const llvm::Twine &message);
  /// A value of the wrong kind: "WHO expects WHAT ROLE, but got ...". One that
  /// config.json gave is reported there, with a note where it is used.
  Value mismatch(Position position, const Value &found, const llvm::Twine &what,
                 const llvm::Twine &who = "", const llvm::Twine &role = "");

  // Arguments of built-ins, with their conversions; false after an error.
  bool tensorArg(Args &args, unsigned i, Node *&out);
  bool dimArg(Args &args, unsigned i, Dim &out);
  bool sizeArg(Args &args, unsigned i, int64_t &out);
  bool intArg(Args &args, unsigned i, int64_t &out);
  bool realArg(Args &args, unsigned i, double &out);
  bool textArg(Args &args, unsigned i, std::string &out);
  bool flagArg(Args &args, unsigned i, bool &out);
  bool axisArg(Args &args, unsigned i, size_t rank, int64_t &out);
  bool shapeArg(Args &args, unsigned i, std::vector<Dim> &out);
  bool argError(Args &args, unsigned i, const llvm::Twine &expected);

  // Nodes; each checks its constraints and returns null after an error.
  Node *node(NodeKind kind, ValueType type, std::vector<Node *> operands,
             Position position);
  Node *constant(Element element, double real, int64_t integer,
                 std::vector<Dim> shape, Position position);
  Node *weight(const std::string &name, const std::vector<Dim> &shape,
               Position position);
  Node *map(Function function, std::vector<Node *> operands, Position position);
  Node *broadcast(Node *x, const std::vector<Dim> &shape, Position position);
  Node *reshape(Node *x, const std::vector<Dim> &shape, Position position);
  Node *transpose(Node *x, std::vector<int64_t> permutation, Position position);
  Node *reduce(NodeKind kind, Node *x, int64_t axis, bool keep,
               Position position);
  Node *linear(Node *x, Node *weight, Node *bias, Position position);
  Node *product(Node *x, Node *weight, Node *bias, Position position);
  Node *floatTensor(Node *x, llvm::StringRef what, Position position);
  /// The scalar or tensor node of a value, or null after an error.
  Node *asNode(const Value &value, Position position);
  Value apply(Function function, std::vector<Value> values, Position position);
  std::string scoped(const std::string &name) const;
  std::string kind() const;

  Value attend(const Expr &call);
  Value programSum(Args &args);
  Value evaluate(const Expr &expr);
  bool inProgram() const { return program != nullptr; }
  bool atMost(const Dim &size, int64_t limit) const;

private:
  // The model and what surrounds it (Checker.cpp).
  bool checkNames();
  bool declareInputs(const ModelDecl &model);
  bool declareDims(const ModelDecl &model);
  bool checkDimOptions(const ModelDecl &model);
  bool portShape(const Port &port, std::vector<Dim> &shape);
  bool declareInput(const Port &port);
  void checkOutputs(const ModelDecl &model, const Value &result);
  void checkGlobalRequirements();
  bool isChosenByDim(const ConfigParam &param);
  Value bindConfig(const ConfigParam &param);
  Value global(const std::string &name, Position position, bool &found);
  std::vector<std::string> visibleNames() const;

  // Statements (CheckStatements.cpp).
  enum class Flow { Next, Returned, Failed };
  Flow execute(const StmtList &body, Value &result);
  Flow execute(const Stmt &s, Value &result);
  bool loopRange(const Stmt &s, int64_t &low, int64_t &high);
  Flow executeFor(const Stmt &s, Value &result);
  Flow executeScope(const Stmt &s, const std::string &scope, Value &result);
  Flow executeIf(const Stmt &s, Value &result);
  bool bind(const Stmt &s);
  bool bindName(const Stmt &s, const std::string &name, Value value);
  void require(const Stmt &s);
  bool requireBound(const Stmt &s);
  bool scopeName(const Expr &expr, std::string &out);
  void tapAssigned(const std::string &scope, size_t firstAssigned);
  std::string uniqueTap(const std::string &name);
  Value callBlock(const BlockDecl &block, const Expr &call);

  // Recurrences (CheckScan.cpp).
  Value evaluateScan(const Expr &expr);
  bool scanInputs(const Expr &expr, struct ScanCall &scan);
  bool scanInput(const ScanInput &input, struct ScanCall &scan);
  bool scanCarried(const Expr &expr, struct ScanCall &scan);
  Node *scanArgument(ValueType type, std::string name, Position position,
                     struct ScanCall &scan);
  bool runScan(const Expr &expr, struct ScanCall &scan, Value &returned);
  bool yieldCarried(const Expr &expr, struct ScanCall &scan);
  bool yieldOutputs(const Expr &expr, const Value &returned,
                    struct ScanCall &scan);
  Value scanResults(const Expr &expr, struct ScanCall &scan);

  // Expressions (CheckExpressions.cpp).
  Value evaluateKind(const Expr &expr);
  Value evaluateName(const Expr &expr);
  Value evaluateString(const Expr &expr);
  Value evaluateUnary(const Expr &expr);
  Value evaluateBinary(const Expr &expr);
  Value evaluateLogic(const Expr &expr);
  Value equality(const Expr &expr, const Value &a, const Value &b);
  Value evaluateCall(const Expr &expr);
  Value callBuiltin(const Builtin &builtin, const Expr &call);
  bool bindArgument(Args &args, const Argument &argument, unsigned &next,
                    llvm::ArrayRef<llvm::StringRef> params);
  Value evaluateIndex(const Expr &expr);
  Value indexTensor(const Expr &expr, Node *x);
  Value indexList(const Expr &expr, const Value &x);
  bool sliceEnds(const Subscript &subscript, const Expr &expr, const Dim &dim,
                 unsigned axis, Dim &low, Dim &size, bool &drop);
  Value fold(Function function, const std::vector<Value> &values,
             Position position);
  Value foldInts(Function function, const Dim &a, const Dim &b,
                 Position position);

  // Score programs (CheckAttend.cpp, CheckCaptures.cpp).
  bool attendArguments(const Expr &call, struct AttendCall &attend);
  bool attendPairs(const Expr &call, struct AttendCall &attend);
  bool attendShapes(const Expr &call, struct AttendCall &attend);
  bool attendOptions(const Expr &call, struct AttendCall &attend);
  Node *attentionNode(const Expr &call, struct AttendCall &attend);
  void declareProgramNames(Position position);
  bool runProgram(const Expr &call, const Value &scale);
  bool runProgramBody(const StmtList &body);
  bool runProgramLoop(const Stmt &s);
  bool assignInProgram(const Stmt &s);
  bool assignRegion(const Stmt &s);
  bool defaultScore(const Value &scale, Position position);
  Node *argument(int64_t index, ValueType type, std::string name,
                 Position position);
  Node *capture(Node *x, Position position);
  Node *programValue(Node *x, Position position);
  Value extract(const Expr &expr, Node *x);
  Node *extractIndex(const Expr &expr, Node *x, Node *source, size_t axis);
  std::optional<int64_t> boundOf(const Node &index) const;
  Node *captureSize(Node *capture, size_t axis, Position position);
  Node *clampIndex(Node *index, Node *capture, size_t axis, Position position);

  struct Frame {
    std::vector<std::map<std::string, Value>> scopes{1};
    std::vector<std::string> assigned;
  };
  Value *local(const std::string &name);

  const Description &description;
  const CheckOptions &options;
  Diagnostics &diagnostics;
  const ModelDecl *entry = nullptr; // what is built
  std::unique_ptr<Graph> graph;
  std::vector<Frame> frames;
  std::vector<std::string> scope; // weight scopes
  std::vector<Position> calls;    // blocks being inlined
  std::map<std::string, Value> globals;
  std::set<std::string> evaluating;
  std::map<std::string, Node *> weights;
  std::map<std::string, unsigned> taps; // how often each name was wanted
  ProgramScope *program = nullptr;
  const ScanInfo *home = nullptr; // the scan whose body is checked
  unsigned depth = 0;
  unsigned steps = 0;
};

} // namespace attn::lang

#endif // FRONTEND_LANGUAGE_CHECK_CHECKERIMPL_H
