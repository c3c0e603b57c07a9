// Parts of this file in vLLM 0.26.0.
#include "ops.h"
#include "core/registration.h"

#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY_FRAGMENT(_C, ops) {
  ops.def(
      "rotary_embedding(Tensor positions, Tensor! query,"
      "                 Tensor!? key, int head_size,"
      "                 Tensor cos_sin_cache, bool is_neox, int "
      "rope_dim_offset=0, bool inverse=False) -> ()");

  ops.def("silu_and_mul(Tensor! result, Tensor input) -> ()");
}

STABLE_TORCH_LIBRARY_IMPL(_C, CUDA, ops) {
  ops.impl("rotary_embedding", TORCH_BOX(&rotary_embedding));
  ops.impl("silu_and_mul", TORCH_BOX(&silu_and_mul));
}
