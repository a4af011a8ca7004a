// RUN: attn-opt %s --split-input-file --attn-raise-attention --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

// Forms of attention other than a product, a softmax operation and a product.

#id = affine_map<(b, i, j) -> (b, i, j)>
#row = affine_map<(b, i, j) -> (b, i)>

// Softmax as exponentials, their sum and a maximum taken off.
// CHECK-LABEL: func @exponentials
// CHECK-NOT: linalg.generic
// CHECK: attn.attention {{.*}} score
// CHECK: %[[DOT:.*]] = attn.dot
// CHECK-NEXT: attn.yield %[[DOT]]
// CHECK-NOT: weight
// CHECK: return
func.func @exponentials(%q: tensor<?x?x16xf32>, %k: tensor<?x?x16xf32>, %v: tensor<?x?x16xf32>, %e: tensor<?x?x?xf32>,
                        %er: tensor<?x?xf32>) -> tensor<?x?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %s = attn.matmul %q, %k transpose_b : tensor<?x?x16xf32>, tensor<?x?x16xf32> -> tensor<?x?x?xf32>
  %none = linalg.fill ins(%ninf : f32) outs(%er : tensor<?x?xf32>) -> tensor<?x?xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%s : tensor<?x?x?xf32>) outs(%none : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.maximumf %a, %o : f32
      linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %x = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<?x?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x?x?xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %0 = arith.subf %a, %m : f32
      %1 = math.exp %0 : f32
      linalg.yield %1 : f32
  } -> tensor<?x?x?xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%er : tensor<?x?xf32>) -> tensor<?x?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x?x?xf32>) outs(%empty : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.addf %o, %a : f32
      linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %sum : tensor<?x?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x?x?xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %0 = arith.divf %a, %m : f32
      linalg.yield %0 : f32
  } -> tensor<?x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention | Category:attn-raise-attention | Remark="raised from a product, a softmax and a product"}}
  %y = attn.matmul %p, %v : tensor<?x?x?xf32>, tensor<?x?x16xf32> -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A sum that something is added to is no softmax.
// CHECK-LABEL: func @sum_and_epsilon
// CHECK-NOT: attn.attention
func.func @sum_and_epsilon(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %zero = arith.constant 0.0 : f32
  %eps = arith.constant 1.0e-3 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %er = tensor.empty() : tensor<8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = math.exp %a : f32
      linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%er : tensor<8xf32>) -> tensor<8xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x8xf32>) outs(%empty : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.addf %a, %o : f32
      linalg.yield %0 : f32
  } -> tensor<8xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<8x8xf32>, tensor<8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %0 = arith.addf %m, %eps : f32
      %1 = arith.divf %a, %0 : f32
      linalg.yield %1 : f32
  } -> tensor<8x8xf32>
  // expected-remark @below {{Reason="a score depends on other scores of its row"}}
  %y = attn.matmul %p, %k : tensor<8x8xf32>, tensor<8x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A product of two is no attention of either.
// CHECK-LABEL: func @product_of_softmaxes
// CHECK-NOT: attn.attention
func.func @product_of_softmaxes(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %t = attn.matmul %k, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %a = attn.softmax %s axis 1 : tensor<8x8xf32>
  %b = attn.softmax %t axis 1 : tensor<8x8xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%x: f32, %z: f32, %o: f32):
      %0 = arith.mulf %x, %z : f32
      linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  // expected-remark @below {{Reason="its weights are made of several softmaxes"}}
  %y = attn.matmul %p, %k : tensor<8x8xf32>, tensor<8x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// The difference of two attentions (differential attention).
// CHECK-LABEL: func @difference_of_softmaxes
// CHECK: %[[A:.*]] = attn.attention
// CHECK: %[[X:.*]] = tensor.collapse_shape %[[A]]
// CHECK: %[[B:.*]] = attn.attention
// CHECK: %[[Y:.*]] = tensor.collapse_shape %[[B]]
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[Y]] :
// CHECK: arith.subf
func.func @difference_of_softmaxes(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %t = attn.matmul %k, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %a = attn.softmax %s axis 1 : tensor<8x8xf32>
  %b = attn.softmax %t axis 1 : tensor<8x8xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%x: f32, %z: f32, %o: f32):
      %0 = arith.subf %x, %z : f32
      linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  // expected-remark @below {{[Passed] attn.attention | Category:attn-raise-attention | Remark="raised from a product, a softmax and a product"}}
  %y = attn.matmul %p, %k : tensor<8x8xf32>, tensor<8x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Weights that are a multiple of a softmax: the factor comes after the values.
// CHECK-LABEL: func @multiple_of_softmax
// CHECK: %[[A:.*]] = attn.attention
// CHECK-NOT: weight {
// CHECK: tensor.collapse_shape %[[A]]
// CHECK: linalg.generic
// CHECK: arith.mulf
func.func @multiple_of_softmax(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %c: tensor<8xf32>) -> tensor<8x16xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %a = attn.softmax %s axis 1 : tensor<8x8xf32>
  %p = linalg.generic {indexing_maps = [#row, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c, %a : tensor<8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%x: f32, %z: f32, %o: f32):
      %0 = arith.mulf %x, %z : f32
      linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  // expected-remark @below {{[Passed] attn.attention | Category:attn-raise-attention | Remark="raised from a product, a softmax and a product"}}
  %y = attn.matmul %p, %k : tensor<8x8xf32>, tensor<8x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Sigmoid in place of softmax, keys that a condition makes 0, and a factor.
// CHECK-LABEL: func @sigmoid
// CHECK: attn.attention {{.*}} normalizer(sigmoid)
// CHECK: keep
// CHECK: arith.cmpi
// CHECK: weight
// CHECK-NEXT: ^bb0({{.*}}, %[[P:.*]]: f32):
// CHECK: arith.mulf %[[P]]
func.func @sigmoid(%q: tensor<?x16xf32>, %k: tensor<?x16xf32>, %e: tensor<?x?xf32>) -> tensor<?x16xf32> {
  %one = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %s = attn.matmul %q, %k transpose_b : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%x: f32, %o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %c = arith.cmpi sle, %j, %i : index
      %m = arith.select %c, %x, %ninf : f32
      %0 = arith.negf %m : f32
      %1 = math.exp %0 : f32
      %2 = arith.addf %1, %one : f32
      %3 = arith.divf %one, %2 : f32
      %4 = arith.mulf %3, %half : f32
      linalg.yield %4 : f32
  } -> tensor<?x?xf32>
  // expected-remark @below {{Remark="raised from a product, a sigmoid and a product"}}
  %y = attn.matmul %p, %k : tensor<?x?xf32>, tensor<?x16xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Scores that are the weights themselves.
// CHECK-LABEL: func @scores_as_weights
// CHECK: attn.attention {{.*}} normalizer(sum) score
// CHECK: arith.maximumf
// CHECK: keep
// CHECK: arith.cmpi sle
// CHECK-NOT: weight
func.func @scores_as_weights(%q: tensor<?x16xf32>, %k: tensor<?x16xf32>, %e: tensor<?x?xf32>) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %s = attn.matmul %q, %k transpose_b : tensor<?x16xf32>, tensor<?x16xf32> -> tensor<?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%x: f32, %o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %c = arith.cmpi sle, %j, %i : index
      %0 = arith.maximumf %x, %zero : f32
      %1 = arith.select %c, %0, %zero : f32
      linalg.yield %1 : f32
  } -> tensor<?x?xf32>
  // expected-remark @below {{Remark="raised from a product of scores and values"}}
  %y = attn.matmul %p, %k : tensor<?x?xf32>, tensor<?x16xf32> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// A column joined to the scores and taken off the weights is a sink; sizes are
// known by their names.
// CHECK-LABEL: func @sink
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<1x4x1x1xf32>
// CHECK: %[[SINK:.*]] = tensor.collapse_shape %[[X]] {{.*}} into tensor<4xf32>
// CHECK: attn.attention {{.*}} sink(%[[SINK]] : tensor<4xf32>) score
// CHECK-NOT: tensor.concat
func.func @sink(%q: tensor<?x4x?x16xf32> {attn.dims = ["b", "", "m", ""]}, %k: tensor<?x4x?x16xf32> {attn.dims = ["b", "", "n", ""]},
                %x: tensor<1x4x1x1xf32>) -> tensor<?x4x?x16xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x16xf32>
  %m = tensor.dim %q, %c2 : tensor<?x4x?x16xf32>
  %n = tensor.dim %k, %c2 : tensor<?x4x?x16xf32>
  %s = attn.matmul %q, %k transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %e = tensor.empty(%b, %m) : tensor<?x4x?x1xf32>
  %column = linalg.generic {indexing_maps = [affine_map<(b, h, i, j) -> (0, h, 0, 0)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x4x1x1xf32>) outs(%e : tensor<?x4x?x1xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
  } -> tensor<?x4x?x1xf32>
  %c = tensor.concat dim(3) %s, %column : (tensor<?x4x?x?xf32>, tensor<?x4x?x1xf32>) -> tensor<?x4x?x?xf32>
  %w = attn.softmax %c axis 3 : tensor<?x4x?x?xf32>
  %p = tensor.extract_slice %w[0, 0, 0, 0] [%b, 4, %m, %n] [1, 1, 1, 1] : tensor<?x4x?x?xf32> to tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %k : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

// What is taken off is not what was joined.
// CHECK-LABEL: func @no_sink
// CHECK-NOT: attn.attention
func.func @no_sink(%q: tensor<1x4x8x16xf32>, %k: tensor<1x4x8x16xf32>, %x: tensor<1x4x8x1xf32>,
                   %v: tensor<1x4x7x16xf32>) -> tensor<1x4x8x16xf32> {
  %s = attn.matmul %q, %k transpose_b : tensor<1x4x8x16xf32>, tensor<1x4x8x16xf32> -> tensor<1x4x8x8xf32>
  %c = tensor.concat dim(3) %s, %x : (tensor<1x4x8x8xf32>, tensor<1x4x8x1xf32>) -> tensor<1x4x8x9xf32>
  %w = attn.softmax %c axis 3 : tensor<1x4x8x9xf32>
  %p = tensor.extract_slice %w[0, 0, 0, 0] [1, 4, 8, 7] [1, 1, 1, 1] : tensor<1x4x8x9xf32> to tensor<1x4x8x7xf32>
  // expected-remark @below {{Reason="its scores are not a product of queries and keys"}}
  %y = attn.matmul %p, %v : tensor<1x4x8x7xf32>, tensor<1x4x7x16xf32> -> tensor<1x4x8x16xf32>
  return %y : tensor<1x4x8x16xf32>
}

// -----

// CHECK-LABEL: func @sink_for_each_row
// CHECK-NOT: attn.attention
func.func @sink_for_each_row(%q: tensor<1x4x8x16xf32>, %k: tensor<1x4x8x16xf32>, %x: tensor<1x4x8x1xf32>) -> tensor<1x4x8x16xf32> {
  %s = attn.matmul %q, %k transpose_b : tensor<1x4x8x16xf32>, tensor<1x4x8x16xf32> -> tensor<1x4x8x8xf32>
  %c = tensor.concat dim(3) %s, %x : (tensor<1x4x8x8xf32>, tensor<1x4x8x1xf32>) -> tensor<1x4x8x9xf32>
  %w = attn.softmax %c axis 3 : tensor<1x4x8x9xf32>
  %p = tensor.extract_slice %w[0, 0, 0, 0] [1, 4, 8, 8] [1, 1, 1, 1] : tensor<1x4x8x9xf32> to tensor<1x4x8x8xf32>
  // expected-remark @below {{Reason="its sink is not one number for each head"}}
  %y = attn.matmul %p, %k : tensor<1x4x8x8xf32>, tensor<1x4x8x16xf32> -> tensor<1x4x8x16xf32>
  return %y : tensor<1x4x8x16xf32>
}

// -----

#pairs = affine_map<(b, i, j, d) -> (b, i, j, d)>

// Additive scores: a sum over the width of what joins queries and keys, with a
// vector of weights of its own.
// CHECK-LABEL: func @additive
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x?x8xf32>, %[[K:[a-z0-9]*]]: tensor<?x?x8xf32>, %[[W:[a-z0-9]*]]: tensor<8xf32>
// CHECK: %[[QH:.*]] = tensor.expand_shape %[[Q]]
// CHECK: %[[KH:.*]] = tensor.expand_shape %[[K]]
// CHECK: attn.attention queries(%[[QH]] : tensor<?x1x?x8xf32>) keys(%[[KH]] : tensor<?x1x?x8xf32>) {{.*}} captures(%[[W]] : tensor<8xf32>) score
// CHECK-NEXT: ^bb0(%[[QI:.*]]: tensor<8xf32>, %[[KJ:.*]]: tensor<8xf32>, {{.*}}, %[[WC:.*]]: tensor<8xf32>):
// CHECK: %[[S:.*]] = arith.addf %[[QI]], %[[KJ]] : tensor<8xf32>
// CHECK: %[[T:.*]] = math.tanh %[[S]] : tensor<8xf32>
// CHECK: %[[P:.*]] = arith.mulf %[[T]], %[[WC]] : tensor<8xf32>
// CHECK: %[[SUM:.*]] = attn.sum %[[P]]
// CHECK: attn.yield %[[SUM]]
func.func @additive(%q: tensor<?x?x8xf32>, %k: tensor<?x?x8xf32>, %w: tensor<8xf32>, %e: tensor<?x?x?x8xf32>,
                    %es: tensor<?x?x?xf32>) -> tensor<?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %t = linalg.generic {indexing_maps = [affine_map<(b, i, j, d) -> (b, i, d)>, affine_map<(b, i, j, d) -> (b, j, d)>,
      affine_map<(b, i, j, d) -> (d)>, #pairs], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q, %k, %w : tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<8xf32>) outs(%e : tensor<?x?x?x8xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %b : f32
      %1 = math.tanh %0 : f32
      %2 = arith.mulf %1, %c : f32
      linalg.yield %2 : f32
  } -> tensor<?x?x?x8xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%es : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.generic {indexing_maps = [#pairs, affine_map<(b, i, j, d) -> (b, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%t : tensor<?x?x?x8xf32>) outs(%empty : tensor<?x?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.addf %a, %o : f32
      linalg.yield %0 : f32
  } -> tensor<?x?x?xf32>
  %p = attn.softmax %s axis 2 : tensor<?x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %k : tensor<?x?x?xf32>, tensor<?x?x8xf32> -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

#pairs = affine_map<(i, j, d) -> (i, j, d)>

// A sum over a dynamic width is no vector.
// CHECK-LABEL: func @dynamic_width
// CHECK-NOT: attn.attention
func.func @dynamic_width(%q: tensor<?x?xf32>, %k: tensor<?x?xf32>, %v: tensor<?x4xf32>, %e: tensor<?x?x?xf32>,
                         %es: tensor<?x?xf32>) -> tensor<?x4xf32> {
  %zero = arith.constant 0.0 : f32
  %t = linalg.generic {indexing_maps = [affine_map<(i, j, d) -> (i, d)>, affine_map<(i, j, d) -> (j, d)>, #pairs], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%q, %k : tensor<?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x?x?xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.subf %a, %b : f32
      %1 = math.absf %0 : f32
      linalg.yield %1 : f32
  } -> tensor<?x?x?xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%es : tensor<?x?xf32>) -> tensor<?x?xf32>
  %s = linalg.generic {indexing_maps = [#pairs, affine_map<(i, j, d) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%t : tensor<?x?x?xf32>) outs(%empty : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = arith.addf %a, %o : f32
      linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %p = attn.softmax %s axis 1 : tensor<?x?xf32>
  // expected-remark @below {{Reason="its scores are not a product of queries and keys"}}
  %y = attn.matmul %p, %v : tensor<?x?xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// A table looked up for each pair, clamped as the lookup clamps. A tensor of
// rows and columns that an input is made into with a function is captured.
// CHECK-LABEL: func @lookup
// CHECK-SAME: %[[IDS:[a-z0-9]*]]: tensor<?x?xi64>, %[[TABLE:[a-z0-9]*]]: tensor<6x4xf32>
// CHECK: %[[LOG:.*]] = linalg.generic
// CHECK: attn.attention {{.*}} captures(%[[IDS]], %[[TABLE]], %[[LOG]] : tensor<?x?xi64>, tensor<6x4xf32>, tensor<?x?xf32>)
// CHECK: ^bb0(%{{.*}}, %{{.*}}, %{{.*}}: index, %[[H:.*]]: index, %[[I:.*]]: index, %[[J:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[IC:.*]]: tensor<?x?xi64>, %[[TC:.*]]: tensor<6x4xf32>, %{{.*}}: tensor<?x?xf32>)
// CHECK: %[[ID:.*]] = tensor.extract %[[IC]][%[[I]], %[[J]]]
// CHECK: %[[LEAST:.*]] = arith.maxsi %[[ID]]
// CHECK: %[[INSIDE:.*]] = arith.minsi %[[LEAST]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[INSIDE]]
// CHECK: tensor.extract %[[TC]][%[[AT]], %[[H]]]
func.func @lookup(%q: tensor<?x4x?x16xf32>, %ids: tensor<?x?xi64>, %table: tensor<6x4xf32>, %eb: tensor<4x?x?xf32>,
                  %x: tensor<?x?xf32>, %e: tensor<?x4x?x?xf32>) -> tensor<?x4x?x16xf32> {
  %s = attn.matmul %q, %q transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %rows = attn.embedding %ids, %table : tensor<?x?xi64>, tensor<6x4xf32> -> tensor<?x?x4xf32>
  %bias = linalg.transpose ins(%rows : tensor<?x?x4xf32>) outs(%eb : tensor<4x?x?xf32>) permutation = [2, 0, 1]
  %log = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x?xf32>) outs(%x : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %0 = math.exp %a : f32
      linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %t = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (h, i, j)>, affine_map<(b, h, i, j) -> (i, j)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias, %log : tensor<?x4x?x?xf32>, tensor<4x?x?xf32>, tensor<?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %b : f32
      %1 = arith.addf %0, %c : f32
      linalg.yield %1 : f32
  } -> tensor<?x4x?x?xf32>
  %p = attn.softmax %t axis 3 : tensor<?x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %q : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>

// The logarithm of a condition is a mask.
// CHECK-LABEL: func @logarithm_of_condition
// CHECK: attn.attention
// CHECK-NOT: math.log
// CHECK: keep
// CHECK: arith.cmpi ne
func.func @logarithm_of_condition(%q: tensor<2x4x8x16xf32>, %valid: tensor<2x8xi64>) -> tensor<2x4x8x16xf32> {
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<2x4x8x8xf32>
  %s = attn.matmul %q, %q transpose_b : tensor<2x4x8x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x8xf32>
  %m = linalg.generic {indexing_maps = [#id, affine_map<(b, h, i, j) -> (b, j)>, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %valid : tensor<2x4x8x8xf32>, tensor<2x8xi64>) outs(%e : tensor<2x4x8x8xf32>) {
    ^bb0(%a: f32, %x: i64, %o: f32):
      %0 = arith.cmpi ne, %x, %zero : i64
      %1 = arith.uitofp %0 : i1 to f32
      %2 = math.log %1 : f32
      %3 = arith.addf %a, %2 : f32
      linalg.yield %3 : f32
  } -> tensor<2x4x8x8xf32>
  %p = attn.softmax %m axis 3 : tensor<2x4x8x8xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %q : tensor<2x4x8x8xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

// One key head that copies stand for, and one that a map repeats.
// CHECK-LABEL: func @one_key_head
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x2x?x16xf32>, %[[K:[a-z0-9]*]]: tensor<?x1x?x16xf32>
// CHECK: attn.attention queries(%[[Q]] : {{.*}}) keys(%[[K]] : tensor<?x1x?x16xf32>) value(%[[K]] : tensor<?x1x?x16xf32>)
func.func @one_key_head(%q: tensor<?x2x?x16xf32>, %k: tensor<?x1x?x16xf32>, %e: tensor<?x2x?x16xf32>) -> tensor<?x2x?x16xf32> {
  %keys = tensor.concat dim(1) %k, %k : (tensor<?x1x?x16xf32>, tensor<?x1x?x16xf32>) -> tensor<?x2x?x16xf32>
  %values = linalg.generic {indexing_maps = [affine_map<(b, h, i, j) -> (b, 0, i, j)>, affine_map<(b, h, i, j) -> (b, h, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%k : tensor<?x1x?x16xf32>) outs(%e : tensor<?x2x?x16xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
  } -> tensor<?x2x?x16xf32>
  %s = attn.matmul %q, %keys transpose_b : tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32> -> tensor<?x2x?x?xf32>
  %p = attn.softmax %s axis 3 : tensor<?x2x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %values : tensor<?x2x?x?xf32>, tensor<?x2x?x16xf32> -> tensor<?x2x?x16xf32>
  return %y : tensor<?x2x?x16xf32>
}

// -----

// Scores of keys and queries, and weights that are their transpose.
// CHECK-LABEL: func @turned
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x4x8x16xf32>, %[[K:[a-z0-9]*]]: tensor<2x4x6x16xf32>
// CHECK: attn.attention queries(%[[Q]] : {{.*}}) keys(%[[K]] : {{.*}}) value(%[[K]] : {{.*}})
func.func @turned(%q: tensor<2x4x8x16xf32>, %k: tensor<2x4x6x16xf32>) -> tensor<2x4x8x16xf32> {
  %s = attn.matmul %k, %q transpose_b : tensor<2x4x6x16xf32>, tensor<2x4x8x16xf32> -> tensor<2x4x6x8xf32>
  %p = attn.softmax %s axis 2 : tensor<2x4x6x8xf32>
  %e = tensor.empty() : tensor<2x4x8x6xf32>
  %t = linalg.transpose ins(%p : tensor<2x4x6x8xf32>) outs(%e : tensor<2x4x8x6xf32>) permutation = [0, 1, 3, 2]
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %t, %k : tensor<2x4x8x6xf32>, tensor<2x4x6x16xf32> -> tensor<2x4x8x16xf32>
  return %y : tensor<2x4x8x16xf32>
}

// -----

// A part of the weights.
// CHECK-LABEL: func @part
// CHECK-NOT: attn.attention
func.func @part(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %v: tensor<6x16xf32>) -> tensor<8x16xf32> {
  %s = attn.matmul %q, %k transpose_b : tensor<8x16xf32>, tensor<8x16xf32> -> tensor<8x8xf32>
  %p = attn.softmax %s axis 1 : tensor<8x8xf32>
  %t = tensor.extract_slice %p[0, 0] [8, 6] [1, 1] : tensor<8x8xf32> to tensor<8x6xf32>
  // expected-remark @below {{Reason="a part of the scores is taken"}}
  %y = attn.matmul %t, %v : tensor<8x6xf32>, tensor<6x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

// Two dimensions of batches are joined, in front of transposes, which attention
// reads through; a score finds each of them again.
// CHECK-LABEL: func @two_batches
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x3x?x4x16xf32>
// CHECK: %[[JOINED:.*]] = tensor.collapse_shape %[[Q]] {{\[\[}}0, 1], [2], [3], [4]]
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[JOINED]] : tensor<?x?x4x16xf32>) {{.*}} permutation = [0, 2, 1, 3]
// CHECK: attn.attention queries(%[[T]] : tensor<?x4x?x16xf32>)
// CHECK: %[[OUTER:.*]] = arith.floordivsi %[[B:.*]], %[[THREE:.*]] : index
// CHECK: %[[BEFORE:.*]] = arith.muli %[[OUTER]], %[[THREE]] : index
// CHECK: %[[INNER:.*]] = arith.subi %[[B]], %[[BEFORE]] : index
// CHECK: tensor.extract %{{.*}}[%[[OUTER]], %[[INNER]]]
// CHECK: } -> tensor<?x4x?x16xf32>
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 1, 3]
// CHECK: tensor.expand_shape {{.*}} into tensor<?x3x?x4x16xf32>
#scores = affine_map<(o, b, h, i, j) -> (o, b, h, i, j)>
func.func @two_batches(%q: tensor<?x3x?x4x16xf32>, %bias: tensor<?x3xf32>) -> tensor<?x3x?x4x16xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c0 : tensor<?x3x?x4x16xf32>
  %m = tensor.dim %q, %c2 : tensor<?x3x?x4x16xf32>
  %heads = tensor.empty(%n, %m) : tensor<?x3x4x?x16xf32>
  %t = linalg.transpose ins(%q : tensor<?x3x?x4x16xf32>) outs(%heads : tensor<?x3x4x?x16xf32>) permutation = [0, 1, 3, 2, 4]
  %s = attn.matmul %t, %t transpose_b : tensor<?x3x4x?x16xf32>, tensor<?x3x4x?x16xf32> -> tensor<?x3x4x?x?xf32>
  %e = tensor.empty(%n, %m, %m) : tensor<?x3x4x?x?xf32>
  %b = linalg.generic {indexing_maps = [#scores, affine_map<(o, b, h, i, j) -> (o, b)>, #scores], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias : tensor<?x3x4x?x?xf32>, tensor<?x3xf32>) outs(%e : tensor<?x3x4x?x?xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %c : f32
      linalg.yield %0 : f32
  } -> tensor<?x3x4x?x?xf32>
  %p = attn.softmax %b axis 4 : tensor<?x3x4x?x?xf32>
  // expected-remark @below {{[Passed] attn.attention}}
  %y = attn.matmul %p, %t : tensor<?x3x4x?x?xf32>, tensor<?x3x4x?x16xf32> -> tensor<?x3x4x?x16xf32>
  %out = tensor.empty(%n, %m) : tensor<?x3x?x4x16xf32>
  %r = linalg.transpose ins(%y : tensor<?x3x4x?x16xf32>) outs(%out : tensor<?x3x?x4x16xf32>) permutation = [0, 1, 3, 2, 4]
  return %r : tensor<?x3x?x4x16xf32>
}

// -----

// CHECK-LABEL: func @dynamic_inner_batch
// CHECK-NOT: attn.attention
#scores = affine_map<(o, b, h, i, j) -> (o, b, h, i, j)>
func.func @dynamic_inner_batch(%q: tensor<2x?x4x8x16xf32>, %bias: tensor<2xf32>, %e: tensor<2x?x4x8x8xf32>) -> tensor<2x?x4x8x16xf32> {
  %s = attn.matmul %q, %q transpose_b : tensor<2x?x4x8x16xf32>, tensor<2x?x4x8x16xf32> -> tensor<2x?x4x8x8xf32>
  %b = linalg.generic {indexing_maps = [#scores, affine_map<(o, b, h, i, j) -> (o)>, #scores], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias : tensor<2x?x4x8x8xf32>, tensor<2xf32>) outs(%e : tensor<2x?x4x8x8xf32>) {
    ^bb0(%a: f32, %c: f32, %o: f32):
      %0 = arith.addf %a, %c : f32
      linalg.yield %0 : f32
  } -> tensor<2x?x4x8x8xf32>
  %p = attn.softmax %b axis 4 : tensor<2x?x4x8x8xf32>
  // expected-remark @below {{Reason="its scores depend on one of two dimensions of batches, of which the second is dynamic"}}
  %y = attn.matmul %p, %q : tensor<2x?x4x8x8xf32>, tensor<2x?x4x8x16xf32> -> tensor<2x?x4x8x16xf32>
  return %y : tensor<2x?x4x8x16xf32>
}

// -----

// CHECK-LABEL: func @six_dimensions
// CHECK-NOT: attn.attention
func.func @six_dimensions(%q: tensor<2x3x2x4x8x16xf32>) -> tensor<2x3x2x4x8x16xf32> {
  %s = attn.matmul %q, %q transpose_b : tensor<2x3x2x4x8x16xf32>, tensor<2x3x2x4x8x16xf32> -> tensor<2x3x2x4x8x8xf32>
  %p = attn.softmax %s axis 5 : tensor<2x3x2x4x8x8xf32>
  // expected-remark @below {{Reason="its operands have more dimensions than [outer batch, batch, head, row, width]"}}
  %y = attn.matmul %p, %q : tensor<2x3x2x4x8x8xf32>, tensor<2x3x2x4x8x16xf32> -> tensor<2x3x2x4x8x16xf32>
  return %y : tensor<2x3x2x4x8x16xf32>
}
