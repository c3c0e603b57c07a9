"""Stand-ins for what both frameworks ask of torch and of other packages."""

from __future__ import annotations

from extract.slicing.shims.shim import Shim, source

PROVIDE = '''\
def provide(namespace, modules):
    """Functions defined from here on import these names of the framework's modules from the namespace itself."""

    def find(name, globals=None, locals=None, fromlist=(), level=0):
        ours = modules.get(name, ()) if level == 0 and fromlist else ()
        if ours and all(one in ours and one in namespace for one in fromlist):
            return types.SimpleNamespace(**{one: namespace[one] for one in fromlist})
        return builtins.__import__(name, globals, locals, fromlist, level)

    namespace["__builtins__"] = {**vars(builtins), "__import__": find}
'''
"""A function keeps the builtins that its module has when it is defined. Nothing is put where another file sees it."""

PRELUDE = '''\
def _capability() -> tuple[int, int]:
    """Of the current device; that of a Hopper where there is none."""
    return torch.cuda.get_device_capability() if torch.cuda.is_available() else (9, 0)
'''
"""What several stand-ins use; first in every shims.py."""

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

OTHERS = [
    source(
        "msgspec",
        "its records are plain dataclasses here: nothing is encoded in a harness",
        """
        class _Struct:
            def __init_subclass__(cls, *, frozen: bool = False, kw_only: bool = False, **_options: object) -> None:
                super().__init_subclass__()
                for name, value in list(vars(cls).items()):
                    if name in vars(cls).get("__annotations__", {}) and isinstance(value, (list, dict, set)):
                        setattr(cls, name, dataclasses.field(default_factory=value.copy))
                dataclasses.dataclass(frozen=frozen, kw_only=kw_only)(cls)
                cls.__struct_fields__ = tuple(field.name for field in dataclasses.fields(cls))


        class msgspec:
            Struct = _Struct
            field = staticmethod(dataclasses.field)
        """,
    ),
    source(
        "regex",
        "the patterns in launchers mean the same to the standard library's re",
        "import re as regex",
    ),
    source(
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
]


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
            'name="NVIDIA H200", major=9, minor=0, multi_processor_count=132,\n'
            "    max_threads_per_multi_processor=2048)",
            "answers for an H200 where there is no CUDA device; torch's own otherwise",
        ),
        _torch(
            "torch.cuda.device",
            "lambda _device: contextlib.nullcontext()",
            "there is no device to change to where there is no CUDA device; torch's own otherwise",
        ),
        _torch(
            "torch.get_device_module",
            # All else as torch.cuda has it: torch asks it too, whether it is there at all for one.
            "lambda _device=None: types.SimpleNamespace(\n"
            "        **{\n"
            "            **vars(torch.cuda),\n"
            '            "current_device": lambda: 0,\n'
            '            "device": lambda _device: contextlib.nullcontext(),\n'
            '            "get_device_properties": lambda _device=None: types.SimpleNamespace(\n'
            '                name="NVIDIA H200", major=9, minor=0, multi_processor_count=132,\n'
            "                max_threads_per_multi_processor=2048\n"
            "            ),\n"
            "        }\n"
            "    )",
            "torch.cuda, which answers of its device as an H200's would where there is none; torch's own otherwise",
        ),
        _torch(
            "torch.cuda.current_device",
            "lambda: 0",
            "there is one device; torch's own answer where it is a CUDA device",
        ),
    )
}
"""Questions to torch that fail on a machine without CUDA."""
