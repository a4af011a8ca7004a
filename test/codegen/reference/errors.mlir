// RUN: split-file %s %t
// RUN: not attn-evaluate %t/index.mlir 2>&1 | FileCheck %s --check-prefix=INDEX
// RUN: not attn-evaluate %t/weight.mlir 2>&1 | FileCheck %s --check-prefix=WEIGHT
// RUN: not attn-evaluate %t/huge.mlir 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not attn-evaluate %t/hollow.mlir 2>&1 | FileCheck %s --check-prefix=HOLLOW
// RUN: not attn-evaluate %t/recursion.mlir 2>&1 | FileCheck %s --check-prefix=RECURSION
// RUN: not attn-evaluate %t/slice.mlir 2>&1 | FileCheck %s --check-prefix=SLICE
// RUN: not attn-evaluate %t/division.mlir 2>&1 | FileCheck %s --check-prefix=DIVISION
// RUN: not attn-evaluate %t/sizes.mlir 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not attn-evaluate %t/unknown.mlir 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// What cannot be evaluated is an error at the operation, never a crash.

//--- index.mlir
// INDEX: error: 'tensor.extract' op reads index 3 of dimension 0, which has size 2
func.func @index() -> f32 {
  %x = arith.constant dense<1.0> : tensor<2xf32>
  %i = arith.constant 3 : index
  %0 = tensor.extract %x[%i] : tensor<2xf32>
  return %0 : f32
}

//--- weight.mlir
// WEIGHT: error: no weights were given, but 'a.b' is used
func.func @weight() -> tensor<2xf32> {
  %w = attn.weight "a.b" : tensor<2xf32>
  return %w : tensor<2xf32>
}

//--- huge.mlir
// HUGE: error: 'tensor.empty' op computes a tensor of shape [4611686018427387904, 4], larger than
func.func @huge() -> tensor<4611686018427387904x4xf32> {
  %0 = tensor.empty() : tensor<4611686018427387904x4xf32>
  return %0 : tensor<4611686018427387904x4xf32>
}

//--- hollow.mlir
// HOLLOW: error: 'tensor.empty' op computes a tensor of shape [0, 4611686018427387904, 4], larger than
func.func @hollow() -> tensor<0x4611686018427387904x4xf32> {
  %0 = tensor.empty() : tensor<0x4611686018427387904x4xf32>
  return %0 : tensor<0x4611686018427387904x4xf32>
}

//--- recursion.mlir
// RECURSION: error: 'func.func' op is called more than 64 calls deep
func.func @recursion() -> tensor<1xf32> {
  %0 = func.call @recursion() : () -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

//--- slice.mlir
// SLICE: error: 'tensor.extract_slice' op takes 2 elements from offset 3 with stride 1 of dimension 0, which has size 4
func.func @slice() -> tensor<2xf32> {
  %x = arith.constant dense<1.0> : tensor<4xf32>
  %i = arith.constant 3 : index
  %0 = tensor.extract_slice %x[%i] [2] [1] : tensor<4xf32> to tensor<2xf32>
  return %0 : tensor<2xf32>
}

//--- division.mlir
// DIVISION: error: 'arith.divsi' op divides by zero or overflows
func.func @division() -> i64 {
  %x = arith.constant 1 : i64
  %zero = arith.constant 0 : i64
  %0 = arith.divsi %x, %zero : i64
  return %0 : i64
}

//--- sizes.mlir
// SIZES: error: 'linalg.generic' op expects dimension 0 of operand 1 to be 2, but got 3
func.func @sizes() -> tensor<?xf32> {
  %x = arith.constant dense<1.0> : tensor<2xf32>
  %n = arith.constant 3 : index
  %init = tensor.empty(%n) : tensor<?xf32>
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%x : tensor<2xf32>) outs(%init : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

//--- unknown.mlir
// UNKNOWN: error: 'vector.broadcast' op is not known to the reference evaluator
func.func @unknown() -> vector<2xf32> {
  %x = arith.constant 1.0 : f32
  %0 = vector.broadcast %x : f32 to vector<2xf32>
  return %0 : vector<2xf32>
}
