// RUN: attn-opt %s --split-input-file --attn-place-parameters --verify-diagnostics | FileCheck %s

// Every parameter starts at a cache line; panels are padded to whole ones.
// CHECK: module attributes {attn.weights_bytes = 1152 : i64}
// CHECK: attn.parameter @vector : tensor<5xf32>
// CHECK-SAME: attn.offset = 0 : i64
// CHECK: attn.parameter @panels : tensor<17x8xf32>
// CHECK-SAME: attn.offset = 64 : i64
// CHECK: attn.parameter @empty : tensor<0x3xf32>
// CHECK-SAME: attn.offset = 1088 : i64
// CHECK: attn.parameter @flags : tensor<3xi1>
// CHECK-SAME: attn.offset = 1088 : i64
module {
  attn.parameter @vector : tensor<5xf32> {
    %w = attn.weight "vector" : tensor<5xf32>
    attn.yield %w : tensor<5xf32>
  }
  attn.parameter @panels : tensor<17x8xf32> layout(#attn.panels<16>) {
    %w = attn.weight "panels" : tensor<17x8xf32>
    attn.yield %w : tensor<17x8xf32>
  }
  attn.parameter @empty : tensor<0x3xf32> {
    %w = attn.weight "empty" : tensor<0x3xf32>
    attn.yield %w : tensor<0x3xf32>
  }
  attn.parameter @flags : tensor<3xi1> {
    %w = arith.constant dense<true> : tensor<3xi1>
    attn.yield %w : tensor<3xi1>
  }
}

// -----

// CHECK: module attributes {attn.weights_bytes = 0 : i64}
module {
}

// -----

// expected-error @below {{has more bytes than 64 bits count}}
attn.parameter @huge : tensor<4611686018427387904x2xf32> {
  %w = attn.weight "w" : tensor<4611686018427387904x2xf32>
  attn.yield %w : tensor<4611686018427387904x2xf32>
}

// -----

// expected-error @below {{has a layout that is not known}}
attn.parameter @layout : tensor<4xf32> layout("columns") {
  %w = attn.weight "w" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}

// -----

// expected-error @below {{expects a tensor of numbers, but got 'tensor<4xindex>'}}
attn.parameter @indices : tensor<4xindex> {
  %c = arith.constant dense<0> : tensor<4xindex>
  attn.yield %c : tensor<4xindex>
}
