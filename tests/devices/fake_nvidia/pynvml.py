"""Stands in for nvidia-ml-py: GPUS has what a test arranges; the functions ask as NVML's do."""

from types import SimpleNamespace

NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
nvmlClocksThrottleReasonSwPowerCap = 0x4
nvmlClocksThrottleReasonHwSlowdown = 0x8
nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80


class NVMLError(Exception):
    """What every failing call raises."""


class Gpu:
    """One GPU, a Tesla T4 with ECC at 70 W unless a test says otherwise; None is what NVML does not know."""

    def __init__(self, name="Tesla T4", bus_id="00000000:00:04.0", uuid="GPU-11111111-2222"):
        self.name, self.bus_id, self.uuid = name, bus_id, uuid
        self.sm_mhz, self.memory_mhz, self.celsius = 1590, 5001, 61
        self.milliwatts, self.limit_milliwatts, self.ecc = 68900, 70000, [1, 1]
        self.reasons, self.pids = 0x4, []


DRIVER = "580.95.05"
GPUS = [Gpu()]
HAS_DRIVER = True


def reset():
    global HAS_DRIVER
    GPUS[:], HAS_DRIVER = [Gpu()], True


def _known(value):
    if value is None:
        raise NVMLError("Not Supported")
    return value


def nvmlInit():
    if not HAS_DRIVER:
        raise NVMLError("NVML Shared Library Not Found")


def nvmlSystemGetDriverVersion():
    return DRIVER


def nvmlDeviceGetCount():
    return len(GPUS)


def nvmlDeviceGetHandleByIndex(index):
    return _known(GPUS[index])


def nvmlDeviceGetName(handle):
    return handle.name


def nvmlDeviceGetUUID(handle):
    return handle.uuid


def nvmlDeviceGetPciInfo(handle):
    return SimpleNamespace(busId=handle.bus_id)


def nvmlDeviceGetMemoryInfo(handle, version=None):
    return SimpleNamespace(total=15360 * 2**20)


def nvmlDeviceGetClockInfo(handle, type):
    return _known({NVML_CLOCK_SM: handle.sm_mhz, NVML_CLOCK_MEM: handle.memory_mhz}[type])


def nvmlDeviceGetTemperature(handle, sensor):
    assert sensor == NVML_TEMPERATURE_GPU
    return _known(handle.celsius)


def nvmlDeviceGetPowerUsage(handle):
    return _known(handle.milliwatts)


def nvmlDeviceGetEnforcedPowerLimit(handle):
    return _known(handle.limit_milliwatts)


def nvmlDeviceGetEccMode(handle):
    return _known(handle.ecc)


def nvmlDeviceGetCurrentClocksThrottleReasons(handle):
    return _known(handle.reasons)


def nvmlDeviceGetComputeRunningProcesses(handle):
    return [SimpleNamespace(pid=pid) for pid in _known(handle.pids)]
