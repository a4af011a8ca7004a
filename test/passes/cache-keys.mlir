// RUN: attn-opt %s --split-input-file --attn-cache-keys | FileCheck %s

// One attention: its keys and values go into pages. The linear behind it, which
// no attention needs, is computed for the last row of each sequence alone.
// CHECK-LABEL: func @causal_step
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x?x8xf32> {attn.dims = ["", "tokens", ""], attn.name = "x"}
// CHECK-SAME: %[[IDS:[^:]*]]: tensor<1x?xi64> {{.*}} attn.role = "tokens"}
// CHECK-SAME: %[[COUNTS:[^:]*]]: tensor<?xi64> {attn.dims = ["sequences"], attn.name = "counts", attn.role = "counts"}
// CHECK-SAME: %[[PAST:[^:]*]]: tensor<?xi64> {attn.dims = ["sequences"], attn.name = "past", attn.role = "past"}
// CHECK-SAME: %[[PAGES:[^:]*]]: tensor<?x?xi64> {attn.dims = ["sequences", "blocks"], attn.name = "pages", attn.role = "pages"}
// CHECK-SAME: %[[CACHE:[^:]*]]: tensor<?x1536xf32> {attn.dims = ["page_count", ""], attn.in_place, attn.name = "cache", attn.role = "cache"})
// CHECK-SAME: -> (tensor<1x?x4xf32> {attn.dims = ["", "sequences", ""], attn.name = "y"})
// CHECK-SAME: attributes {attn.max_positions = 32 : i64, attn.program = "step"}
// CHECK: %[[STARTS:.*]], %[[LENGTHS:.*]], %[[SEQUENCE:.*]], %[[POSITION:.*]] = attn.token_rows %[[COUNTS]], %[[PAST]] like %[[IDS]]
// CHECK: %[[PLACES:.*]] = attn.embedding %[[POSITION]], %{{.*}} : tensor<?xi64>, tensor<32x8xf32> -> tensor<?x8xf32>
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[PLACES]]
// CHECK: %[[HEADS:.*]] = tensor.expand_shape %[[SUM]]
// CHECK: %[[OFFSET:.*]] = arith.constant dense<0> : tensor<i64>
// CHECK: %[[WRITTEN:.*]] = attn.append %[[HEADS]], %[[HEADS]] to %[[CACHE]] at %[[OFFSET]] rows(%[[SEQUENCE]], %[[POSITION]]) pages(%[[PAGES]])
// CHECK: %[[KEYS:.*]], %[[VALUES:.*]] = attn.read_pages %[[WRITTEN]] at %[[OFFSET]] pages(%[[PAGES]]) : {{.*}} -> tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
// CHECK: attn.attention queries(%[[HEADS]] : {{.*}}) keys(%[[KEYS]] : {{.*}}) value(%[[VALUES]] : {{.*}}) rows(%[[STARTS]], %[[LENGTHS]] :
// CHECK: } keep {
// CHECK: ^bb0({{.*}}, %[[I:[^:]*]]: index, %[[J:[^:]*]]: index, %[[M:[^:]*]]: index, %[[N:[^:]*]]: index):
// CHECK: %[[FIRST:.*]] = arith.subi %[[N]], %[[M]]
// CHECK: %[[P:.*]] = arith.addi %[[I]], %[[FIRST]]
// CHECK: arith.cmpi sle, %[[J]], %[[P]]
// CHECK: %[[ROWS:.*]] = attn.embedding %{{.*}}, %{{.*}} : tensor<?xi64>, tensor<?x8xf32> -> tensor<?x8xf32>
// CHECK: %[[LAST:.*]] = tensor.expand_shape %[[ROWS]]
// CHECK: %[[Y:.*]] = attn.linear %[[LAST]]
// CHECK: return %[[Y]]
func.func @causal(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]},
                  %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]})
    -> (tensor<1x?x4xf32> {attn.name = "y", attn.dims = ["", "n", ""]})
    attributes {attn.dim_max = {n = 32}} {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %table = attn.weight "places" : tensor<32x8xf32>
  %places = tensor.extract_slice %table[0, 0] [%n, 8] [1, 1] : tensor<32x8xf32> to tensor<?x8xf32>
  %empty = tensor.empty(%n) : tensor<1x?x8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %places : tensor<1x?x8xf32>, tensor<?x8xf32>) outs(%empty : tensor<1x?x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x?x8xf32>
  %heads = tensor.expand_shape %sum [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
  %o = attn.attention queries(%heads : tensor<1x1x?x8xf32>) keys(%heads : tensor<1x1x?x8xf32>) value(%heads : tensor<1x1x?x8xf32>) score {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %q, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %seen = arith.cmpi sle, %j, %i : index
    attn.yield %seen : i1
  } -> tensor<1x1x?x8xf32>
  %joined = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x1x?x8xf32> into tensor<1x?x8xf32>
  %w = attn.weight "w" : tensor<4x8xf32>
  %y = attn.linear %joined weights(%w : tensor<4x8xf32>) : tensor<1x?x8xf32> -> tensor<1x?x4xf32>
  return %y : tensor<1x?x4xf32>
}

// -----

// Keys and values of another input are read from its own pages, which a second
// function fills.
// CHECK-LABEL: func @cross_step
// CHECK-SAME: attn.name = "memory_pages"
// CHECK-SAME: %[[LENGTHS:[^:]*]]: tensor<?xi64> {attn.dims = ["sequences"], attn.name = "memory_lengths", attn.role = "memory_lengths"}
// CHECK-SAME: %[[CACHE:[^:]*]]: tensor<?x1536xf32>
// CHECK: attn.append
// CHECK: %[[KEYS:.*]], %[[VALUES:.*]] = attn.read_pages %[[CACHE]]
// CHECK: attn.attention {{.*}} keys(%[[KEYS]] : {{.*}}) value(%[[VALUES]] : {{.*}}) rows(%{{.*}}, %[[LENGTHS]] :
// CHECK-LABEL: func @cross_encode
// CHECK-SAME: %[[MEMORY:[^:]*]]: tensor<1x1x?x8xf32>
// CHECK-SAME: %[[PAGES:[^:]*]]: tensor<1x?xi64> {attn.dims = ["", "memory_blocks"], attn.name = "memory_pages", attn.role = "memory_pages"}
// CHECK-SAME: %[[CACHE:[^:]*]]: tensor<?x1536xf32>
// CHECK-SAME: attributes {attn.memory_length = "m", attn.program = "encode"}
// CHECK: %[[KEY:.*]] = attn.rms_norm %[[MEMORY]]
// CHECK: attn.append %[[KEY]], %[[MEMORY]] to %[[CACHE]] at %{{.*}} rows(%{{.*}}, %{{.*}}) pages(%[[PAGES]])
// CHECK-NEXT: return
!t = tensor<1x1x?x8xf32>
func.func @cross(%memory: !t {attn.name = "memory", attn.dims = ["", "", "m", ""]},
                 %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]})
    -> (tensor<1x?x1x8xf32> {attn.name = "y", attn.dims = ["", "n", "", ""]}) {
  %table = attn.weight "words" : tensor<9x8xf32>
  %x = attn.embedding %ids, %table : tensor<1x?xi64>, tensor<9x8xf32> -> tensor<1x?x8xf32>
  %c1 = arith.constant 1 : index
  %n = tensor.dim %ids, %c1 : tensor<1x?xi64>
  %q = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into !t
  %self = attn.attention queries(%q : !t) keys(%q : !t) value(%q : !t) score {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %end = arith.addi %i, %l : index
    %last = arith.subi %end, %m : index
    %seen = arith.cmpi sge, %last, %j : index
    attn.yield %seen : i1
  } -> !t
  %key = attn.rms_norm %memory eps 1.0e-6 : !t
  %o = attn.attention queries(%self : !t) keys(%key : !t) value(%memory : !t) score {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %k : tensor<8xf32>
    attn.yield %dot : f32
  } -> !t
  %empty = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %y = linalg.transpose ins(%o : !t) outs(%empty : tensor<1x?x1x8xf32>) permutation = [0, 2, 1, 3]
  return %y : tensor<1x?x1x8xf32>
}

// -----

// Of two windows the wider one counts: i - j < 9, and j > i - 6.
// CHECK-LABEL: func @windows_step
// CHECK-SAME: attributes {attn.program = "step", attn.window = 9 : i64}
!t = tensor<1x1x?x8xf32>
func.func @windows(%ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]})
    -> (tensor<1x?x1x8xf32> {attn.name = "y", attn.dims = ["", "n", "", ""]}) {
  %table = attn.weight "words" : tensor<9x8xf32>
  %x = attn.embedding %ids, %table : tensor<1x?xi64>, tensor<9x8xf32> -> tensor<1x?x8xf32>
  %c1 = arith.constant 1 : index
  %n = tensor.dim %ids, %c1 : tensor<1x?xi64>
  %q = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into !t
  %wide = attn.attention queries(%q : !t) keys(%q : !t) value(%q : !t) score {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %seen = arith.cmpi sle, %j, %i : index
    %distance = arith.subi %i, %j : index
    %w = arith.constant 9 : index
    %near = arith.cmpi slt, %distance, %w : index
    %both = arith.andi %seen, %near : i1
    attn.yield %both : i1
  } -> !t
  %narrow = attn.attention queries(%wide : !t) keys(%q : !t) value(%q : !t) score {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %qi, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%qi: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %seen = arith.cmpi sle, %j, %i : index
    %w = arith.constant 6 : index
    %first = arith.subi %i, %w : index
    %near = arith.cmpi sgt, %j, %first : index
    %both = arith.andi %near, %seen : i1
    attn.yield %both : i1
  } -> !t
  %empty = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %y = linalg.transpose ins(%narrow : !t) outs(%empty : tensor<1x?x1x8xf32>) permutation = [0, 2, 1, 3]
  return %y : tensor<1x?x1x8xf32>
}
