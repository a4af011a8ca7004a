// RUN: attn-opt %s --split-input-file --verify-diagnostics

// Attributes of a model's functions, as AttnDialect.td says them.

// expected-error @+1 {{attribute 'attn.name' of argument 0 expects a name, but got ""}}
func.func @name_empty(%x: tensor<4xf32> {attn.name = ""}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.name' of result 0 expects a name, but got 3 : i64}}
func.func @name_of_result(%x: tensor<4xf32>) -> (tensor<4xf32> {attn.name = 3}) {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{attribute 'attn.dims' of argument 0 expects an array of strings, but got [1]}}
func.func @dims_strings(%x: tensor<?xf32> {attn.dims = [1]}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dims' of argument 0 expects a ranked tensor, but got 'f32'}}
func.func @dims_tensor(%x: f32 {attn.dims = []}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dims' of argument 1 expects 2 strings, one for each dimension of 'tensor<?x4xf32>', but got 1}}
func.func @dims_rank(%x: tensor<4xf32>, %y: tensor<?x4xf32> {attn.dims = ["batch"]}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dims' of argument 0 expects a name for dynamic dimension 0 of 'tensor<?x4xf32>'}}
func.func @dims_dynamic(%x: tensor<?x4xf32> {attn.dims = ["", ""]}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dims' of result 0 expects no name for static dimension 0 of 'tensor<4xf32>'}}
func.func @dims_static(%x: tensor<4xf32>) -> (tensor<4xf32> {attn.dims = ["batch"]}) {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{attribute 'attn.bound' of argument 0 expects a positive integer, but got 0 : i64}}
func.func @bound_positive(%ids: tensor<4xi64> {attn.bound = 0}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.bound' of argument 0 expects a tensor of integers, but got 'tensor<4xf32>'}}
func.func @bound_integers(%x: tensor<4xf32> {attn.bound = 10}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.bound' of result 0 expects not to stand on a result}}
func.func @bound_result(%x: tensor<4xi64>) -> (tensor<4xi64> {attn.bound = 10}) {
  return %x : tensor<4xi64>
}

// -----

// expected-error @+1 {{attribute 'attn.layout' of argument 0 expects #attn.panels, but got "rows"}}
func.func @layout_kind(%w: tensor<4x4xf32> {attn.layout = "rows"}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.layout' of argument 0 expects a matrix, but got 'tensor<4xf32>'}}
func.func @layout_matrix(%w: tensor<4xf32> {attn.layout = #attn.panels<16>}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.nmae' of argument 0 expects not to stand on an argument}}
func.func @argument_misspelt(%x: tensor<4xf32> {attn.nmae = "x"}) {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dim_max' expects a dictionary of integers, but got 512 : i64}}
func.func @dim_max_dictionary() attributes {attn.dim_max = 512} {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.dim_max' expects a positive integer for 'sequence', but got -1 : i64}}
func.func @dim_max_positive() attributes {attn.dim_max = {sequence = -1}} {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.kernel' expects no value, but got "k"}}
func.func private @kernel_unit() attributes {attn.kernel = "k"} {
  return
}

// -----

// expected-error @+1 {{attribute 'attn.kernel' expects to stand on a function}}
module attributes {attn.kernel} {}

// -----

func.func @tap_name(%x: f32) -> f32 {
  // expected-error @+1 {{attribute 'attn.tap' expects a name, but got unit}}
  %y = arith.addf %x, %x {attn.tap} : f32
  return %y : f32
}

// -----

// expected-error @+1 {{attribute 'attn.ignored_weights' expects an array of strings, but got [1]}}
module attributes {attn.ignored_weights = [1]} {}

// -----

// expected-error @+1 {{attribute 'attn.weight_aliases' expects an array of pairs of strings, but got}}
module attributes {attn.weight_aliases = [["a.*", "*"], ["b"]]} {}
