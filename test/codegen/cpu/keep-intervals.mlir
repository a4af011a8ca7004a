// RUN: attn-opt %s --attn-cpu-schedule-kernels=target=x86-64-avx2 --canonicalize --cse | FileCheck %s

// What a keep expression proves of a block of keys decides its kind: 0 is left
// out, 1 asks keep for each key, 2 keeps all.

// Chunks and blocks above the diagonal are left out, blocks below it not asked.
// CHECK-LABEL: func.func @causal(
// CHECK: scf.for %[[KEY:.*]] = %c0 to %[[N:.*]] step %c1024 {
// CHECK: arith.minui
// CHECK: %[[SHIFT:.*]] = arith.subi %[[N]], %{{.*}} : index
// CHECK: %[[LAST:.*]] = arith.addi %{{.*}}, %[[SHIFT]] : index
// CHECK: %[[REACHED:.*]] = arith.cmpi sle, %[[KEY]], %[[LAST]] : index
// CHECK: scf.if %[[REACHED]] {
// CHECK: scf.for %[[BLOCK:.*]] = %c0 to %{{.*}} step %c64 iter_args
// CHECK: %[[FIRSTKEY:.*]] = arith.addi %[[KEY]], %[[BLOCK]] : index
// CHECK: %[[ALL:.*]] = arith.cmpi sle, %{{.*}}, %{{.*}} : index
// CHECK: %[[NONE:.*]] = arith.cmpi sgt, %[[FIRSTKEY]], %{{.*}} : index
// CHECK: %[[KEPT:.*]] = arith.select %[[ALL]], %c2, %c1 : index
// CHECK: %[[KIND:.*]] = arith.select %[[NONE]], %c0, %[[KEPT]] : index
// CHECK: memref.store %[[KIND]], %[[RUNS:.*]][%{{.*}}, %c2] : memref<16x3xindex>
// Then the runs: only those that are mixed ask keep.
// CHECK: %[[NOTED:.*]] = memref.load %[[RUNS]][%{{.*}}, %c2] : memref<16x3xindex>
// CHECK: arith.cmpi eq, %[[NOTED]], %c1 : index
// CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : vector<16xindex>
func.func private @causal(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %0 = arith.subi %n, %m : index
        %1 = arith.addi %i, %0 : index
        %2 = arith.cmpi sle, %j, %1 : index
        attn.yield %2 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

// Both sides of a window, through the larger of two differences.
// CHECK-LABEL: func.func @window(
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c1024 {
// CHECK: %[[NEAREST:.*]] = arith.maxsi %{{.*}}, %{{.*}} : index
// CHECK: %[[REACHED:.*]] = arith.cmpi slt, %[[NEAREST]], %c100 : index
// CHECK: scf.if %[[REACHED]] {
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 iter_args
// CHECK: %[[LEAST:.*]] = arith.maxsi %{{.*}}, %{{.*}} : index
// CHECK: %[[MOST:.*]] = arith.maxsi %{{.*}}, %{{.*}} : index
// CHECK: %[[ALL:.*]] = arith.cmpi slt, %[[MOST]], %c100 : index
// CHECK: %[[NONE:.*]] = arith.cmpi sge, %[[LEAST]], %c100 : index
// CHECK: %[[KEPT:.*]] = arith.select %[[ALL]], %c2, %c1 : index
// CHECK: arith.select %[[NONE]], %c0, %[[KEPT]] : index
func.func private @window(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %w = arith.constant 100 : index
        %0 = arith.subi %i, %j : index
        %1 = arith.subi %j, %i : index
        %2 = arith.maxsi %0, %1 : index
        %3 = arith.cmpi slt, %2, %w : index
        attn.yield %3 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

// The mask of a block of keys: its least and largest element.
// CHECK-LABEL: func.func @padding(
// CHECK: %[[MASK:.*]] = attn_cpu.operand %{{.*}} : memref<?x?xi64>
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 iter_args
// CHECK: vector.load %[[MASK]]
// CHECK: arith.minsi %{{.*}}, %{{.*}} : vector<16xi64>
// CHECK: arith.maxsi %{{.*}}, %{{.*}} : vector<16xi64>
// CHECK: vector.maskedload %[[MASK]]
// CHECK: %[[LOW:.*]] = vector.reduction <minsi>, %{{.*}} : vector<16xi64> into i64
// CHECK: %[[LEAST:.*]] = arith.index_cast %[[LOW]] : i64 to index
// CHECK: %[[HIGH:.*]] = vector.reduction <maxsi>, %{{.*}} : vector<16xi64> into i64
// CHECK: %[[MOST:.*]] = arith.index_cast %[[HIGH]] : i64 to index
// Both 0, or none 0.
// CHECK: arith.cmpi eq, %[[LEAST]], %c0 : index
// CHECK: arith.cmpi eq, %[[MOST]], %c0 : index
// CHECK: arith.cmpi slt, %[[MOST]], %c0 : index
// CHECK: arith.cmpi sgt, %[[LEAST]], %c0 : index
func.func private @padding(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>, %c: tensor<?x?xi64>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>) captures(%c : tensor<?x?xi64>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?x?xi64>):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?x?xi64>):
        %zero = arith.constant 0 : i64
        %0 = tensor.extract %t[%b, %j] : tensor<?x?xi64>
        %1 = arith.cmpi ne, %0, %zero : i64
        attn.yield %1 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

// One length: no search, and whole chunks behind it are left out.
// CHECK-LABEL: func.func @lengths(
// CHECK: %[[VALID:.*]] = attn_cpu.operand %{{.*}} : memref<?xi32>
// CHECK: scf.for %[[KEY:.*]] = %c0 to %{{.*}} step %c1024 {
// CHECK: %[[ELEMENT:.*]] = memref.load %[[VALID]][%{{.*}}] : memref<?xi32>
// CHECK: %[[LENGTH:.*]] = arith.index_cast %[[ELEMENT]] : i32 to index
// CHECK: %[[REACHED:.*]] = arith.cmpi slt, %[[KEY]], %[[LENGTH]] : index
// CHECK: scf.if %[[REACHED]] {
// CHECK-NOT: vector.reduction <minsi>
// CHECK: return
func.func private @lengths(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>, %c: tensor<?xi32>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>) captures(%c : tensor<?xi32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?xi32>):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?xi32>):
        %0 = tensor.extract %t[%b] : tensor<?xi32>
        %1 = arith.index_cast %0 : i32 to index
        %2 = arith.cmpi slt, %j, %1 : index
        attn.yield %2 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

// Neighbours of one document: intervals that do not meet, or one number.
// CHECK-LABEL: func.func @documents(
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 iter_args
// CHECK: vector.reduction <minsi>, %{{.*}} : vector<16xi32> into i32
// CHECK: vector.reduction <maxsi>, %{{.*}} : vector<16xi32> into i32
// CHECK: vector.reduction <minsi>, %{{.*}} : vector<16xi32> into i32
// CHECK: vector.reduction <maxsi>, %{{.*}} : vector<16xi32> into i32
// CHECK: arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: arith.cmpi eq, %{{.*}}, %{{.*}} : index
// CHECK: arith.cmpi slt, %{{.*}}, %{{.*}} : index
// CHECK: arith.cmpi slt, %{{.*}}, %{{.*}} : index
func.func private @documents(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>, %c: tensor<?xi32>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>) captures(%c : tensor<?xi32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?xi32>):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?xi32>):
        %0 = tensor.extract %t[%i] : tensor<?xi32>
        %1 = tensor.extract %t[%j] : tensor<?xi32>
        %2 = arith.cmpi eq, %0, %1 : i32
        attn.yield %2 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

// A table over rows and keys proves nothing: every block is asked.
// CHECK-LABEL: func.func @unknown(
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 iter_args
// CHECK-NOT: vector.reduction <minsi>
// CHECK: memref.store %c1, %{{.*}}[%{{.*}}, %c2] : memref<16x3xindex>
// CHECK: return
func.func private @unknown(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>, %c: tensor<?x?xi32>)
    -> tensor<?x1x?x8xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<?x1x?x8xf32>) keys(%k : tensor<?x1x?x8xf32>) value(%k : tensor<?x1x?x8xf32>) captures(%c : tensor<?x?xi32>)
      score {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?x?xi32>):
        %dot = attn.dot %qi, %kj : tensor<8xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<8xf32>, %kj: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %t: tensor<?x?xi32>):
        %0 = tensor.extract %t[%i, %j] : tensor<?x?xi32>
        %zero = arith.constant 0 : i32
        %1 = arith.cmpi ne, %0, %zero : i32
        attn.yield %1 : i1
      } -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}

