// RUN: attn-opt %s --split-input-file --attn-plan-memory | FileCheck %s

#id = affine_map<(n, c) -> (n, c)>

// A residual that a linear adds and that nothing reads later is where the
// result goes, through a loop too: one buffer carries it from layer to layer.
// CHECK-LABEL: func @residual
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK: scf.for
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[Y:[0-9]+]]>
// CHECK: attn.launch @linear({{.*}}) {attn.buffers = array<i64: [[X]]>
// CHECK: scf.yield
// CHECK-NOT: @copy
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: -1>
func.func private @norm(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.rms_norm %x eps 1.0e-6 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @linear(%x: tensor<?x4xf32>, %w: tensor<4x4xf32>, %r: tensor<?x4xf32>) -> tensor<?x4xf32>
    attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<4x4xf32>) captures(%r : tensor<?x4xf32>) maps [#id] epilogue {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.addf %acc, %a : f32
    attn.yield %s : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @residual(%in: tensor<?x4xf32> {attn.dims = ["n", ""]}, %w: tensor<4x4xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %x = attn.launch @norm(%in) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> (tensor<?x4xf32>) {
    %n = attn.launch @norm(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %b = attn.launch @linear(%n, %w, %a) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    scf.yield %b : tensor<?x4xf32>
  }
  %z = attn.launch @norm(%r) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

#id = affine_map<(n, c) -> (n, c)>

// Of the inputs of a map, too; a reshape of what dies is that memory.
// CHECK-LABEL: func @map
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[Y:[0-9]+]]>
// CHECK: attn.launch @add({{.*}}) {attn.buffers = array<i64: [[X]]>
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: -1>
func.func private @norm(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.rms_norm %x eps 1.0e-6 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @add(%x: tensor<?x2x2xf32>, %y: tensor<?x2x2xf32>) -> tensor<?x2x2xf32> attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x2x2xf32>
  %e = tensor.empty(%n) : tensor<?x2x2xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, c, d) -> (n, c, d)>, affine_map<(n, c, d) -> (n, d, c)>,
      affine_map<(n, c, d) -> (n, c, d)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %y : tensor<?x2x2xf32>, tensor<?x2x2xf32>) outs(%e : tensor<?x2x2xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.addf %a, %b : f32
      linalg.yield %0 : f32
  } -> tensor<?x2x2xf32>
  return %s : tensor<?x2x2xf32>
}
func.func @map(%in: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %in, %c0 : tensor<?x4xf32>
  %x = attn.launch @norm(%in) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = attn.launch @norm(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %xv = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  %yv = tensor.expand_shape %y [[0], [1, 2]] output_shape [%n, 2, 2] : tensor<?x4xf32> into tensor<?x2x2xf32>
  %s = attn.launch @add(%xv, %yv) : (tensor<?x2x2xf32>, tensor<?x2x2xf32>) -> tensor<?x2x2xf32>
  %sv = tensor.collapse_shape %s [[0], [1, 2]] : tensor<?x2x2xf32> into tensor<?x4xf32>
  %z = attn.launch @norm(%sv) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

#id = affine_map<(n, c) -> (n, c)>

#column = affine_map<(n, c) -> (n, 0)>

// Declined: what a linear multiplies and also adds, whether the operand is one
// or two.
// CHECK-LABEL: func @also_multiplied
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK-NOT: array<i64: [[X]]>
// CHECK: return
func.func @also_multiplied(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = attn.launch @linear(%x, %in, %x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = attn.launch @norm(%a) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}
// CHECK-LABEL: func @one_argument
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK-NOT: array<i64: [[X]]>
// CHECK: return
func.func @one_argument(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = attn.launch @linear_of_itself(%x, %in) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = attn.launch @norm(%a) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

// What another result is also made of.
// CHECK-LABEL: func @two_epilogues
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[Y:[0-9]+]]>
// CHECK-NOT: array<i64: [[X]]
// CHECK: return
func.func @two_epilogues(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = attn.launch @norm(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %a:2 = attn.launch @pair(%y, %in, %x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  %z = attn.launch @linear(%a#0, %in, %a#1) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

// A capture that is not read where the result is written.
// CHECK-LABEL: func @broadcast
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[Y:[0-9]+]]>
// CHECK-NOT: array<i64: [[X]]>
// CHECK: return
func.func @broadcast(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = attn.launch @norm(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = attn.launch @linear_broadcast(%y, %in, %x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = attn.launch @linear(%a, %in, %a) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

// What something reads later.
// CHECK-LABEL: func @alive
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK-NOT: array<i64: [[X]]>
// CHECK: return
func.func @alive(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = attn.launch @norm(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = attn.launch @linear(%y, %in, %x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = attn.launch @linear(%a, %in, %x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

// Values that a loop carries which begin in one memory.
// CHECK-LABEL: func @carried_twice
// CHECK: attn.launch @norm({{.*}}) {attn.buffers = array<i64: [[X:[0-9]+]]>
// CHECK: scf.for
// CHECK-NOT: attn.launch @linear({{.*}}) {attn.buffers = array<i64: [[X]]>
// CHECK: scf.yield
func.func @carried_twice(%in: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %x = attn.launch @norm(%in) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %c = attn.launch @linear(%a, %in, %b) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %d = attn.launch @norm(%c) : (tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %c, %d : tensor<4x4xf32>, tensor<4x4xf32>
  }
  %z = attn.launch @linear(%r#0, %in, %r#1) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}

func.func private @norm(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {attn.kernel} {
  %y = attn.rms_norm %x eps 1.0e-6 : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
func.func private @linear(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<4x4xf32>) captures(%r : tensor<4x4xf32>) maps [#id] epilogue {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.addf %acc, %a : f32
    attn.yield %s : f32
  } : tensor<4x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
func.func private @linear_of_itself(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<4x4xf32>) captures(%x : tensor<4x4xf32>) maps [#id] epilogue {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.addf %acc, %a : f32
    attn.yield %s : f32
  } : tensor<4x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
func.func private @linear_broadcast(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<4x4xf32>) captures(%r : tensor<4x4xf32>) maps [#column] epilogue {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.addf %acc, %a : f32
    attn.yield %s : f32
  } : tensor<4x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
func.func private @pair(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {attn.kernel} {
  %y:2 = attn.linear %x weights(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) captures(%r : tensor<4x4xf32>) maps [#id] epilogue {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.addf %acc, %a : f32
    attn.yield %s : f32
  }, {
  ^bb0(%acc: f32, %a: f32):
    %s = arith.mulf %acc, %a : f32
    attn.yield %s : f32
  } : tensor<4x4xf32> -> tensor<4x4xf32>, tensor<4x4xf32>
  return %y#0, %y#1 : tensor<4x4xf32>, tensor<4x4xf32>
}
