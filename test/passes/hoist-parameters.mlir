// RUN: attn-opt %s --split-input-file --attn-hoist-parameters --verify-diagnostics | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>

// The sum of two weights is one parameter, read once for both uses; the
// destination that only gives a size stays out of it.
// CHECK-LABEL: func @largest_expression
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-NOT: attn.weight
// CHECK: %[[SUM:.*]] = attn.get_parameter [@[[P:.*]]] : tensor<4x4xf32>
// CHECK: %[[Y:.*]] = attn.linear %[[X]] weights(%[[SUM]] : tensor<4x4xf32>)
// CHECK: attn.linear %[[Y]] weights(%[[SUM]] : tensor<4x4xf32>)
// CHECK: attn.parameter @[[P]] : tensor<4x4xf32> {
// CHECK: %[[A:.*]] = attn.weight "a"
// CHECK: %[[B:.*]] = attn.weight "b"
// CHECK: %[[S:.*]] = arith.addf %[[A]], %[[B]]
// CHECK: attn.yield %[[S]]
// CHECK-NOT: attn.parameter
func.func @largest_expression(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %a = attn.weight "a" : tensor<4x4xf32>
  %b = attn.weight "b" : tensor<4x4xf32>
  %s = arith.addf %a, %b : tensor<4x4xf32>
  %y = attn.linear %x weights(%s : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  %z = attn.linear %y weights(%s : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// Nothing here is constant: not a result of dynamic size, not what reads an
// input, and not a number taken out of a weight.
// CHECK-LABEL: func @declines
// CHECK: %[[W:.*]] = attn.get_parameter
// CHECK: tensor.extract %[[W]]
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK: attn.parameter
// CHECK-NEXT: attn.weight
// CHECK-NEXT: attn.yield
// CHECK-NOT: attn.parameter
#id = affine_map<(i) -> (i)>
func.func @declines(%x: tensor<?xf32> {attn.dims = ["n"]}) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %w = attn.weight "w" : tensor<3xf32>
  %first = tensor.extract %w[%zero] : tensor<3xf32>
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %filled = linalg.fill ins(%first : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %filled : tensor<?xf32>, tensor<?xf32>) outs(%empty : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.mulf %a, %b : f32
      linalg.yield %s : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A region that reads an input from above is no expression over weights.
// CHECK-LABEL: func @reads_from_above
// CHECK: tensor.extract
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}} : tensor<4xf32>)
// CHECK: attn.parameter
// CHECK-NOT: linalg.generic
#id = affine_map<(i) -> (i)>
func.func @reads_from_above(%x: tensor<1xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %factor = tensor.extract %x[%zero] : tensor<1xf32>
  %w = attn.weight "w" : tensor<4xf32>
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%w : tensor<4xf32>) outs(%empty : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.mulf %a, %factor : f32
      linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Names that exist are kept, and what is a parameter already stays one.
// CHECK-LABEL: func @again
// CHECK: attn.get_parameter [@p0]
// CHECK-NOT: [@p0]
// CHECK: attn.get_parameter [@[[NEW:.*]]]
// CHECK: attn.parameter @[[NEW]] :
attn.parameter @p0 : tensor<4xf32> {
  %w = attn.weight "w" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}
func.func @again() -> (tensor<4xf32>, tensor<4xf32>) {
  %old = attn.get_parameter [@p0] : tensor<4xf32>
  %new = attn.weight "v" : tensor<4xf32>
  return %old, %new : tensor<4xf32>, tensor<4xf32>
}

// -----

// Kernels and declarations are left alone.
// CHECK-LABEL: func private @kernel
// CHECK: attn.weight
// CHECK: func private @declaration
func.func private @kernel() -> tensor<4xf32> attributes {attn.kernel} {
  %w = attn.weight "w" : tensor<4xf32>
  return %w : tensor<4xf32>
}
func.func private @declaration(tensor<4xf32>) -> tensor<4xf32>

// -----

// expected-error @below {{expects a model of one block, but got 2}}
func.func @two_blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{expects argument 0 to be a ranked tensor of numbers, but got 'f32'}}
func.func @number(%x: f32) -> tensor<4xf32> {
  %w = attn.weight "w" : tensor<4xf32>
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{expects result 0 to be a ranked tensor of numbers, but got 'tensor<4xindex>'}}
func.func @indices() -> tensor<4xindex> {
  %c = arith.constant dense<0> : tensor<4xindex>
  return %c : tensor<4xindex>
}

// -----

// Functions of one module share the parameters that they read alike.
// CHECK-LABEL: func @first
// CHECK: attn.get_parameter [@[[P:.*]]] : tensor<4x4xf32>
// CHECK-LABEL: func @second
// CHECK: attn.get_parameter [@[[P]]] : tensor<4x4xf32>
// CHECK: attn.get_parameter [@[[Q:.*]]] : tensor<4x4xf32>
// CHECK-COUNT-2: attn.parameter @
// CHECK-NOT: attn.parameter @
func.func @first(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %a = attn.weight "a" : tensor<4x4xf32>
  %y = attn.linear %x weights(%a : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @second(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %a = attn.weight "a" : tensor<4x4xf32>
  %b = attn.weight "b" : tensor<4x4xf32>
  %y = attn.linear %x weights(%a : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  %z = attn.linear %y weights(%b : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// A weight that the body of a scan reads is a parameter of the model, outside of the scan.
// CHECK-LABEL: func @scan
// CHECK: %[[W:.*]] = attn.get_parameter [@[[P:.*]]] : tensor<4x4xf32>
// CHECK: attn.scan
// CHECK-NOT: attn.weight
// CHECK: attn.linear %{{.*}} weights(%[[W]] : tensor<4x4xf32>)
// CHECK: attn.yield
// CHECK: attn.get_parameter [@[[P]]]
// CHECK: attn.parameter @[[P]]
// CHECK-NOT: attn.parameter
func.func @scan(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "n", ""]}, %h: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %last = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %w = attn.weight "w" : tensor<4x4xf32>
    %y = attn.linear %s weights(%w : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
    %n = arith.addf %xt, %y : tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x4xf32>
  %v = attn.weight "w" : tensor<4x4xf32>
  %z = attn.linear %last weights(%v : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// A scan over constants alone is one, with what its body reads.
// CHECK-LABEL: func @constant_scan
// CHECK: attn.get_parameter
// CHECK-NOT: attn.scan
// CHECK: return
// CHECK: attn.parameter
// CHECK: attn.scan
func.func @constant_scan(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %h = attn.weight "h" : tensor<4x4xf32>
  %s = attn.weight "s" : tensor<3x4x4xf32>
  %w = attn.weight "w" : tensor<4x4xf32>
  %last = attn.scan carry(%h : tensor<4x4xf32>) over(%s : tensor<3x4x4xf32>) {
  ^bb0(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
    %0 = arith.addf %a, %b : tensor<4x4xf32>
    %1 = arith.mulf %0, %w : tensor<4x4xf32>
    attn.yield %1 : tensor<4x4xf32>
  } : tensor<4x4xf32>
  %y = attn.linear %x weights(%last : tensor<4x4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
