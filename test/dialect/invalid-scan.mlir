// RUN: attn-opt %s --split-input-file --verify-diagnostics

func.func @scan_c1_none(%h: tensor<4xf32>) {
  // expected-error @+1 {{expects at least one input to go over}}
  %r = "attn.scan"(%h) <{operandSegmentSizes = array<i32: 1, 0>}> ({
  ^bb0(%s: tensor<4xf32>):
    attn.yield %s : tensor<4xf32>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @scan_c1_rank(%x: tensor<f32>) {
  // expected-error @+1 {{expects 'input 0' to have rank 1 or more, but got 'tensor<f32>'}}
  %r = attn.scan over(%x : tensor<f32>) {
  ^bb0(%t: tensor<f32>):
    attn.yield %t : tensor<f32>
  } : tensor<?xf32>
  return
}

// -----

func.func @scan_c1_steps(%x: tensor<3x4xf32>, %y: tensor<5x4xf32>) {
  // expected-error @+1 {{expects dimension 0 of 'input 0' and 'input 1' to match, but got 3 and 5}}
  %r = attn.scan over(%x, %y : tensor<3x4xf32>, tensor<5x4xf32>) {
  ^bb0(%s: tensor<4xf32>, %t: tensor<4xf32>):
    attn.yield %t : tensor<4xf32>
  } : tensor<3x4xf32>
  return
}

// -----

func.func @scan_c2_carried(%h: tensor<4xf32>, %x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects region 'body' to have arguments ('tensor<4xf32>', 'tensor<4xf32>'), but got ('tensor<4xf32>')}}
  %r = attn.scan carry(%h : tensor<4xf32>) over(%x : tensor<3x4xf32>) {
  ^bb0(%t: tensor<4xf32>):
    attn.yield %t : tensor<4xf32>
  } : tensor<4xf32>
  return
}

// -----

func.func @scan_c2_step(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects region 'body' to have arguments ('tensor<4xf32>'), but got ('tensor<3x4xf32>')}}
  %r = attn.scan over(%x : tensor<3x4xf32>) {
  ^bb0(%t: tensor<3x4xf32>):
    attn.yield %t : tensor<3x4xf32>
  } : tensor<3x3x4xf32>
  return
}

// -----

func.func @scan_c3_carried(%h: tensor<4xf32>, %x: tensor<3x8xf32>) {
  // expected-error @+1 {{0-th region iter_arg and 0-th yielded value have different type: 'tensor<4xf32>' != 'tensor<8xf32>'}}
  %r = attn.scan carry(%h : tensor<4xf32>) over(%x : tensor<3x8xf32>) {
  ^bb0(%s: tensor<4xf32>, %t: tensor<8xf32>):
    attn.yield %t : tensor<8xf32>
  } : tensor<4xf32>
  return
}

// -----

func.func @scan_c3_none(%h: tensor<4xf32>, %x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects region 'body' to yield ('tensor<4xf32>'), but got ()}}
  %r = attn.scan carry(%h : tensor<4xf32>) over(%x : tensor<3x4xf32>) {
  ^bb0(%s: tensor<4xf32>, %t: tensor<4xf32>):
    attn.yield
  } : tensor<4xf32>
  return
}

// -----

func.func @scan_c3_output(%x: tensor<3x8xf32>) {
  // expected-error @+1 {{expects region 'body' to yield ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %r = attn.scan over(%x : tensor<3x8xf32>) {
  ^bb0(%t: tensor<8xf32>):
    attn.yield %t : tensor<8xf32>
  } : tensor<3x4xf32>
  return
}

// -----

func.func @scan_c4_none(%h: tensor<4xf32>, %x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects a result for each of 1 carried values, but got 0}}
  "attn.scan"(%h, %x) <{operandSegmentSizes = array<i32: 1, 1>}> ({
  ^bb0(%s: tensor<4xf32>, %t: tensor<4xf32>):
    attn.yield %s : tensor<4xf32>
  }) : (tensor<4xf32>, tensor<3x4xf32>) -> ()
  return
}

// -----

func.func @scan_c4_carried(%h: tensor<4xf32>, %x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects carried result 0 to have the type of its initial value, 'tensor<4xf32>', but got 'tensor<?xf32>'}}
  %r = attn.scan carry(%h : tensor<4xf32>) over(%x : tensor<3x4xf32>) {
  ^bb0(%s: tensor<4xf32>, %t: tensor<4xf32>):
    attn.yield %t : tensor<4xf32>
  } : tensor<?xf32>
  return
}

// -----

func.func @scan_c4_steps(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects 'stacked result 0' to have the steps of the inputs, [3], in front, but got 'tensor<?x4xf32>'}}
  %r = attn.scan over(%x : tensor<3x4xf32>) {
  ^bb0(%t: tensor<4xf32>):
    attn.yield %t : tensor<4xf32>
  } : tensor<?x4xf32>
  return
}

// -----

func.func @scan_c4_rank(%x: tensor<3xf32>) {
  // expected-error @+1 {{expects 'stacked result 0' to have the steps in front, but got 'tensor<f32>'}}
  %r = attn.scan over(%x : tensor<3xf32>) {
  ^bb0(%t: tensor<f32>):
    attn.yield %t : tensor<f32>
  } : tensor<f32>
  return
}

// -----

func.func private @effect()
func.func @scan_c5_pure(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expects region 'body' to be pure, but 'func.call' may have side effects}}
  %r = attn.scan over(%x : tensor<3x4xf32>) {
  ^bb0(%t: tensor<4xf32>):
    // expected-note @+1 {{the operation is here}}
    func.call @effect() : () -> ()
    attn.yield %t : tensor<4xf32>
  } : tensor<3x4xf32>
  return
}
