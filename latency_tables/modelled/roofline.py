"""Roofline: a physical latency model of one machine, few coefficients with units, and their uncertainty.

An operation takes (sum of t^4)^(1/4) over the times of what overlaps, which is nearly the longest of them,
plus the times of what does not. A unit is the sum of its operations, a network the sum of its units. Every
time is proportional to one coefficient, so their logarithms are what is fitted, their covariance says how
sure the fit is, and the derivative of a latency by them is at hand with the latency itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from math import exp, log
from typing import Any

import numpy as np

from ...zen.workload import Workload
from ..model_statistics import MOST, ModelError
from ..op_features import Vector
from .kernels import RuntimeKernel, kernels
from .machines import MACHINES, MILLISECONDS_PER_UNIT, Demand, Machine

VERSION = 1
SHARPNESS = 4
"""Power of the soft maximum. 1 would add what overlaps, infinity take the longest: see docs/modelled.md."""
_MOST_KEPT = 65_536
_ASYMMETRY = 1e-9


class Roofline:
    """A machine with its coefficients; `covariance` is that of their times' logarithms.

    `noise`: relative error of a network around the model at coefficients known exactly.
    """

    def __init__(
        self, machine: Machine, coefficients: Mapping[str, float], covariance: Vector, noise: float
    ) -> None:
        self.machine, self.coefficients = machine, dict(coefficients)
        self.covariance, self.noise = covariance, noise
        self.names = tuple(machine.TERMS)
        self._index = {name: index for index, name in enumerate(self.names)}
        self._costs = {name: exp(time) for name, time in zip(self.names, self.log_times, strict=True)}
        self._kept: dict[tuple[RuntimeKernel, int], tuple[float, tuple[tuple[int, float], ...]]] = {}
        values, directions = np.linalg.eigh(covariance)
        self._factor: Vector = directions * np.sqrt(np.maximum(values, 0.0))

    @cached_property
    def log_times(self) -> Vector:
        """Logarithms of the ms that one MAC, byte, value or launch takes."""
        return log_times(self.machine, self.coefficients)

    @staticmethod
    def from_log_times(machine: Machine, times: Vector, covariance: Vector, noise: float) -> Roofline:
        found = {}
        for (name, term), time in zip(machine.TERMS.items(), times.tolist(), strict=True):
            amount = exp(time) / MILLISECONDS_PER_UNIT[term.unit]
            found[name] = amount if term.unit == "us" else 1 / amount
        return Roofline(machine, found, covariance, noise)

    def workload(self, workload: Workload, batch: int) -> tuple[float, list[float]]:
        """Latency of a unit in ms, and what uncertain coefficients make of it: its derivative by
        independent directions of unit variance, so that networks add them up before squaring."""
        total, gradient = 0.0, [0.0] * len(self.names)
        for kernel in kernels(workload):
            ms, shares = self._kept.get((kernel, batch)) or self._keep(kernel, batch)
            total += ms
            for index, share in shares:
                gradient[index] += share
        return total, (np.asarray(gradient) @ self._factor).tolist()

    def _keep(self, kernel: RuntimeKernel, batch: int) -> tuple[float, tuple[tuple[int, float], ...]]:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        found = self._kept[kernel, batch] = self._time(self.machine.demand(kernel, batch))
        return found

    def _time(self, demand: Demand) -> tuple[float, tuple[tuple[int, float], ...]]:
        """Latency of one operation, and by coefficient its derivative by the time's logarithm."""
        costs, index = self._costs, self._index
        shares = {index[name]: amount * costs[name] for name, amount in demand.serial.items()}
        total = sum(shares.values())
        overlapping = [(index[name], amount * costs[name]) for name, amount in demand.overlapping.items()]
        if overlapping:
            longest = max(time for _, time in overlapping)
            powers = [(place, (time / longest) ** SHARPNESS) for place, time in overlapping]
            whole = sum(power for _, power in powers)
            soft = longest * whole ** (1 / SHARPNESS)
            total += soft
            for place, power in powers:
                shares[place] = shares.get(place, 0.0) + soft * power / whole
        return total, tuple(shares.items())

    def to_json(self) -> dict[str, Any]:
        terms = self.machine.TERMS
        spread = np.sqrt(np.diag(self.covariance)).tolist()
        return {
            "kind": self.machine.KIND,
            "version": VERSION,
            "machine": {field.name: getattr(self.machine, field.name) for field in fields(self.machine)},
            "coefficients": {
                name: {
                    "value": float(f"{self.coefficients[name]:.6g}"),
                    "unit": term.unit,
                    "log_std": round(std, 4),
                    "meaning": term.meaning,
                }
                for (name, term), std in zip(terms.items(), spread, strict=True)
            },
            "covariance": [[float(f"{value:.6g}") for value in line] for line in self.covariance.tolist()],
            "noise": round(self.noise, 4),
        }

    @staticmethod
    def from_json(record: Any) -> Roofline:
        """The model that `to_json` wrote, further entries left alone; raises ModelError for anything else."""
        if not isinstance(record, Mapping):
            raise ModelError("it is not a JSON object")
        machine_type = MACHINES.get(str(record.get("kind")))
        if machine_type is None:
            raise ModelError(f"its kind is {record.get('kind')!r}; known are {', '.join(MACHINES)}")
        if record.get("version") != VERSION:
            raise ModelError(f"its version is {record.get('version')!r}; this zenbench reads {VERSION}")
        machine = _machine(machine_type, record.get("machine"))
        given = record.get("coefficients")
        if not isinstance(given, Mapping) or set(given) != set(machine.TERMS):
            raise ModelError(f"its coefficients must be {', '.join(machine.TERMS)}")
        coefficients = {}
        for name, term in machine.TERMS.items():
            entry = given[name]
            if not isinstance(entry, Mapping) or entry.get("unit") != term.unit:
                raise ModelError(f"its coefficient {name} must have a value in {term.unit}")
            coefficients[name] = _number(entry.get("value"), f"coefficient {name}")
        covariance = _covariance(record.get("covariance"), len(coefficients))
        return Roofline(machine, coefficients, covariance, _number(record.get("noise"), "noise"))


def log_times(machine: Machine, coefficients: Mapping[str, float]) -> Vector:
    """Logarithms of the ms that one MAC, byte, value or launch takes, in the order of the terms."""
    return np.array(
        [
            log(MILLISECONDS_PER_UNIT[term.unit])
            + (log(coefficients[name]) if term.unit == "us" else -log(coefficients[name]))
            for name, term in machine.TERMS.items()
        ]
    )


def _machine(machine_type: Any, given: Any) -> Machine:
    known = {field.name: field.type for field in fields(machine_type)}
    if not isinstance(given, Mapping) or set(given) != set(known):
        raise ModelError(f"its machine must have {', '.join(known)}")
    for name, value in given.items():
        right = type(value) is bool if known[name] == "bool" else type(value) is int and value >= 1
        if not right:
            raise ModelError(f"its machine's {name} is {value!r}")
    machine: Machine = machine_type(**given)
    return machine


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not 1 / MOST < value < MOST:
        raise ModelError(f"its {what} is {value!r}, no possible number")
    return float(value)


def _covariance(given: Any, size: int) -> Vector:
    try:
        found = np.array(given, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (size, size) or not np.all(np.abs(found) < MOST):
        raise ModelError(f"its covariance must be {size} rows of {size} numbers")
    if np.abs(found - found.T).max() > _ASYMMETRY or float(np.linalg.eigvalsh(found).min()) < -_ASYMMETRY:
        raise ModelError("its covariance is not that of any coefficients")
    return found
