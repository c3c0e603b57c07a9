# From sglang 0.5.17 (Apache-2.0).
from sglang.srt.utils.common import *
