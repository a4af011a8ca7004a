// RUN: attn-opt %s --split-input-file --verify-diagnostics

// Each function is named after the constraint that it breaks.

func.func @weight_c1_name() {
  // expected-error @+1 {{expects 'name' to name a tensor, but it is empty}}
  %w = attn.weight "" : tensor<4xf32>
  return
}

// -----

func.func @weight_c2_static() {
  // expected-error @+1 {{expects 'result' to have a static shape, but got 'tensor<?xf32>'}}
  %w = attn.weight "w" : tensor<?xf32>
  return
}

// -----

// parameter_c1_type
// expected-error @+1 {{expects region 'body' to yield ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
attn.parameter @parameter_c1_type : tensor<4xf32> {
  %w = attn.weight "w" : tensor<8xf32>
  attn.yield %w : tensor<8xf32>
}

// -----

// expected-error @+1 {{expects region 'body' to have arguments (), but got ('f32')}}
attn.parameter @parameter_c1_arguments : tensor<4xf32> {
^bb0(%x: f32):
  %w = attn.weight "w" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}

// -----

// expected-error @+1 {{expects 'type' to have a static shape, but got 'tensor<?xf32>'}}
attn.parameter @parameter_c2_static : tensor<?xf32> {
  %w = attn.weight "w" : tensor<4xf32>
  %d = tensor.cast %w : tensor<4xf32> to tensor<?xf32>
  attn.yield %d : tensor<?xf32>
}

// -----

// expected-error @+1 {{expects a matrix for the layout #attn.panels<16>, but got 'tensor<4xf32>'}}
attn.parameter @parameter_c3_layout : tensor<4xf32> layout(#attn.panels<16>) {
  %w = attn.weight "w" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}

// -----

// expected-error @+1 {{expects region 'body' to be pure, but 'func.call' may have side effects}}
attn.parameter @parameter_c4_pure : tensor<4xf32> {
  // expected-note @+1 {{the operation is here}}
  %w = func.call @f() : () -> tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}
func.func private @f() -> tensor<4xf32>

// -----

// expected-error @+1 {{expects a positive panel width, but got 0}}
func.func private @panels_width(tensor<4x4xf32> {attn.layout = #attn.panels<0>})

// -----

// expected-error @+1 {{expects panels of f32 or bf16, but got 'f16'}}
func.func private @panels_stored(tensor<4x4xf32> {attn.layout = #attn.panels<16, f16>})

// -----

func.func @weight_c3() {
  // expected-error @+1 {{expects 'stored' to be bf16, but got 'f16'}}
  %w = attn.weight "w" stored f16 : tensor<4xf32>
  return
}

// -----

func.func @get_parameter_c1_missing() {
  // expected-error @+1 {{expects an 'attn.parameter' named @nowhere}}
  %w = attn.get_parameter [@nowhere] : tensor<4xf32>
  return
}

// -----

attn.parameter @p : tensor<4xf32> {
  %w = attn.weight "w" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}
func.func @get_parameter_c1_type() {
  // expected-error @+1 {{expects the result to have the type of @p, but got 'tensor<8xf32>' and 'tensor<4xf32>'}}
  %w = attn.get_parameter [@p] : tensor<8xf32>
  return
}

// -----

func.func @get_parameter_c1_none() {
  // expected-error @+1 {{expects at least one parameter}}
  %w = attn.get_parameter [] : tensor<8xf32>
  return
}

// -----

attn.parameter @p : tensor<4x4xf32> {
  %w = attn.weight "p" : tensor<4x4xf32>
  attn.yield %w : tensor<4x4xf32>
}
attn.parameter @q : tensor<4x4xf32> layout(#attn.panels<16>) {
  %w = attn.weight "q" : tensor<4x4xf32>
  attn.yield %w : tensor<4x4xf32>
}
func.func @get_parameter_c2_layout(%i: index) {
  // expected-error @+1 {{expects one layout, but @p and @q differ}}
  %w = attn.get_parameter [@p, @q] at %i : tensor<4x4xf32>
  return
}

// -----

attn.parameter @p : tensor<4xf32> {
  %w = attn.weight "p" : tensor<4xf32>
  attn.yield %w : tensor<4xf32>
}
func.func @get_parameter_c3_index() {
  // expected-error @+1 {{expects an index exactly when there are several parameters, but got 2 and no index}}
  %w = attn.get_parameter [@p, @p] : tensor<4xf32>
  return
}

// -----

func.func @yield_c1_parent() -> f32 {
  %c = arith.constant 1.0 : f32
  // expected-error @+1 {{expects parent op to be one of 'attn.attention, attn.linear, attn.parameter, attn.scan'}}
  attn.yield %c : f32
}

// -----

func.func @matmul_c1_low_rank(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects 'a' to have rank 2 or more, but got 'tensor<4xf32>'}}
  %y = attn.matmul %x, %x : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  return
}

// -----

func.func @matmul_c1_rank(%a: tensor<2x4x8xf32>, %b: tensor<8x4xf32>) {
  // expected-error @+1 {{expects 'b' to have rank 3, but got 'tensor<8x4xf32>'}}
  %y = attn.matmul %a, %b : tensor<2x4x8xf32>, tensor<8x4xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @matmul_c2_leading(%a: tensor<2x4x8xf32>, %b: tensor<3x8x4xf32>) {
  // expected-error @+1 {{expects dimension 0 of 'a' and 'b' to match, but got 2 and 3}}
  %y = attn.matmul %a, %b : tensor<2x4x8xf32>, tensor<3x8x4xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @matmul_c3_contracted(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'a' and 'b' to match, but got 8 and 16}}
  %y = attn.matmul %a, %b transpose_b : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c4_result(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'result' and 'b' to match, but got 8 and 16}}
  %y = attn.matmul %a, %b : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @layer_norm_c1_axes(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects 'axes' from 1 to the rank of 'input', 2, but got 3}}
  %y = attn.layer_norm %x eps 1.0e-5 axes 3 : tensor<?x8xf32>
  return
}

// -----

func.func @layer_norm_c1_static(%x: tensor<4x?xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'input' to be static, but got 'tensor<4x?xf32>'}}
  %y = attn.layer_norm %x eps 1.0e-5 : tensor<4x?xf32>
  return
}

// -----

func.func @layer_norm_c2_scale(%x: tensor<?x8xf32>, %g: tensor<4xf32>) {
  // expected-error @+1 {{expects 'scale' to have shape [8], but got [4]}}
  %y = attn.layer_norm %x scale(%g : tensor<4xf32>) eps 1.0e-5 : tensor<?x8xf32>
  return
}

// -----

func.func @layer_norm_c2_shift(%x: tensor<?x4x8xf32>, %g: tensor<8xf32>) {
  // expected-error @+1 {{expects 'shift' to have shape [4, 8], but got [8]}}
  %y = attn.layer_norm %x shift(%g : tensor<8xf32>) eps 1.0e-5 axes 2 : tensor<?x4x8xf32>
  return
}

// -----

func.func @layer_norm_c3_eps(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects 'eps' to be finite and not negative, but got -1}}
  %y = attn.layer_norm %x eps -1.0 : tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c1_static(%x: tensor<4x?xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'input' to be static, but got 'tensor<4x?xf32>'}}
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<4x?xf32>
  return
}

// -----

func.func @rms_norm_c1_rank(%x: tensor<f32>) {
  // expected-error @+1 {{expects 'input' to have rank 1 or more, but got 'tensor<f32>'}}
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<f32>
  return
}

// -----

func.func @rms_norm_c2_scale(%x: tensor<?x8xf32>, %g: tensor<?xf32>) {
  // expected-error @+1 {{expects 'scale' to have a static shape, but got 'tensor<?xf32>'}}
  %y = attn.rms_norm %x scale(%g : tensor<?xf32>) eps 1.0e-5 : tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c3_eps(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects 'eps' to be finite and not negative, but got +Inf}}
  %y = attn.rms_norm %x eps 0x7FF0000000000000 : tensor<?x8xf32>
  return
}

// -----

func.func @softmax_c1_axis(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects 'axis' to be a dimension of 'input', which has 2, but got 2}}
  %y = attn.softmax %x axis 2 : tensor<?x8xf32>
  return
}

// -----

func.func @softmax_c1_negative(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects 'axis' to be a dimension of 'input', which has 2, but got -1}}
  %y = attn.softmax %x axis -1 : tensor<?x8xf32>
  return
}

// -----

func.func @embedding_c1_rank(%ids: tensor<?xi64>, %t: tensor<8xf32>) {
  // expected-error @+1 {{expects 'table' to have rank 2, but got 'tensor<8xf32>'}}
  %y = attn.embedding %ids, %t : tensor<?xi64>, tensor<8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @embedding_c1_width(%ids: tensor<?xi64>, %t: tensor<8x?xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'table' to be static, but got 'tensor<8x?xf32>'}}
  %y = attn.embedding %ids, %t : tensor<?xi64>, tensor<8x?xf32> -> tensor<?x?xf32>
  return
}

// -----

func.func @embedding_c2_result(%ids: tensor<3xi64>, %t: tensor<9x8xf32>) {
  // expected-error @+1 {{expects 'result' to have shape [3, 8], but got [3, 9]}}
  %y = attn.embedding %ids, %t : tensor<3xi64>, tensor<9x8xf32> -> tensor<3x9xf32>
  return
}

// -----

func.func @gelu_type(%x: tensor<3xi64>) {
  // expected-error @+1 {{operand #0 must be}}
  %y = attn.gelu %x : tensor<3xi64>
  return
}

// -----

func.func @dot_c1_rank(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects 'a' to have rank 1, but got 'tensor<3x4xf32>'}}
  %y = attn.dot %x, %x : tensor<3x4xf32>
  return
}

// -----

func.func @sum_c1_static(%x: tensor<?xf32>) {
  // expected-error @+1 {{expects 'input' to have a static shape, but got 'tensor<?xf32>'}}
  %y = attn.sum %x : tensor<?xf32>
  return
}

// -----

func.func @launch_c1_missing(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects a function marked 'attn.kernel' named @nowhere}}
  %y = attn.launch @nowhere(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @plain(tensor<4xf32>) -> tensor<4xf32>
func.func @launch_c1_mark(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects a function marked 'attn.kernel' named @plain}}
  %y = attn.launch @plain(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// expected-note @+1 {{the kernel is here}}
func.func private @k(tensor<4xf32>) -> tensor<4xf32> attributes {attn.kernel}
func.func @launch_c1_type(%x: tensor<8xf32>) {
  // expected-error @+1 {{expects the type of @k, '(tensor<4xf32>) -> tensor<4xf32>', but got '(tensor<8xf32>) -> tensor<4xf32>'}}
  %y = attn.launch @k(%x) : (tensor<8xf32>) -> tensor<4xf32>
  return
}
