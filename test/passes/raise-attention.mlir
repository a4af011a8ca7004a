// RUN: attn-opt %s --split-input-file --attn-raise-attention --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#padding = affine_map<(b, h, i, j) -> (b, 0, 0, j)>

// A key transposed by an op of its own, a score divided by sqrt(d), an additive
// mask over keys.
// CHECK-LABEL: func @encoder
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x16xf32>, %[[K:.*]]: tensor<?x4x?x16xf32>, %[[V:.*]]: tensor<?x4x?x16xf32>, %[[MASK:.*]]: tensor<?x1x1x?xf32>
func.func @encoder(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x?x16xf32>, %v: tensor<?x4x?x16xf32>,
                   %mask: tensor<?x1x1x?xf32>, %kt: tensor<?x4x16x?xf32>, %e: tensor<?x4x?x?xf32>)
    -> tensor<?x4x?x16xf32> {
  // CHECK: %[[O:.*]] = attn.attention queries(%[[Q]] : tensor<?x4x?x16xf32>) keys(%[[K]] : tensor<?x4x?x16xf32>)
  // CHECK-SAME: value(%[[V]] : tensor<?x4x?x16xf32>) captures(%[[MASK]] : tensor<?x1x1x?xf32>) score
  // CHECK-NEXT: ^bb0(%[[QI:.*]]: tensor<16xf32>, %[[KJ:.*]]: tensor<16xf32>, %[[B:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[J:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[C:.*]]: tensor<?x1x1x?xf32>)
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
  // CHECK-DAG: %[[DOT:.*]] = attn.dot %[[QI]], %[[KJ]]
  // CHECK-DAG: %[[SCALE:.*]] = arith.constant 2.500000e-01 : f32
  // CHECK: %[[S:.*]] = arith.mulf %[[DOT]], %[[SCALE]]
  // CHECK: %[[M:.*]] = tensor.extract %[[C]][%[[B]], %[[ZERO]], %[[ZERO]], %[[J]]]
  // CHECK: %[[SUM:.*]] = arith.addf %[[S]], %[[M]]
  // CHECK: attn.yield %[[SUM]]
  // CHECK-NOT: keep
  // CHECK-NOT: attn.softmax
  // CHECK: return %[[O]]
  %four = arith.constant 4.0 : f32
  %t = linalg.transpose ins(%k : tensor<?x4x?x16xf32>) outs(%kt : tensor<?x4x16x?xf32>) permutation = [0, 1, 3, 2]
  %s = attn.matmul %q, %t : tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32> -> tensor<?x4x?x?xf32>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.divf %a, %four : f32
      linalg.yield %0 : f32
  } -> tensor<?x4x?x?xf32>
  %m = linalg.generic {indexing_maps = [#id, #padding, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%d, %mask : tensor<?x4x?x?xf32>, tensor<?x1x1x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %c : f32
      linalg.yield %0 : f32
  } -> tensor<?x4x?x?xf32>
  %p = attn.softmax %m axis 3 : tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention | Category:attn-raise-attention | Remark="raised from a product, a softmax and a product"}}
  %y = attn.matmul %p, %v : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// sqrt(scale) on query and key each, the key's heads and the swap moved in one
// transpose: what torch's exporter makes of scaled_dot_product_attention.
// CHECK-LABEL: func @scaled_operands
// CHECK-SAME: %[[Q:.*]]: tensor<2x4x8x16xf32>, %[[K:.*]]: tensor<2x8x4x16xf32>
// CHECK: %[[KH:.*]] = linalg.transpose ins(%[[K]] : tensor<2x8x4x16xf32>) outs(%{{.*}} : tensor<2x4x8x16xf32>) permutation = [0, 2, 1, 3]
// CHECK: attn.attention queries(%[[Q]] : tensor<2x4x8x16xf32>) keys(%[[KH]] : tensor<2x4x8x16xf32>)
// CHECK: %[[DOT:.*]] = attn.dot
// CHECK: %[[SCALE:.*]] = arith.constant 2.500000e-01 : f32
// CHECK: %[[S:.*]] = arith.mulf %[[DOT]], %[[SCALE]]
// CHECK: attn.yield %[[S]]
func.func @scaled_operands(%q: tensor<2x4x8x16xf32>, %k: tensor<2x8x4x16xf32>, %v: tensor<2x4x8x16xf32>)
    -> tensor<2x4x8x16xf32> {
  %half = arith.constant dense<5.0e-1> : tensor<f32>
  %eq = tensor.empty() : tensor<2x4x8x16xf32>
  %ek = tensor.empty() : tensor<2x4x16x8xf32>
  %qs = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> ()>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q, %half : tensor<2x4x8x16xf32>, tensor<f32>) outs(%eq : tensor<2x4x8x16xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.mulf %a, %c : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x8x16xf32>
  %t = linalg.transpose ins(%k : tensor<2x8x4x16xf32>) outs(%ek : tensor<2x4x16x8xf32>) permutation = [0, 2, 3, 1]
  %ks = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> ()>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%t, %half : tensor<2x4x16x8xf32>, tensor<f32>) outs(%ek : tensor<2x4x16x8xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.mulf %c, %a : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x16x8xf32>
  %s = attn.matmul %qs, %ks : tensor<2x4x8x16xf32>, tensor<2x4x16x8xf32> -> tensor<2x4x8x8xf32>
  %p = attn.softmax %s axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#pairs = affine_map<(b, h, i, j) -> (i, j)>
#id2 = affine_map<(i, j) -> (i, j)>

// A causal mask compared from ramps, minus infinity where it is false, and the
// guard against rows that keep nothing.
// CHECK-LABEL: func @causal
// CHECK-NOT: linalg.generic
// CHECK: attn.attention
// CHECK: ^bb0
// CHECK: %[[DOT:.*]] = attn.dot
// CHECK: attn.yield %[[DOT]]
// CHECK: keep
// CHECK: ^bb0(%{{.*}}: tensor<16xf32>, %{{.*}}: tensor<16xf32>, %{{.*}}: index, %{{.*}}: index, %[[I:.*]]: index, %[[J:.*]]: index, %{{.*}}: index, %{{.*}}: index)
// CHECK: %[[LE:.*]] = arith.cmpi sle, %[[J]], %[[I]]
// CHECK: attn.yield %[[LE]]
// CHECK-NOT: weight
// CHECK: return
func.func @causal(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x?x16xf32>, %v: tensor<?x4x?x16xf32>,
                  %e: tensor<?x4x?x?xf32>, %em: tensor<?x?xi1>) -> tensor<?x4x?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %s = attn.matmul %q, %k transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %c = linalg.generic {indexing_maps = [#id2], iterator_types = ["parallel", "parallel"]} outs(%em : tensor<?x?xi1>) {
    ^bb0(%o: i1):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %0 = arith.cmpi sle, %j, %i : index
      linalg.yield %0 : i1
  } -> tensor<?x?xi1>
  %m = linalg.generic {indexing_maps = [#id, #pairs, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %c : tensor<?x4x?x?xf32>, tensor<?x?xi1>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %keep: i1, %o: f32):
      %0 = arith.select %keep, %zero, %ninf : f32
      %1 = arith.addf %a, %0 : f32
      linalg.yield %1 : f32
  } -> tensor<?x4x?x?xf32>
  %p = attn.softmax %m axis 3 : tensor<?x4x?x?xf32>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%p : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.cmpf uno, %a, %a : f32
      %1 = arith.select %0, %zero, %a : f32
      linalg.yield %1 : f32
  } -> tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %g, %v : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#keys = affine_map<(b, h, i, j) -> (b, j)>

// A finite fill stays in the score: a row that is all padding is uniform. The
// scale that follows the mask applies to the fill as well.
// CHECK-LABEL: func @finite_fill
// CHECK-SAME: %[[VALID:[a-z0-9]*]]: tensor<2x8xi64>
// CHECK: attn.attention {{.*}} captures(%[[VALID]] : tensor<2x8xi64>)
// CHECK: %[[DOT:.*]] = attn.dot
// CHECK: %[[X:.*]] = tensor.extract
// CHECK: %[[C:.*]] = arith.cmpi ne, %[[X]]
// CHECK: %[[SEL:.*]] = arith.select %[[C]], %[[DOT]], %[[FILL:.*]] : f32
// CHECK: %[[S:.*]] = arith.mulf %[[SEL]]
// CHECK: attn.yield %[[S]]
// CHECK-NOT: keep
func.func @finite_fill(%q: tensor<2x4x8x16xf32>, %k: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>,
                       %valid: tensor<2x8xi64>) -> tensor<2x4x8x16xf32> {
  %zero = arith.constant 0 : i64
  %fill = arith.constant -1.0e6 : f32
  %scale = arith.constant 2.5e-1 : f32
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %m = linalg.generic {indexing_maps = [#id, #keys, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %valid : tensor<2x4x8x8xf32>, tensor<2x8xi64>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %x: i64, %o: f32):
      %0 = arith.cmpi ne, %x, %zero : i64
      %1 = arith.select %0, %a, %fill : f32
      %2 = arith.mulf %1, %scale : f32
      linalg.yield %2 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %m axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#id3 = affine_map<(h, i, j) -> (h, i, j)>

// Several masks: padding filled with minus infinity, and a bias for each head
// that grows with distance and is computed, not stored.
// CHECK-LABEL: func @padding_and_slopes
// CHECK-SAME: %[[VALID:[a-z0-9]*]]: tensor<2x8xi64>, %[[SLOPE:[a-z0-9]*]]: tensor<4xf32>
// CHECK: attn.attention {{.*}} captures(
// CHECK: ^bb0(%{{.*}}, %{{.*}}, %[[B:.*]]: index, %[[H:.*]]: index, %[[I:.*]]: index, %[[J:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[VA:.*]]: tensor<2x8xi64>, %[[SL:.*]]: tensor<4xf32>)
// CHECK: %[[SH:.*]] = tensor.extract %[[SL]][%[[H]]]
// CHECK: %[[D:.*]] = arith.subi %[[J]], %[[I]]
// CHECK: attn.yield
// CHECK: keep
// CHECK: ^bb0(%{{.*}}, %{{.*}}, %[[B2:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[J2:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[VA2:.*]]: tensor<2x8xi64>, %{{.*}}: tensor<4xf32>)
// CHECK: %[[X:.*]] = tensor.extract %[[VA2]][%[[B2]], %[[J2]]]
// CHECK: %[[PAD:.*]] = arith.cmpi eq, %[[X]]
// CHECK: %[[KEEP:.*]] = arith.xori %[[PAD]]
// CHECK: attn.yield %[[KEEP]]
func.func @padding_and_slopes(%q: tensor<2x4x8x16xf32>, %k: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>,
                              %valid: tensor<2x8xi64>, %slope: tensor<4xf32>) -> tensor<2x4x8x16xf32> {
  %zero = arith.constant 0 : i64
  %ninf = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %eb = tensor.empty() : tensor<4x8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %valid4 = tensor.expand_shape %valid [[0], [1, 2, 3]] output_shape [2, 1, 1, 8] : tensor<2x8xi64> into tensor<2x1x1x8xi64>
  %m = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (b, 0, 0, j)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %valid4 : tensor<2x4x8x8xf32>, tensor<2x1x1x8xi64>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %x: i64, %o: f32):
      %0 = arith.cmpi eq, %x, %zero : i64
      %1 = arith.select %0, %ninf, %a : f32
      linalg.yield %1 : f32
  } -> tensor<2x4x8x8xf32>
  %bias = linalg.generic {indexing_maps = [affine_map<(h, i, j) -> (h)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%slope : tensor<4xf32>) outs(%eb : tensor<4x8x8xf32>) {
    ^bb0(%sl: f32, %o: f32):
      %i = linalg.index 1 : index
      %j = linalg.index 2 : index
      %0 = arith.subi %j, %i : index
      %1 = arith.index_cast %0 : index to i64
      %2 = arith.sitofp %1 : i64 to f32
      %3 = arith.mulf %2, %sl : f32
      linalg.yield %3 : f32
  } -> tensor<4x8x8xf32>
  %n = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (h, i, j)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%m, %bias : tensor<2x4x8x8xf32>, tensor<4x8x8xf32>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %x: f32, %o: f32):
      %0 = arith.addf %a, %x : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %n axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

// Keys and values repeated for grouped queries.
// CHECK-LABEL: func @grouped_heads
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x16xf32>, %[[K:.*]]: tensor<?x2x?x16xf32>, %[[V:.*]]: tensor<?x2x?x16xf32>
// CHECK: attn.attention queries(%[[Q]] : tensor<?x4x?x16xf32>) keys(%[[K]] : tensor<?x2x?x16xf32>) value(%[[V]] : tensor<?x2x?x16xf32>)
// CHECK: -> tensor<?x4x?x16xf32>
func.func @grouped_heads(%q: tensor<?x4x?x16xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x16xf32>,
                         %e: tensor<?x2x2x?x16xf32>) -> tensor<?x4x?x16xf32> {
  %kr = linalg.generic {indexing_maps = [affine_map<(b, g, r, n, d) -> (b, g, n, d)>, affine_map<(b, g, r, n, d) -> (b, g, r, n, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%k : tensor<?x2x?x16xf32>) outs(%e : tensor<?x2x2x?x16xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
  } -> tensor<?x2x2x?x16xf32>
  %k4 = tensor.collapse_shape %kr [[0], [1, 2], [3], [4]] : tensor<?x2x2x?x16xf32> into tensor<?x4x?x16xf32>
  %vr = linalg.generic {indexing_maps = [affine_map<(b, g, r, n, d) -> (b, g, n, d)>, affine_map<(b, g, r, n, d) -> (b, g, r, n, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v : tensor<?x2x?x16xf32>) outs(%e : tensor<?x2x2x?x16xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
  } -> tensor<?x2x2x?x16xf32>
  %v4 = tensor.collapse_shape %vr [[0], [1, 2], [3], [4]] : tensor<?x2x2x?x16xf32> into tensor<?x4x?x16xf32>
  %s = attn.matmul %q, %k4 transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %p = attn.softmax %s axis 3 : tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v4 : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#id3 = affine_map<(b, i, j) -> (b, i, j)>

// Batch and heads joined around each product, and split to add the mask.
// CHECK-LABEL: func @joined_heads
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x4x?x16xf32>, %[[K:[a-z0-9]*]]: tensor<?x4x?x16xf32>, %[[V:[a-z0-9]*]]: tensor<?x4x?x16xf32>, %[[MASK:[a-z0-9]*]]: tensor<?x1x1x?xf32>
// CHECK: %[[O:.*]] = attn.attention queries(%[[Q]] : {{.*}}) keys(%[[K]] : {{.*}}) value(%[[V]] : {{.*}}) captures(%[[MASK]] : {{.*}})
// CHECK: %[[DOT:.*]] = attn.dot
// CHECK: arith.mulf %[[DOT]], %{{.*}}
// CHECK: %[[Y:.*]] = tensor.collapse_shape %[[O]]
// CHECK: return %[[Y]]
func.func @joined_heads(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x?x16xf32>, %v: tensor<?x4x?x16xf32>,
                        %mask: tensor<?x1x1x?xf32>) -> tensor<?x?x16xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %scale = arith.constant 2.5e-1 : f32
  %b = tensor.dim %q, %c0 : tensor<?x4x?x16xf32>
  %m = tensor.dim %q, %c2 : tensor<?x4x?x16xf32>
  %n = tensor.dim %k, %c2 : tensor<?x4x?x16xf32>
  %bh = arith.muli %b, %c4 : index
  %q3 = tensor.collapse_shape %q [[0, 1], [2], [3]] : tensor<?x4x?x16xf32> into tensor<?x?x16xf32>
  %k3 = tensor.collapse_shape %k [[0, 1], [2], [3]] : tensor<?x4x?x16xf32> into tensor<?x?x16xf32>
  %v3 = tensor.collapse_shape %v [[0, 1], [2], [3]] : tensor<?x4x?x16xf32> into tensor<?x?x16xf32>
  %et = tensor.empty(%bh, %n) : tensor<?x16x?xf32>
  %kt = linalg.transpose ins(%k3 : tensor<?x?x16xf32>) outs(%et : tensor<?x16x?xf32>) permutation = [0, 2, 1]
  %s = attn.matmul %q3, %kt : tensor<?x?x16xf32>, tensor<?x16x?xf32> -> tensor<?x?x?xf32>
  %e3 = tensor.empty(%bh, %m, %n) : tensor<?x?x?xf32>
  %s3 = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<?x?x?xf32>) outs(%e3 : tensor<?x?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.mulf %a, %scale : f32
      linalg.yield %0 : f32
  } -> tensor<?x?x?xf32>
  %s4 = tensor.expand_shape %s3 [[0, 1], [2], [3]] output_shape [%b, 4, %m, %n] : tensor<?x?x?xf32> into tensor<?x4x?x?xf32>
  %e4 = tensor.empty(%b, %m, %n) : tensor<?x4x?x?xf32>
  %m4 = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (b, 0, 0, j)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s4, %mask : tensor<?x4x?x?xf32>, tensor<?x1x1x?xf32>) outs(%e4 : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %c : f32
      linalg.yield %0 : f32
  } -> tensor<?x4x?x?xf32>
  %m3 = tensor.collapse_shape %m4 [[0, 1], [2], [3]] : tensor<?x4x?x?xf32> into tensor<?x?x?xf32>
  %p = attn.softmax %m3 axis 2 : tensor<?x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v3 : tensor<?x?x?xf32>, tensor<?x?x16xf32> -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

// One head without a dimension for it.
// CHECK-LABEL: func @one_head
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x?x16xf32>, %{{.*}}: tensor<?x?x16xf32>, %{{.*}}: tensor<?x?x16xf32>
// CHECK: %[[QH:.*]] = tensor.expand_shape %[[Q]] {{\[\[}}0, 1], [2], [3]] output_shape [%{{.*}}, 1, %{{.*}}, 16]
// CHECK: %[[O:.*]] = attn.attention queries(%[[QH]] : tensor<?x1x?x16xf32>)
// CHECK: %[[Y:.*]] = tensor.collapse_shape %[[O]] {{\[\[}}0, 1], [2], [3]]
// CHECK: return %[[Y]]
func.func @one_head(%q: tensor<?x?x16xf32>, %k: tensor<?x?x16xf32>, %v: tensor<?x?x16xf32>) -> tensor<?x?x16xf32> {
  %s = attn.matmul %q, %k transpose_b : tensor<?x?x16xf32>, tensor<?x?x16xf32> -> tensor<?x?x?xf32>
  %p = attn.softmax %s axis 2 : tensor<?x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v : tensor<?x?x?xf32>, tensor<?x?x16xf32> -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

#id2 = affine_map<(i, j) -> (i, j)>

// No batch and no heads, a transposed value, a mask aligned at the end (it needs
// the sizes) and a factor on the weights.
// CHECK-LABEL: func @rank_two
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x16xf32>, %[[K:[a-z0-9]*]]: tensor<?x16xf32>, %[[VT:[a-z0-9]*]]: tensor<8x?xf32>, %[[F:[a-z0-9]*]]: tensor<?xf32>
// CHECK-DAG: %[[Q4:.*]] = tensor.expand_shape %[[Q]]
// CHECK-DAG: %[[V:.*]] = linalg.transpose ins(%[[VT]] : tensor<8x?xf32>)
// CHECK-DAG: %[[V4:.*]] = tensor.expand_shape %[[V]]
// CHECK: attn.attention queries(%[[Q4]] : tensor<1x1x?x16xf32>) {{.*}} value(%[[V4]] : tensor<1x1x?x8xf32>) captures(%[[F]] : tensor<?xf32>) score
// CHECK: keep
// CHECK-NEXT: ^bb0(%{{.*}}, %{{.*}}, %{{.*}}: index, %{{.*}}: index, %[[I:.*]]: index, %[[J:.*]]: index, %[[M:.*]]: index, %[[N:.*]]: index, %{{.*}}: tensor<?xf32>)
// CHECK-NEXT: %[[MORE:.*]] = arith.subi %[[N]], %[[M]]
// CHECK-NEXT: %[[LAST:.*]] = arith.addi %[[I]], %[[MORE]]
// CHECK-NEXT: %[[KEEP:.*]] = arith.cmpi sle, %[[J]], %[[LAST]]
// CHECK-NEXT: attn.yield %[[KEEP]]
// CHECK: weight
// CHECK-NEXT: ^bb0(%{{.*}}, %{{.*}}, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[J2:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[C:.*]]: tensor<?xf32>, %[[P:.*]]: f32)
// CHECK-NEXT: %[[X:.*]] = tensor.extract %[[C]][%[[J2]]]
// CHECK-NEXT: %[[W:.*]] = arith.mulf %[[P]], %[[X]]
// CHECK-NEXT: attn.yield %[[W]]
func.func @rank_two(%q: tensor<?x16xf32>, %k: tensor<?x16xf32>, %vt: tensor<8x?xf32>, %f: tensor<?xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ninf = arith.constant 0xFF800000 : f32
  %s = attn.matmul %q, %k transpose_b : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x?xf32>
  %m = tensor.dim %s, %c0 : tensor<?x?xf32>
  %n = tensor.dim %s, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %masked = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %more = arith.subi %n, %m : index
      %last = arith.addi %i, %more : index
      %keep = arith.cmpi sle, %j, %last : index
      %r = arith.select %keep, %a, %ninf : f32
      linalg.yield %r : f32
  } -> tensor<?x?xf32>
  %p = attn.softmax %masked axis 1 : tensor<?x?xf32>
  %w = linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (j)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%p, %f : tensor<?x?xf32>, tensor<?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%a: f32, %x: f32, %o: f32):
      %r = arith.mulf %a, %x : f32
      linalg.yield %r : f32
  } -> tensor<?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %w, %vt transpose_b : tensor<?x?xf32>, tensor<8x?xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// The sizes are those of an input, known again in how the heads are split.
// CHECK-LABEL: func @sizes_of_inputs
// CHECK: keep
// CHECK-NEXT: ^bb0(%{{.*}}, %{{.*}}, %{{.*}}: index, %{{.*}}: index, %[[I:.*]]: index, %[[J:.*]]: index, %[[M:.*]]: index, %[[N:.*]]: index)
// CHECK-NEXT: %[[MORE:.*]] = arith.subi %[[N]], %[[M]]
// CHECK-NEXT: %[[LAST:.*]] = arith.addi %[[I]], %[[MORE]]
// CHECK-NEXT: %[[KEEP:.*]] = arith.cmpi sle, %[[J]], %[[LAST]]
// CHECK-NEXT: attn.yield %[[KEEP]]
func.func @sizes_of_inputs(%x: tensor<?x?x64xf32>, %z: tensor<?x?x64xf32>) -> tensor<?x4x?x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ninf = arith.constant 0xFF800000 : f32
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %m = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %n = tensor.dim %z, %c1 : tensor<?x?x64xf32>
  %xs = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %m, 4, 16] : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>
  %zs = tensor.expand_shape %z [[0], [1], [2, 3]] output_shape [%b, %n, 4, 16] : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>
  %eq = tensor.empty(%b, %m) : tensor<?x4x?x16xf32>
  %ek = tensor.empty(%b, %n) : tensor<?x4x?x16xf32>
  %q = linalg.transpose ins(%xs : tensor<?x?x4x16xf32>) outs(%eq : tensor<?x4x?x16xf32>) permutation = [0, 2, 1, 3]
  %k = linalg.transpose ins(%zs : tensor<?x?x4x16xf32>) outs(%ek : tensor<?x4x?x16xf32>) permutation = [0, 2, 1, 3]
  %s = attn.matmul %q, %k transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %e = tensor.empty(%b, %m, %n) : tensor<?x4x?x?xf32>
  %masked = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %i = linalg.index 2 : index
      %j = linalg.index 3 : index
      %more = arith.subi %n, %m : index
      %last = arith.addi %i, %more : index
      %keep = arith.cmpi sle, %j, %last : index
      %r = arith.select %keep, %a, %ninf : f32
      linalg.yield %r : f32
  } -> tensor<?x4x?x?xf32>
  %p = attn.softmax %masked axis 3 : tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %k : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// A condition that comes from elsewhere is no constant.
// CHECK-LABEL: func @outside_value
// CHECK-NOT: attn.attention
func.func @outside_value(%q: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>, %t: tensor<f32>) -> tensor<2x4x8x16xf32> {
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %x = tensor.extract %t[] : tensor<f32>
  %s = attn.matmul %q, %v transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %m = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x8x8xf32>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.mulf %a, %x : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %m axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{Reason="it uses a value that is no constant and no size of the score"}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

// Weights that the model gives back too are a result of the attention, for
// what stands before its output as well.
// CHECK-LABEL: func @weights_returned
// CHECK: %[[O:.*]], %[[W:.*]] = attn.attention
// CHECK: -> tensor<?x1x?x16xf32> weights tensor<?x1x?x?xf32>
// CHECK: %[[P:.*]] = tensor.collapse_shape %[[W]]
// CHECK: attn.gelu %[[P]]
// CHECK-NOT: attn.matmul
func.func @weights_returned(%q: tensor<?x?x16xf32>, %v: tensor<?x?x16xf32>)
    -> (tensor<?x?x16xf32>, tensor<?x?x?xf32>) {
  %s = attn.matmul %q, %v transpose_b : tensor<?x?x16xf32>, tensor<?x?x16xf32> -> tensor<?x?x?xf32>
  %p = attn.softmax %s axis 2 : tensor<?x?x?xf32>
  %g = attn.gelu %p : tensor<?x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %v : tensor<?x?x?xf32>, tensor<?x?x16xf32> -> tensor<?x?x16xf32>
  return %y, %g : tensor<?x?x16xf32>, tensor<?x?x?xf32>
}

// -----

// CHECK-LABEL: func @scores_returned
// CHECK-NOT: attn.attention
func.func @scores_returned(%q: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>)
    -> (tensor<2x4x8x16xf32>, tensor<2x4x8x8xf32>) {
  %s = attn.matmul %q, %v transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %p = attn.softmax %s axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Missed] attn.matmul | Category:attn-raise-attention | Reason="its scores are also read by func.return"}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y, %s : tensor<2x4x8x16xf32>, tensor<2x4x8x8xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// A score made of two products has two pairs of queries and keys.
// CHECK-LABEL: func @two_products
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x4x8x16xf32>, %[[R:[a-z0-9]*]]: tensor<2x4x8x4xf32>, %[[K:[a-z0-9]*]]: tensor<2x4x8x16xf32>, %[[L:[a-z0-9]*]]: tensor<2x4x8x4xf32>
// CHECK: attn.attention queries(%[[Q]], %[[R]] : {{.*}}) keys(%[[K]], %[[L]] : {{.*}}) value
// CHECK-NEXT: ^bb0(%[[QI:.*]]: tensor<16xf32>, %[[KJ:.*]]: tensor<16xf32>, %[[RI:.*]]: tensor<4xf32>, %[[LJ:.*]]: tensor<4xf32>,
// CHECK-DAG: %[[A:.*]] = attn.dot %[[QI]], %[[KJ]]
// CHECK-DAG: %[[B:.*]] = attn.dot %[[RI]], %[[LJ]]
// CHECK: arith.addf %[[A]], %[[B]]
func.func @two_products(%q: tensor<2x4x8x16xf32>, %r: tensor<2x4x8x4xf32>, %k: tensor<2x4x8x16xf32>,
                        %l: tensor<2x4x8x4xf32>) -> tensor<2x4x8x16xf32> {
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %t = attn.matmul %r, %l transpose_b : tensor<2x4x8x4xf32>, tensor<2x4x8x4xf32> -> tensor<2x4x8x8xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.addf %a, %b : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %m axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %k : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// CHECK-LABEL: func @other_places
// CHECK-NOT: attn.attention
func.func @other_places(%q: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>) -> tensor<2x4x8x16xf32> {
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %s = attn.matmul %q, %v transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %m = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (b, h, j, i)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %s : tensor<2x4x8x8xf32>, tensor<2x4x8x8xf32>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.addf %a, %b : f32
      linalg.yield %0 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %m axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{Reason="a score depends on scores at other places"}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

// CHECK-LABEL: func @over_queries
// CHECK-NOT: attn.attention
func.func @over_queries(%q: tensor<2x4x8x16xf32>, %v: tensor<2x4x8x16xf32>) -> tensor<2x4x8x16xf32> {
  %s = attn.matmul %q, %v transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %p = attn.softmax %s axis 2 : tensor<2x4x8x8xf32>
  // expected-remark @below {{Reason="the softmax is not along the keys"}}
  %y = attn.matmul %p, %v : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}
