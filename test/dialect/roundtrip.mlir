// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// The examples of the operations in dialect, and what they leave out.

// CHECK: attn.parameter @p0 : tensor<64x64xf32> layout(#attn.panels<16>) {
// CHECK-NEXT: %[[W:.*]] = attn.weight "query.weight" : tensor<64x64xf32>
// CHECK-NEXT: attn.yield %[[W]] : tensor<64x64xf32>
attn.parameter @p0 : tensor<64x64xf32> layout(#attn.panels<16>) {
  %w = attn.weight "query.weight" : tensor<64x64xf32>
  attn.yield %w : tensor<64x64xf32>
}

// CHECK: attn.parameter @p1 : tensor<64x64xf32> attributes {attn.offset = 64 : i64} {
attn.parameter @p1 : tensor<64x64xf32> attributes {attn.offset = 64 : i64} {
  %w = attn.weight "key.weight" : tensor<64x64xf32>
  attn.yield %w : tensor<64x64xf32>
}

attn.parameter @p2 : tensor<64x64xf32> {
  %w = attn.weight "key.weight" : tensor<64x64xf32>
  attn.yield %w : tensor<64x64xf32>
}

// CHECK-LABEL: func @weight
func.func @weight() {
  // CHECK: attn.weight "vit.layernorm.weight" : tensor<64xf32>
  // CHECK-NEXT: attn.weight "lm_head.weight" stored bf16 : tensor<128x64xf32>
  %w = attn.weight "vit.layernorm.weight" : tensor<64xf32>
  %v = attn.weight "lm_head.weight" stored bf16 : tensor<128x64xf32>
  return
}

// CHECK-LABEL: func @get_parameter
func.func @get_parameter(%i: index) {
  // CHECK: attn.get_parameter [@p0] : tensor<64x64xf32>
  %w = attn.get_parameter [@p0] : tensor<64x64xf32>
  // CHECK: attn.get_parameter [@p1, @p2] at %{{.*}} : tensor<64x64xf32>
  %q = attn.get_parameter [@p1, @p2] at %i : tensor<64x64xf32>
  return
}

// CHECK-LABEL: func @linear
func.func @linear(%x: tensor<?x?x64xf32>, %w: tensor<48x64xf32>, %b: tensor<48xf32>) {
  // CHECK: attn.linear %{{.*}} weights(%{{.*}} : tensor<48x64xf32>) captures(%{{.*}} : tensor<48xf32>) maps [#{{.*}}] epilogue {
  // CHECK: } : tensor<?x?x64xf32> -> tensor<?x?x48xf32>
  %y = attn.linear %x weights(%w : tensor<48x64xf32>)
      captures(%b : tensor<48xf32>) maps [affine_map<(b, s, c) -> (c)>]
      epilogue {
      ^bb0(%acc: f32, %bias: f32):
        %0 = arith.addf %acc, %bias : f32
        attn.yield %0 : f32
      } : tensor<?x?x64xf32> -> tensor<?x?x48xf32>
  return
}

// CHECK-LABEL: func @linear_forms
func.func @linear_forms(%x: tensor<?x64xf32>, %w: tensor<48x64xf32>, %v: tensor<16x64xf32>, %g: tensor<64xf32>) {
  // CHECK: attn.linear %{{.*}} weights(%{{.*}} : tensor<48x64xf32>) : tensor<?x64xf32> -> tensor<?x48xf32>
  %0 = attn.linear %x weights(%w : tensor<48x64xf32>) : tensor<?x64xf32> -> tensor<?x48xf32>
  // CHECK: prologue_captures(%{{.*}} : tensor<64xf32>) prologue {
  // CHECK: } epilogue {
  // CHECK: }, {
  // CHECK: } : tensor<?x64xf32> -> tensor<?x48xf32>, tensor<?x16xf32>
  %1:2 = attn.linear %x weights(%w, %v : tensor<48x64xf32>, tensor<16x64xf32>)
      prologue_captures(%g : tensor<64xf32>) prologue {
      ^bb0(%row: tensor<64xf32>, %scale: tensor<64xf32>):
        %n = attn.rms_norm %row scale(%scale : tensor<64xf32>) eps 1.0e-6 : tensor<64xf32>
        attn.yield %n : tensor<64xf32>
      } epilogue {
      ^bb0(%acc: f32):
        %a = attn.gelu %acc : f32
        attn.yield %a : f32
      }, {
      ^bb0(%acc: f32):
        attn.yield %acc : f32
      } : tensor<?x64xf32> -> tensor<?x48xf32>, tensor<?x16xf32>
  return
}

// CHECK-LABEL: func @matmul
func.func @matmul(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x?x16xf32>, %v: tensor<?x4x?x16xf32>) {
  // CHECK: attn.matmul %{{.*}}, %{{.*}} transpose_b : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  %s = attn.matmul %q, %k transpose_b
      : tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x?xf32>
  // CHECK: attn.softmax %{{.*}} axis 3 : tensor<?x4x?x?xf32>
  %p = attn.softmax %s axis 3 : tensor<?x4x?x?xf32>
  // CHECK: attn.matmul %{{.*}}, %{{.*}} : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  %o = attn.matmul %p, %v : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32> -> tensor<?x4x?x16xf32>
  return
}

// CHECK-LABEL: func @layer_norm
func.func @layer_norm(%x: tensor<?x?x64xf32>, %g: tensor<64xf32>, %b: tensor<64xf32>, %z: tensor<?x4x8xf32>) {
  // CHECK: attn.layer_norm %{{.*}} scale(%{{.*}} : tensor<64xf32>) shift(%{{.*}} : tensor<64xf32>) eps 9.{{.*}}E-13 : tensor<?x?x64xf32>
  %y = attn.layer_norm %x scale(%g : tensor<64xf32>) shift(%b : tensor<64xf32>)
      eps 1.0e-12 : tensor<?x?x64xf32>
  // CHECK: attn.layer_norm %{{.*}} eps 0.{{.*}} axes 2 : tensor<?x4x8xf32>
  %n = attn.layer_norm %z eps 0.0 axes 2 : tensor<?x4x8xf32>
  return
}

// CHECK-LABEL: func @rms_norm
func.func @rms_norm(%x: tensor<?x?x64xf32>, %g: tensor<64xf32>) {
  // CHECK: attn.rms_norm %{{.*}} scale(%{{.*}} : tensor<64xf32>) eps {{.*}} : tensor<?x?x64xf32>
  %y = attn.rms_norm %x scale(%g : tensor<64xf32>) eps 1.0e-6 : tensor<?x?x64xf32>
  return
}

// CHECK-LABEL: func @embedding
func.func @embedding(%ids: tensor<?x?xi64>, %table: tensor<200x64xf32>) {
  // CHECK: attn.embedding %{{.*}}, %{{.*}} : tensor<?x?xi64>, tensor<200x64xf32> -> tensor<?x?x64xf32>
  %y = attn.embedding %ids, %table
      : tensor<?x?xi64>, tensor<200x64xf32> -> tensor<?x?x64xf32>
  return
}

// CHECK-LABEL: func @gelu
func.func @gelu(%x: f32, %v: vector<16xf32>) {
  // CHECK: attn.gelu %{{.*}} : f32
  // CHECK: attn.gelu %{{.*}} approximate tanh : vector<16xf32>
  %y = attn.gelu %x : f32
  %z = attn.gelu %v approximate tanh : vector<16xf32>
  return
}

// CHECK-LABEL: func @attention
func.func @attention(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x?x16xf32>, %v: tensor<?x4x?x16xf32>, %mask: tensor<?x?xi64>) {
  // CHECK: attn.attention queries(%{{.*}} : tensor<?x4x?x16xf32>) keys(%{{.*}} : tensor<?x4x?x16xf32>) value(%{{.*}} : tensor<?x4x?x16xf32>) captures(%{{.*}} : tensor<?x?xi64>) score {
  // CHECK: attn.dot %{{.*}}, %{{.*}} : tensor<16xf32>
  // CHECK: } keep {
  // CHECK: } -> tensor<?x4x?x16xf32>
  %o = attn.attention queries(%q : tensor<?x4x?x16xf32>) keys(%k : tensor<?x4x?x16xf32>)
      value(%v : tensor<?x4x?x16xf32>) captures(%mask : tensor<?x?xi64>)
      score {
      ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index,
           %j: index, %m: index, %n: index, %c: tensor<?x?xi64>):
        %scale = arith.constant 0.25 : f32
        %dot = attn.dot %qi, %kj : tensor<16xf32>
        %s = arith.mulf %dot, %scale : f32
        attn.yield %s : f32
      } keep {
      ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index,
           %j: index, %m: index, %n: index, %c: tensor<?x?xi64>):
        %zero = arith.constant 0 : i64
        %x = tensor.extract %c[%b, %j] : tensor<?x?xi64>
        %t = arith.cmpi ne, %x, %zero : i64
        attn.yield %t : i1
      } -> tensor<?x4x?x16xf32>
  return
}

// Two pairs, grouped heads, a sink, a weight and every result.
// CHECK-LABEL: func @attention_forms
func.func @attention_forms(%q: tensor<2x4x3x8xf32>, %r: tensor<2x4x3x6xf32>, %k: tensor<2x2x5x8xf32>, %l: tensor<2x2x5x6xf32>, %s: tensor<4xf32>) {
  // CHECK: sink(%{{.*}} : tensor<4xf32>) score {
  // CHECK: } weight {
  // CHECK: } -> tensor<2x4x3x8xf32> weights tensor<2x3x5xf32> logsumexp tensor<2x4x3xf32>
  %o, %w, %e = attn.attention queries(%q, %r : tensor<2x4x3x8xf32>, tensor<2x4x3x6xf32>)
      keys(%k, %l : tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>) value(%k : tensor<2x2x5x8xf32>)
      sink(%s : tensor<4xf32>) score {
      ^bb0(%q0: tensor<8xf32>, %k0: tensor<8xf32>, %q1: tensor<6xf32>, %k1: tensor<6xf32>,
           %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %d0 = attn.dot %q0, %k0 : tensor<8xf32>
        %d1 = attn.dot %q1, %k1 : tensor<6xf32>
        %d = arith.addf %d0, %d1 : f32
        attn.yield %d : f32
      } weight {
      ^bb0(%q0: tensor<8xf32>, %k0: tensor<8xf32>, %q1: tensor<6xf32>, %k1: tensor<6xf32>,
           %b: index, %h: index, %i: index, %j: index, %m: index, %n: index, %p: f32):
        %d = arith.mulf %p, %p : f32
        attn.yield %d : f32
      } -> tensor<2x4x3x8xf32> weights tensor<2x3x5xf32> logsumexp tensor<2x4x3xf32>
  // CHECK: normalizer(sigmoid) score {
  %u = attn.attention queries(%q : tensor<2x4x3x8xf32>) keys(%k : tensor<2x2x5x8xf32>)
      value(%k : tensor<2x2x5x8xf32>) normalizer(sigmoid) score {
      ^bb0(%q0: tensor<8xf32>, %k0: tensor<8xf32>,
           %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
        %d = arith.subf %q0, %k0 : tensor<8xf32>
        // CHECK: attn.sum %{{.*}} : tensor<8xf32>
        %t = attn.sum %d : tensor<8xf32>
        attn.yield %t : f32
      } -> tensor<2x4x3x8xf32>
  return
}

// CHECK-LABEL: func @sum
func.func @sum(%t: tensor<64xf32>) {
  %s = attn.sum %t : tensor<64xf32>
  return
}

func.func private @linear_0(tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32> attributes {attn.kernel}

// CHECK-LABEL: func @launch
func.func @launch(%x: tensor<?x64xf32>, %w: tensor<64x64xf32>) {
  // CHECK: attn.launch @linear_0(%{{.*}}, %{{.*}}) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
  %y = attn.launch @linear_0(%x, %w) : (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
  return
}

// CHECK-LABEL: func @ragged_attention
func.func @ragged_attention(%q: tensor<1x4x?x16xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x16xf32>, %starts: tensor<?xi64>, %lengths: tensor<?xi64>) {
  // CHECK: value(%{{.*}}) rows(%{{.*}}, %{{.*}} : tensor<?xi64>, tensor<?xi64>) score {
  // CHECK: } -> tensor<1x4x?x16xf32>
  %o = attn.attention queries(%q : tensor<1x4x?x16xf32>) keys(%k : tensor<?x2x?x16xf32>)
      value(%v : tensor<?x2x?x16xf32>) rows(%starts, %lengths : tensor<?xi64>, tensor<?xi64>) score {
      ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index,
           %j: index, %m: index, %n: index):
        %dot = attn.dot %qi, %kj : tensor<16xf32>
        attn.yield %dot : f32
      } -> tensor<1x4x?x16xf32>
  return
}

// CHECK-LABEL: func @token_rows
func.func @token_rows(%counts: tensor<?xi64>, %past: tensor<?xi64>, %ids: tensor<1x?xi64>) {
  // CHECK: attn.token_rows %{{.*}}, %{{.*}} like %{{.*}} : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
  %starts, %lengths, %sequence, %position = attn.token_rows %counts, %past like %ids
      : tensor<?xi64>, tensor<1x?xi64> -> tensor<?xi64>
  return
}

// CHECK-LABEL: func @cache
func.func @cache(%k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>, %cache: tensor<?x8192xf32>, %offset: tensor<i64>, %sequence: tensor<?xi64>, %position: tensor<?xi64>, %pages: tensor<?x?xi64>) {
  // CHECK: attn.append %{{.*}}, %{{.*}} to %{{.*}} at %{{.*}} rows(%{{.*}}, %{{.*}}) pages(%{{.*}}) :
  %c = attn.append %k, %v to %cache at %offset rows(%sequence, %position) pages(%pages)
      : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<?x8192xf32>, tensor<i64>,
        tensor<?xi64>, tensor<?xi64>, tensor<?x?xi64>
  // CHECK: attn.read_pages %{{.*}} at %{{.*}} pages(%{{.*}}) : tensor<?x8192xf32>, tensor<i64>, tensor<?x?xi64> -> tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
  %keys, %values = attn.read_pages %cache at %offset pages(%pages)
      : tensor<?x8192xf32>, tensor<i64>, tensor<?x?xi64>
      -> tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
  return
}

// CHECK-LABEL: func @scan
func.func @scan(%zero: tensor<?x8xf32>, %x: tensor<?x?x8xf32>, %i: tensor<?x4xi64>) {
  // CHECK: %{{.*}}:2 = attn.scan carry(%{{.*}} : tensor<?x8xf32>) over(%{{.*}} : tensor<?x?x8xf32>) {
  // CHECK-NEXT: ^bb0(%[[SUM:.*]]: tensor<?x8xf32>, %[[X:.*]]: tensor<?x8xf32>):
  // CHECK-NEXT: %[[NEXT:.*]] = arith.addf %[[SUM]], %[[X]]
  // CHECK-NEXT: attn.yield %[[NEXT]], %[[NEXT]] : tensor<?x8xf32>, tensor<?x8xf32>
  // CHECK-NEXT: } : tensor<?x8xf32>, tensor<?x?x8xf32>
  %last, %sums = attn.scan carry(%zero : tensor<?x8xf32>) over(%x : tensor<?x?x8xf32>) {
  ^bb0(%sum: tensor<?x8xf32>, %xt: tensor<?x8xf32>):
    %0 = arith.addf %sum, %xt : tensor<?x8xf32>
    attn.yield %0, %0 : tensor<?x8xf32>, tensor<?x8xf32>
  } : tensor<?x8xf32>, tensor<?x?x8xf32>
  // CHECK: attn.scan over(%{{.*}}, %{{.*}} : tensor<?x?x8xf32>, tensor<?x4xi64>) reversed {
  %copy = attn.scan over(%x, %i : tensor<?x?x8xf32>, tensor<?x4xi64>) reversed {
  ^bb0(%xt: tensor<?x8xf32>, %it: tensor<4xi64>):
    attn.yield %it : tensor<4xi64>
  } {some.attribute} : tensor<?x4xi64>
  return
}
