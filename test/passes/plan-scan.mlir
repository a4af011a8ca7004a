// RUN: attn-opt %s --split-input-file --attn-plan-memory --verify-diagnostics | FileCheck %s

// What the body carries and stacks is computed in place of the step's entry of the result, here the caller's memory, where
// the next step reads it: no buffer, no copy. The last state is copied to its output.
// CHECK-LABEL: func @stacked_state
// CHECK-SAME: attn.buffer_bytes = [], attn.symbols = ["steps", "batch"]
// CHECK: attn.scan
// CHECK: attn.launch @cell({{.*}}) {attn.buffers = array<i64: -1>
// CHECK-NOT: attn.launch
// CHECK: attn.yield
// CHECK: } {attn.buffers = array<i64: -1>}
// CHECK: attn.launch @copy_0({{.*}}) {attn.buffers = array<i64: -2>
func.func private @cell(%h: tensor<?x4xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @stacked_state(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x4xf32> {attn.dims = ["batch", ""]})
    -> (tensor<?x?x4xf32>, tensor<?x4xf32>) {
  %last, %all = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %n = attn.launch @cell(%s, %xt) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n, %n : tensor<?x4xf32>, tensor<?x4xf32>
  } : tensor<?x4xf32>, tensor<?x?x4xf32>
  return %all, %last : tensor<?x?x4xf32>, tensor<?x4xf32>
}

// -----

// A state that is not stacked has one buffer where its kernel reads the one before for the element that it computes, as this
// sum does, and two with a copy where it needs all of it.
// CHECK: #[[BYTES:.*]] = affine_map<()[s0, s1] -> (s1 * 16)>
// CHECK-LABEL: func @sum
// CHECK-SAME: attn.buffer_bytes = [#[[BYTES]]]
// CHECK: attn.launch @add({{.*}}) {attn.buffers = array<i64: 0>
// CHECK-NEXT: attn.yield
// CHECK-LABEL: func @mixed
// CHECK-SAME: attn.buffer_bytes = [#[[BYTES]], #[[BYTES]]]
// CHECK: attn.launch @mix({{.*}}) {attn.buffers = array<i64: [[A:[01]]]>
// CHECK: attn.launch @copy_0({{.*}}) {attn.buffers = array<i64: {{[01]}}>
#id = affine_map<(i, c) -> (i, c)>
func.func private @add(%h: tensor<?x4xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %h, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%h, %x : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @mix(%h: tensor<?x4xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %h axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @copy_out(%h: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %h axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @sum(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x4xf32> {attn.dims = ["batch", ""]})
    -> tensor<?x4xf32> {
  %last = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %n = attn.launch @add(%s, %xt) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x4xf32>
  %y = attn.launch @copy_out(%last) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @mixed(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x4xf32> {attn.dims = ["batch", ""]})
    -> tensor<?x4xf32> {
  %last = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %n = attn.launch @mix(%s, %xt) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x4xf32>
  %y = attn.launch @copy_out(%last) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// What the body reads from outside, and what it goes over, is needed to the last step; an initial value as long as the
// result, which it is where there are no steps.
// CHECK-LABEL: func @outside
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[H:[0-9]+]]>
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: [[K:[0-9]+]]>
// CHECK: attn.scan
// CHECK-NOT: array<i64: [[H]]>
// CHECK-NOT: array<i64: [[K]]>
// CHECK: attn.yield
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @g(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %z = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
func.func @outside(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %b: tensor<?x4xf32> {attn.dims = ["batch", ""]})
    -> tensor<?x4xf32> {
  %h = attn.launch @f(%b) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %k = attn.launch @f(%b) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %last = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %m = attn.launch @g(%xt, %k) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %n = attn.launch @g(%s, %m) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x4xf32>
  %y = attn.launch @f(%b) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = attn.launch @g(%last, %y) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// What a step receives and stacks as it is, or stacks twice, is copied there.
// CHECK-LABEL: func @copies
// CHECK: attn.launch @f({{.*}}) {attn.buffers = array<i64: -1>
// CHECK: attn.launch @copy_0({{.*}}) {attn.buffers = array<i64: -2>
// CHECK: attn.launch @copy_0({{.*}}) {attn.buffers = array<i64: -3>
// CHECK: } {attn.buffers = array<i64: -1, -2, -3>}
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @copies(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]})
    -> (tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  %a, %b, %c = attn.scan over(%x : tensor<?x?x4xf32>) {
  ^bb0(%xt: tensor<?x4xf32>):
    %n = attn.launch @f(%xt) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n, %n, %xt : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  } : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
  return %a, %b, %c : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @steps(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %y: tensor<?x?x4xf32> {attn.dims = ["others", "batch", ""]})
    -> tensor<?x?x4xf32> {
  // expected-error @+1 {{expects input 1 to have as many steps as input 0}}
  %a = attn.scan over(%x, %y : tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  ^bb0(%xt: tensor<?x4xf32>, %yt: tensor<?x4xf32>):
    %n = attn.launch @f(%xt) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x?x4xf32>
  return %a : tensor<?x?x4xf32>
}

// -----

func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @sizes(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x4xf32> {attn.dims = ["heads", ""]})
    -> tensor<?x4xf32> {
  // expected-error @+1 {{expects carried value 0 to keep its sizes}}
  %a = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %n = attn.launch @f(%xt) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n : tensor<?x4xf32>
  } : tensor<?x4xf32>
  return %a : tensor<?x4xf32>
}
