// RUN: attn-opt %s --attn-cpu-lower-tiles=target=x86-64-avx2 | FileCheck %s
// RUN: attn-opt %s --attn-cpu-lower-tiles=target=x86-64 | FileCheck %s --check-prefix=SSE2

// Functions of another kind wait for their own lowering.
// CHECK: func.func @other()
// An operand is its address and, one word on, its dynamic size.
// CHECK-LABEL: llvm.func @tiles(
// CHECK-SAME: %[[ARGS:.*]]: !llvm.ptr, %[[SLOT:.*]]: i64)
// CHECK-SAME: target_cpu = "x86-64-v3"
// CHECK-DAG: llvm.getelementptr %[[ARGS]][3]
// CHECK-DAG: llvm.getelementptr %[[ARGS]][4]
// Elementary functions leave arithmetic only.
// CHECK-NOT: math.
// CHECK-NOT: llvm.call
// CHECK: llvm.intr.fmuladd
// CHECK: llvm.intr.ceil
// CHECK-NOT: math.
// A division by a constant is a product; by what has no inverse, it stays one.
// CHECK-NOT: llvm.fdiv
// CHECK: llvm.fmul {{.*}} : vector<16xf32>
// CHECK-NEXT: llvm.fdiv {{.*}} : vector<16xf32>
// CHECK-NOT: math.
// SSE2-LABEL: llvm.func @tiles(
// SSE2-NOT: llvm.intr.ceil
// SSE2: llvm.return
func.func @tiles(%args: !llvm.ptr, %slot: index) attributes {attn_cpu.tiles} {
  %c0 = arith.constant 0 : index
  %x = attn_cpu.operand %args[3] : memref<?x768xf32>
  %s = attn_cpu.scratch %args of %slot at %c0() : memref<16xf32>
  %v = vector.load %x[%slot, %c0] : memref<?x768xf32>, vector<16xf32>
  %0 = math.exp %v : vector<16xf32>
  %1 = math.erf %0 : vector<16xf32>
  %2 = attn.gelu %1 : vector<16xf32>
  %3 = math.ceil %2 : vector<16xf32>
  %4 = math.fma %3, %3, %3 : vector<16xf32>
  %eighty = arith.constant dense<80.0> : vector<16xf32>
  %5 = arith.divf %4, %eighty : vector<16xf32>
  %huge = arith.constant dense<1.0e38> : vector<16xf32>
  %6 = arith.divf %5, %huge : vector<16xf32>
  vector.store %6, %s[%c0] : memref<16xf32>, vector<16xf32>
  return
}

func.func @other() {
  return
}
