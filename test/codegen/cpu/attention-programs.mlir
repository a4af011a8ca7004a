// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64-avx2 | FileCheck %s

// Additive: e^2k is computed while keys are packed and e^2q with the rows; a
// pair costs products and half a division. Only pairs out of range take tanh.
// CHECK-LABEL: func.func @additive(
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// CHECK-NOT: math.
// CHECK: vector.fma
// CHECK-NOT: math.
// CHECK: arith.divf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK-NOT: math.
// CHECK: scf.yield
// CHECK: vector.reduction <or>
// CHECK-NEXT: scf.if
// CHECK: math.tanh
func.func private @additive(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>, %w: tensor<8xf32>)
    -> tensor<1x2x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<1x2x?x8xf32>) keys(%k : tensor<1x2x?x8xf32>) value(%v : tensor<1x2x?x8xf32>)
      captures(%w : tensor<8xf32>) score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %rows: index, %keys: index,
           %ws: tensor<8xf32>):
        %0 = arith.addf %qi, %kj : tensor<8xf32>
        %1 = math.tanh %0 : tensor<8xf32>
        %2 = attn.dot %ws, %1 : tensor<8xf32>
        attn.yield %2 : f32
      } -> tensor<1x2x?x8xf32>
  return %o : tensor<1x2x?x8xf32>
}

// Distances: directly, which no cancellation touches.
// CHECK-LABEL: func.func @distance(
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// CHECK: %[[D:.*]] = arith.subf %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: vector.fma %[[D]], %[[D]]
func.func private @distance(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>)
    -> tensor<1x2x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<1x2x?x8xf32>) keys(%k : tensor<1x2x?x8xf32>) value(%v : tensor<1x2x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %0 = arith.subf %qi, %kj : tensor<8xf32>
        %1 = attn.dot %0, %0 : tensor<8xf32>
        %2 = arith.negf %1 : f32
        attn.yield %2 : f32
      } -> tensor<1x2x?x8xf32>
  return %o : tensor<1x2x?x8xf32>
}

// Cosine: lengths are computed once for each side, the product by tiles.
// CHECK-LABEL: func.func @cosine(
// CHECK-COUNT-2: math.sqrt %{{.*}} : f32
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// CHECK-NOT: math.sqrt
func.func private @cosine(%q: tensor<1x2x40x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>)
    -> tensor<1x2x40x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<1x2x40x8xf32>) keys(%k : tensor<1x2x?x8xf32>) value(%v : tensor<1x2x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %qq = attn.dot %qi, %qi : tensor<8xf32>
        %kk = attn.dot %kj, %kj : tensor<8xf32>
        %qs = math.sqrt %qq : f32
        %ks = math.sqrt %kk : f32
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        %0 = arith.divf %dot, %qs : f32
        %1 = arith.divf %0, %ks : f32
        attn.yield %1 : f32
      } -> tensor<1x2x40x8xf32>
  return %o : tensor<1x2x40x8xf32>
}

// The mean over heads: one task owns its rows of all heads.
// CHECK-LABEL: func.func @mean(
// CHECK: %[[MAP:.*]] = attn_cpu.operand %{{.*}} : memref<1x?x?xf32>
// CHECK: scf.for
// CHECK: scf.for %[[HEAD:.*]] = %{{.*}} to %c2
// CHECK: %[[BEFORE:.*]] = vector.load %[[MAP]]
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[BEFORE]]
// CHECK: vector.store %{{.*}}, %[[MAP]]
func.func private @mean(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>)
    -> (tensor<1x2x?x8xf32>, tensor<1x?x?xf32>) attributes {attn.kernel} {
  %o, %map = attn.attention queries(%q : tensor<1x2x?x8xf32>) keys(%k : tensor<1x2x?x8xf32>) value(%v : tensor<1x2x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %rows: index, %keys: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } -> tensor<1x2x?x8xf32> weights tensor<1x?x?xf32>
  return %o, %map : tensor<1x2x?x8xf32>, tensor<1x?x?xf32>
}

// How far a key stands from the query, as f32: one conversion for 16 keys, and a
// constant.
// CHECK-LABEL: func.func @alibi(
// CHECK-NOT: vector<16xi64> to vector<16xf32>
// CHECK: %[[BASE:.*]] = arith.sitofp %{{.*}} : i64 to f32
// CHECK: %[[ALL:.*]] = vector.broadcast %[[BASE]]
// CHECK: %[[DISTANCE:.*]] = arith.addf %[[ALL]], %{{.*}} : vector<16xf32>
// CHECK: math.absf %[[DISTANCE]] : vector<16xf32>
// CHECK-NOT: vector<16xi64> to vector<16xf32>
// CHECK: return
func.func private @alibi(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %s: tensor<2xf32>) -> tensor<?x2x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x2x?x8xf32>) keys(%k : tensor<?x2x?x8xf32>) value(%k : tensor<?x2x?x8xf32>) captures(%s : tensor<2xf32>) score {
  ^bb0(%q1: tensor<8xf32>, %k1: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %slopes: tensor<2xf32>):
    %c0 = arith.constant 0 : index
    %dot = attn.dot %q1, %k1 : tensor<8xf32>
    %slope = tensor.extract %slopes[%h] : tensor<2xf32>
    %d = arith.subi %i, %j : index
    %e = arith.subi %c0, %d : index
    %a = arith.maxsi %d, %e : index
    %w = arith.index_cast %a : index to i64
    %f = arith.sitofp %w : i64 to f32
    %x = arith.mulf %slope, %f : f32
    %y = arith.subf %dot, %x : f32
    attn.yield %y : f32
  } -> tensor<?x2x?x8xf32>
  return %o : tensor<?x2x?x8xf32>
}
