#ifndef USE_ROCM
namespace vllm {

// Stays before a barrier, as a load through the read-only path does not.
template <typename vec_t>
__device__ __forceinline__ void load_now_sm90(vec_t& val, const vec_t* ptr) {
  static_assert(sizeof(vec_t) == 16);
  #ifdef USE_ROCM
  val = *ptr;
  #else
  uint4* v = reinterpret_cast<uint4*>(&val);
  asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v->x), "=r"(v->y), "=r"(v->z), "=r"(v->w)
               : "l"(ptr)
               : "memory");
  #endif
}

// x / y as `/` rounds it, by the steps that the compiler takes for it, without
// its check and its way out for operands near the ends of the exponent's range.
__device__ __forceinline__ float divided_sm90(const float x, const float y) {
  #ifdef USE_ROCM
  return x / y;
  #else
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(y));
  r = __fmaf_rn(r, __fmaf_rn(-y, r, 1.0f), r);
  const float q = __fmaf_rn(x, r, 0.0f);
  // The sign is that of x for y > 0, of zeros too.
  return copysignf(__fmaf_rn(r, __fmaf_rn(-y, q, x), q), x);
  #endif
}

// A row in parts of one vector a thread: blockIdx.x is the part, blockIdx.y the
// row. Results are those of act_and_mul_kernel with silu.
template <typename scalar_t, typename packed_t>
__global__ void __launch_bounds__(256) silu_and_mul_parts_kernel_sm90(
    scalar_t* __restrict__ out,          // [..., d]
    const scalar_t* __restrict__ input,  // [..., 2, d]
    const int d) {
  using cuda_t = typename CUDATypeConverter<scalar_t>::Type;
  using pvec_t = PackedVec<cuda_t, false>;
  constexpr int N = pvec_t::NUM_ELTS;

  const int num_vecs = d / 2 / N;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= num_vecs) {
    return;
  }
  const int64_t row = static_cast<int64_t>(blockIdx.y) * num_vecs;
  const pvec_t* x_vec = reinterpret_cast<const pvec_t*>(input) + 2 * row;
  const pvec_t* y_vec = x_vec + num_vecs;
  pvec_t* out_vec = reinterpret_cast<pvec_t*>(out) + row;
  pvec_t x, y;
  load_now_sm90(x, &x_vec[i]);
  load_now_sm90(y, &y_vec[i]);
  #ifndef USE_ROCM
  // Without it the assembler puts the second load behind the exponentials of
  // the first, and with it a second wait for memory.
  __syncwarp(__activemask());
  #endif

  float most = 0.0f;
  #pragma unroll
  for (int j = 0; j < N; j++) {
    const float2 gate = cast_to_float2(x.elts[j]);
    most = fmaxf(most, fmaxf(fabsf(gate.x), fabsf(gate.y)));
  }
  if (most <= 86.0f) {
    // 1 <= 1 + exp(-gate) < 2^125: nothing under- or overflows in a division.
  #pragma unroll
    for (int j = 0; j < N; j++) {
      const float2 gate = cast_to_float2(x.elts[j]);
      const float2 up = cast_to_float2(y.elts[j]);
      float2 activated;
      activated.x = divided_sm90(gate.x, 1.0f + expf(-gate.x));
      activated.y = divided_sm90(gate.y, 1.0f + expf(-gate.y));
      activated = cast_to_float2(cast_to_packed<packed_t>(activated));
      activated.x *= up.x + 0.0f;
      activated.y *= up.y + 0.0f;
      x.elts[j] = cast_to_packed<packed_t>(activated);
    }
  } else {
  #pragma unroll 1
    for (int j = 0; j < N; j++) {
      x.elts[j] = packed_compute<packed_t, packed_silu_kernel<packed_t>, true,
                                 false>(x.elts[j], y.elts[j], 0.0f, 1.0f, 0.0f);
    }
  }
  st128(x, &out_vec[i]);
}

// Starts the kernel above where rows are whole vectors and rows are few;
// says whether it did.
inline bool launch_silu_and_mul_parts_sm90(torch::stable::Tensor& out,
                                           torch::stable::Tensor& input) {
  const int d = input.size(-1) / 2;
  const int64_t num_tokens = input.numel() / input.size(-1);
  const int vec_size = 16 / static_cast<int>(input.element_size());
  if (num_tokens == 0 || d % vec_size != 0 || d == 0 ||
      num_tokens > 2 * get_device_prop()->multiProcessorCount) {
    return false;
  }
  const torch::stable::accelerator::DeviceGuard device_guard(
      input.get_device_index());
  const cudaStream_t stream = get_current_cuda_stream();
  const int part = 128;
  const dim3 grid((d / vec_size + part - 1) / part, num_tokens);
  VLLM_STABLE_DISPATCH_FLOATING_TYPES(
      input.scalar_type(), "silu_and_mul_parts_kernel", [&] {
        vllm::silu_and_mul_parts_kernel_sm90<
            scalar_t, typename vllm::PackedTypeConverter<scalar_t>::Type>
            <<<grid, part, 0, stream>>>(out.mutable_data_ptr<scalar_t>(),
                                        input.const_data_ptr<scalar_t>(), d);
      });
  return true;
}

}  // namespace vllm

static void silu_and_mul_sm90(torch::stable::Tensor& out,    // [..., d]
                              torch::stable::Tensor& input)  // [..., 2 * d]
{
  if (vllm::launch_silu_and_mul_parts_sm90(out, input)) {
    return;
  }
  LAUNCH_ACTIVATION_GATE_KERNEL(vllm::silu_kernel, vllm::packed_silu_kernel,
                                true, false, 0.0f, 1.0f, 0.0f);
}

// Whether the call is one on which the variant above was measured to be faster.
//
// NVIDIA H200, CUDA 13.0: 1.25x over 6 workloads. All other calls run the
// original.
// intermediate_size 14336, num_tokens 1: 1.25x; intermediate_size 14336,
// num_tokens 64: 1.25x; intermediate_size 28672, num_tokens 1: 1.25x;
// intermediate_size 28672, num_tokens 64: 1.25x; intermediate_size 12288,
// num_tokens 1: 1.25x; intermediate_size 12288, num_tokens 64: 1.25x.
static bool use_silu_and_mul_sm90(const torch::stable::Tensor& out) {
  if (!(out.dim() == 2 &&
        out.scalar_type() == torch::headeronly::ScalarType::BFloat16 &&
        12288 <= out.size(1) && out.size(1) <= 28672 && out.size(1) % 16 == 0 &&
        1 <= out.size(0) && out.size(0) <= 64)) {
    return false;
  }
  const torch::stable::accelerator::DeviceGuard device_guard(
      out.get_device_index());
  const cudaDeviceProp* device = get_device_prop();
  return device->major == 9 && device->minor == 0;
}
#endif  // USE_ROCM

#ifndef USE_ROCM
  if (use_silu_and_mul_sm90(out)) {
    silu_and_mul_sm90(out, input);
    return;
  }
#endif  // USE_ROCM
