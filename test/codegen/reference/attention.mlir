// RUN: attn-evaluate %s | FileCheck %s
// Every part of attn.attention's syntax, on numbers small enough to check by hand.

// Query 0 keeps nothing: zeros, not NaN. Query 1 keeps key 0, query 2 both, with
// scores 0 and ln 3.
// CHECK: keep#0: [1, 1, 3, 1] 0 8 5
// CHECK: keep#1: [1, 1, 3, 2] 0 0 1 0 0.25 0.75
// CHECK: keep#2: [1, 1, 3] -inf 0 1.38629
func.func @keep() -> (tensor<1x1x3x1xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>) {
  %q = arith.constant dense<1.0> : tensor<1x1x3x1xf32>
  %k = arith.constant dense<[[[[0.0], [1.0986123]]]]> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<[[[[8.0], [4.0]]]]> : tensor<1x1x2x1xf32>
  %o, %w, %l = attn.attention queries(%q : tensor<1x1x3x1xf32>) keys(%k : tensor<1x1x2x1xf32>)
      value(%v : tensor<1x1x2x1xf32>)
      score {
      ^bb0(%qi: tensor<1xf32>, %kj: tensor<1xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<1xf32>
        attn.yield %dot : f32
      } keep {
      ^bb0(%qi: tensor<1xf32>, %kj: tensor<1xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index):
        %t = arith.cmpi slt, %j, %i : index
        attn.yield %t : i1
      } -> tensor<1x1x3x1xf32> weights tensor<1x1x3x2xf32> logsumexp tensor<1x1x3xf32>
  return %o, %w, %l : tensor<1x1x3x1xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>
}

// Heads 0 and 1 read key head 0, heads 2 and 3 key head 1. The score takes a slope
// for each head and a mask from captured tensors; the map is the mean over heads.
// CHECK: grouped#0: [1, 4, 1, 1] 1.5 1.25 11.5 11
// CHECK: grouped#1: [1, 1, 2] 0.6875 0.3125
func.func @grouped() -> (tensor<1x4x1x1xf32>, tensor<1x1x2xf32>) {
  %q = arith.constant dense<0.0> : tensor<1x4x1x2xf32>
  %k = arith.constant dense<1.0> : tensor<1x2x3x2xf32>
  %v = arith.constant dense<[[[[1.0], [2.0], [9.0]], [[11.0], [12.0], [9.0]]]]>
      : tensor<1x2x3x1xf32>
  %slope = arith.constant dense<[0.0, -1.0986123, 0.0, 0xFF800000]> : tensor<4xf32>
  %mask = arith.constant dense<[[1, 1, 0]]> : tensor<1x3xi64>
  %o, %w = attn.attention queries(%q : tensor<1x4x1x2xf32>) keys(%k : tensor<1x2x3x2xf32>)
      value(%v : tensor<1x2x3x1xf32>)
      captures(%slope, %mask : tensor<4xf32>, tensor<1x3xi64>)
      score {
      ^bb0(%qi: tensor<2xf32>, %kj: tensor<2xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index, %s: tensor<4xf32>, %c: tensor<1x3xi64>):
        %zero = arith.constant 0 : index
        %0 = tensor.extract %s[%h] : tensor<4xf32>
        %first = arith.cmpi eq, %j, %zero : index
        %none = arith.constant 0.0 : f32
        %1 = arith.select %first, %none, %0 : f32
        attn.yield %1 : f32
      } keep {
      ^bb0(%qi: tensor<2xf32>, %kj: tensor<2xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index, %s: tensor<4xf32>, %c: tensor<1x3xi64>):
        %zero = arith.constant 0 : i64
        %x = tensor.extract %c[%b, %j] : tensor<1x3xi64>
        %t = arith.cmpi ne, %x, %zero : i64
        attn.yield %t : i1
      } -> tensor<1x4x1x1xf32> weights tensor<1x1x3xf32>
  %two = tensor.extract_slice %w[0, 0, 0] [1, 1, 2] [1, 1, 1]
      : tensor<1x1x3xf32> to tensor<1x1x2xf32>
  return %o, %two : tensor<1x4x1x1xf32>, tensor<1x1x2xf32>
}

// Two query/key pairs, scores from vectors, the plain sum as normaliser and a factor
// on the weights: (sum |q - k| + dot2) * (j + 1).
// CHECK: vectors#0: [1, 1, 1, 2] 13 20
func.func @vectors() -> tensor<1x1x1x2xf32> {
  %q = arith.constant dense<[[[[1.0, 2.0]]]]> : tensor<1x1x1x2xf32>
  %k = arith.constant dense<[[[[1.0, 1.0], [2.0, 4.0]]]]> : tensor<1x1x2x2xf32>
  %q2 = arith.constant dense<2.0> : tensor<1x1x1x1xf32>
  %k2 = arith.constant dense<[[[[1.0], [1.0]]]]> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0, 0.0], [1.0, 2.0]]]]> : tensor<1x1x2x2xf32>
  %o = attn.attention queries(%q, %q2 : tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>)
      keys(%k, %k2 : tensor<1x1x2x2xf32>, tensor<1x1x2x1xf32>)
      value(%v : tensor<1x1x2x2xf32>) normalizer(sum)
      score {
      ^bb0(%qi: tensor<2xf32>, %kj: tensor<2xf32>, %q2i: tensor<1xf32>, %k2j: tensor<1xf32>,
           %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %d = arith.subf %qi, %kj : tensor<2xf32>
        %a = math.absf %d : tensor<2xf32>
        %s = attn.sum %a : tensor<2xf32>
        %dot = attn.dot %q2i, %k2j : tensor<1xf32>
        %0 = arith.addf %s, %dot : f32
        attn.yield %0 : f32
      } weight {
      ^bb0(%qi: tensor<2xf32>, %kj: tensor<2xf32>, %q2i: tensor<1xf32>, %k2j: tensor<1xf32>,
           %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %w: f32):
        %one = arith.constant 1 : index
        %j1 = arith.addi %j, %one : index
        %int = arith.index_cast %j1 : index to i64
        %f = arith.sitofp %int : i64 to f32
        %0 = arith.mulf %w, %f : f32
        attn.yield %0 : f32
      } -> tensor<1x1x1x2xf32>
  return %o : tensor<1x1x1x2xf32>
}

// CHECK: sigmoid#0: [1, 1, 1, 1] 1
func.func @sigmoid() -> tensor<1x1x1x1xf32> {
  %q = arith.constant dense<0.0> : tensor<1x1x1x1xf32>
  %k = arith.constant dense<0.0> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<1.0> : tensor<1x1x2x1xf32>
  %o = attn.attention queries(%q : tensor<1x1x1x1xf32>) keys(%k : tensor<1x1x2x1xf32>)
      value(%v : tensor<1x1x2x1xf32>) normalizer(sigmoid)
      score {
      ^bb0(%qi: tensor<1xf32>, %kj: tensor<1xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<1xf32>
        attn.yield %dot : f32
      } -> tensor<1x1x1x1xf32>
  return %o : tensor<1x1x1x1xf32>
}

// The sink takes half of the weight of head 0 and nothing of head 1.
// CHECK: sink#0: [1, 2, 1, 1] 2 4
func.func @sink() -> tensor<1x2x1x1xf32> {
  %q = arith.constant dense<0.0> : tensor<1x2x1x1xf32>
  %k = arith.constant dense<0.0> : tensor<1x1x1x1xf32>
  %v = arith.constant dense<4.0> : tensor<1x1x1x1xf32>
  %sink = arith.constant dense<[0.0, 0xFF800000]> : tensor<2xf32>
  %o = attn.attention queries(%q : tensor<1x2x1x1xf32>) keys(%k : tensor<1x1x1x1xf32>)
      value(%v : tensor<1x1x1x1xf32>) sink(%sink : tensor<2xf32>)
      score {
      ^bb0(%qi: tensor<1xf32>, %kj: tensor<1xf32>, %b: index, %h: index, %i: index, %j: index,
           %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<1xf32>
        attn.yield %dot : f32
      } -> tensor<1x2x1x1xf32>
  return %o : tensor<1x2x1x1xf32>
}
