// RUN: attn-opt %s --split-input-file --verify-diagnostics --verify-each=false --attn-cpu-schedule-kernels=target=x86-64-avx2 --attn-cpu-lower-tiles=target=x86-64-avx2 --attn-cpu-lower-model=target=x86-64-avx2 | FileCheck %s

// plan: the bytes of one buffer, 16 n, then the largest scratch of a kernel;
// every sum is checked.
// CHECK-LABEL: llvm.func @model_avx2_plan(
// CHECK-SAME: %[[DIMS:.*]]: !llvm.ptr, %[[SLOTS:.*]]: i64, %[[OFFSETS:.*]]: !llvm.ptr) -> i64
// CHECK: llvm.call_intrinsic "llvm.smul.with.overflow.i64"
// CHECK: %[[NEGATIVE:.*]] = llvm.icmp "slt"
// CHECK: %[[OVERFLOW:.*]] = llvm.or %{{.*}}, %[[NEGATIVE]]
// CHECK: llvm.call @f_scratch(%{{.*}}) : (!llvm.ptr) -> i64
// CHECK: %[[FAILED:.*]] = llvm.or
// CHECK: %[[BYTES:.*]] = llvm.select %{{.*}}, %{{.*}}, %{{.*}} : i1, i64
// CHECK: llvm.return %[[BYTES]]
//
// body: a loop over two layers, whose weights lie at a constant distance, then
// a launch into the output.
// CHECK-LABEL: llvm.func @model_avx2_body(
// CHECK-SAME: %[[FRAME:.*]]: !llvm.ptr) -> i32
// CHECK: llvm.br ^[[HEADER:bb[0-9]+]](%{{.*}}, %{{.*}} : i64, !llvm.ptr)
// CHECK: ^[[HEADER]](%[[LAYER:.*]]: i64, %[[CARRIED:.*]]: !llvm.ptr):
// CHECK: llvm.cond_br %{{.*}}, ^[[BODY:bb[0-9]+]], ^[[BEHIND:bb[0-9]+]]
// CHECK: ^[[BODY]]:
// CHECK: llvm.mul %[[LAYER]], %{{.*}} : i64
// CHECK: llvm.store %[[CARRIED]]
// CHECK: %[[KERNEL:.*]] = llvm.mlir.addressof @f : !llvm.ptr
// CHECK: llvm.call %{{.*}}(%{{.*}}, %{{.*}}, %[[KERNEL]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> ()
// CHECK: llvm.br ^[[HEADER]](
// CHECK: ^[[BEHIND]]:
// CHECK: llvm.call %
// CHECK: llvm.return %{{.*}} : i32
// CHECK-NOT: func.func @model
#bytes = affine_map<()[n] -> (n * 16)>
#shape = affine_map<()[n] -> (n, 4)>
func.func private @f(%x: tensor<?x4xf32>, %w: tensor<4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x scale(%w : tensor<4xf32>) eps 1.0e-5 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
attn.parameter @w0 : tensor<4xf32> attributes {attn.offset = 0 : i64} { %w = attn.weight "0" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @w1 : tensor<4xf32> attributes {attn.offset = 64 : i64} { %w = attn.weight "1" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
func.func @model(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> attributes {attn.buffer_bytes = [#bytes], attn.symbols = ["n"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %y = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %x) -> (tensor<?x4xf32>) {
    %w = attn.get_parameter [@w0, @w1] at %i : tensor<4xf32>
    %b = attn.launch @f(%a, %w) {attn.buffers = array<i64: 0>, attn.shapes = [#shape]} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    scf.yield %b : tensor<?x4xf32>
  }
  %w = attn.get_parameter [@w0] : tensor<4xf32>
  %z = attn.launch @f(%y, %w) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// A launch that takes less than a microsecond, of 90 GFLOP/s and 30 GB/s, has
// one slot; others those of the executor.
// CHECK-LABEL: llvm.func @short_avx2_body(
// CHECK: %[[FLOPS:.*]] = llvm.mlir.constant(90000 : i64)
// CHECK: llvm.icmp "slt" %{{.*}}, %[[FLOPS]] : i64
// CHECK: %[[BYTES:.*]] = llvm.mlir.constant(30000 : i64)
// CHECK: llvm.icmp "slt" %{{.*}}, %[[BYTES]] : i64
// CHECK: %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
// CHECK: %[[SLOTS:.*]] = llvm.select %{{.*}}, %[[ONE]], %{{.*}} : i1, i64
// CHECK: llvm.call %{{.*}}(%{{.*}}, %[[SLOTS]], %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> ()
#bytes = affine_map<()[n] -> (n * 16)>
#shape = affine_map<()[n] -> (n, 4)>
#work = affine_map<()[n] -> (n * 8, n * 32)>
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x eps 1.0e-5 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @short(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> attributes {attn.buffer_bytes = [], attn.symbols = ["n"]} {
  %z = attn.launch @f(%x) {attn.buffers = array<i64: -1>, attn.shapes = [#shape], attn.work = #work} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// Weights at uneven distances are looked up.
// CHECK-LABEL: llvm.func @uneven_avx2_plan(
// CHECK: llvm.mlir.global private constant @[[TABLE:.*]](dense<[0, 64, 256]>
// CHECK: llvm.func @uneven_avx2_body(
// CHECK: llvm.mlir.addressof @[[TABLE]] :
#shape = affine_map<() -> (4)>
func.func private @f(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x scale(%w : tensor<4xf32>) eps 1.0e-5 : tensor<4xf32>
  return %y : tensor<4xf32>
}
attn.parameter @w0 : tensor<4xf32> attributes {attn.offset = 0 : i64} { %w = attn.weight "0" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @w1 : tensor<4xf32> attributes {attn.offset = 64 : i64} { %w = attn.weight "1" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
attn.parameter @w2 : tensor<4xf32> attributes {attn.offset = 256 : i64} { %w = attn.weight "2" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
func.func @uneven(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.buffer_bytes = [affine_map<() -> (16)>], attn.symbols = []} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %y = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> (tensor<4xf32>) {
    %w = attn.get_parameter [@w0, @w1, @w2] at %i : tensor<4xf32>
    %b = attn.launch @f(%a, %w) {attn.buffers = array<i64: 0>, attn.shapes = [#shape]} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  %w = attn.get_parameter [@w0] : tensor<4xf32>
  %z = attn.launch @f(%y, %w) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// A function without a plan is no model yet.
// CHECK-LABEL: func.func @unplanned
func.func @unplanned(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

#shape = affine_map<() -> (4)>
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @no_such_buffer(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{expects 'attn.shapes' and, in 'attn.buffers', one of 0 buffers or 1 outputs for each result}}
  %y = attn.launch @f(%x) {attn.buffers = array<i64: 0>, attn.shapes = [#shape]} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @launch_without_plan(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{expects 'attn.shapes' and, in 'attn.buffers', one of 0 buffers or 1 outputs for each result}}
  %y = attn.launch @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#rank = affine_map<() -> (4, 4)>
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @wrong_rank(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{expects 'attn.shapes' to give each dimension of its results in 0 symbols}}
  %y = attn.launch @f(%x) {attn.buffers = array<i64: -1>, attn.shapes = [#rank]} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'attn.buffer_bytes' to hold one polynomial in 1 symbols for each buffer}}
func.func @no_polynomial(%x: tensor<?xf32> {attn.dims = ["n"]}) attributes {attn.buffer_bytes = [affine_map<()[n] -> (n floordiv 2)>], attn.symbols = ["n"]} {
  return
}

// -----

attn.parameter @w : tensor<4xf32> { %w = attn.weight "0" : tensor<4xf32> attn.yield %w : tensor<4xf32> }
#shape = affine_map<() -> (4)>
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @no_place() -> tensor<4xf32> attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{reads a parameter without a place; run attn-place-parameters}}
  %w = attn.get_parameter [@w] : tensor<4xf32>
  %y = attn.launch @f(%w) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @no_kernel(%x: tensor<4xf32>) attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{is not part of a kernel; run attn-outline-kernels}}
  %y = attn.gelu %x : tensor<4xf32>
  return
}

// -----

func.func private @callee()
func.func @call(%x: tensor<4xf32>) attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{is not part of a kernel; run attn-outline-kernels}}
  func.call @callee() : () -> ()
  return
}

// -----

func.func @steps(%x: tensor<4xf32>) attributes {attn.buffer_bytes = [], attn.symbols = []} {
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  // expected-error @below {{expects layers from 0 to a constant, in steps of 1}}
  scf.for %i = %c2 to %c8 step %c2 {
  }
  return
}

// -----

// expected-error @below {{expects argument 0 to be a ranked tensor of numbers, but got 'index'}}
func.func @number(%n: index) attributes {attn.buffer_bytes = [], attn.symbols = []} {
  return
}

// -----

// A scan is a loop of as many steps as the dimension says, read when called: the entry of a step, 16 batch bytes, is read where
// it lies and written where it belongs, the last one first.
// CHECK-LABEL: llvm.func @scan_avx2_body(
// CHECK: %[[STEPS:.*]] = llvm.add %{{.*}}, %{{.*}} : i64
// CHECK: llvm.br ^[[HEADER:bb[0-9]+]](%{{.*}}, %{{.*}} : i64, !llvm.ptr)
// CHECK: ^[[HEADER]](%[[STEP:.*]]: i64, %[[STATE:.*]]: !llvm.ptr):
// CHECK: %[[MORE:.*]] = llvm.icmp "slt" %[[STEP]], %[[STEPS]] : i64
// CHECK: llvm.cond_br %[[MORE]], ^[[BODY:bb[0-9]+]], ^[[BEHIND:bb[0-9]+]]
// CHECK: ^[[BODY]]:
// CHECK: %[[LAST:.*]] = llvm.sub %[[STEPS]], %{{.*}} : i64
// CHECK: %[[AT:.*]] = llvm.sub %[[LAST]], %[[STEP]] : i64
// CHECK: llvm.mul %[[AT]], %{{.*}} : i64
// CHECK: %[[X:.*]] = llvm.getelementptr
// CHECK: llvm.mul %[[AT]], %{{.*}} : i64
// CHECK: %[[Y:.*]] = llvm.getelementptr
// CHECK: llvm.store %[[STATE]]
// CHECK: llvm.store %[[X]]
// CHECK: llvm.store %[[Y]]
// CHECK: llvm.br ^[[HEADER]](%{{.*}}, %[[Y]] : i64, !llvm.ptr)
// CHECK: ^[[BEHIND]]:
// CHECK-NEXT: llvm.mlir.constant(0 : i32)
#shape = affine_map<()[steps, batch] -> (batch, 4)>
func.func private @f(%h: tensor<?x4xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.softmax %h axis 1 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @scan(%x: tensor<?x?x4xf32> {attn.dims = ["steps", "batch", ""]}, %h: tensor<?x4xf32> {attn.dims = ["batch", ""]})
    -> tensor<?x?x4xf32> attributes {attn.buffer_bytes = [], attn.symbols = ["steps", "batch"]} {
  %last, %y = attn.scan carry(%h : tensor<?x4xf32>) over(%x : tensor<?x?x4xf32>) reversed {
  ^bb0(%s: tensor<?x4xf32>, %xt: tensor<?x4xf32>):
    %n = attn.launch @f(%s, %xt) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    attn.yield %n, %n : tensor<?x4xf32>, tensor<?x4xf32>
  } {attn.buffers = array<i64: -1>} : tensor<?x4xf32>, tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

#shape = affine_map<() -> (4)>
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel} {
  %y = attn.softmax %x axis 0 : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @no_such_stack(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {attn.buffer_bytes = [], attn.symbols = []} {
  // expected-error @below {{expects in 'attn.buffers' one of 0 buffers or 1 outputs for each stacked result}}
  %y = attn.scan over(%x : tensor<3x4xf32>) {
  ^bb0(%xt: tensor<4xf32>):
    %n = attn.launch @f(%xt) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<4xf32>) -> tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } {attn.buffers = array<i64: 0>} : tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

// What slots leave is a task, too: with 0 slots it is called on this thread, in
// the kernels' floating-point mode.
// CHECK-LABEL: llvm.func @left_avx2_body(
// CHECK: llvm.mlir.addressof @few : !llvm.ptr
// CHECK: llvm.call
// CHECK-NEXT: %[[NONE:.*]] = llvm.mlir.constant(0 : i64)
// CHECK-NEXT: %[[FINISH:.*]] = llvm.mlir.addressof @few_finish : !llvm.ptr
// CHECK: llvm.call %{{.*}}(%{{.*}}, %[[NONE]], %[[FINISH]], %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> ()
#shape = affine_map<()[n] -> (1, 1, 1, 16)>
func.func private @few(%q: tensor<1x1x1x16xf32>, %k: tensor<1x1x?x16xf32>) -> tensor<1x1x1x16xf32> attributes {attn.kernel} {
  %o = attn.attention queries(%q : tensor<1x1x1x16xf32>) keys(%k : tensor<1x1x?x16xf32>) value(%k : tensor<1x1x?x16xf32>) score {
    ^bb0(%q1: tensor<16xf32>, %k1: tensor<16xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %n: index):
      %dot = attn.dot %q1, %k1 : tensor<16xf32>
      attn.yield %dot : f32
    } -> tensor<1x1x1x16xf32>
  return %o : tensor<1x1x1x16xf32>
}
func.func @left(%q: tensor<1x1x1x16xf32>, %k: tensor<1x1x?x16xf32> {attn.dims = ["", "", "n", ""]}) -> tensor<1x1x1x16xf32>
    attributes {attn.buffer_bytes = [], attn.symbols = ["n"]} {
  %z = attn.launch @few(%q, %k) {attn.buffers = array<i64: -1>, attn.shapes = [#shape]} : (tensor<1x1x1x16xf32>, tensor<1x1x?x16xf32>) -> tensor<1x1x1x16xf32>
  return %z : tensor<1x1x1x16xf32>
}

// -----

#shape = affine_map<()[n] -> (n, 4)>
#work = affine_map<()[n] -> (n * 8)>
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {attn.kernel} {
  %y = attn.layer_norm %x eps 1.0e-5 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @one_polynomial(%x: tensor<?x4xf32> {attn.dims = ["n", ""]}) -> tensor<?x4xf32> attributes {attn.buffer_bytes = [], attn.symbols = ["n"]} {
  // expected-error @+1 {{expects 'attn.work' to hold two polynomials in 1 symbols}}
  %z = attn.launch @f(%x) {attn.buffers = array<i64: -1>, attn.shapes = [#shape], attn.work = #work} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
