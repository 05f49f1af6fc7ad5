"""Latency limits as people write them: `11ms`, `t4=11ms`, `t4/int8/b64=11ms`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...devices.base import SettingRequest
from ...errors import UserError
from ...units import parse_duration_ms

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class WrittenLimit:
    """A limit before its table is opened; no device where only a duration was written."""

    limit_ms: float
    device: str | None = None
    wish: SettingRequest = field(default_factory=SettingRequest)

    @property
    def label(self) -> str:
        """What was written before the duration."""
        wish = self.wish
        parts = (
            self.device,
            wish.runtime,
            wish.precision,
            f"b{wish.batch}" if wish.batch else None,
            f"t{wish.threads}" if wish.threads else None,
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
    wish = SettingRequest()
    for part in parts:
        if part in PRECISIONS:
            wish = replace(wish, precision=part)
        elif match := re.fullmatch(r"([bt])([1-9]\d{0,8})", part, re.ASCII):
            count = int(match[2])
            wish = replace(wish, batch=count) if match[1] == "b" else replace(wish, threads=count)
        else:
            wish = replace(wish, runtime=part)
    return replace(limit, device=device.strip(), wish=wish)


def check_distinct(limits: Sequence[WrittenLimit]) -> None:
    """Raises UserError where two limits name the same device and setting."""
    labels = [limit.label for limit in limits]
    for label in labels:
        if labels.count(label) > 1:
            where = f"'{label}'" if label else "the same device"
            raise UserError(f"two latency limits are for {where}; give each device and setting one limit")
