"""Runners that fail as a script says, and what a phone still holds after all has ended."""

from __future__ import annotations

import time
from pathlib import Path

from loopback_phone import LoopbackPhone

_REAL = "system/bin/real_runner"


def scripted_runner(phone: LoopbackPhone, runner: Path, folder: Path, script: str) -> Path:
    """A runner that does what the script says; `$real` is the one it stands before, `$n` counts its calls."""
    (phone.root / _REAL).write_bytes(runner.read_bytes())
    (phone.root / _REAL).chmod(0o755)
    path = folder / "runner.sh"
    path.write_text(
        "#!/system/bin/sh\n"
        "[ $1 = --help ] && exit 0\n"
        f"real=/{_REAL}; echo >> /data/misc/calls\n"
        "n=0; while read -r l; do n=$((n+1)); done < /data/misc/calls\n"
        f"{script}\n"
    )
    return path


def left_on(phone: LoopbackPhone) -> list[object]:
    """What is still on the phone, after the moment that its janitor needs."""
    ends = time.monotonic() + 10
    while (left := [*phone.files(), *phone.processes()]) and time.monotonic() < ends:
        time.sleep(0.02)
    return left
