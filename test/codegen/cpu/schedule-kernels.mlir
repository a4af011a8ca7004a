// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64-avx2 | FileCheck %s
// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64 | FileCheck %s --check-prefix=SSE2

// The block: slots, scratch, scratch bytes, then %x and its row count, %w, %b,
// the result and its row count.
// CHECK-LABEL: func.func @linear_scratch(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr) -> index attributes {attn_cpu.tiles}
// CHECK-LABEL: func.func @linear(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr, %[[SLOT:.*]]: index) attributes {attn_cpu.tiles}
// CHECK-DAG: %[[X:.*]] = attn_cpu.operand %[[ARGS]][3] : memref<?x64xf32>
// CHECK-DAG: %[[W:.*]] = attn_cpu.operand %[[ARGS]][5] : memref<3x64x16xf32>
// CHECK-DAG: %[[B:.*]] = attn_cpu.operand %[[ARGS]][6] : memref<48xf32>
// CHECK-DAG: %[[Y:.*]] = attn_cpu.operand %[[ARGS]][7] : memref<?x48xf32>
// CHECK: %[[LINES:.*]] = memref.collapse_shape %[[W]]
// CHECK: attn_cpu.slots %[[ARGS]]
// Six rows of one panel, over ascending k, two steps at a time; beside them the
// lines to prefetch. So few columns do not pay for a copy of the rows.
// CHECK: scf.for {{.*}} step %c2{{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, index)
// CHECK: memref.prefetch %[[LINES]]
// CHECK: %[[COLUMNS:.*]] = vector.load %[[W]]
// CHECK: memref.load %[[X]]
// CHECK: %[[FIRST:.*]] = vector.fma %{{.*}}, %[[COLUMNS]]
// CHECK: %[[COLUMNS:.*]] = vector.load %[[W]]
// CHECK: vector.fma %{{.*}}, %[[COLUMNS]], %[[FIRST]]
// The epilogue, on the accumulators.
// CHECK: %[[BIAS:.*]] = vector.load %[[B]]
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[BIAS]] : vector<16xf32>
// CHECK: vector.store %[[SUM]], %[[Y]]
// Two rows where there are few registers, and no prefetching.
// SSE2-LABEL: func.func @linear(
// SSE2: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>) {
// SSE2-NOT: memref.prefetch
// SSE2: vector.fma
func.func private @linear(%x: tensor<?x64xf32>, %w: tensor<48x64xf32> {attn.layout = #attn.panels<16>},
                          %b: tensor<48xf32>) -> tensor<?x48xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<48x64xf32>)
      captures(%b : tensor<48xf32>) maps [affine_map<(r, c) -> (c)>]
      epilogue {
      ^bb0(%acc: f32, %bias: f32):
        %0 = arith.addf %acc, %bias : f32
        attn.yield %0 : f32
      } : tensor<?x64xf32> -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// Rows of 1500 columns are multiplied in slices of 752 and 748, which are copied
// to scratch: 32 rows at the least, 4 * (752 + 17) bytes from one to the next.
// CHECK-LABEL: func.func @slices_scratch(
// CHECK: arith.constant 3076 : index
// CHECK-LABEL: func.func @slices(
// CHECK-DAG: %[[X:.*]] = attn_cpu.operand %{{.*}}[3] : memref<?x1500xf32>
// CHECK-DAG: %[[W:.*]] = attn_cpu.operand %{{.*}}[5] : memref<32x1500x16xf32>
// CHECK-DAG: %[[Y:.*]] = attn_cpu.operand %{{.*}}[6] : memref<?x512xf32>
// CHECK: scf.for %{{.*}} = %{{.*}} to %c1500{{.*}} step %c752
// CHECK: %[[ROWS:.*]] = attn_cpu.scratch %{{.*}} : memref<?x769xf32>
// CHECK: %[[PART:.*]] = vector.load %[[X]]
// CHECK: vector.store %[[PART]], %[[ROWS]]
// The accumulators come from the result, but for the first slice, and go back.
// CHECK: %[[SUMS:.*]]:6 = scf.if %{{.*}} -> (
// CHECK: else
// CHECK: vector.load %[[Y]]
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[SUMS]]#0
// CHECK: memref.load %[[ROWS]]
// CHECK: vector.store %{{.*}}, %[[Y]]
func.func private @slices(%x: tensor<?x1500xf32>, %w: tensor<512x1500xf32> {attn.layout = #attn.panels<16>})
    -> tensor<?x512xf32> attributes {attn.kernel} {
  %y = attn.linear %x weights(%w : tensor<512x1500xf32>) : tensor<?x1500xf32> -> tensor<?x512xf32>
  return %y : tensor<?x512xf32>
}

// Transposes become strides, scores stay in scratch.
// CHECK-LABEL: func.func @attention(
// CHECK: %[[Q:.*]] = attn_cpu.operand %{{.*}}[3] : memref<?x?x2x8xf32>
// CHECK: memref.transpose %[[Q]] (d0, d1, d2, d3) -> (d0, d2, d1, d3)
// CHECK: attn_cpu.scratch %{{.*}} of %{{.*}} at %{{.*}} : memref<24x1104xf32>
// CHECK-NOT: linalg.transpose
// The keep region is on 16 keys.
// CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : vector<16xindex>
func.func private @attention(%q: tensor<?x?x2x8xf32>, %k: tensor<?x?x2x8xf32>, %v: tensor<?x2x?x8xf32>)
    -> tensor<?x2x?x8xf32> attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x2x8xf32>
  %n = tensor.dim %q, %c1 : tensor<?x?x2x8xf32>
  %e = tensor.empty(%b, %n) : tensor<?x2x?x8xf32>
  %qt = linalg.transpose ins(%q : tensor<?x?x2x8xf32>) outs(%e : tensor<?x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.transpose ins(%k : tensor<?x?x2x8xf32>) outs(%e : tensor<?x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %o = attn.attention queries(%qt : tensor<?x2x?x8xf32>) keys(%kt : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %ib: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %ib: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %t = arith.cmpi sle, %j, %i : index
        attn.yield %t : i1
      } -> tensor<?x2x?x8xf32>
  return %o : tensor<?x2x?x8xf32>
}

// A function that is no kernel is left alone.
// CHECK-LABEL: func.func @model(%{{.*}}: tensor<4xf32>)
func.func @model(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
