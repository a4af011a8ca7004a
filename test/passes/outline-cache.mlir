// RUN: attn-opt %s --attn-outline | FileCheck %s
// RUN: attn-opt %s --attn-outline --attn-plan | FileCheck %s --check-prefix PLAN

// Rows of tokens and appending are kernels; pages are read within the kernel of
// the attention, transposes of what is appended are strides. Three layers are
// one loop: the places of their entries are parameters like weights.

// CHECK-LABEL: func @step
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x?x32xf32>
// CHECK-SAME: %[[CACHE:[^:]*]]: tensor<?x24576xf32>
// CHECK: %[[ROWS:.*]]:4 = attn.launch @token_rows_0
// CHECK: scf.for %[[LAYER:.*]] = {{.*}} iter_args(%[[H:.*]] = %[[X]])
// CHECK: %[[TOKENS:.*]] = tensor.expand_shape %[[H]]
// CHECK: %[[AT:.*]] = attn.get_parameter [{{.*}}] at %[[LAYER]] : tensor<i64>
// CHECK: %[[WRITTEN:.*]] = attn.launch @append_0(%[[CACHE]], %[[TOKENS]], %[[AT]], %[[ROWS]]#2, %[[ROWS]]#3, %{{.*}}) {attn.in_place}
// CHECK: attn.launch @attention_0({{.*}}%[[WRITTEN]]
// CHECK: return

// CHECK-LABEL: func private @append_0
// CHECK-SAME: %[[POOL:[^:]*]]: tensor<?x24576xf32>
// CHECK: %[[KEY:.*]] = linalg.transpose
// CHECK: %[[RESULT:.*]] = attn.append %[[KEY]], %[[KEY]] to %[[POOL]]
// CHECK: return %[[RESULT]]
// CHECK-LABEL: func private @attention_0
// CHECK: %[[KEYS:.*]], %[[VALUES:.*]] = attn.read_pages
// CHECK: attn.attention queries(%{{.*}}) keys(%[[KEYS]] : {{.*}}) value(%[[VALUES]] :
// CHECK-NOT: attn.launch

// What is appended has the memory of the cache, and only that.
// PLAN-LABEL: func @step
// PLAN-SAME: attn.buffer_bytes = [
// PLAN: attn.launch @append_0({{.*}}) {attn.buffers = array<i64: -2>, attn.in_place,

!x = tensor<1x?x32xf32>
!h = tensor<1x2x?x16xf32>
!i = tensor<?xi64>
!cache = tensor<?x24576xf32>
!pages = tensor<?x?xi64>
!paged = tensor<?x2x?x16xf32>
func.func @step(%x: !x {attn.name = "x", attn.dims = ["", "tokens", ""]}, %counts: !i {attn.name = "counts", attn.dims = ["sequences"]},
    %past: !i {attn.name = "past", attn.dims = ["sequences"]}, %pages: !pages {attn.name = "pages", attn.dims = ["sequences", "blocks"]},
    %cache: !cache {attn.name = "cache", attn.dims = ["page_count", ""], attn.in_place},
    %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "tokens"]})
    -> (!x {attn.name = "y", attn.dims = ["", "tokens", ""]}) {
  %starts, %lengths, %sequence, %position = attn.token_rows %counts, %past like %ids : !i, tensor<1x?xi64> -> !i
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : !x

  %at0 = arith.constant dense<0> : tensor<i64>
  %t0 = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [1, %n, 2, 16] : !x into tensor<1x?x2x16xf32>
  %e0 = tensor.empty(%n) : !h
  %q0 = linalg.transpose ins(%t0 : tensor<1x?x2x16xf32>) outs(%e0 : !h) permutation = [0, 2, 1, 3]
  %w0 = attn.append %q0, %q0 to %cache at %at0 rows(%sequence, %position) pages(%pages) : !h, !h, !cache, tensor<i64>, !i, !i, !pages
  %k0, %v0 = attn.read_pages %w0 at %at0 pages(%pages) : !cache, tensor<i64>, !pages -> !paged, !paged
  %o0 = attn.attention queries(%q0 : !h) keys(%k0 : !paged) value(%v0 : !paged) rows(%starts, %lengths : !i, !i) score {
  ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %kj : tensor<16xf32>
    attn.yield %dot : f32
  } -> !h
  %f0 = tensor.empty(%n) : tensor<1x?x2x16xf32>
  %b0 = linalg.transpose ins(%o0 : !h) outs(%f0 : tensor<1x?x2x16xf32>) permutation = [0, 2, 1, 3]
  %y0 = tensor.collapse_shape %b0 [[0], [1], [2, 3]] : tensor<1x?x2x16xf32> into !x

  %at1 = arith.constant dense<4096> : tensor<i64>
  %t1 = tensor.expand_shape %y0 [[0], [1], [2, 3]] output_shape [1, %n, 2, 16] : !x into tensor<1x?x2x16xf32>
  %e1 = tensor.empty(%n) : !h
  %q1 = linalg.transpose ins(%t1 : tensor<1x?x2x16xf32>) outs(%e1 : !h) permutation = [0, 2, 1, 3]
  %w1 = attn.append %q1, %q1 to %cache at %at1 rows(%sequence, %position) pages(%pages) : !h, !h, !cache, tensor<i64>, !i, !i, !pages
  %k1, %v1 = attn.read_pages %w1 at %at1 pages(%pages) : !cache, tensor<i64>, !pages -> !paged, !paged
  %o1 = attn.attention queries(%q1 : !h) keys(%k1 : !paged) value(%v1 : !paged) rows(%starts, %lengths : !i, !i) score {
  ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %kj : tensor<16xf32>
    attn.yield %dot : f32
  } -> !h
  %f1 = tensor.empty(%n) : tensor<1x?x2x16xf32>
  %b1 = linalg.transpose ins(%o1 : !h) outs(%f1 : tensor<1x?x2x16xf32>) permutation = [0, 2, 1, 3]
  %y1 = tensor.collapse_shape %b1 [[0], [1], [2, 3]] : tensor<1x?x2x16xf32> into !x

  %at2 = arith.constant dense<8192> : tensor<i64>
  %t2 = tensor.expand_shape %y1 [[0], [1], [2, 3]] output_shape [1, %n, 2, 16] : !x into tensor<1x?x2x16xf32>
  %e2 = tensor.empty(%n) : !h
  %q2 = linalg.transpose ins(%t2 : tensor<1x?x2x16xf32>) outs(%e2 : !h) permutation = [0, 2, 1, 3]
  %w2 = attn.append %q2, %q2 to %cache at %at2 rows(%sequence, %position) pages(%pages) : !h, !h, !cache, tensor<i64>, !i, !i, !pages
  %k2, %v2 = attn.read_pages %w2 at %at2 pages(%pages) : !cache, tensor<i64>, !pages -> !paged, !paged
  %o2 = attn.attention queries(%q2 : !h) keys(%k2 : !paged) value(%v2 : !paged) rows(%starts, %lengths : !i, !i) score {
  ^bb0(%qi: tensor<16xf32>, %kj: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %kj : tensor<16xf32>
    attn.yield %dot : f32
  } -> !h
  %f2 = tensor.empty(%n) : tensor<1x?x2x16xf32>
  %b2 = linalg.transpose ins(%o2 : !h) outs(%f2 : tensor<1x?x2x16xf32>) permutation = [0, 2, 1, 3]
  %y2 = tensor.collapse_shape %b2 [[0], [1], [2, 3]] : tensor<1x?x2x16xf32> into !x
  return %y2 : !x
}
