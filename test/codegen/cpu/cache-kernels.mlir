// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=aarch64-neon | FileCheck %s
// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64-avx512 | FileCheck %s

// One slot writes all rows.
// CHECK-LABEL: func.func @token_rows(
// CHECK: arith.cmpi eq, %{{.*}}, %c0
// CHECK: scf.if
func.func private @token_rows(%counts: tensor<?xi64>, %past: tensor<?xi64>, %ids: tensor<1x?xi64>)
    -> (tensor<?xi64>, tensor<?xi64>) attributes {attn.kernel} {
  %starts, %lengths, %sequence, %position = attn.token_rows %counts, %past like %ids
      : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
  return %starts, %position : tensor<?xi64>, tensor<?xi64>
}

// In place: of the cache only the result is written.
// CHECK-LABEL: func.func @append(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr
// CHECK: %[[RESULT:.*]] = attn_cpu.operand %[[ARGS]][17] : memref<?x4096xf32>
// CHECK: %[[CACHE:.*]] = memref.collapse_shape %[[RESULT]]
// CHECK: memref.store %{{.*}}, %[[CACHE]]
// CHECK: vector.store %{{.*}}, %[[CACHE]]
func.func private @append(%k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %cache: tensor<?x4096xf32>,
    %offset: tensor<i64>, %sequence: tensor<?xi64>, %position: tensor<?xi64>, %pages: tensor<?x?xi64>)
    -> tensor<?x4096xf32> attributes {attn.kernel} {
  %c = attn.append %k, %v to %cache at %offset rows(%sequence, %position) pages(%pages)
      : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<?x4096xf32>, tensor<i64>,
        tensor<?xi64>, tensor<?xi64>, tensor<?x?xi64>
  return %c : tensor<?x4096xf32>
}

// The two heads that share a key head are rows of one tile, and both products
// read the pages: nothing of keys and values is in scratch.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr
// CHECK: %[[POOL:.*]] = attn_cpu.operand %[[ARGS]][5] : memref<?x2048xf32>
// CHECK: %[[CACHE:.*]] = memref.collapse_shape %[[POOL]]
// The number of the page, once for 64 keys.
// CHECK: memref.load %{{.*}} : memref<?x?xi64>
// CHECK: %[[KEYS:.*]] = vector.load %[[CACHE]]
// CHECK: vector.fma %{{.*}}, %[[KEYS]]
// CHECK: %[[VALUES:.*]] = vector.load %[[CACHE]]
// CHECK: vector.fma %{{.*}}, %[[VALUES]]
func.func private @attention(%q: tensor<1x2x?x16xf32>, %cache: tensor<?x2048xf32>, %offset: tensor<i64>,
    %pages: tensor<?x?xi64>, %starts: tensor<?xi64>, %lengths: tensor<?xi64>)
    -> tensor<1x2x?x16xf32> attributes {attn.kernel} {
  %k, %v = attn.read_pages %cache at %offset pages(%pages)
      : tensor<?x2048xf32>, tensor<i64>, tensor<?x?xi64> -> tensor<?x1x?x16xf32>, tensor<?x1x?x16xf32>
  %o = attn.attention queries(%q : tensor<1x2x?x16xf32>) keys(%k : tensor<?x1x?x16xf32>)
      value(%v : tensor<?x1x?x16xf32>) rows(%starts, %lengths : tensor<?xi64>, tensor<?xi64>) score {
  ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index,
       %m: index, %n: index):
    %dot = attn.dot %qi, %kj : tensor<16xf32>
    attn.yield %dot : f32
  } -> tensor<1x2x?x16xf32>
  return %o : tensor<1x2x?x16xf32>
}
