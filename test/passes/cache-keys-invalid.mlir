// RUN: attn-opt %s --split-input-file --attn-cache-keys --verify-diagnostics

// Models whose tokens cannot be computed one after the other.

func.func @softmax_along_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  // expected-error @+1 {{cannot be computed for new tokens alone: it normalises along the tokens}}
  %y = attn.softmax %x axis 1 : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @product_of_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x?xf32> {attn.dims = ["", "n", "n"]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %e = tensor.empty(%n) : tensor<1x8x?xf32>
  %t = linalg.transpose ins(%x : tensor<1x?x8xf32>) outs(%e : tensor<1x8x?xf32>) permutation = [0, 2, 1]
  // expected-error @+1 {{cannot be computed for new tokens alone: it multiplies tokens with one another}}
  %y = attn.matmul %x, %t : tensor<1x?x8xf32>, tensor<1x8x?xf32> -> tensor<1x?x?xf32>
  return %y : tensor<1x?x?xf32>
}

// -----

func.func @some_of_the_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  // expected-error @+1 {{cannot be computed for new tokens alone: it takes some of the tokens}}
  %y = tensor.extract_slice %x[0, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<1x?x8xf32> to tensor<1x1x8xf32>
  %c = tensor.cast %y : tensor<1x1x8xf32> to tensor<1x?x8xf32>
  return %c : tensor<1x?x8xf32>
}

// -----

func.func @sum_over_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %e = tensor.empty() : tensor<1x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: it reduces over the tokens}}
  %s = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, c, b)>, affine_map<(a, b, c) -> (a, b)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<1x?x8xf32>) outs(%e : tensor<1x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    %a = arith.addf %v, %out : f32
    linalg.yield %a : f32
  } -> tensor<1x8xf32>
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %empty = tensor.empty(%n) : tensor<1x?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<1x8xf32>) outs(%empty : tensor<1x?x8xf32>) {
  ^bb0(%v: f32, %out: f32):
    linalg.yield %v : f32
  } -> tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @another_input(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %w: tensor<8xf32> {attn.name = "w"}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %empty = tensor.empty(%n) : tensor<1x?x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: it joins tokens with what another input gives, which only keys and values of an attention may be}}
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %w : tensor<1x?x8xf32>, tensor<8xf32>) outs(%empty : tensor<1x?x8xf32>) {
  ^bb0(%v: f32, %u: f32, %out: f32):
    %s = arith.addf %v, %u : f32
    linalg.yield %s : f32
  } -> tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @number_of_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %i = arith.index_cast %n : index to i64
  %f = arith.sitofp %i : i64 to f32
  %empty = tensor.empty(%n) : tensor<1x?x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: it depends on the number of tokens}}
  %y = linalg.fill ins(%f : f32) outs(%empty : tensor<1x?x8xf32>) -> tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @sees_all(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %t = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: queries see keys of later tokens; expects keep to hold 'j <= i', alone or with 'and'}}
  %o = attn.attention queries(%t : tensor<1x1x?x8xf32>) keys(%t : tensor<1x1x?x8xf32>) value(%t : tensor<1x1x?x8xf32>) score {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %q, %k : tensor<8xf32>
    attn.yield %dot : f32
  } -> tensor<1x1x?x8xf32>
  %y = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x1x?x8xf32> into tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @sees_one_later(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %t = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: queries see keys of later tokens; expects keep to hold 'j <= i', alone or with 'and'}}
  %o = attn.attention queries(%t : tensor<1x1x?x8xf32>) keys(%t : tensor<1x1x?x8xf32>) value(%t : tensor<1x1x?x8xf32>) score {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %q, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %c = arith.constant 1 : index
    %e = arith.addi %i, %c : index
    %s = arith.cmpi sle, %j, %e : index
    attn.yield %s : i1
  } -> tensor<1x1x?x8xf32>
  %y = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x1x?x8xf32> into tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @mask_of_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %mask: tensor<1x?xi64> {attn.name = "mask", attn.dims = ["", "n"]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %t = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: its score or mask reads the input 'mask'; leave that out, if it is optional}}
  %o = attn.attention queries(%t : tensor<1x1x?x8xf32>) keys(%t : tensor<1x1x?x8xf32>) value(%t : tensor<1x1x?x8xf32>) captures(%mask : tensor<1x?xi64>) score {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index, %c: tensor<1x?xi64>):
    %dot = attn.dot %q, %k : tensor<8xf32>
    attn.yield %dot : f32
  } keep {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index, %c: tensor<1x?xi64>):
    %c0 = arith.constant 0 : index
    %z = arith.constant 0 : i64
    %v = tensor.extract %c[%c0, %j] : tensor<1x?xi64>
    %p = arith.cmpi ne, %v, %z : i64
    %s = arith.cmpi sle, %j, %i : index
    %both = arith.andi %p, %s : i1
    attn.yield %both : i1
  } -> tensor<1x1x?x8xf32>
  %y = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x1x?x8xf32> into tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @score_of_length(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %t = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 1, %n, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
  %o = attn.attention queries(%t : tensor<1x1x?x8xf32>) keys(%t : tensor<1x1x?x8xf32>) value(%t : tensor<1x1x?x8xf32>) score {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %dot = attn.dot %q, %k : tensor<8xf32>
  // expected-error @+1 {{cannot be computed for new tokens alone: the score or mask depends on the number of all tokens}}
    %w = arith.index_cast %l : index to i64
    %f = arith.sitofp %w : i64 to f32
    %s = arith.mulf %dot, %f : f32
    attn.yield %s : f32
  } keep {
  ^bb0(%q: tensor<8xf32>, %k: tensor<8xf32>, %b: index, %h: index, %i: index, %j: index, %m: index, %l: index):
    %s = arith.cmpi sle, %j, %i : index
    attn.yield %s : i1
  } -> tensor<1x1x?x8xf32>
  %y = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x1x?x8xf32> into tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

// expected-error @+1 {{expects the first result to have one sequence and a dynamic number of tokens, [1, ?, ...], but got 'tensor<?x?x8xf32>'}}
func.func @batches(%x: tensor<?x?x8xf32> {attn.name = "x", attn.dims = ["b", "n", ""]}) -> (tensor<?x?x8xf32> {attn.dims = ["b", "n", ""]}) {
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// expected-error @+1 {{has no attention whose keys could be kept: the first result depends on none over 'n'}}
func.func @no_attention(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %ids: tensor<1x?xi64> {attn.name = "ids", attn.dims = ["", "n"]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

// expected-error @+1 {{expects an input of token ids, i64[1, tokens]}}
func.func @no_ids(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

// expected-error @+1 {{expects no input named 'past', which generation adds; rename it}}
func.func @reserved_name(%x: tensor<1x?x8xf32> {attn.name = "past", attn.dims = ["", "n", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %y = attn.rms_norm %x eps 1.0e-5 : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

func.func @joined_tokens(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}) -> (tensor<1x?xf32> {attn.dims = ["", "n"]}) {
  // expected-error @+1 {{cannot be computed for new tokens alone: it joins the tokens with another dimension or splits them}}
  %y = tensor.collapse_shape %x [[0], [1, 2]] : tensor<1x?x8xf32> into tensor<1x?xf32>
  return %y : tensor<1x?xf32>
}

// -----

func.func @recurrence(%x: tensor<1x?x8xf32> {attn.name = "x", attn.dims = ["", "n", ""]}, %h: tensor<1x8xf32> {attn.name = "h", attn.dims = ["", ""]}) -> (tensor<1x?x8xf32> {attn.dims = ["", "n", ""]}) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x8xf32>
  %e = tensor.empty(%n) : tensor<?x1x8xf32>
  %t = linalg.transpose ins(%x : tensor<1x?x8xf32>) outs(%e : tensor<?x1x8xf32>) permutation = [1, 0, 2]
  // expected-error @+1 {{cannot be computed for new tokens alone: it carries values from token to token, which are no keys of a cache: recurrent models have no steps of generation}}
  %last, %y = attn.scan carry(%h : tensor<1x8xf32>) over(%t : tensor<?x1x8xf32>) {
  ^bb0(%s: tensor<1x8xf32>, %xt: tensor<1x8xf32>):
    %m = arith.addf %s, %xt : tensor<1x8xf32>
    attn.yield %m, %m : tensor<1x8xf32>, tensor<1x8xf32>
  } : tensor<1x8xf32>, tensor<?x1x8xf32>
  %f = tensor.empty(%n) : tensor<1x?x8xf32>
  %z = linalg.transpose ins(%y : tensor<?x1x8xf32>) outs(%f : tensor<1x?x8xf32>) permutation = [1, 0, 2]
  return %z : tensor<1x?x8xf32>
}
