"""Latency limits as people write them: `11ms`, `t4=11ms`, `t4/int8/b64=11ms`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...devices.base import SettingRequest
from ...errors import UserError
from ...quantities import parse_duration_ms

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class WrittenLimit:
    """A limit before its table is opened; no device where only a duration was written."""

    limit_ms: float
    device: str | None = None
    request: SettingRequest = field(default_factory=SettingRequest)

    @property
    def label(self) -> str:
        """What was written before the duration."""
        request = self.request
        parts = (
            self.device,
            request.runtime,
            request.precision,
            f"b{request.batch}" if request.batch else None,
            f"t{request.threads}" if request.threads else None,
        )
        return "/".join(part for part in parts if part)


def parse_limit(text: str) -> WrittenLimit:
    """One limit; raises UserError with how to write it."""
    setting, equals, duration = text.rpartition("=")
    limit = WrittenLimit(parse_duration_ms(duration))
    if not equals:
        return limit
    device, *parts = setting.split("/")
    if not device.strip() or not all(parts):
        raise UserError(f"latency limit '{text}' names no device; write it like t4=11ms or t4/int8/b64=11ms")
    request = SettingRequest()
    for part in parts:
        if part in PRECISIONS:
            request = replace(request, precision=part)
        elif match := re.fullmatch(r"([bt])([1-9]\d{0,8})", part, re.ASCII):
            count = int(match[2])
            request = replace(request, batch=count) if match[1] == "b" else replace(request, threads=count)
        else:
            request = replace(request, runtime=part)
    return replace(limit, device=device.strip(), request=request)


def check_distinct(limits: Sequence[WrittenLimit]) -> None:
    """Raises UserError where two limits name the same device and setting."""
    labels = [limit.label for limit in limits]
    for label in labels:
        if labels.count(label) > 1:
            where = f"'{label}'" if label else "the same device"
            raise UserError(f"two latency limits are for {where}; give each device and setting one limit")
