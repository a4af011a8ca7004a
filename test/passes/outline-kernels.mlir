// RUN: attn-opt %s --split-input-file --attn-hoist-parameters --attn-outline-kernels --verify-diagnostics | FileCheck %s

// Two equal linears are one kernel; each weight gets the layout of panels.
// CHECK-LABEL: func @equal_kernels
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK: %[[W0:.*]] = attn.get_parameter [@[[P0:.*]]]
// CHECK: %[[Y:.*]] = attn.launch @[[K:.*]](%[[X]], %[[W0]])
// CHECK: %[[W1:.*]] = attn.get_parameter [@[[P1:.*]]]
// CHECK: attn.launch @[[K]](%[[Y]], %[[W1]])
// CHECK-DAG: attn.parameter @[[P0]] : tensor<8x8xf32> layout(#attn.panels<16>)
// CHECK-DAG: attn.parameter @[[P1]] : tensor<8x8xf32> layout(#attn.panels<16>)
// CHECK: func private @[[K]](%[[A:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<8x8xf32> {attn.layout = #attn.panels<16>})
// CHECK-SAME: attributes {attn.kernel}
// CHECK-NEXT: %[[R:.*]] = attn.linear %[[A]] weights(%[[W]]
// CHECK-NEXT: return %[[R]]
// CHECK-NOT: func private
func.func @equal_kernels(%x: tensor<?x8xf32> {attn.dims = ["n", ""]}) -> tensor<?x8xf32> {
  %a = attn.weight "a" : tensor<8x8xf32>
  %b = attn.weight "b" : tensor<8x8xf32>
  %y = attn.linear %x weights(%a : tensor<8x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>
  %z = attn.linear %y weights(%b : tensor<8x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// -----

// Transposes of queries, keys, values and the output go into the kernel;
// reshapes stay outside, with sizes that depend on the model's inputs alone.
// CHECK-LABEL: func @attention
// CHECK-SAME: %[[X:.*]]: tensor<?x?x16xf32>
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[HEADS:.*]] = tensor.expand_shape %[[X]]
// CHECK-NEXT: %[[O:.*]] = attn.launch @[[K:.*]](%[[HEADS]]) : (tensor<?x?x2x8xf32>) -> tensor<?x?x2x8xf32>
// CHECK-NEXT: %[[Y:.*]] = tensor.collapse_shape %[[O]]
// CHECK-NEXT: return %[[Y]]
// CHECK: func private @[[K]](
// CHECK: linalg.transpose
// CHECK: attn.attention
// CHECK: linalg.transpose
func.func @attention(%x: tensor<?x?x16xf32> {attn.dims = ["batch", "sequence", ""]}) -> tensor<?x?x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x16xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x16xf32>
  %h = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %s, 2, 8] : tensor<?x?x16xf32> into tensor<?x?x2x8xf32>
  %e = tensor.empty(%b, %s) : tensor<?x2x?x8xf32>
  %q = linalg.transpose ins(%h : tensor<?x?x2x8xf32>) outs(%e : tensor<?x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %o = attn.attention queries(%q : tensor<?x2x?x8xf32>) keys(%q : tensor<?x2x?x8xf32>) value(%q : tensor<?x2x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %bi: index, %hi: index, %i: index, %j: index, %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } -> tensor<?x2x?x8xf32>
  %e2 = tensor.empty(%b, %s) : tensor<?x?x2x8xf32>
  %t = linalg.transpose ins(%o : tensor<?x2x?x8xf32>) outs(%e2 : tensor<?x?x2x8xf32>) permutation = [0, 2, 1, 3]
  %y = tensor.collapse_shape %t [[0], [1], [2, 3]] : tensor<?x?x2x8xf32> into tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

// A map is one more result of that kernel, whatever stands before the
// transpose. Transposes that turn the width, or a capture, are kernels.
// CHECK-LABEL: func @attention_map
// CHECK: %[[KEYS:.*]] = attn.launch @{{.*}}(%{{.*}}) : (tensor<?x2x8x?xf32>) -> tensor<?x2x?x8xf32>
// CHECK: %[[BIAS:.*]] = attn.launch @{{.*}}(%{{.*}}) : (tensor<5x5xf32>) -> tensor<5x5xf32>
// CHECK: %[[O:.*]]:2 = attn.launch @[[K:.*]](%{{.*}}, %[[KEYS]], %[[BIAS]]) : {{.*}} -> (tensor<?x?x2x8xf32>, tensor<?x?x?xf32>)
// CHECK: %[[MAP:.*]] = attn.launch @{{.*}}(%[[O]]#1)
// CHECK: return %[[O]]#0, %[[MAP]]
// CHECK: func private @[[K]](
// CHECK: %[[A:.*]], %[[W:.*]] = attn.attention
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[A]]
// CHECK: return %[[T]], %[[W]]
func.func @attention_map(%q: tensor<?x2x?x8xf32> {attn.dims = ["b", "", "m", ""]},
                         %k: tensor<?x2x8x?xf32> {attn.dims = ["b", "", "", "n"]},
                         %bias: tensor<5x5xf32> {attn.dims = ["", ""]})
    -> (tensor<?x?x2x8xf32>, tensor<?x?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %b = tensor.dim %q, %c0 : tensor<?x2x?x8xf32>
  %m = tensor.dim %q, %c2 : tensor<?x2x?x8xf32>
  %n = tensor.dim %k, %c3 : tensor<?x2x8x?xf32>
  %ke = tensor.empty(%b, %n) : tensor<?x2x?x8xf32>
  %kt = linalg.transpose ins(%k : tensor<?x2x8x?xf32>) outs(%ke : tensor<?x2x?x8xf32>) permutation = [0, 1, 3, 2]
  %be = tensor.empty() : tensor<5x5xf32>
  %bt = linalg.transpose ins(%bias : tensor<5x5xf32>) outs(%be : tensor<5x5xf32>) permutation = [1, 0]
  %o, %w = attn.attention queries(%q : tensor<?x2x?x8xf32>) keys(%kt : tensor<?x2x?x8xf32>) value(%kt : tensor<?x2x?x8xf32>)
      captures(%bt : tensor<5x5xf32>) score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %bi: index, %hi: index, %i: index, %j: index, %rows: index, %keys: index,
           %table: tensor<5x5xf32>):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        %x = tensor.extract %table[%i, %j] : tensor<5x5xf32>
        %s = arith.addf %dot, %x : f32
        attn.yield %s : f32
      } -> tensor<?x2x?x8xf32> weights tensor<?x?x?xf32>
  %we = tensor.empty(%b, %m, %n) : tensor<?x?x?xf32>
  %map = linalg.transpose ins(%w : tensor<?x?x?xf32>) outs(%we : tensor<?x?x?xf32>) permutation = [0, 1, 2]
  %oe = tensor.empty(%b, %m) : tensor<?x?x2x8xf32>
  %t = linalg.transpose ins(%o : tensor<?x2x?x8xf32>) outs(%oe : tensor<?x?x2x8xf32>) permutation = [0, 2, 1, 3]
  return %t, %map : tensor<?x?x2x8xf32>, tensor<?x?x?xf32>
}

// -----

// The batch that a class token is repeated for is no size of the token: the
// kernel also gets the input that has it.
// CHECK-LABEL: func @class_token
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK: %[[TOKEN:.*]] = attn.get_parameter
// CHECK: attn.launch @[[K:.*]](%[[TOKEN]], %[[X]]) : (tensor<4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
// CHECK: func private @[[K]](%{{.*}}: tensor<4xf32>, %[[SIZES:.*]]: tensor<?x4xf32>)
// CHECK: tensor.dim %[[SIZES]]
#id = affine_map<(b, c) -> (b, c)>
func.func @class_token(%x: tensor<?x4xf32> {attn.dims = ["batch", ""]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %token = attn.weight "token" : tensor<4xf32>
  %b = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, c) -> (c)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%token : tensor<4xf32>) outs(%e : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A table that is also the weight of a linear, before or behind, is stored
// once, as the linear's panels; one that is not stays as it is.
// CHECK-LABEL: func @tied_table
// CHECK: %[[T0:.*]] = attn.get_parameter [@[[T:.*]]]
// CHECK: attn.launch @[[E:.*]](%{{.*}}, %[[T0]])
// CHECK: %[[T1:.*]] = attn.get_parameter [@[[T]]]
// CHECK: attn.launch @{{.*}}(%{{.*}}, %[[T1]])
// CHECK: %[[O0:.*]] = attn.get_parameter [@[[O:.*]]]
// CHECK: attn.launch @{{.*}}(%{{.*}}, %[[O0]])
// CHECK: attn.parameter @[[T]] : tensor<9x8xf32> layout(#attn.panels<16>)
// CHECK: attn.parameter @[[O]] : tensor<9x9xf32> {
// CHECK-NOT: attn.parameter
// CHECK: func private @[[E]](%{{.*}}: tensor<?xi64>, %{{.*}}: tensor<9x8xf32> {attn.layout = #attn.panels<16>})
func.func @tied_table(%ids: tensor<?xi64> {attn.dims = ["n"]}) -> (tensor<?x9xf32>, tensor<?x9xf32>) {
  %t = attn.weight "t" : tensor<9x8xf32>
  %o = attn.weight "o" : tensor<9x9xf32>
  %x = attn.embedding %ids, %t : tensor<?xi64>, tensor<9x8xf32> -> tensor<?x8xf32>
  %y = attn.linear %x weights(%t : tensor<9x8xf32>) : tensor<?x8xf32> -> tensor<?x9xf32>
  %z = attn.embedding %ids, %o : tensor<?xi64>, tensor<9x9xf32> -> tensor<?x9xf32>
  return %y, %z : tensor<?x9xf32>, tensor<?x9xf32>
}

// -----

// Two functions read one weight: it is stored as panels once.
// CHECK-LABEL: func @first
// CHECK: attn.get_parameter [@[[P:.*]]]
// CHECK-LABEL: func @second
// CHECK: attn.get_parameter [@[[P]]]
// CHECK: attn.parameter @[[P]] : tensor<8x8xf32> layout(#attn.panels<16>)
// CHECK-NOT: attn.parameter
func.func @first(%x: tensor<?x8xf32> {attn.dims = ["n", ""]}) -> tensor<?x8xf32> {
  %w = attn.weight "w" : tensor<8x8xf32>
  %y = attn.linear %x weights(%w : tensor<8x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @second(%x: tensor<?x8xf32> {attn.dims = ["n", ""]}) -> tensor<?x8xf32> {
  %w = attn.weight "w" : tensor<8x8xf32>
  %y = attn.linear %x weights(%w : tensor<8x8xf32>) : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Panels are for the weights alone: a capture of the same parameter is stored
// as it is.
// CHECK-LABEL: func @weight_and_capture
// CHECK: attn.launch @[[K:.*]](%{{.*}}, %[[W:.*]], %[[C:.*]])
// CHECK: attn.parameter @{{.*}} : tensor<8x8xf32> {
// CHECK: attn.parameter @{{.*}} : tensor<8x8xf32> layout(#attn.panels<16>) {
// CHECK: func private @[[K]](%{{.*}}: tensor<8x8xf32>, %[[PANELS:.*]]: tensor<8x8xf32> {attn.layout = #attn.panels<16>}, %[[PLAIN:.*]]: tensor<8x8xf32>)
// CHECK: attn.linear %{{.*}} weights(%[[PANELS]] : tensor<8x8xf32>) captures(%[[PLAIN]]
func.func @weight_and_capture(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %w = attn.weight "w" : tensor<8x8xf32>
  %y = attn.linear %x weights(%w : tensor<8x8xf32>) captures(%w : tensor<8x8xf32>)
      maps [affine_map<(i, j) -> (i, j)>] epilogue {
      ^bb0(%acc: f32, %c: f32):
        %s = arith.addf %acc, %c : f32
        attn.yield %s : f32
      } : tensor<8x8xf32> -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}

// -----

// Nothing to launch.
// CHECK-LABEL: func @identity
// CHECK-SAME: %[[X:.*]]: tensor<0x4xf32>
// CHECK-NEXT: return %[[X]]
// CHECK-NOT: func private
func.func @identity(%x: tensor<0x4xf32>) -> tensor<0x4xf32> {
  return %x : tensor<0x4xf32>
}

// -----

func.func @weights_no_constants(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}, %w: tensor<4x4xf32>) -> tensor<?x4xf32> {
  // expected-error @below {{expects the weights of a linear to be constants; a product of two activations is attn.matmul}}
  %y = attn.linear %x weights(%w : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// expected-error @below {{expects 'attn.dims' of argument 0 to name its dynamic dimension 0}}
func.func @unnamed_dimension(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %y = attn.gelu %x : tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// A size that no input has.
func.func @computed_size(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %n2 = arith.muli %n, %n : index
  // expected-error @below {{uses a size that is not a dimension of any operand of its kernel}}
  %e = tensor.empty(%n2) : tensor<?x4xf32>
  %y = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A size that no polynomial gives.
func.func @half(%x: tensor<?xf32> {attn.dims = ["n"]}) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %half = arith.divui %n, %c2 : index
  // expected-error @below {{expects its sizes to be polynomials in the dynamic dimensions of the model}}
  %y = tensor.expand_shape %x [[0, 1]] output_shape [%half, 2] : tensor<?xf32> into tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Padding has no rule for its size: it may not pass for an elementwise map.
func.func @unknown_shape(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{has a result whose shape cannot be inferred}}
  %y = tensor.pad %x low[1, 0] high[0, 0] {
    ^bb0(%i: index, %j: index):
      tensor.yield %zero : f32
  } : tensor<?x4xf32> to tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// expected-error @below {{expects a model of one block, but got 2}}
func.func @two_blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}

// -----

// The body of a scan is launches, of the same kernels as what stands around it; its reshapes take their sizes from the model's
// arguments.
// CHECK-LABEL: func @scan
// CHECK-SAME: %[[X:.*]]: tensor<?x?x8xf32> {{.*}}, %[[H:.*]]: tensor<?x8xf32>
// CHECK: %[[BATCH:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[FIRST:.*]] = attn.launch @softmax_0(%[[H]])
// CHECK: attn.scan carry(%[[FIRST]] : tensor<?x8xf32>) over(%[[X]] : tensor<?x?x8xf32>) {
// CHECK-NEXT: ^bb0(%[[S:.*]]: tensor<?x8xf32>, %[[XT:.*]]: tensor<?x8xf32>):
// CHECK-NEXT: %[[N:.*]] = attn.launch @softmax_0(%[[S]])
// CHECK-NEXT: %[[E:.*]] = tensor.expand_shape %[[N]] {{.*}} output_shape [%[[BATCH]], 2, 4]
// CHECK-NEXT: %[[G:.*]] = attn.launch @gelu_0(%[[E]])
// CHECK-NEXT: attn.yield %[[N]], %[[G]]
// CHECK-COUNT-2: attributes {attn.kernel}
// CHECK-NOT: attn.kernel
func.func @scan(%x: tensor<?x?x8xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x8xf32> {attn.dims = ["batch", ""]})
    -> tensor<?x?x2x4xf32> {
  %c0 = arith.constant 0 : index
  %first = attn.softmax %h axis 1 : tensor<?x8xf32>
  %last, %y = attn.scan carry(%first : tensor<?x8xf32>) over(%x : tensor<?x?x8xf32>) {
  ^bb0(%s: tensor<?x8xf32>, %xt: tensor<?x8xf32>):
    %n = attn.softmax %s axis 1 : tensor<?x8xf32>
    %batch = tensor.dim %xt, %c0 : tensor<?x8xf32>
    %e = tensor.expand_shape %n [[0], [1, 2]] output_shape [%batch, 2, 4] : tensor<?x8xf32> into tensor<?x2x4xf32>
    %g = attn.gelu %e : tensor<?x2x4xf32>
    attn.yield %n, %g : tensor<?x8xf32>, tensor<?x2x4xf32>
  } : tensor<?x8xf32>, tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}
