"""The catalogue of stand-ins: framework symbols that a slice may replace, what replaces each, and why it may.

There is no catch-all: a symbol that is not listed here is sliced, or stops the extraction. The stand-ins answer as the
framework does on one CUDA device; on a machine without CUDA they answer for a Hopper (sm_90).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shim:
    """A stand-in. `truth` is what it comes out as in a test, called or not; `answers` is the same for its methods.

    `fields` names the module whose own defaults the attributes take, where the symbol is a table of settings.
    """

    symbol: str
    name: str
    source: str
    reason: str
    truth: bool | None = None
    answers: Mapping[str, bool] = field(default_factory=dict)
    fields: str = ""


REAL = {
    "vllm.triton_utils.triton": "import triton",
    "vllm.triton_utils.tl": "import triton.language as tl",
    "vllm.triton_utils.tldevice": "import triton.language.extra.libdevice as tldevice",
    "vllm.triton_utils.gl": "import triton.experimental.gluon.language as gl",
    "vllm.triton_utils.gluon": "from triton.experimental import gluon",
    "vllm.triton_utils.importing.triton": "import triton",
}
"""Names under which a framework hands on what a harness imports itself."""

_CONSTANTS = {
    True: "the slice is the CUDA path",
    False: "another platform's path is not sliced",
}


def _answer(symbol: str, answer: bool) -> Shim:
    name = symbol.rpartition(".")[2]
    source = f"def {name}(*_arguments: object) -> bool:\n    return {answer}\n"
    return Shim(symbol, name, source, _CONSTANTS[answer], truth=answer)


def _capability(symbol: str, test: str) -> Shim:
    name = symbol.rpartition(".")[2]
    source = f"def {name}(*_arguments: object) -> bool:\n    return {test}\n"
    return Shim(symbol, name, source, "the framework's own test of the device; sm_90 where there is no CUDA device")


def _source(symbol: str, reason: str, source: str, *, truth: bool | None = None, fields: str = "") -> Shim:
    return Shim(symbol, symbol.rpartition(".")[2], textwrap.dedent(source).lstrip("\n"), reason, truth, {}, fields)


PRELUDE = '''\
def _capability() -> tuple[int, int]:
    """Of the current device; that of a Hopper where there is none."""
    return torch.cuda.get_device_capability() if torch.cuda.is_available() else (9, 0)
'''
"""What several stand-ins use; first in every shims.py."""

_SGLANG_PLATFORM = {
    "is_cuda": True,
    "is_cuda_alike": True,
    "is_hip": False,
    "is_rocm": False,
    "is_cpu": False,
    "is_npu": False,
    "is_mps": False,
    "is_musa": False,
    "is_xpu": False,
    "is_hpu": False,
    "is_tpu": False,
}

_COMMON = "sglang.srt.utils.common"

_SGLANG = [
    *(
        _answer(f"{_COMMON}.{name}", answer=name in ("is_cuda", "is_cuda_alike"))
        for name in (
            "is_cuda",
            "is_cuda_alike",
            "is_hip",
            "is_cpu",
            "is_npu",
            "is_xpu",
            "is_hpu",
            "is_musa",
            "is_mps",
            "is_gfx95_supported",
            "is_shuffle_moe_mxfp4",
            "cpu_has_amx_support",
            "use_intel_amx_backend",
        )
    ),
    *(
        _answer(symbol, answer=False)
        for symbol in (
            "sglang.kernels.jit.utils.arch.is_hip_runtime",
            "sglang.kernels.jit.utils.arch.is_musa_runtime",
            "sglang.srt.batch_invariant_ops.batch_invariant_ops.is_batch_invariant_mode_enabled",
        )
    ),
    *(
        _capability(symbol, test)
        for symbol, test in (
            (f"{_COMMON}.is_sm80_supported", "_capability()[0] == 8"),
            (f"{_COMMON}.is_sm90_supported", "_capability()[0] == 9"),
            (f"{_COMMON}.is_sm100_supported", "_capability()[0] == 10"),
            (f"{_COMMON}.is_sm100_or_sm110_supported", "_capability()[0] in (10, 11)"),
            (f"{_COMMON}.is_sm120_supported", "_capability()[0] == 12"),
            (f"{_COMMON}.is_blackwell", "_capability()[0] in (10, 12)"),
            (f"{_COMMON}.is_blackwell_supported", "_capability()[0] in (10, 12)"),
            (f"{_COMMON}.is_hopper_with_cuda_12_3", "_capability()[0] == 9"),
            ("sglang.kernels.jit.utils.arch.is_arch_support_pdl", "_capability()[0] >= 9"),
        )
    ),
    _source(
        "sglang.kernels.jit.utils.arch.get_jit_cuda_arch",
        "the framework's own answer for the device; sm_90 where there is no CUDA device",
        """
        class _Arch(NamedTuple):
            major: int
            minor: int


        def get_jit_cuda_arch() -> _Arch:
            return _Arch(*_capability())
        """,
    ),
    *(
        _source(
            f"sglang.kernels.jit.utils.{module}.load_jit",
            "builds the same text with the same flags, from the harness's own files and into a cache of its own",
            """
            def load_jit(*name: str, **options: object) -> object:
                from runtime.jit import load

                return load(*name, **options)
            """,
        )
        for module in ("compile", "compile.loader")
    ),
    _source(
        f"{_COMMON}.get_bool_env_var",
        "the environment decides nothing in a harness: unset, so the default",
        """
        def get_bool_env_var(_name: str, default: str = "false") -> bool:
            return default.lower() in ("true", "1")
        """,
    ),
    _source(
        f"{_COMMON}.get_int_env_var",
        "the environment decides nothing in a harness: unset, so the default",
        """
        def get_int_env_var(_name: str, default: int = 0) -> int:
            return default
        """,
    ),
    _source(
        f"{_COMMON}.get_device_sm",
        "the framework's own test of the device; 90 where there is no CUDA device",
        """
        def get_device_sm() -> int:
            major, minor = _capability()
            return 10 * major + minor
        """,
    ),
    _source(
        f"{_COMMON}.get_device_core_count",
        "number of multiprocessors; that of an H200 where there is no CUDA device",
        """
        def get_device_core_count(device_id: int = 0) -> int:
            if not torch.cuda.is_available():
                return 132
            return torch.cuda.get_device_properties(device_id).multi_processor_count
        """,
    ),
    _source(
        f"{_COMMON}.get_device_name",
        "name of the device; that of an H200 where there is no CUDA device",
        """
        def get_device_name(device_id: int = 0) -> str:
            return torch.cuda.get_device_name(device_id) if torch.cuda.is_available() else "NVIDIA H200"
        """,
    ),
    _source(
        f"{_COMMON}.direct_register_custom_op",
        "a harness calls the implementation, not the registered operator",
        """
        def direct_register_custom_op(*_arguments: object, **_options: object) -> None:
            return None
        """,
    ),
    *(
        _source(
            symbol,
            "a harness calls the function, not the operator registered for it",
            f"""
            def {symbol.rpartition(".")[2]}(function=None, **_options):
                return (lambda wrapped: wrapped) if function is None else function
            """,
        )
        for symbol in (
            "sglang.srt.utils.custom_op.register_custom_op",
            "sglang.kernel_api_logging.debug_kernel_api",
            "sglang.kernel_api_logging.debug_torch_op",
        )
    ),
    *(
        _source(
            symbol,
            "registers and selects among kernels at run time; the harness holds one",
            f"""
            def {symbol.rpartition(".")[2]}(*_arguments: object, **_options: object):
                return lambda wrapped: wrapped
            """,
        )
        for symbol in (
            "sglang.kernels.registry.register_kernel",
            "sglang.srt.utils.patch_torch.register_fake_if_exists",
            f"{_COMMON}.cached_triton_kernel",
        )
    ),
    _source(
        "sglang.srt.environ.envs",
        "settings with the framework's own defaults: the environment decides nothing in a harness",
        """
        class _Setting:
            def __init__(self, default: object) -> None:
                self._default = default

            def get(self) -> object:
                return self._default

            def is_set(self) -> bool:
                return False


        class envs:
            pass
        """,
        fields="sglang.srt.environ",
    ),
    _source(
        f"{_COMMON}.log_info_on_rank0",
        "logging",
        """
        def log_info_on_rank0(_logger: object, _message: str) -> None:
            return None
        """,
    ),
]

_VERSION = '''
class Version(tuple):
    """A release number: its leading whole numbers, which compare as such."""

    def __new__(cls, text: str) -> "Version":
        return super().__new__(cls, (int(part) for part in re.match(r"\\d+(?:\\.\\d+)*", text).group().split(".")))

    release = property(tuple)
    major = property(lambda self: self[0])
    minor = property(lambda self: (*self, 0)[1])


class version:
    parse = Version = Version


parse = Version
'''

_OTHERS = [
    _source(
        "packaging.version",
        "comparing release numbers needs no package: the leading whole numbers decide here",
        _VERSION,
    ),
    *(
        Shim(
            f"packaging.version.{name}",
            name,
            _VERSION.lstrip(),
            "comparing release numbers needs no package: the leading whole numbers decide here",
        )
        for name in ("parse", "Version")
    ),
    *(
        Shim(
            symbol,
            "current_platform",
            "class current_platform:\n"
            + "".join(
                f"    @staticmethod\n    def {method}() -> bool:\n        return {answer}\n\n"
                for method, answer in _SGLANG_PLATFORM.items()
            ).rstrip("\n")
            + "\n",
            "the framework's own answers for CUDA",
            answers=_SGLANG_PLATFORM,
        )
        for symbol in (
            "sglang.multimodal_gen.runtime.platforms.current_platform",
            "sglang.srt.platforms.current_platform",
        )
    ),
]

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

_VLLM = [
    _PLATFORM,
    _source(
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
    _source(
        "vllm.envs",
        "settings with the framework's own defaults: the environment decides nothing in a harness",
        """
        class envs:
            pass
        """,
        fields="vllm.envs",
    ),
    _source("vllm.triton_utils.HAS_TRITON", "a harness needs Triton", "HAS_TRITON = True\n", truth=True),
    _source("vllm.triton_utils.importing.HAS_TRITON", "a harness needs Triton", "HAS_TRITON = True\n", truth=True),
    _source(
        "vllm.utils.torch_utils.direct_register_custom_op",
        "a harness calls the implementation, not the registered operator",
        """
        def direct_register_custom_op(*_arguments: object, **_options: object) -> None:
            return None
        """,
    ),
    _source(
        "vllm.utils.platform_utils.num_compute_units",
        "number of multiprocessors; that of an H200 where there is no CUDA device",
        """
        def num_compute_units(device_id: int = 0) -> int:
            if not torch.cuda.is_available():
                return 132
            return torch.cuda.get_device_properties(device_id).multi_processor_count
        """,
    ),
    _source(
        "vllm.utils.platform_utils.is_pin_memory_available",
        "pages can be locked wherever there is a CUDA device",
        """
        def is_pin_memory_available() -> bool:
            return torch.cuda.is_available()
        """,
    ),
    _source(
        "vllm.compilation.breakable_cudagraph.eager_break_during_capture",
        "marks where the engine splits its CUDA graphs; the function itself is unchanged",
        """
        def eager_break_during_capture(function):
            return function
        """,
    ),
    _answer("vllm.platforms.rocm.on_gfx950", answer=False),
    _answer("vllm.platforms.rocm.on_gfx9", answer=False),
    _answer("vllm.platforms.rocm.on_mi3xx", answer=False),
    _answer("vllm.model_executor.layers.batch_invariant.vllm_is_batch_invariant", answer=False),
]

SHIMS: dict[str, Shim] = {shim.symbol: shim for shim in (*_SGLANG, *_VLLM, *_OTHERS)}
"""By the dotted name of the module that defines the symbol."""


def _torch(symbol: str, source: str, reason: str) -> Shim:
    assignment = f"if not torch.cuda.is_available():\n    {symbol} = {source}\n"
    return Shim(symbol, symbol.rpartition(".")[2], assignment, reason)


TORCH_SHIMS: dict[str, Shim] = {
    shim.symbol: shim
    for shim in (
        _torch(
            "torch.cuda.get_device_capability",
            "lambda _device=None: (9, 0)",
            "answers for sm_90 where there is no CUDA device; torch's own otherwise",
        ),
        _torch(
            "torch.cuda.get_device_name",
            'lambda _device=None: "NVIDIA H200"',
            "answers for an H200 where there is no CUDA device; torch's own otherwise",
        ),
        _torch(
            "torch.cuda.get_device_properties",
            "lambda _device=None: types.SimpleNamespace("
            'name="NVIDIA H200", major=9, minor=0, multi_processor_count=132)',
            "answers for an H200 where there is no CUDA device; torch's own otherwise",
        ),
        _torch(
            "torch.cuda.current_device",
            "lambda: 0",
            "there is one device; torch's own answer where it is a CUDA device",
        ),
    )
}
"""Questions to torch that fail on a machine without CUDA."""
