// RUN: attn-evaluate %s | FileCheck %s
// What each operation means, on numbers small enough to check by hand.

// CHECK: linear#0: [2, 2] 5 22 11 44
func.func @linear() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<[[1.0, 2.0], [10.0, 1.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[0.0, 10.0]> : tensor<2xf32>
  %y = attn.linear %x weights(%w : tensor<2x2xf32>)
      captures(%b : tensor<2xf32>) maps [affine_map<(r, c) -> (c)>]
      epilogue {
      ^bb0(%acc: f32, %bias: f32):
        %0 = arith.addf %acc, %bias : f32
        attn.yield %0 : f32
      } : tensor<2x2xf32> -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Two weights, the second with an epilogue of its own that uses another capture;
// a prologue that doubles each row.
// CHECK: projections#0: [1, 2] 6 14
// CHECK: projections#1: [1, 1] 106
func.func @projections() -> (tensor<1x2xf32>, tensor<1x1xf32>) {
  %x = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %w0 = arith.constant dense<[[1.0, 1.0], [3.0, 2.0]]> : tensor<2x2xf32>
  %w1 = arith.constant dense<[[1.0, 1.0]]> : tensor<1x2xf32>
  %b = arith.constant dense<[[100.0]]> : tensor<1x1xf32>
  %two = arith.constant dense<2.0> : tensor<2xf32>
  %y:2 = attn.linear %x weights(%w0, %w1 : tensor<2x2xf32>, tensor<1x2xf32>)
      captures(%b : tensor<1x1xf32>) maps [affine_map<(r, c) -> (r, 0)>]
      prologue_captures(%two : tensor<2xf32>)
      prologue {
      ^bb0(%row: tensor<2xf32>, %factor: tensor<2xf32>):
        %0 = arith.mulf %row, %factor : tensor<2xf32>
        attn.yield %0 : tensor<2xf32>
      } epilogue {
      ^bb0(%acc: f32, %unused: f32):
        attn.yield %acc : f32
      }, {
      ^bb0(%acc: f32, %bias: f32):
        %0 = arith.addf %acc, %bias : f32
        attn.yield %0 : f32
      } : tensor<1x2xf32> -> tensor<1x2xf32>, tensor<1x1xf32>
  return %y#0, %y#1 : tensor<1x2xf32>, tensor<1x1xf32>
}

// CHECK: matmul#0: [1, 2, 2] 1 4 3 10
// CHECK: matmul#1: [1, 2, 2] 2 3 4 7
func.func @matmul() -> (tensor<1x2x2xf32>, tensor<1x2x2xf32>) {
  %a = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  %b = arith.constant dense<[[[1.0, 2.0], [0.0, 1.0]]]> : tensor<1x2x2xf32>
  %c = arith.constant dense<[[[0.0, 1.0], [1.0, 1.0]]]> : tensor<1x2x2xf32>
  %p = attn.matmul %a, %b : tensor<1x2x2xf32>, tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  %t = attn.matmul %a, %c transpose_b
      : tensor<1x2x2xf32>, tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  return %p, %t : tensor<1x2x2xf32>, tensor<1x2x2xf32>
}

// CHECK: norms#0: [2, 2] -1 3 0.5 0.5
// CHECK: norms#1: [1, 2] 0.848528 1.13137
func.func @norms() -> (tensor<2x2xf32>, tensor<1x2xf32>) {
  %x = arith.constant dense<[[1.0, 3.0], [2.0, 2.0]]> : tensor<2x2xf32>
  %g = arith.constant dense<[1.5, 2.5]> : tensor<2xf32>
  %b = arith.constant dense<0.5> : tensor<2xf32>
  %l = attn.layer_norm %x scale(%g : tensor<2xf32>) shift(%b : tensor<2xf32>)
      eps 1.0e-30 : tensor<2x2xf32>
  %y = arith.constant dense<[[3.0, 4.0]]> : tensor<1x2xf32>
  %r = attn.rms_norm %y eps 0.0 : tensor<1x2xf32>
  return %l, %r : tensor<2x2xf32>, tensor<1x2xf32>
}

// -inf gives exactly 0.
// CHECK: softmax#0: [2, 2] 0.5 0 0.5 1
func.func @softmax() -> tensor<2x2xf32> {
  %x = arith.constant dense<[[1000.0, 0xFF800000], [1000.0, 5.0]]> : tensor<2x2xf32>
  %p = attn.softmax %x axis 0 : tensor<2x2xf32>
  return %p : tensor<2x2xf32>
}

// Computed ids are clamped.
// CHECK: embedding#0: [3, 2] 5 6 1 2 3 4
func.func @embedding() -> tensor<3x2xf32> {
  %ids = arith.constant dense<[7, -1, 1]> : tensor<3xi64>
  %table = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %y = attn.embedding %ids, %table : tensor<3xi64>, tensor<3x2xf32> -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// CHECK: gelu#0: [3] -0.158655 0 0.841345
// CHECK: gelu#1: [3] -0.158808 0 0.841192
func.func @gelu() -> (tensor<3xf32>, tensor<3xf32>) {
  %x = arith.constant dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
  %y = attn.gelu %x : tensor<3xf32>
  %t = attn.gelu %x approximate tanh : tensor<3xf32>
  return %y, %t : tensor<3xf32>, tensor<3xf32>
}

// CHECK: shapes#0: [2, 3] 1 2 9 3 4 9
// CHECK: shapes#1: [1, 2] 9 9
// CHECK: shapes#2: [4] 1 2 3 4
// CHECK: shapes#3: [2, 1, 2] 1 2 3 4
// CHECK: shapes#4: [2, 2] 1 3 2 4
func.func @shapes() -> (tensor<2x3xf32>, tensor<1x2xf32>, tensor<4xf32>, tensor<2x1x2xf32>,
                        tensor<2x2xf32>) {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %nine = arith.constant dense<9.0> : tensor<2x1xf32>
  %c = tensor.concat dim(1) %x, %nine : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x3xf32>
  %s = tensor.extract_slice %c[0, 2] [2, 1] [1, 1] : tensor<2x3xf32> to tensor<2xf32>
  %e = tensor.expand_shape %s [[0, 1]] output_shape [1, 2] : tensor<2xf32> into tensor<1x2xf32>
  %f = tensor.collapse_shape %x [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %g = tensor.expand_shape %x [[0], [1, 2]] output_shape [2, 1, 2]
      : tensor<2x2xf32> into tensor<2x1x2xf32>
  %init = tensor.empty() : tensor<2x2xf32>
  %t = linalg.transpose ins(%x : tensor<2x2xf32>) outs(%init : tensor<2x2xf32>)
      permutation = [1, 0]
  return %c, %e, %f, %g, %t : tensor<2x3xf32>, tensor<1x2xf32>, tensor<4xf32>,
      tensor<2x1x2xf32>, tensor<2x2xf32>
}

// A reduction over the first dimension with a broadcast operand and an index.
// CHECK: reduce#0: [2] 5 70
func.func @reduce() -> tensor<2xf32> {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %s = arith.constant dense<[[1.0, 10.0]]> : tensor<1x2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (0, j)>,
                       affine_map<(i, j) -> (j)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x, %s : tensor<2x2xf32>, tensor<1x2xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %i = linalg.index 0 : index
    %int = arith.index_cast %i : index to i64
    %f = arith.sitofp %int : i64 to f32
    %0 = arith.addf %a, %f : f32
    %1 = arith.mulf %0, %b : f32
    %2 = arith.addf %1, %acc : f32
    linalg.yield %2 : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// CHECK: integers#0: [4] 0 3 -2 1
// CHECK: integers#1: [4] 1 0 1 0
func.func @integers() -> (tensor<4xi64>, tensor<4xi64>) {
  %a = arith.constant dense<[1, 7, -3, 3]> : tensor<4xi64>
  %two = arith.constant dense<2> : tensor<4xi64>
  %q = arith.floordivsi %a, %two : tensor<4xi64>
  %c = arith.cmpi slt, %a, %two : tensor<4xi64>
  %e = arith.extui %c : tensor<4xi1> to tensor<4xi64>
  return %q, %e : tensor<4xi64>, tensor<4xi64>
}

// What outlining, hoisting and rolling leave behind means the same.
attn.parameter @p0 : tensor<2xf32> {
  %0 = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  attn.yield %0 : tensor<2xf32>
}
attn.parameter @p1 : tensor<2xf32> {
  %0 = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  attn.yield %0 : tensor<2xf32>
}
func.func private @add(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32>
    attributes {attn.kernel} {
  %0 = arith.addf %x, %y : tensor<2xf32>
  return %0 : tensor<2xf32>
}
// CHECK: layer: [2] 2 3
// CHECK: layer: [2] 12 23
// CHECK: rolled#0: [2] 12 23
func.func @rolled() -> tensor<2xf32> {
  %x = arith.constant dense<1.0> : tensor<2xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %y = scf.for %i = %c0 to %c2 step %c1 iter_args(%h = %x) -> tensor<2xf32> {
    %p = attn.get_parameter [@p0, @p1] at %i : tensor<2xf32>
    %0 = attn.launch @add(%h, %p) {attn.tap = "layer"}
        : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    scf.yield %0 : tensor<2xf32>
  }
  return %y : tensor<2xf32>
}

// A tensor without elements has loops that do not run.
// CHECK: nothing#0: [2] 0 0
func.func @nothing() -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %x = arith.constant dense<1.0> : tensor<0x2xf32>
  %empty = tensor.empty() : tensor<2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<0x2xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %a, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}
