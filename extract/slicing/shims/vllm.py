"""Stand-ins for what vLLM's launchers ask of vLLM."""

from __future__ import annotations

from extract.slicing.shims.shim import Shim, answer, source

REAL = {
    "vllm.triton_utils.triton": "import triton",
    "vllm.triton_utils.tl": "import triton.language as tl",
    "vllm.triton_utils.tldevice": "import triton.language.extra.libdevice as tldevice",
    "vllm.triton_utils.gl": "import triton.experimental.gluon.language as gl",
    "vllm.triton_utils.gluon": "from triton.experimental import gluon",
    "vllm.triton_utils.importing.triton": "import triton",
}
"""Names under which a framework hands on what a harness imports itself."""

_PLATFORM = Shim(
    "vllm.platforms.current_platform",
    "current_platform",
    '''\
class _Platform:
    """CUDA, as vLLM's own platform answers."""

    device_type = "cuda" if torch.cuda.is_available() else "cpu"
    device_name = "cuda"
    dispatch_key = "CUDA"
    supported_dtypes = (torch.bfloat16, torch.float16, torch.float32)

    def is_cuda(self) -> bool:
        return True

    def is_cuda_alike(self) -> bool:
        return True

    def is_rocm(self) -> bool:
        return False

    def is_xpu(self) -> bool:
        return False

    def is_cpu(self) -> bool:
        return False

    def is_tpu(self) -> bool:
        return False

    def is_out_of_tree(self) -> bool:
        return False

    def supports_mx(self) -> bool:
        return False

    def is_fp8_fnuz(self) -> bool:
        return False

    def supports_fp8(self) -> bool:
        return self.has_device_capability(89)

    def fp8_dtype(self) -> torch.dtype:
        return torch.float8_e4m3fn

    def get_device_capability(self, _device_id: int = 0) -> "_Capability":
        return _Capability(*_capability())

    def has_device_capability(self, capability: "int | tuple[int, int]", _device_id: int = 0) -> bool:
        wanted = divmod(capability, 10) if isinstance(capability, int) else capability
        return _capability() >= tuple(wanted)

    def is_device_capability(self, capability: "int | tuple[int, int]", _device_id: int = 0) -> bool:
        wanted = divmod(capability, 10) if isinstance(capability, int) else capability
        return _capability() == tuple(wanted)

    def is_device_capability_family(self, capability: int, _device_id: int = 0) -> bool:
        return _capability()[0] == capability // 10

    def is_arch_support_pdl(self) -> bool:
        return _capability()[0] >= 9

    def get_device_name(self, device_id: int = 0) -> str:
        return torch.cuda.get_device_name(device_id) if torch.cuda.is_available() else "NVIDIA H200"

    def num_compute_units(self, device_id: int = 0) -> int:
        if not torch.cuda.is_available():
            return 132
        return torch.cuda.get_device_properties(device_id).multi_processor_count


class _Capability(NamedTuple):
    major: int
    minor: int

    def to_int(self) -> int:
        return 10 * self.major + self.minor

    def as_version_str(self) -> str:
        return f"{self.major}.{self.minor}"


current_platform = _Platform()
''',
    "the framework's own answers for CUDA; those for sm_90 where there is no CUDA device",
    answers={
        "is_cuda": True,
        "is_cuda_alike": True,
        "is_rocm": False,
        "is_xpu": False,
        "is_cpu": False,
        "is_tpu": False,
        "is_out_of_tree": False,
        "is_fp8_fnuz": False,
        "supports_mx": False,
    },
)

VLLM = [
    _PLATFORM,
    source(
        "vllm.logger.init_logger",
        "the standard library's logger with vLLM's three extra methods",
        """
        def init_logger(name: str) -> logging.Logger:
            logger = logging.getLogger(name)
            for level in ("debug", "info", "warning"):
                setattr(logger, f"{level}_once", getattr(logger, level))
            return logger
        """,
    ),
    source(
        "vllm.envs",
        "settings with the framework's own defaults: the environment decides nothing in a harness",
        """
        class envs:
            pass
        """,
        fields="vllm.envs",
    ),
    source("vllm.triton_utils.HAS_TRITON", "a harness needs Triton", "HAS_TRITON = True\n", truth=True),
    source("vllm.triton_utils.importing.HAS_TRITON", "a harness needs Triton", "HAS_TRITON = True\n", truth=True),
    source(
        "vllm.utils.torch_utils.direct_register_custom_op",
        "a harness calls the implementation, not the registered operator",
        """
        def direct_register_custom_op(*_arguments: object, **_options: object) -> None:
            return None
        """,
    ),
    source(
        "vllm.utils.platform_utils.num_compute_units",
        "number of multiprocessors; that of an H200 where there is no CUDA device",
        """
        def num_compute_units(device_id: int = 0) -> int:
            if not torch.cuda.is_available():
                return 132
            return torch.cuda.get_device_properties(device_id).multi_processor_count
        """,
    ),
    source(
        "vllm.utils.platform_utils.is_pin_memory_available",
        "pages can be locked wherever there is a CUDA device",
        """
        def is_pin_memory_available() -> bool:
            return torch.cuda.is_available()
        """,
    ),
    source(
        "vllm.compilation.breakable_cudagraph.eager_break_during_capture",
        "marks where the engine splits its CUDA graphs; the function itself is unchanged",
        """
        def eager_break_during_capture(function):
            return function
        """,
    ),
    answer("vllm.platforms.rocm.on_gfx950", answer=False),
    answer("vllm.platforms.rocm.on_gfx9", answer=False),
    answer("vllm.platforms.rocm.on_mi3xx", answer=False),
    answer("vllm.model_executor.layers.batch_invariant.vllm_is_batch_invariant", answer=False),
]
