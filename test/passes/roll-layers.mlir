// RUN: attn-opt %s --split-input-file --attn-roll-layers --verify-diagnostics | FileCheck %s

// Three layers, each x + f(x, w_i), with a scale that all of them share.
// CHECK-LABEL: func @layers
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK: %[[Y:.*]] = scf.for %[[I:.*]] = %[[C0]] to %[[C3]] step %[[C1]] iter_args(%[[CARRIED:.*]] = %[[X]]) -> (tensor<?x4xf32>)
// CHECK-DAG: %[[W:.*]] = attn.get_parameter [@w0, @w1, @w2] at %[[I]]
// CHECK-DAG: %[[S:.*]] = attn.get_parameter [@s] :
// CHECK: %[[H:.*]] = attn.launch @f(%[[CARRIED]], %[[W]], %[[S]])
// CHECK: %[[SUM:.*]] = attn.launch @add(%[[CARRIED]], %[[H]])
// CHECK: scf.yield %[[SUM]]
// CHECK-NOT: attn.launch
// CHECK: return %[[Y]]
attn.parameter @w0 : tensor<4xf32> { %w = attn.weight "0" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @w1 : tensor<4xf32> { %w = attn.weight "1" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @w2 : tensor<4xf32> { %w = attn.weight "2" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @s : tensor<4xf32> { %w = attn.weight "s" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
func.func private @f(%x: tensor<?x4xf32>, %w: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x scale(%w : tensor<4xf32>) shift(%s : tensor<4xf32>) eps 1.0e-5 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @add(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %s = arith.addf %x, %y : tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}
func.func @layers(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %w0 = attn.get_parameter [@w0] : tensor<4xf32>
  %w1 = attn.get_parameter [@w1] : tensor<4xf32>
  %w2 = attn.get_parameter [@w2] : tensor<4xf32>
  %s = attn.get_parameter [@s] : tensor<4xf32>
  %a0 = attn.launch @f(%x, %w0, %s) : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %x1 = attn.launch @add(%x, %a0) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %a1 = attn.launch @f(%x1, %w1, %s) : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %x2 = attn.launch @add(%x1, %a1) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %a2 = attn.launch @f(%x2, %w2, %s) : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %x3 = attn.launch @add(%x2, %a2) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %x3 : tensor<?x4xf32>
}

// -----

// Every layer is read from behind: none can go.
// CHECK-LABEL: func @read_behind
// CHECK-NOT: scf.for
// CHECK-COUNT-3: attn.launch
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.gelu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @read_behind(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %x1 = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %x2 = attn.launch @f(%x1) : (tensor<4xf32>) -> tensor<4xf32>
  %x3 = attn.launch @f(%x2) : (tensor<4xf32>) -> tensor<4xf32>
  return %x1, %x2, %x3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// The first layer is read from behind; the three after it still roll.
// CHECK-LABEL: func @first_read_behind
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
// CHECK: %[[X1:.*]] = attn.launch @f(%[[X]])
// CHECK: %[[X4:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[X1]])
// CHECK-COUNT-1: attn.launch
// CHECK: return %[[X1]], %[[X4]]
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.gelu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @first_read_behind(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %x1 = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %x2 = attn.launch @f(%x1) : (tensor<4xf32>) -> tensor<4xf32>
  %x3 = attn.launch @f(%x2) : (tensor<4xf32>) -> tensor<4xf32>
  %x4 = attn.launch @f(%x3) : (tensor<4xf32>) -> tensor<4xf32>
  return %x1, %x4 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Two stacks of layers are two loops; the second reads the output of the first
// in each of its layers, and is not mistaken for a part of it.
// CHECK-LABEL: func @two_stacks
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>
// CHECK: %[[ENCODED:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[X]])
// CHECK: attn.launch @f(
// CHECK: %[[DECODED:.*]] = scf.for {{.*}} iter_args(%[[CARRIED:.*]] = %[[Y]])
// CHECK: attn.launch @g(%[[CARRIED]], %[[ENCODED]])
// CHECK-NOT: attn.launch
// CHECK: return %[[DECODED]]
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.gelu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @g(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %s = arith.addf %x, %y : tensor<4xf32>
  return %s : tensor<4xf32>
}
func.func @two_stacks(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %x1 = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %x2 = attn.launch @f(%x1) : (tensor<4xf32>) -> tensor<4xf32>
  %y1 = attn.launch @g(%y, %x2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %y2 = attn.launch @g(%y1, %x2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y2 : tensor<4xf32>
}

// -----

// Equal types hide that the sequence grows: these layers are not equal.
// CHECK-LABEL: func @growing
// CHECK-NOT: scf.for
// CHECK-COUNT-2: attn.launch
func.func private @append(%x: tensor<?x4xf32>, %t: tensor<1x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = tensor.concat dim(0) %x, %t : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @growing(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}, %t: tensor<1x4xf32>) -> tensor<?x4xf32> {
  %y = attn.launch @append(%x, %t) : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
  %z = attn.launch @append(%y, %t) : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// What all layers read has to be there before the first of them starts.
// CHECK-LABEL: func @computed_between
// CHECK: attn.launch @f
// CHECK: tensor.cast
// CHECK: attn.launch @g
// CHECK: attn.launch @f
// CHECK: attn.launch @g
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.gelu %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @g(%x: tensor<4xf32>, %y: tensor<?xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %c = tensor.cast %y : tensor<?xf32> to tensor<4xf32>
  %s = arith.addf %x, %c : tensor<4xf32>
  return %s : tensor<4xf32>
}
func.func @computed_between(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %a0 = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %c = tensor.cast %t : tensor<4xf32> to tensor<?xf32>
  %x1 = attn.launch @g(%a0, %c) : (tensor<4xf32>, tensor<?xf32>) -> tensor<4xf32>
  %a1 = attn.launch @f(%x1) : (tensor<4xf32>) -> tensor<4xf32>
  %x2 = attn.launch @g(%a1, %c) : (tensor<4xf32>, tensor<?xf32>) -> tensor<4xf32>
  return %x2 : tensor<4xf32>
}

// -----

// expected-error @below {{expects result 0 to be a ranked tensor of numbers, but got 'index'}}
func.func @no_tensor() -> index {
  %c = arith.constant 0 : index
  return %c : index
}
