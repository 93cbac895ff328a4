"""The vitals of groups and devices, in the colours of the levels that they lead to."""

from edgestill.config import ThresholdsConfig
from edgestill.monitoring.panels import Bounds, falling, rising

_DEFAULTS = ThresholdsConfig()

CPU: Bounds = rising(*_DEFAULTS.cpu_ratio)
FREE_MEMORY: Bounds = falling(*_DEFAULTS.free_memory_bytes)
BATTERY: Bounds = falling(*_DEFAULTS.battery_ratio)
TEMPERATURE: Bounds = rising(*_DEFAULTS.temperature_c)
