// RUN: attn-opt %s --split-input-file --attn-plan-memory --verify-diagnostics | FileCheck %s

// A chain needs two buffers, in turn; the last result is computed in the
// caller's memory. Sizes are polynomials: 16 n bytes.
// CHECK: #[[BYTES:.*]] = affine_map<()[s0] -> (s0 * 16)>
// CHECK: #[[SHAPE:.*]] = affine_map<()[s0] -> (s0, 4)>
// CHECK-LABEL: func @chain
// CHECK-SAME: attn.buffer_bytes = [#[[BYTES]], #[[BYTES]]], attn.symbols = ["n"]
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[A:[01]]]>, attn.shapes = [#[[SHAPE]]]}
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[B:[01]]]>
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[A]]>
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: -1>
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @chain(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %a = attn.launch @f(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = attn.launch @f(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = attn.launch @f(%b) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %d = attn.launch @f(%c) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %d : tensor<?x4xf32>
}

// -----

// Sizes of which neither is always the larger share nothing: n x n and 4 n.
// CHECK-LABEL: func @incomparable
// CHECK: attn.launch @square({{.*}}) {attn.buffers = array<i64: [[A:[0-9]+]]>
// CHECK: attn.launch @rows({{.*}}) {attn.buffers = array<i64: [[B:[0-9]+]]>
// CHECK: attn.launch @columns({{.*}}) {attn.buffers = array<i64: [[C:[0-9]+]]>
// CHECK-NOT: array<i64: [[A]]>
// CHECK: attn.launch @columns({{.*}}) {attn.buffers = array<i64: [[B]]>
// CHECK: attn.launch @columns({{.*}}) {attn.buffers = array<i64: -1>
func.func private @square(%x: tensor<?x4xf32>) -> tensor<?x?xf32> attributes {attn.kernel} {
  %y = attn.matmul %x, %x transpose_b : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
func.func private @rows(%s: tensor<?x?xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.matmul %s, %x : tensor<?x?xf32>, tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @columns(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @incomparable(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %s = attn.launch @square(%x) : (tensor<?x4xf32>) -> tensor<?x?xf32>
  %a = attn.launch @rows(%s, %x) : (tensor<?x?xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = attn.launch @columns(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = attn.launch @columns(%b) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %d = attn.launch @columns(%c) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %d : tensor<?x4xf32>
}

// -----

// What a loop reads from outside it is needed to its last iteration, so that
// nothing in the loop may take its place; a reshape is the same memory.
// CHECK-LABEL: func @loop
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[OUTSIDE:[0-9]+]]>
// CHECK: scf.for
// CHECK-NOT: array<i64: [[OUTSIDE]]>
// CHECK: scf.yield
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: -1>
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @g(%x: tensor<4xf32>, %y: tensor<2x2xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %z = tensor.collapse_shape %y [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %s = arith.addf %x, %z : tensor<4xf32>
  return %s : tensor<4xf32>
}
func.func @loop(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %o = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %v = tensor.expand_shape %o [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%y = %x) -> (tensor<4xf32>) {
    %a = attn.launch @g(%y, %v) : (tensor<4xf32>, tensor<2x2xf32>) -> tensor<4xf32>
    %b = attn.launch @f(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %c = attn.launch @f(%b) : (tensor<4xf32>) -> tensor<4xf32>
    scf.yield %c : tensor<4xf32>
  }
  %z = attn.launch @f(%r) : (tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// Inputs, parameters, values returned twice and results of loops are copied to
// the outputs, with one kernel for each type.
// CHECK-LABEL: func @copies
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
// CHECK: %[[Y:.*]] = attn.launch @f(%[[X]]) {attn.buffers = array<i64: -1>
// CHECK-DAG: attn.launch @[[COPY:copy.*]](%[[Y]]) {attn.buffers = array<i64: -2>
// CHECK-DAG: attn.launch @[[COPY]](%[[X]]) {attn.buffers = array<i64: -3>
// CHECK: func private @[[COPY]](%{{.*}}: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel}
// CHECK-NOT: func private @copy
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @copies(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %y = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y, %y, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// Values that swap places go through copies that do not overwrite each other:
// the first is copied once more, when the second has been read.
// CHECK-LABEL: func @swap
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK: %[[B1:.*]] = attn.launch @[[COPY:.*]](%[[B]])
// CHECK: %[[A1:.*]] = attn.launch @[[COPY]](%[[A]])
// CHECK: %[[B2:.*]] = attn.launch @[[COPY]](%[[B1]])
// CHECK: scf.yield %[[B2]], %[[A1]]
func.func @swap(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func @no_results
// CHECK-SAME: attn.buffer_bytes = []
func.func @no_results(%x: tensor<4xf32>) {
  return
}

// -----

func.func @no_kernel(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{is not part of a kernel; run attn-outline-kernels}}
  %y = attn.gelu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @branch(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c = arith.constant true
  // expected-error @below {{is not part of a kernel; run attn-outline-kernels}}
  %r = scf.if %c -> (tensor<4xf32>) {
    scf.yield %x : tensor<4xf32>
  } else {
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

func.func private @callee()
func.func @call(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{is not part of a kernel; run attn-outline-kernels}}
  func.call @callee() : () -> ()
  return %x : tensor<4xf32>
}

// -----

func.func @no_layers(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{expects a constant number of layers, at least one, that carry tensors}}
  %r = scf.for %i = %c0 to %c0 step %c1 iter_args(%a = %x) -> (tensor<4xf32>) {
    scf.yield %a : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<?xf32>) -> tensor<?xf32> attributes {attn.kernel}
func.func @no_body(%x: tensor<?xf32> {attn.dims = ["n"]}) -> tensor<?xf32> {
  // expected-error @below {{expects a kernel of one block that returns}}
  %y = attn.launch @f(%x) : (tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  // expected-error @below {{expects to stand in a model, not in a kernel}}
  %y = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @recursive(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @append(%x: tensor<?xf32>, %t: tensor<1xf32>) -> tensor<?xf32> attributes {attn.kernel} {
  %y = tensor.concat dim(0) %x, %t : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @growing(%x: tensor<?xf32> {attn.dims = ["n"]}, %t: tensor<1xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  // expected-error @below {{expects carried value 0 to keep its sizes}}
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> (tensor<?xf32>) {
    %b = attn.launch @append(%a, %t) : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}
