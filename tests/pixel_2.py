"""What a driver finds on a Pixel 2: properties, sensors, clocks, battery and screen, as files in a folder.

The folder is the root of a phone's file system. Sensors and their scales are those of the phone's own thermal
driver (device/google/wahoo/thermal), the texts those of Android 11.
"""

from __future__ import annotations

from pathlib import Path

PROPERTIES = {
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 2",
    "ro.product.device": "walleye",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.board.platform": "msm8998",
    "ro.build.version.release": "11",
    "ro.build.version.sdk": "30",
}

CORES = 8
LITTLE_KHZ, BIG_KHZ = 1_900_800, 2_457_600  # cores 0 to 3 and 4 to 7

# Each thermal zone's type, and how many of its units make one degree.
ZONES = {"battery": 1000, "back_therm": 1} | {
    f"tsens_tz_sensor{n}": 10 for n in (1, 2, 3, 4, 7, 8, 9, 10, 13)
}

COMMANDS = {
    "getprop": """#!/bin/sh
while IFS='=' read -r name value; do
    if [ $# = 0 ]; then echo "[$name]: [$value]"; fi
    if [ "$name" = "$1" ]; then echo "$value"; exit; fi
done < /system/build.prop
if [ $# != 0 ]; then echo "$2"; fi
""",
    "dumpsys": """#!/bin/sh
if [ -f "/system/dumpsys/$1" ]; then cat "/system/dumpsys/$1"; else echo "Can't find service: $1" >&2; fi
""",
    # The phone's cores are not this machine's: a mask is checked and then let go.
    "taskset": f"""#!/bin/sh
if [ $# -lt 2 ]; then echo "taskset: Needs 2 arguments" >&2; exit 1; fi
case $1 in *[!0-9a-fA-F]*) echo "taskset: bad mask '$1'" >&2; exit 1;; esac
if [ $((0x$1 & {2**CORES - 1})) = 0 ]; then echo "taskset: bad mask: Invalid argument" >&2; exit 1; fi
shift
exec "$@"
""",
}

BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: 2534000
  status: 2
  health: 2
  present: true
  level: {level}
  scale: 100
  voltage: 4286
  temperature: {tenths}
  technology: Li-ion
"""

POWER = """POWER MANAGER (dumpsys power)

Power Manager State:
  mDirty=0x0
  mWakefulness={wakefulness}
  mWakefulnessChanging=false
  mIsPowered=true
  mPlugType=2

Display Power: state={display}
"""


class Pixel2:
    """The files under `root`, and the setters by which a test makes the phone hot, slow, flat or another."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._properties = dict(PROPERTIES)
        for name, script in COMMANDS.items():
            self._write(f"system/bin/{name}", script)
            (root / "system/bin" / name).chmod(0o755)
        for zone, kind in enumerate(ZONES):
            self._write(f"sys/class/thermal/thermal_zone{zone}/type", f"{kind}\n")
        for core in range(CORES):
            khz = LITTLE_KHZ if core < CORES // 2 else BIG_KHZ
            self._write(f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq", f"{khz}\n")
            self._write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", "schedutil\n")
            self.set_frequency(core, khz, limit_khz=khz)
        for name, value in PROPERTIES.items():
            self.set_property(name, value)
        self.set_temperature(35.0)
        self.set_battery(level=93, celsius=28.1)
        self.set_screen(on=True)

    def set_property(self, name: str, value: str) -> None:
        """What `getprop` says from now on: with another model this is the wrong phone."""
        self._properties[name] = value
        self._write("system/build.prop", "".join(f"{key}={text}\n" for key, text in self._properties.items()))

    def set_temperature(self, celsius: float) -> None:
        """Sets all zones but the battery's, which is `set_battery`'s."""
        for zone, (kind, scale) in enumerate(ZONES.items()):
            if kind != "battery":
                self._write(f"sys/class/thermal/thermal_zone{zone}/temp", f"{round(celsius * scale)}\n")

    def set_frequency(self, core: int, khz: int, *, limit_khz: int | None = None) -> None:
        """Sets a core's clock, and with `limit_khz` the highest clock that throttling leaves it."""
        cpufreq = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        self._write(f"{cpufreq}/scaling_cur_freq", f"{khz}\n")
        if limit_khz is not None:
            self._write(f"{cpufreq}/scaling_max_freq", f"{limit_khz}\n")

    def set_battery(self, *, level: int, celsius: float) -> None:
        """Sets the charge in per cent and the temperature, in both places where it is told."""
        self._write("system/dumpsys/battery", BATTERY.format(level=level, tenths=round(celsius * 10)))
        zone = list(ZONES).index("battery")
        self._write(f"sys/class/thermal/thermal_zone{zone}/temp", f"{round(celsius * ZONES['battery'])}\n")

    def set_screen(self, *, on: bool) -> None:
        """Switches the screen."""
        state = ("Awake", "ON") if on else ("Asleep", "OFF")
        self._write("system/dumpsys/power", POWER.format(wakefulness=state[0], display=state[1]))

    def _write(self, path: str, text: str) -> None:
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
