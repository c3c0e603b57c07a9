"""Clock, temperature, power and limits of the GPU, read through NVML itself: fast enough to ask after every block."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

SM_CLOCK = 1
LIMITS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of nvmlClocksThrottleReasons that make a device slower than it could be; to be idle is none of them."""


class Sensors:
    """Reads one device, named by the UUID that torch gives. Where NVML is not there, every number is absent."""

    def __init__(self, uuid: str | None) -> None:
        self._library: Any = None
        self._device = ctypes.c_void_p()
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL("libnvidia-ml.so.1")
            name = f"GPU-{uuid.removeprefix('GPU-')}".encode() if uuid else b""
            if library.nvmlInit_v2() == 0 and (
                library.nvmlDeviceGetHandleByUUID(name, ctypes.byref(self._device)) == 0
                or library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self._device)) == 0
            ):
                self._library = library

    def sm_mhz(self) -> int | None:
        return self._number("nvmlDeviceGetClockInfo", SM_CLOCK)

    def read(self) -> dict[str, Any]:
        """The fields of a records.Conditions."""
        power = self._number("nvmlDeviceGetPowerUsage")
        return {
            "sm_mhz": self.sm_mhz(),
            "temperature_c": self._number("nvmlDeviceGetTemperature", 0),
            "power_w": None if power is None else power / 1000.0,
            "limited_by": [name for bit, name in LIMITS.items() if bit & self._reasons()],
        }

    def _number(self, function: str, *which: int) -> int | None:
        if self._library is None:
            return None
        found = ctypes.c_uint()
        ended = getattr(self._library, function)(self._device, *which, ctypes.byref(found))
        return int(found.value) if ended == 0 else None

    def _reasons(self) -> int:
        if self._library is None:
            return 0
        found = ctypes.c_ulonglong()
        ended = self._library.nvmlDeviceGetCurrentClocksThrottleReasons(self._device, ctypes.byref(found))
        return int(found.value) if ended == 0 else 0
