// RUN: attn-opt %s --split-input-file --verify-diagnostics

func.func @token_rows_c1_rank(%c: tensor<2x1xi64>, %p: tensor<2x1xi64>, %x: tensor<1x5xi64>) {
  // expected-error @+1 {{expects 'counts' to have rank 1, but got 'tensor<2x1xi64>'}}
  %r:4 = attn.token_rows %c, %p like %x : tensor<2x1xi64>, tensor<1x5xi64> -> tensor<5xi64>
  return
}

// -----

func.func @token_rows_c2_like(%c: tensor<2xi64>, %p: tensor<2xi64>, %x: tensor<i64>) {
  // expected-error @+1 {{expects 'like' to have rank 1 or more, but got 'tensor<i64>'}}
  %r:4 = attn.token_rows %c, %p like %x : tensor<2xi64>, tensor<i64> -> tensor<5xi64>
  return
}

// -----

func.func @token_rows_c2_rows(%c: tensor<2xi64>, %p: tensor<2xi64>, %x: tensor<1x5xi64>) {
  // expected-error @+1 {{expects 'sequence' to have shape [5], but got [2]}}
  %r:4 = attn.token_rows %c, %p like %x : tensor<2xi64>, tensor<1x5xi64> -> tensor<2xi64>
  return
}

// -----

func.func @append_c1_rank(%k: tensor<2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects 'key' to have rank 4, but got 'tensor<2x5x16xf32>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c1_heads(%k: tensor<1x2x5x16xf32>, %v: tensor<1x4x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects dimension 1 of 'key' and 'value' to match, but got 2 and 4}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x4x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c1_static(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x?xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects dimension 3 of 'value' to be static, but got 'tensor<1x2x5x?xf32>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x?xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c1_batch(%k: tensor<2x2x5x16xf32>, %v: tensor<2x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects batch 1 of 'key', but got 'tensor<2x2x5x16xf32>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<2x2x5x16xf32>, tensor<2x2x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c2_static(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x?xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects dimension 1 of 'cache' to be static, but got 'tensor<?x?xf32>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x?xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c2_page(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x17xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects a page of 'cache' to hold the 6144 floats of an entry, but got 4096}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x17xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c3_offset(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<1xi64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects 'offset' to have rank 0, but got 'tensor<1xi64>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x4096xf32>, tensor<1xi64>, tensor<5xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c4_sequence(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<3xi64>, %p: tensor<5xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects 'sequence' to have shape [5], but got [3]}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<3xi64>, tensor<5xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c4_position(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<3xi64>, %g: tensor<3x?xi64>) {
  // expected-error @+1 {{expects 'position' to have shape [5], but got [3]}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<3xi64>, tensor<3x?xi64>
  return
}

// -----

func.func @append_c5_pages(%k: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x16xf32>, %c: tensor<?x4096xf32>, %o: tensor<i64>, %s: tensor<5xi64>, %p: tensor<5xi64>, %g: tensor<3xi64>) {
  // expected-error @+1 {{expects 'pages' to have rank 2, but got 'tensor<3xi64>'}}
  %r = attn.append %k, %v to %c at %o rows(%s, %p) pages(%g)
      : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<?x4096xf32>, tensor<i64>, tensor<5xi64>, tensor<5xi64>, tensor<3xi64>
  return
}

// -----

func.func @read_pages_c1_page(%c: tensor<?x4095xf32>, %o: tensor<i64>, %g: tensor<3x2xi64>) {
  // expected-error @+1 {{expects a page of 'cache' to hold the 4096 floats of an entry, but got 4095}}
  %k, %v = attn.read_pages %c at %o pages(%g) : tensor<?x4095xf32>, tensor<i64>, tensor<3x2xi64> -> tensor<3x2x128x16xf32>, tensor<3x2x128x16xf32>
  return
}

// -----

func.func @read_pages_c2_sequences(%c: tensor<?x4096xf32>, %o: tensor<i64>, %g: tensor<4x2xi64>) {
  // expected-error @+1 {{expects dimension 0 of 'pages' and 'key' to match, but got 4 and 3}}
  %k, %v = attn.read_pages %c at %o pages(%g) : tensor<?x4096xf32>, tensor<i64>, tensor<4x2xi64> -> tensor<3x2x128x16xf32>, tensor<3x2x128x16xf32>
  return
}

// -----

func.func @read_pages_c2_positions(%c: tensor<?x4096xf32>, %o: tensor<i64>, %g: tensor<3x3xi64>) {
  // expected-error @+1 {{expects dimension 2 of 'key' to be 192, 64 positions for each of 3 pages, but got 128}}
  %k, %v = attn.read_pages %c at %o pages(%g) : tensor<?x4096xf32>, tensor<i64>, tensor<3x3xi64> -> tensor<3x2x128x16xf32>, tensor<3x2x128x16xf32>
  return
}

// -----

func.func @read_pages_c2_static(%c: tensor<?x4096xf32>, %o: tensor<i64>, %g: tensor<3x2xi64>) {
  // expected-error @+1 {{expects dimension 1 of 'key' to be static, but got 'tensor<3x?x128x16xf32>'}}
  %k, %v = attn.read_pages %c at %o pages(%g) : tensor<?x4096xf32>, tensor<i64>, tensor<3x2xi64> -> tensor<3x?x128x16xf32>, tensor<3x2x128x16xf32>
  return
}

// -----

func.func @read_pages_c3_offset(%c: tensor<?x4096xf32>, %o: tensor<2xi64>, %g: tensor<3x2xi64>) {
  // expected-error @+1 {{expects 'offset' to have rank 0, but got 'tensor<2xi64>'}}
  %k, %v = attn.read_pages %c at %o pages(%g) : tensor<?x4096xf32>, tensor<2xi64>, tensor<3x2xi64> -> tensor<3x2x128x16xf32>, tensor<3x2x128x16xf32>
  return
}
