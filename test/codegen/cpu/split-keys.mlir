// Attention of few rows leaves sums of chunks of keys for a last function, where heads are few; with weights
// returned it has none.
// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64-avx2 --split-input-file | FileCheck %s

// CHECK: func.func @few_scratch
// CHECK: func.func @few_finish(%[[ARGS:.*]]: !llvm.ptr, %{{.*}}: index)
// CHECK: %[[SLOTS:.*]] = attn_cpu.slots %[[ARGS]]
// CHECK: scf.if
// CHECK: attn_cpu.scratch %[[ARGS]] of %{{.*}} at
// CHECK: func.func @few(%{{.*}}: !llvm.ptr, %{{.*}}: index)
func.func @few(%q: tensor<?x1x1x16xf32>, %k: tensor<?x1x?x16xf32>, %v: tensor<?x1x?x16xf32>) -> tensor<?x1x1x16xf32>
    attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x1x16xf32>) keys(%k : tensor<?x1x?x16xf32>) value(%v : tensor<?x1x?x16xf32>)
      score {
      ^bb0(%q1: tensor<16xf32>, %k1: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %dot = attn.dot %q1, %k1 : tensor<16xf32>
        attn.yield %dot : f32
      } -> tensor<?x1x1x16xf32>
  return %o : tensor<?x1x1x16xf32>
}

// -----

// CHECK: func.func @weights_scratch
// CHECK-NOT: _finish
// CHECK: func.func @weights(
func.func @weights(%q: tensor<?x1x1x16xf32>, %k: tensor<?x1x?x16xf32>, %v: tensor<?x1x?x16xf32>)
    -> (tensor<?x1x1x16xf32>, tensor<?x1x1x?xf32>) attributes {attn.kernel} {
  %o:2 = attn.attention queries(%q : tensor<?x1x1x16xf32>) keys(%k : tensor<?x1x?x16xf32>) value(%v : tensor<?x1x?x16xf32>)
      score {
      ^bb0(%q1: tensor<16xf32>, %k1: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %dot = attn.dot %q1, %k1 : tensor<16xf32>
        attn.yield %dot : f32
      } -> tensor<?x1x1x16xf32> weights tensor<?x1x1x?xf32>
  return %o#0, %o#1 : tensor<?x1x1x16xf32>, tensor<?x1x1x?xf32>
}
