// RUN: attn-opt %s --split-input-file --attn-fuse-prologue --remarks-filter=attn-.* --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @layer_norm
// CHECK-SAME: %[[X:.*]]: tensor<?x?x64xf32>, %[[W:.*]]: tensor<32x64xf32>, %[[G:.*]]: tensor<64xf32>, %[[B:.*]]: tensor<64xf32>
func.func @layer_norm(%x: tensor<?x?x64xf32>, %w: tensor<32x64xf32>, %g: tensor<64xf32>, %b: tensor<64xf32>)
    -> tensor<?x?x32xf32> {
  // CHECK-NOT: attn.layer_norm
  // CHECK: attn.linear %[[X]] weights(%[[W]] : tensor<32x64xf32>)
  // CHECK-SAME: prologue_captures(%[[G]], %[[B]] : tensor<64xf32>, tensor<64xf32>)
  // CHECK: ^bb0(%[[ROW:.*]]: tensor<64xf32>, %[[SCALE:.*]]: tensor<64xf32>, %[[SHIFT:.*]]: tensor<64xf32>)
  // CHECK-NEXT: %[[N:.*]] = attn.layer_norm %[[ROW]] scale(%[[SCALE]] : tensor<64xf32>) shift(%[[SHIFT]] : tensor<64xf32>) eps 9.9{{.*}}E-13 : tensor<64xf32>
  // CHECK-NEXT: attn.yield %[[N]]
  // expected-remark @below {{[Passed] attn.layer_norm | Category:attn-fuse-prologue | Remark="made the prologue of the linear after it"}}
  %n = attn.layer_norm %x scale(%g : tensor<64xf32>) shift(%b : tensor<64xf32>) eps 1.0e-12 : tensor<?x?x64xf32>
  %y = attn.linear %n weights(%w : tensor<32x64xf32>) : tensor<?x?x64xf32> -> tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// -----

// CHECK-LABEL: func @rms_norm_two_results
// CHECK: attn.linear %{{.*}} weights(%{{.*}}, %{{.*}} : tensor<16x16xf32>, tensor<16x16xf32>) prologue {
// CHECK-NEXT: ^bb0(%[[ROW:.*]]: tensor<16xf32>)
// CHECK-NEXT: %[[N:.*]] = attn.rms_norm %[[ROW]] eps
// CHECK-NEXT: attn.yield %[[N]]
func.func @rms_norm_two_results(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  // expected-remark @below {{[Passed] attn.rms_norm | Category:attn-fuse-prologue | Remark="made the prologue of the linear after it"}}
  %n = attn.rms_norm %x eps 1.0e-6 : tensor<8x16xf32>
  %y:2 = attn.linear %n weights(%w, %w : tensor<16x16xf32>, tensor<16x16xf32>)
      : tensor<8x16xf32> -> tensor<8x16xf32>, tensor<8x16xf32>
  return %y#0, %y#1 : tensor<8x16xf32>, tensor<8x16xf32>
}

// -----

// CHECK-LABEL: func @second_reader
// CHECK: %[[N:.*]] = attn.layer_norm
// CHECK: attn.linear %[[N]]
func.func @second_reader(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> (tensor<8x16xf32>, tensor<8x16xf32>) {
  // expected-remark @below {{[Missed] attn.layer_norm | Category:attn-fuse-prologue | Reason="its result is also read by func.return"}}
  %n = attn.layer_norm %x eps 1.0e-5 : tensor<8x16xf32>
  %y = attn.linear %n weights(%w : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  return %n, %y : tensor<8x16xf32>, tensor<8x16xf32>
}

// -----

// CHECK-LABEL: func @several_axes
// CHECK: %[[N:.*]] = attn.layer_norm
// CHECK: attn.linear %[[N]]
func.func @several_axes(%x: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> tensor<8x16xf32> {
  // expected-remark @below {{[Missed] attn.layer_norm | Category:attn-fuse-prologue | Reason="it normalises more than the dimension that the linear multiplies"}}
  %n = attn.layer_norm %x eps 1.0e-5 axes 2 : tensor<8x16xf32>
  %y = attn.linear %n weights(%w : tensor<16x16xf32>) : tensor<8x16xf32> -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

// CHECK-LABEL: func @into_scan
// CHECK: %[[N:.*]] = attn.rms_norm
// CHECK: attn.scan
// CHECK: attn.linear %[[N]]
func.func @into_scan(%x: tensor<4x16xf32>, %w: tensor<16x16xf32>, %s: tensor<5x4x16xf32>, %h: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // expected-remark @below {{[Missed] attn.rms_norm | Category:attn-fuse-prologue | Reason="the linear runs in every step of a scan, the norm only once"}}
  %n = attn.rms_norm %x eps 1.0e-6 : tensor<4x16xf32>
  %last = attn.scan carry(%h : tensor<4x16xf32>) over(%s : tensor<5x4x16xf32>) {
  ^bb0(%a: tensor<4x16xf32>, %st: tensor<4x16xf32>):
    %y = attn.linear %n weights(%w : tensor<16x16xf32>) : tensor<4x16xf32> -> tensor<4x16xf32>
    attn.yield %y : tensor<4x16xf32>
  } : tensor<4x16xf32>
  return %last : tensor<4x16xf32>
}
