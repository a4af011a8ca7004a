// RUN: attn-opt %s --split-input-file --attn-hoist-row-copies --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

// The linear reads through the copies behind it; its bias, read by the column
// alone, goes with it.
// CHECK-DAG: #[[COLUMN:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK-LABEL: func @linear
// CHECK-SAME: %[[X:.*]]: tensor<?x4x8xf32>
// CHECK: %[[GRID:.*]] = tensor.expand_shape %[[X]] {{.*}} into tensor<?x2x2x8xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[GRID]] : {{.*}}) outs({{.*}} : tensor<?x2x2x8xf32>) permutation = [0, 2, 1, 3]
// CHECK: %[[Y:.*]] = attn.linear %[[T]]
// CHECK-SAME: captures(%{{.*}} : tensor<16xf32>) maps [#[[COLUMN]]]
// CHECK: tensor<?x2x2x8xf32> -> tensor<?x2x2x16xf32>
// CHECK-NEXT: return %[[Y]]
func.func @linear(%x: tensor<?x4x8xf32>, %w: tensor<16x8xf32>, %b: tensor<16xf32>) -> tensor<?x2x2x16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4x8xf32>
  // expected-remark @below {{[Passed] attn.linear | Category:attn-hoist-row-copies | Remark="reads through the copies of rows behind it"}}
  %y = attn.linear %x weights(%w : tensor<16x8xf32>)
      captures(%b : tensor<16xf32>) maps [affine_map<(r, s, c) -> (c)>] epilogue {
    ^bb0(%a: f32, %bias: f32):
      %0 = arith.addf %a, %bias : f32
      attn.yield %0 : f32
    } : tensor<?x4x8xf32> -> tensor<?x4x16xf32>
  %grid = tensor.expand_shape %y [[0], [1, 2], [3]] output_shape [%n, 2, 2, 16] : tensor<?x4x16xf32> into tensor<?x2x2x16xf32>
  %empty = tensor.empty(%n) : tensor<?x2x2x16xf32>
  %t = linalg.transpose ins(%grid : tensor<?x2x2x16xf32>) outs(%empty : tensor<?x2x2x16xf32>) permutation = [0, 2, 1, 3]
  return %t : tensor<?x2x2x16xf32>
}

// -----

// A cyclic shift: the norm stands beside the linear, which it can become the
// prologue of.
// CHECK-LABEL: func @norm
// CHECK-SAME: %[[X:.*]]: tensor<3x4x8xf32>
// CHECK-DAG: %[[TOP:.*]] = tensor.extract_slice %[[X]][0, 1, 0] [3, 3, 8]
// CHECK-DAG: %[[LAST:.*]] = tensor.extract_slice %[[X]][0, 0, 0] [3, 1, 8]
// CHECK: %[[ROLLED:.*]] = tensor.concat dim(1) %[[TOP]], %[[LAST]]
// CHECK: %[[N:.*]] = attn.layer_norm %[[ROLLED]]
// CHECK: attn.linear %[[N]]
func.func @norm(%x: tensor<3x4x8xf32>, %w: tensor<16x8xf32>) -> tensor<3x4x16xf32> {
  // expected-remark @below {{[Passed] attn.layer_norm | Category:attn-hoist-row-copies | Remark="reads through the copies of rows behind it"}}
  %n = attn.layer_norm %x eps 1.0e-5 : tensor<3x4x8xf32>
  %top = tensor.extract_slice %n[0, 1, 0] [3, 3, 8] [1, 1, 1] : tensor<3x4x8xf32> to tensor<3x3x8xf32>
  %last = tensor.extract_slice %n[0, 0, 0] [3, 1, 8] [1, 1, 1] : tensor<3x4x8xf32> to tensor<3x1x8xf32>
  %rolled = tensor.concat dim(1) %top, %last : (tensor<3x3x8xf32>, tensor<3x1x8xf32>) -> tensor<3x4x8xf32>
  %y = attn.linear %rolled weights(%w : tensor<16x8xf32>) : tensor<3x4x8xf32> -> tensor<3x4x16xf32>
  return %y : tensor<3x4x16xf32>
}

// -----

// CHECK-LABEL: func @other_reader
// CHECK: %[[N:.*]] = attn.rms_norm
// CHECK: linalg.transpose ins(%[[N]]
func.func @other_reader(%x: tensor<3x4x2x8xf32>, %out: tensor<3x2x4x8xf32>) -> tensor<3x2x4x8xf32> {
  // expected-remark @below {{[Missed] attn.rms_norm | Category:attn-hoist-row-copies | Reason="its rows are also read by func.return"}}
  %n = attn.rms_norm %x eps 1.0e-5 : tensor<3x4x2x8xf32>
  %t = linalg.transpose ins(%n : tensor<3x4x2x8xf32>) outs(%out : tensor<3x2x4x8xf32>) permutation = [0, 2, 1, 3]
  return %t : tensor<3x2x4x8xf32>
}

// -----

// CHECK-LABEL: func @position
// CHECK: %[[Y:.*]] = attn.linear
// CHECK: linalg.transpose ins(%[[Y]]
func.func @position(%x: tensor<3x4x2x8xf32>, %w: tensor<16x8xf32>, %p: tensor<4x16xf32>, %out: tensor<3x2x4x16xf32>)
    -> tensor<3x2x4x16xf32> {
  // expected-remark @below {{[Missed] attn.linear | Category:attn-hoist-row-copies | Reason="its epilogue depends on the row"}}
  %y = attn.linear %x weights(%w : tensor<16x8xf32>)
      captures(%p : tensor<4x16xf32>) maps [affine_map<(b, r, s, c) -> (r, c)>] epilogue {
    ^bb0(%a: f32, %e: f32):
      %0 = arith.addf %a, %e : f32
      attn.yield %0 : f32
    } : tensor<3x4x2x8xf32> -> tensor<3x4x2x16xf32>
  %t = linalg.transpose ins(%y : tensor<3x4x2x16xf32>) outs(%out : tensor<3x2x4x16xf32>) permutation = [0, 2, 1, 3]
  return %t : tensor<3x2x4x16xf32>
}

// -----

// The first dimension stays where it is, as do the columns: what transposes or
// slices them is no copy of rows.
// CHECK-LABEL: func @columns
// CHECK: %[[Y:.*]] = attn.linear
// CHECK: linalg.transpose ins(%[[Y]]
func.func @columns(%x: tensor<3x4x8xf32>, %w: tensor<16x8xf32>, %out: tensor<3x16x4xf32>) -> tensor<3x16x4xf32> {
  %y = attn.linear %x weights(%w : tensor<16x8xf32>) : tensor<3x4x8xf32> -> tensor<3x4x16xf32>
  %t = linalg.transpose ins(%y : tensor<3x4x16xf32>) outs(%out : tensor<3x16x4xf32>) permutation = [0, 2, 1]
  return %t : tensor<3x16x4xf32>
}

// -----

// Two readers of the linear end in two values.
// CHECK-LABEL: func @two_ends
// CHECK: %[[Y:.*]] = attn.linear
// CHECK: return %[[Y]]
func.func @two_ends(%x: tensor<3x4x2x8xf32>, %w: tensor<16x8xf32>, %out: tensor<3x2x4x16xf32>)
    -> (tensor<3x4x2x16xf32>, tensor<3x2x4x16xf32>) {
  %y = attn.linear %x weights(%w : tensor<16x8xf32>) : tensor<3x4x2x8xf32> -> tensor<3x4x2x16xf32>
  %t = linalg.transpose ins(%y : tensor<3x4x2x16xf32>) outs(%out : tensor<3x2x4x16xf32>) permutation = [0, 2, 1, 3]
  return %y, %t : tensor<3x4x2x16xf32>, tensor<3x2x4x16xf32>
}

// -----

// Rows that are repeated would be multiplied again.
// CHECK-LABEL: func @repeated
// CHECK: %[[Y:.*]] = attn.linear
// CHECK: tensor.extract_slice %[[Y]]
// CHECK: tensor.concat
func.func @repeated(%x: tensor<3x4x8xf32>, %w: tensor<16x8xf32>) -> tensor<3x6x16xf32> {
  %y = attn.linear %x weights(%w : tensor<16x8xf32>) : tensor<3x4x8xf32> -> tensor<3x4x16xf32>
  %a = tensor.extract_slice %y[0, 1, 0] [3, 3, 16] [1, 1, 1] : tensor<3x4x16xf32> to tensor<3x3x16xf32>
  %b = tensor.extract_slice %y[0, 0, 0] [3, 3, 16] [1, 1, 1] : tensor<3x4x16xf32> to tensor<3x3x16xf32>
  %r = tensor.concat dim(1) %a, %b : (tensor<3x3x16xf32>, tensor<3x3x16xf32>) -> tensor<3x6x16xf32>
  return %r : tensor<3x6x16xf32>
}
