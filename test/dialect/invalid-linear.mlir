// RUN: attn-opt %s --split-input-file --verify-diagnostics

func.func @linear_c1_no_weight(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{expects at least one weight}}
  "attn.linear"(%x) <{operandSegmentSizes = array<i32: 1, 0, 0, 0>}> ({}) : (tensor<?x4xf32>) -> ()
  return
}

// -----

func.func @linear_c1_results(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects as many results as weights, but got 2 and 1}}
  %y:2 = attn.linear %x weights(%w : tensor<8x4xf32>) : tensor<?x4xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @linear_c2_inner(%x: tensor<?x4xf32>, %w: tensor<8x5xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'weight 0' and 'input' to match, but got 5 and 4}}
  %y = attn.linear %x weights(%w : tensor<8x5xf32>) : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c2_rank(%x: tensor<?x4xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{expects 'weight 0' to have rank 2, but got 'tensor<4xf32>'}}
  %y = attn.linear %x weights(%w : tensor<4xf32>) : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @linear_c2_static_weight(%x: tensor<?x4xf32>, %w: tensor<?x4xf32>) {
  // expected-error @+1 {{expects 'weight 0' to have a static shape, but got 'tensor<?x4xf32>'}}
  %y = attn.linear %x weights(%w : tensor<?x4xf32>) : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c2_static_input(%x: tensor<4x?xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects dimension 1 of 'input' to be static, but got 'tensor<4x?xf32>'}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) : tensor<4x?xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @linear_c2_scalar_input(%x: tensor<f32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects 'input' to have rank 1 or more, but got 'tensor<f32>'}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) : tensor<f32> -> tensor<8xf32>
  return
}

// -----

func.func @linear_c3_result(%x: tensor<3x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects 'output 0' to have shape [3, 8], but got [3, 9]}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) : tensor<3x4xf32> -> tensor<3x9xf32>
  return
}

// -----

func.func @linear_c3_rank(%x: tensor<2x3x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects 'output 0' to have shape [2, 3, 8], but got [6, 8]}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) : tensor<2x3x4xf32> -> tensor<6x8xf32>
  return
}

// -----

func.func @linear_c4_count(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects no epilogue or one for each weight, but got 1 for 2}}
  %y:2 = attn.linear %x weights(%w, %w : tensor<8x4xf32>, tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    attn.yield %acc : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @linear_c4_arguments(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'epilogue 0' to have arguments ('f32'), but got ('f64')}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f64):
    %r = arith.truncf %acc : f64 to f32
    attn.yield %r : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c4_capture_type(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %c: tensor<8xi64>) {
  // expected-error @+1 {{expects region 'epilogue 0' to have arguments ('f32', 'i64'), but got ('f32', 'f32')}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%c : tensor<8xi64>) maps [affine_map<(r, c) -> (c)>] epilogue {
  ^bb0(%acc: f32, %b: f32):
    attn.yield %b : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c4_yield(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'epilogue 0' to yield ('f32'), but got ('f32', 'f32')}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    attn.yield %acc, %acc : f32, f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c4_terminator(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'epilogue 0' to end in 'attn.yield'}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    llvm.unreachable
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c4_blocks(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'epilogue 0' to have one block, but got 2}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    attn.yield %acc : f32
  ^bb1:
    llvm.unreachable
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_no_map(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects a map for each capture, but got 0 maps and 1 captures}}
  %y = "attn.linear"(%x, %w, %x) <{operandSegmentSizes = array<i32: 1, 1, 1, 0>}> ({})
      : (tensor<?x4xf32>, tensor<8x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_map_rank(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{expects map 0 to take the 2 coordinates of a result to the 1 of 'capture 0', but got affine_map<(d0) -> (d0)>}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<8xf32>) maps [affine_map<(c) -> (c)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_map_symbol(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{but got affine_map<(d0, d1)[s0] -> (s0)>}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<8xf32>) maps [affine_map<(r, c)[s] -> (s)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_map_expression(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{each a coordinate or a constant, but got affine_map<(d0, d1) -> (d0 + d1)>}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<8xf32>) maps [affine_map<(r, c) -> (r + c)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_map_twice(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<8x8xf32>) {
  // expected-error @+1 {{each coordinate at most once, but got affine_map<(d0, d1) -> (d1, d1)>}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<8x8xf32>) maps [affine_map<(r, c) -> (c, c)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_map_constant(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<1x8xf32>) {
  // expected-error @+1 {{constants inside [1, 8], but got affine_map<(d0, d1) -> (1, d1)>}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<1x8xf32>) maps [affine_map<(r, c) -> (1, c)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c5_fit(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{expects dimension 0 of 'capture 0' and dimension 1 of 'output 0' to match, but got 4 and 8}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>)
      captures(%b : tensor<4xf32>) maps [affine_map<(r, c) -> (c)>] epilogue {
  ^bb0(%acc: f32, %c: f32):
    attn.yield %c : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c6_row(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'prologue' to have arguments ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) prologue {
  ^bb0(%row: tensor<8xf32>):
    attn.yield %row : tensor<8xf32>
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c6_yield(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %g: tensor<8xf32>) {
  // expected-error @+1 {{expects region 'prologue' to yield ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) prologue_captures(%g : tensor<8xf32>) prologue {
  ^bb0(%row: tensor<4xf32>, %c: tensor<8xf32>):
    attn.yield %c : tensor<8xf32>
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c6_no_prologue(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %g: tensor<8xf32>) {
  // expected-error @+1 {{expects a prologue for its captures}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) prologue_captures(%g : tensor<8xf32>)
      : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func private @effect()
func.func @linear_c7_pure(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{expects region 'epilogue 0' to be pure, but 'func.call' may have side effects}}
  %y = attn.linear %x weights(%w : tensor<8x4xf32>) epilogue {
  ^bb0(%acc: f32):
    // expected-note @+1 {{the operation is here}}
    func.call @effect() : () -> ()
    attn.yield %acc : f32
  } : tensor<?x4xf32> -> tensor<?x8xf32>
  return
}
