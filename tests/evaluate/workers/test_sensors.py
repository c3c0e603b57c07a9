from __future__ import annotations

import ctypes.util
import json

from kmaint import wire
from kmaint.evaluate.workers.sensors import Sensors
from kmaint.records.timing import Conditions


def test_what_is_read_is_a_record_and_what_is_not_there_is_absent() -> None:
    found = json.loads(json.dumps(Sensors(None).read()))
    conditions = wire.load(Conditions, found)
    has_nvml = ctypes.util.find_library("nvidia-ml") is not None
    assert (conditions.sm_mhz is not None) == has_nvml
    assert has_nvml or conditions == Conditions(sm_mhz=None, temperature_c=None, power_w=None, limited_by=())
