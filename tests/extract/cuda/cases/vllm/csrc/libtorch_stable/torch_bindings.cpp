// Lines 1 to 28 of this file in vLLM 0.26.0, shortened, with the registrations of the operators that tests use.
#include "ops.h"
#include "core/registration.h"

#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(_C, ops) {
  // Compute per-token-group INT8 quantized tensor and scaling factor.
  ops.def(
      "per_token_group_quant_int8(Tensor input, Tensor! output_q, Tensor! "
      "output_s, int group_size, float eps, float int8_min, float int8_max) -> "
      "()");
  ops.def("permute_cols(Tensor A, Tensor perm) -> Tensor");

#ifdef USE_ROCM
  ops.def("only_there(Tensor A) -> ()");
#endif
}

STABLE_TORCH_LIBRARY_IMPL(_C, CUDA, ops) {
#ifndef USE_ROCM
  ops.impl("permute_cols", TORCH_BOX(&permute_cols));
#endif
  ops.impl("per_token_group_quant_int8",
           TORCH_BOX(&per_token_group_quant_int8));
#ifdef USE_ROCM
  ops.impl("only_there", TORCH_BOX(&permute_cols));
#endif
}

STABLE_TORCH_LIBRARY_IMPL(_C, CPU, ops) {
  ops.impl("permute_cols", TORCH_BOX(&permute_cols_cpu));
}
