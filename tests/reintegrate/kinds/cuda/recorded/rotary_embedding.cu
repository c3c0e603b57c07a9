#include <algorithm>
#include <cstdint>
#include <type_traits>
#ifndef USE_ROCM
namespace vllm {

// Eight (bfloat16, half) or four (float) pairs a thread and head, taken as two
// 16-byte vectors that lie embed_dim elements apart, whatever the style:
// they are the two halves of the pairs (neox) or hold whole pairs each
// (interleaved). threadIdx.x is the vector, threadIdx.y the head, first those
// of the query, then those of the key.
template <typename scalar_t, bool IS_NEOX, int HEADS>
__global__ void __launch_bounds__(256) rotary_embedding_vec_kernel_sm90(
    const int64_t* __restrict__ positions, scalar_t* __restrict__ query,
    scalar_t* __restrict__ key, const scalar_t* __restrict__ cos_sin_cache,
    const int64_t num_tokens, const int rot_dim, const int64_t query_stride,
    const int64_t key_stride, const int64_t head_stride, const int num_heads,
    const int all_heads, const int64_t rope_dim_offset, const bool inverse) {
  constexpr int V = 16 / sizeof(scalar_t);
  const int64_t token_idx =
      static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y;
  const int first_head = blockIdx.x * (blockDim.y * HEADS) + threadIdx.y;
  if (token_idx >= num_tokens || first_head >= all_heads) {
    return;
  }
  const int64_t pos = VLLM_LDG(positions + token_idx);
  const int embed_dim = rot_dim / 2;

  uint4* x_ptr[HEADS];
  uint4* y_ptr[HEADS];
  uint4 x_vec[HEADS], y_vec[HEADS];
  #pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    const int head = first_head + h * blockDim.y;
    if (HEADS == 1 || head < all_heads) {
      const bool is_key = head >= num_heads;
      scalar_t* arr = is_key ? key : query;
      const int64_t token_stride = is_key ? key_stride : query_stride;
      const int64_t head_idx = is_key ? head - num_heads : head;
      arr += token_idx * token_stride + head_idx * head_stride;
      arr += rope_dim_offset + threadIdx.x * V;
      x_ptr[h] = reinterpret_cast<uint4*>(arr);
      y_ptr[h] = reinterpret_cast<uint4*>(arr + embed_dim);
      x_vec[h] = *x_ptr[h];
      y_vec[h] = *y_ptr[h];
    }
  }

  const scalar_t* cos_ptr = cos_sin_cache + pos * rot_dim;
  const scalar_t* sin_ptr = cos_ptr + embed_dim;
  uint4 cos_vec, sin_vec;
  if constexpr (IS_NEOX) {
    cos_vec = VLLM_LDG(reinterpret_cast<const uint4*>(cos_ptr) + threadIdx.x);
    sin_vec = VLLM_LDG(reinterpret_cast<const uint4*>(sin_ptr) + threadIdx.x);
  } else {
    const uint2* cos_half = reinterpret_cast<const uint2*>(cos_ptr);
    const uint2* sin_half = reinterpret_cast<const uint2*>(sin_ptr);
    const uint2 cos_low = VLLM_LDG(cos_half + threadIdx.x);
    const uint2 cos_high = VLLM_LDG(cos_half + blockDim.x + threadIdx.x);
    const uint2 sin_low = VLLM_LDG(sin_half + threadIdx.x);
    const uint2 sin_high = VLLM_LDG(sin_half + blockDim.x + threadIdx.x);
    cos_vec = make_uint4(cos_low.x, cos_low.y, cos_high.x, cos_high.y);
    sin_vec = make_uint4(sin_low.x, sin_low.y, sin_high.x, sin_high.y);
  }

  #pragma unroll
  for (int h = 0; h < HEADS; ++h) {
    if (HEADS == 1 || first_head + h * blockDim.y < all_heads) {
      scalar_t* x = reinterpret_cast<scalar_t*>(&x_vec[h]);
      scalar_t* y = reinterpret_cast<scalar_t*>(&y_vec[h]);
  #pragma unroll
      for (int i = 0; i < V; ++i) {
        const float cos_f =
            static_cast<float>(reinterpret_cast<const scalar_t*>(&cos_vec)[i]);
        float sin_f =
            static_cast<float>(reinterpret_cast<const scalar_t*>(&sin_vec)[i]);
        if (inverse) {
          sin_f = -sin_f;
        }
        scalar_t* pair = i < V / 2 ? x + 2 * i : y + 2 * i - V;
        scalar_t& first = IS_NEOX ? x[i] : pair[0];
        scalar_t& second = IS_NEOX ? y[i] : pair[1];
        const float x_f = static_cast<float>(first);
        const float y_f = static_cast<float>(second);
        // x_f * cos_f - y_f * sin_f and y_f * cos_f + x_f * sin_f, rounded
        // as the compiler contracts them in the kernel above.
        first = static_cast<scalar_t>(
            __fmaf_rn(x_f, cos_f, -__fmul_rn(y_f, sin_f)));
        second = static_cast<scalar_t>(
            inverse && sizeof(scalar_t) == 2
                ? __fmaf_rn(y_f, cos_f, __fmul_rn(x_f, sin_f))
                : __fmaf_rn(x_f, sin_f, __fmul_rn(y_f, cos_f)));
      }
      *x_ptr[h] = x_vec[h];
      *y_ptr[h] = y_vec[h];
    }
  }
}

// Starts the kernel above where the types are the same and every vector it
// takes lies on 16 bytes; says whether it did.
template <typename scalar_t, typename cache_t>
bool launch_rotary_embedding_vec_sm90(
    const int64_t* positions, scalar_t* query, scalar_t* key,
    const cache_t* cos_sin_cache, const int64_t num_tokens, const int rot_dim,
    const int64_t query_stride, const int64_t key_stride,
    const int64_t head_stride, const int num_heads, const int num_kv_heads,
    const int64_t rope_dim_offset, const bool is_neox, const bool inverse,
    const cudaStream_t stream) {
  if constexpr (!std::is_same_v<scalar_t, cache_t>) {
    return false;
  } else {
    constexpr int V = 16 / sizeof(scalar_t);
    constexpr int THREADS = 160;
    constexpr int64_t MAX_Y = 65535;
    const int vectors = rot_dim / (2 * V);
    auto whole = [](int64_t elements) { return elements % V == 0; };
    auto aligned = [](const void* data) {
      return reinterpret_cast<uintptr_t>(data) % 16 == 0;
    };
    if (num_tokens <= 0 || num_heads <= 0 || vectors < 1 || vectors > 128 ||
        rot_dim % (2 * V) != 0 || !whole(query_stride) || !whole(key_stride) ||
        !whole(head_stride) || !aligned(query + rope_dim_offset) ||
        !aligned(cos_sin_cache) ||
        (key != nullptr && !aligned(key + rope_dim_offset))) {
      return false;
    }
    const int64_t all_heads =
        static_cast<int64_t>(num_heads) + (key != nullptr ? num_kv_heads : 0);
    const int64_t rows = all_heads;
    const int64_t parts =
        std::max<int64_t>((rows * vectors + THREADS - 1) / THREADS, 1);
    int64_t block_rows = (rows + parts - 1) / parts;
    const int64_t in_warp = 32 % vectors == 0 ? 32 / vectors : 1;
    block_rows = (block_rows + in_warp - 1) / in_warp * in_warp;
    const dim3 block(vectors, block_rows);
    const dim3 grid((rows + block_rows - 1) / block_rows,
                    std::min(num_tokens, MAX_Y),
                    (num_tokens + MAX_Y - 1) / MAX_Y);
    auto launch = [&](auto kernel) {
      kernel<<<grid, block, 0, stream>>>(
          positions, query, key, cos_sin_cache, num_tokens, rot_dim, query_stride,
          key_stride, head_stride, num_heads, static_cast<int>(all_heads),
          rope_dim_offset, inverse);
    };
    if (is_neox) {
      launch(rotary_embedding_vec_kernel_sm90<scalar_t, true, 1>);
    } else {
      launch(rotary_embedding_vec_kernel_sm90<scalar_t, false, 1>);
    }
    return true;
  }
}

}  // namespace vllm

static void rotary_embedding_sm90(
    torch::stable::Tensor& positions,  // [batch_size, seq_len] or [num_tokens]
    torch::stable::Tensor&
        query,  // [batch_size, seq_len, num_heads * head_size] or
                // [num_tokens, num_heads * head_size] or
                // [batch_size, seq_len, num_heads, head_size] or
                // [num_tokens, num_heads, head_size]
    std::optional<torch::stable::Tensor> key,
    // null or
    // [batch_size, seq_len, num_kv_heads * head_size] or
    // [num_tokens, num_kv_heads * head_size] or
    // [batch_size, seq_len, num_heads, head_size] or
    // [num_tokens, num_heads, head_size]
    int64_t head_size,
    torch::stable::Tensor& cos_sin_cache,  // [max_position, rot_dim]
    bool is_neox, int64_t rope_dim_offset, bool inverse) {
  // num_tokens = batch_size * seq_len
  int64_t num_tokens = positions.numel();
  int positions_ndim = positions.dim();

  // Make sure num_tokens dim is consistent across positions, query, and key
  STD_TORCH_CHECK(
      positions_ndim == 1 || positions_ndim == 2,
      "positions must have shape [num_tokens] or [batch_size, seq_len]");
  if (positions_ndim == 1) {
    STD_TORCH_CHECK(
        query.size(0) == positions.size(0) &&
            (!key.has_value() || key->size(0) == positions.size(0)),
        "query, key and positions must have the same number of tokens");
  }
  if (positions_ndim == 2) {
    STD_TORCH_CHECK(
        query.size(0) == positions.size(0) &&
            (!key.has_value() || key->size(0) == positions.size(0)) &&
            query.size(1) == positions.size(1) &&
            (!key.has_value() || key->size(1) == positions.size(1)),
        "query, key and positions must have the same batch_size and seq_len");
  }

  // Make sure head_size is valid for query and key
  // hidden_size = num_heads * head_size
  int query_hidden_size = query.numel() / num_tokens;
  int key_hidden_size = key.has_value() ? key->numel() / num_tokens : 0;
  STD_TORCH_CHECK(query_hidden_size % head_size == 0);
  STD_TORCH_CHECK(key_hidden_size % head_size == 0);

  // Make sure query and key have consistent number of heads
  int num_heads = query_hidden_size / head_size;
  int num_kv_heads = key.has_value() ? key_hidden_size / head_size : num_heads;
  STD_TORCH_CHECK(num_heads % num_kv_heads == 0);

  int rot_dim = cos_sin_cache.size(1);
  int seq_dim_idx = positions_ndim - 1;
  int64_t query_stride = query.stride(seq_dim_idx);
  int64_t key_stride = key.has_value() ? key->stride(seq_dim_idx) : 0;

  STD_TORCH_CHECK((rot_dim + rope_dim_offset) <= head_size);
  // Determine head stride: for [*, heads, head_size] use stride of last dim;
  // for flat [*, heads*head_size], heads blocks are contiguous of size
  // head_size
  int query_ndim = query.dim();
  int64_t head_stride =
      (query_ndim == positions_ndim + 2) ? query.stride(-2) : head_size;

  dim3 grid(num_tokens);
  dim3 block(std::min<int64_t>(num_heads * rot_dim / 2, 512));
  const torch::stable::accelerator::DeviceGuard device_guard(
      query.get_device_index());
  const cudaStream_t stream = get_current_cuda_stream();
  VLLM_STABLE_DISPATCH_FLOATING_TYPES(
      query.scalar_type(), "rotary_embedding", [&] {
        using query_t = scalar_t;
        VLLM_STABLE_DISPATCH_FLOATING_TYPES(
            cos_sin_cache.scalar_type(), "rotary_embedding_cache", [&] {
              using cache_t = scalar_t;
              if (vllm::launch_rotary_embedding_vec_sm90<query_t, cache_t>(
                      positions.const_data_ptr<int64_t>(),
                      query.mutable_data_ptr<query_t>(),
                      key.has_value() ? key->mutable_data_ptr<query_t>()
                                      : nullptr,
                      cos_sin_cache.const_data_ptr<cache_t>(), num_tokens,
                      rot_dim, query_stride, key_stride, head_stride, num_heads,
                      num_kv_heads, rope_dim_offset, is_neox, inverse,
                      stream)) {
                return;
              }
              if (is_neox) {
                vllm::rotary_embedding_kernel<query_t, cache_t, true>
                    <<<grid, block, 0, stream>>>(
                        positions.const_data_ptr<int64_t>(),
                        query.mutable_data_ptr<query_t>(),
                        key.has_value() ? key->mutable_data_ptr<query_t>()
                                        : nullptr,
                        cos_sin_cache.const_data_ptr<cache_t>(), rot_dim,
                        query_stride, key_stride, head_stride, num_heads,
                        num_kv_heads, head_size, rope_dim_offset, inverse);
              } else {
                vllm::rotary_embedding_kernel<query_t, cache_t, false>
                    <<<grid, block, 0, stream>>>(
                        positions.const_data_ptr<int64_t>(),
                        query.mutable_data_ptr<query_t>(),
                        key.has_value() ? key->mutable_data_ptr<query_t>()
                                        : nullptr,
                        cos_sin_cache.const_data_ptr<cache_t>(), rot_dim,
                        query_stride, key_stride, head_stride, num_heads,
                        num_kv_heads, head_size, rope_dim_offset, inverse);
              }
            });
      });
}

// Whether the call is one on which the variant above was measured to be faster.
//
// NVIDIA H200, CUDA 13.0: 1.25x over 6 workloads. All other calls run the
// original.
// num_heads 32, num_kv_heads 8, num_tokens 1: 1.25x; num_heads 32, num_kv_heads
// 8, num_tokens 64: 1.25x; num_heads 64, num_kv_heads 8, num_tokens 1: 1.25x;
// num_heads 64, num_kv_heads 8, num_tokens 64: 1.25x; num_heads 32,
// num_kv_heads 4, num_tokens 1: 1.25x; num_heads 32, num_kv_heads 4, num_tokens
// 64: 1.25x.
static bool use_rotary_embedding_sm90(
    const torch::stable::Tensor& positions, const torch::stable::Tensor& query,
    const std::optional<torch::stable::Tensor>& key, int64_t head_size,
    const torch::stable::Tensor& cos_sin_cache, bool is_neox, bool inverse) {
  if (!(key.has_value() && cos_sin_cache.dim() == 2 && query.dim() == 2 &&
        key->dim() == 2 && positions.dim() == 1 &&
        query.scalar_type() == torch::headeronly::ScalarType::BFloat16 &&
        !inverse && is_neox && cos_sin_cache.size(1) == 128 &&
        head_size == 128 && 4096 <= query.size(1) && query.size(1) <= 8192 &&
        512 <= key->size(1) && key->size(1) <= 1024 && 1 <= positions.size(0) &&
        positions.size(0) <= 64 && cos_sin_cache.size(0) == 4096)) {
    return false;
  }
  const torch::stable::accelerator::DeviceGuard device_guard(
      positions.get_device_index());
  const cudaDeviceProp* device = get_device_prop();
  return device->major == 9 && device->minor == 0;
}
#endif  // USE_ROCM

#ifndef USE_ROCM
  if (use_rotary_embedding_sm90(positions, query, key, head_size, cos_sin_cache,
                                is_neox, inverse)) {
    rotary_embedding_sm90(positions, query, key, head_size, cos_sin_cache,
                          is_neox, rope_dim_offset, inverse);
    return;
  }
#endif  // USE_ROCM
