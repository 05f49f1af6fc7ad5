"""What an Android phone says of itself: the script that asks it, and its answer read.

Temperatures come from the kernel's thermal zones, in whichever unit a vendor chose, and from the battery;
clocks and governors from cpufreq; whether the system throttles from its thermal service (Android 10 and
later), and from cores whose highest clock has been lowered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..base import DeviceState

# Built-ins alone where that can be: a program start costs a phone several ms, and there are dozens of files.
SCRIPT = r"""{
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  for f in scaling_cur_freq scaling_max_freq cpuinfo_max_freq scaling_governor; do
    read -r v < $c/cpufreq/$f && echo "core ${c##*/cpu} $f $v"
  done
done
for z in /sys/class/thermal/thermal_zone*; do
  read -r v < $z/temp && read -r t < $z/type && echo "zone $v $t"
done
read -r v r < /proc/loadavg && echo "load $v"
dumpsys battery
dumpsys power | grep 'Display Power: state='
dumpsys thermalservice | grep 'Thermal Status:'
} 2>/dev/null
true
"""

_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Names of Android's thermal status 0 to 6 (developer.android.com, PowerManager.THERMAL_STATUS_*)."""
_PLAUSIBLE_CELSIUS = (-30.0, 150.0)


@dataclass
class _Answer:
    cores: dict[str, dict[str, str]] = field(default_factory=dict)
    celsius: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def read_state(lines: Iterable[str], cores: Sequence[str], hot: Mapping[str, float]) -> DeviceState:
    """The state behind the script's answer, for the cores in use; what the phone does not tell is None.

    `hot` holds patterns of sensors and their limits; the sensors that match count for the temperature.
    """
    answer = _read(lines)
    used = {core: answer.cores[core] for core in cores if core in answer.cores}
    clocks = {core: _mhz(values.get("scaling_cur_freq")) for core, values in answer.cores.items()}
    known = {core: mhz for core, mhz in clocks.items() if mhz is not None}
    counted = [celsius for sensor, celsius in answer.celsius.items() if limit_of(sensor, hot) is not None]
    governors = {values["scaling_governor"] for values in used.values() if "scaling_governor" in values}
    return DeviceState(
        load_1min=float(answer.words["load"]) if "load" in answer.words else None,
        cpu_mhz=min((known[core] for core in used if core in known), default=None),
        governor=", ".join(sorted(governors)) or None,
        temperature_celsius=max(counted, default=None),
        cores_mhz=known or None,
        temperatures_celsius=answer.celsius or None,
        battery_percent=float(answer.words["level"]) if "level" in answer.words else None,
        power=answer.words.get("power"),
        screen=answer.words.get("screen"),
        throttled=_throttled(used, answer.words.get("thermal")),
    )


def limit_of(sensor: str, hot: Mapping[str, float]) -> float | None:
    """The limit of a sensor, by the first pattern that matches its name whole."""
    return next((limit for pattern, limit in hot.items() if re.fullmatch(pattern, sensor)), None)


def hot_sensors(state: DeviceState, hot: Mapping[str, float], below: float = 0.0) -> dict[str, float]:
    """The sensors above their limits, or less than `below` under them."""
    found = {}
    for sensor, celsius in (state.temperatures_celsius or {}).items():
        limit = limit_of(sensor, hot)
        if limit is not None and celsius > limit - below:
            found[sensor] = celsius
    return found


def _read(lines: Iterable[str]) -> _Answer:
    answer = _Answer()
    for line in lines:
        words = line.split()
        match words:
            case ["core", core, file, value]:
                answer.cores.setdefault(core, {})[file] = value
            case ["zone", value, *name] if _is_number(value):
                celsius = to_celsius(float(value))
                if celsius is not None:
                    answer.celsius[" ".join(name)] = celsius
            case ["load", value] if _is_number(value):
                answer.words["load"] = value
            case ["level:", value] if _is_number(value):
                answer.words["level"] = value
            case ["temperature:", value] if _is_number(value):
                answer.celsius["battery"] = float(value) / 10
            case [source, "powered:", "true"]:
                answer.words["power"] = source.lower()
            case ["Display", "Power:", state]:
                answer.words["screen"] = state.partition("=")[2].lower()
            case ["Thermal", "Status:", status] if status.isdigit():
                answer.words["thermal"] = status
    return answer


def to_celsius(value: float) -> float | None:
    """A thermal zone's reading, which kernels give in thousandths, tenths or whole degrees; None for the
    nonsense of a sensor that is not there."""
    size = abs(value)
    celsius = value / 1000 if size >= 1000 else value / 10 if size > 150 else value
    return celsius if _PLAUSIBLE_CELSIUS[0] <= celsius <= _PLAUSIBLE_CELSIUS[1] else None


def _throttled(used: Mapping[str, Mapping[str, str]], status: str | None) -> str | None:
    if status is not None and status != "0":
        name = _STATUS[int(status)] if int(status) < len(_STATUS) else "unknown"
        return f"thermal status {status} ({name})"
    for core, values in used.items():
        most, allowed = _mhz(values.get("cpuinfo_max_freq")), _mhz(values.get("scaling_max_freq"))
        if most and allowed and allowed < most:
            return f"core {core} is held at {allowed:.0f} of {most:.0f} MHz"
    return None


def _mhz(khz: str | None) -> float | None:
    return float(khz) / 1000 if khz is not None and _is_number(khz) else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
