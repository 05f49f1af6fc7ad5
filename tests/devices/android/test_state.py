"""A phone's answer about itself: units, sensors, clocks and throttling, and whatever it leaves out."""

import pytest
from zenbench.devices.android.state import hot_sensors, read_state, to_celsius
from zenbench.devices.base import DeviceState

HOT = {"battery": 40.0, r"tsens_tz_sensor\d+": 75.0}
BIG = ["4", "5", "6", "7"]
ANSWER = """core 0 scaling_cur_freq 1900800
core 0 scaling_governor interactive
core 4 scaling_cur_freq 2457600
core 4 scaling_max_freq 2457600
core 4 cpuinfo_max_freq 2457600
core 4 scaling_governor interactive
core 5 scaling_cur_freq 1804800
core 5 scaling_max_freq 2457600
core 5 cpuinfo_max_freq 2457600
core 5 scaling_governor performance
zone 412 tsens_tz_sensor1
zone 38 pa_therm0
zone 27500 battery_zone
zone -40000 broken
zone 3 odd name
load 2.50
Current Battery Service state:
  AC powered: false
  USB powered: true
  Max charging current: 500000
  status: 2
  level: 85
  scale: 100
  voltage: 4200
  temperature: 312
Display Power: state=OFF
Thermal Status: 0
"""


def test_reads_all_that_a_phone_tells() -> None:
    assert read_state(ANSWER.splitlines(), BIG, HOT) == DeviceState(
        load_1min=2.5,
        cpu_mhz=1804.8,
        governor="interactive, performance",
        temperature_celsius=41.2,
        cores_mhz={"0": 1900.8, "4": 2457.6, "5": 1804.8},
        temperatures_celsius={
            "tsens_tz_sensor1": 41.2,
            "pa_therm0": 38.0,
            "battery_zone": 27.5,
            "odd name": 3.0,
            "battery": 31.2,
        },
        battery_percent=85.0,
        power="usb",
        screen="off",
    )


def test_what_is_not_told_is_none() -> None:
    assert read_state([], BIG, HOT) == DeviceState()
    odd = [
        "core 4 scaling_cur_freq <unsupported>",
        "zone warm x",
        "level: full",
        "Thermal Status: hot",
        "load -",
    ]
    assert read_state(odd, BIG, HOT) == DeviceState()


@pytest.mark.parametrize(
    ("reading", "celsius"),
    [(41200, 41.2), (412, 41.2), (41, 41.0), (-12000, -12.0), (150, 150.0), (-40000, None), (200000, None)],
)
def test_readings_in_any_unit(reading: float, celsius: float | None) -> None:
    assert to_celsius(reading) == celsius


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Thermal Status: 0", "Thermal Status: 3", "thermal status 3 (severe)"),
        (
            "core 4 scaling_max_freq 2457600",
            "core 4 scaling_max_freq 1804800",
            "core 4 is held at 1805 of 2458 MHz",
        ),
    ],
)
def test_throttling_is_told_with_its_reason(old: str, new: str, reason: str) -> None:
    throttled = read_state(ANSWER.replace(old, new).splitlines(), BIG, HOT).throttled
    assert throttled is not None and throttled.startswith(reason)


def test_only_the_cores_in_use_count() -> None:
    capped = ANSWER.replace("core 4 scaling_max_freq 2457600", "core 4 scaling_max_freq 1804800").splitlines()
    assert read_state(capped, ["0", "1"], HOT).throttled is None
    assert read_state(capped, ["0", "1"], HOT).cpu_mhz == 1900.8


def test_hot_sensors_are_those_above_their_own_limit() -> None:
    state = DeviceState(temperatures_celsius={"battery": 39.0, "tsens_tz_sensor4": 76.0, "other": 99.0})
    assert hot_sensors(state, HOT) == {"tsens_tz_sensor4": 76.0}
    assert hot_sensors(state, HOT, below=5.0) == {"battery": 39.0, "tsens_tz_sensor4": 76.0}
