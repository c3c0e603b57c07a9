"""Stand-ins for what SGLang's launchers ask of SGLang."""

from __future__ import annotations

from extract.slicing.shims.shim import Shim, answer, capability, source

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
    "is_out_of_tree": False,
}

_COMMON = "sglang.srt.utils.common"

SGLANG = [
    *(
        answer(f"{_COMMON}.{name}", answer=name in ("is_cuda", "is_cuda_alike"))
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
        answer(symbol, answer=False)
        for symbol in (
            "sglang.kernels.jit.utils.arch.is_hip_runtime",
            "sglang.kernels.jit.utils.arch.is_musa_runtime",
            "sglang.srt.batch_invariant_ops.batch_invariant_ops.is_batch_invariant_mode_enabled",
        )
    ),
    *(
        capability(symbol, test)
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
    source(
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
        source(
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
    source(
        f"{_COMMON}.get_bool_env_var",
        "the environment decides nothing in a harness: unset, so the default",
        """
        def get_bool_env_var(_name: str, default: str = "false") -> bool:
            return default.lower() in ("true", "1")
        """,
    ),
    source(
        f"{_COMMON}.get_int_env_var",
        "the environment decides nothing in a harness: unset, so the default",
        """
        def get_int_env_var(_name: str, default: int = 0) -> int:
            return default
        """,
    ),
    source(
        f"{_COMMON}.get_device_sm",
        "the framework's own test of the device; 90 where there is no CUDA device",
        """
        def get_device_sm() -> int:
            major, minor = _capability()
            return 10 * major + minor
        """,
    ),
    source(
        f"{_COMMON}.get_device_core_count",
        "number of multiprocessors; that of an H200 where there is no CUDA device",
        """
        def get_device_core_count(device_id: int = 0) -> int:
            if not torch.cuda.is_available():
                return 132
            return torch.cuda.get_device_properties(device_id).multi_processor_count
        """,
    ),
    source(
        f"{_COMMON}.get_device_name",
        "name of the device; that of an H200 where there is no CUDA device",
        """
        def get_device_name(device_id: int = 0) -> str:
            return torch.cuda.get_device_name(device_id) if torch.cuda.is_available() else "NVIDIA H200"
        """,
    ),
    source(
        f"{_COMMON}.direct_register_custom_op",
        "a harness calls the implementation, not the registered operator",
        """
        def direct_register_custom_op(*_arguments: object, **_options: object) -> None:
            return None
        """,
    ),
    *(
        source(
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
        source(
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
    source(
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
    source(
        f"{_COMMON}.log_info_on_rank0",
        "logging",
        """
        def log_info_on_rank0(_logger: object, _message: str) -> None:
            return None
        """,
    ),
    *(
        Shim(
            symbol,
            "current_platform",
            "class current_platform:\n"
            + "".join(
                f"    @staticmethod\n    def {method}() -> bool:\n        return {answer}\n\n"
                for method, answer in _SGLANG_PLATFORM.items()
            )
            + "    class capabilities:\n        supports_triton = True\n",
            "the framework's own answers for CUDA",
            answers=_SGLANG_PLATFORM,
        )
        for symbol in (
            "sglang.multimodal_gen.runtime.platforms.current_platform",
            "sglang.srt.platforms.current_platform",
        )
    ),
]
