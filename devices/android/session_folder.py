"""A connection to a phone with a folder of its own there, and what is asked of the phone through it.

Two ways to leave nothing behind were tried. Removing files at the end from here misses every end that is
not orderly. So a janitor runs on the phone, on the terminal of this connection: when that hangs up, for
whatever reason (the cable, ctrl-C, a `kill -9` here, the death of adbd), it ends what still runs in the
folder and removes it. What a janitor could not do, because the phone was switched off, the next
connection does.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...errors import DeviceError, DeviceUnavailableError, UserError
from ..adb.phone import Adb, DeadlineError, LinkLostError, Output, quoted
from ..card import DeviceCard
from .state import SCRIPT

_PROPERTIES = {
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "product": "ro.product.device",
    "platform": "ro.board.platform",
    "abi": "ro.product.cpu.abi",
    "android": "ro.build.version.release",
    "build": "ro.build.fingerprint",
}
_IDENTITY = ("manufacturer", "model", "product", "platform")
_RUNNER, _STATE = "benchmark_model", "state.sh"
_SHORT_S = 20.0
"""Deadline of what takes a phone a moment."""
_FOLDER_GONE = 97
_JANITOR = """d={folder}; echo $$ > "$d/janitor"; trap '' HUP; cat > /dev/null
pkill -9 -f {pattern}; rm -rf "$d"; rmdir {parent} 2>/dev/null; true"""
# A folder whose janitor has not yet said its number belongs to a connection that begins, unless it is old.
_SWEEP = """for d in {parent}/*/; do d=${{d%/}}
  [ -d "$d" ] || continue
  if read -r p < "$d/janitor"; then kill -0 "$p" || rm -rf "$d"
  else find "$d" -maxdepth 0 -mmin +1 -exec rm -rf {{}} +; fi
done 2>/dev/null
mkdir -p {folder}"""


@dataclass(frozen=True)
class Details:
    """The `[android]` part of a card.

    `identity`: properties that the phone must have. `hot_celsius`: patterns of sensors and the limits above
    which the phone rests, `rest_s` at the most. `deadline_s`: for one round.
    """

    folder: str
    cpu_mask: str
    identity: Mapping[str, str]
    hot_celsius: Mapping[str, float]
    rest_s: float
    deadline_s: float

    @staticmethod
    def of(card: DeviceCard) -> Details:
        """Raises UserError where a card's part is missing or wrong."""
        data: Mapping[str, Any] = card.details.get("android", {})
        try:
            return Details(**{key: value for key, value in data.items() if key != "runner"})
        except TypeError as error:
            raise UserError(f"the card of '{card.name}' has a wrong [android] part: {error}") from None


class AndroidLink:
    """One connection, checked against the card, with the runner in its folder; closed by `close`."""

    def __init__(self, card: DeviceCard, serial: str | None, runner: bytes) -> None:
        self._card, self._details = card, Details.of(card)
        self._token = secrets.token_hex(4)
        self._folder = f"{self._details.folder}/{self._token}"
        self._adb = Adb.connect(serial)
        self.runner_sha256 = sha256(runner).hexdigest()
        try:
            self._properties = self._ask_properties()
            self._check_identity()
        except BaseException:
            self._adb.close()
            raise
        try:
            self._settle(runner)
        except BaseException:
            # Not left to the janitor, which may not have begun.
            self.close()
            raise

    @property
    def identity(self) -> Mapping[str, str]:
        return {name: self._properties[name] for name in _IDENTITY}

    @property
    def versions(self) -> Mapping[str, str]:
        found = {
            "android": self._properties["android"],
            "build": self._properties["build"],
            "serial": self._adb.serial,
            "benchmark_model sha256": self.runner_sha256,
        }
        return {name: value for name, value in found.items() if value}

    def path(self, name: str) -> str:
        """Where a file of that name lies on the phone."""
        return f"{self._folder}/{name}"

    def state(self) -> list[str]:
        """The lines of the state script's answer."""
        return self._adb.shell(quoted(["sh", self.path(_STATE)]), _SHORT_S).text.splitlines()

    def exchange(self, old: Sequence[str], new: Mapping[str, Path]) -> None:
        """Removes the old files, then pushes the new ones, name -> local file."""
        if old:
            self._adb.shell(quoted(["rm", "-f", *map(self.path, old)]), _SHORT_S)
        self._adb.push({self.path(name): local for name, local in new.items()}, self._details.deadline_s)

    def round(self, mask: str, calls: Sequence[Sequence[str]]) -> tuple[list[str], list[Output], list[str]]:
        """Calls of the runner on the cores of a mask, one after the other: the state before, what each
        printed, the state after; raises DeviceError where the answer is not whole."""
        mark = f"@{secrets.token_hex(4)}"
        state = quoted(["sh", self.path(_STATE)])
        # Called by its whole path, by which the janitor knows it.
        command = f"taskset {mask} {quoted([self.path(_RUNNER)])}"
        runs = [f"echo {mark}; {command} {quoted(call)}; s=$?; echo; echo {mark} $s" for call in calls]
        script = "\n".join(
            [f"cd {quoted([self._folder])} || exit {_FOLDER_GONE}", state, *runs, state, f"echo {mark}"]
        )
        try:
            output = self._adb.shell(script, self._details.deadline_s)
        except DeadlineError:
            raise DeviceError(
                f"the runner did not end within {self._details.deadline_s:g} s and was stopped"
            ) from None
        if output.status == _FOLDER_GONE:
            raise LinkLostError(f"the folder {self._folder} is gone from the phone")
        parts = re.split(rf"^{mark}(?: (\d+))?$\n?", output.text, flags=re.MULTILINE)
        # Text, then a status (or None) and the text after it, for every mark.
        texts, statuses = parts[::2], parts[1::2]
        if len(statuses) != 2 * len(calls) + 1 or output.status != 0:
            raise DeviceError(
                f"the phone's answer is not whole; it ended with: '{output.text[-200:].strip()}'"
            )
        outputs = [
            Output(int(status), text)
            for status, text in zip(statuses[1::2], texts[1:-1:2], strict=True)
            if status is not None
        ]
        return texts[0].splitlines(), outputs, texts[-2].splitlines()

    def close(self) -> None:
        """Leaves nothing on the phone; a link that is broken already leaves that to the janitor."""
        try:
            parent = quoted([self._details.folder])
            self._adb.shell(f"rm -rf {quoted([self._folder])}; rmdir {parent} 2>/dev/null; true", _SHORT_S)
        except DeviceError:
            pass
        finally:
            self._adb.close()

    def _ask_properties(self) -> dict[str, str]:
        names = {**_PROPERTIES, **{name: name for name in self._details.identity}}
        script = "\n".join(f"getprop {quoted([name])}" for name in names.values())
        output = self._adb.shell(script, _SHORT_S)
        lines = output.text.split("\n")
        if output.status != 0 or len(lines) < len(names):
            raise DeviceUnavailableError(
                f"what answers at {self._adb.serial} is no phone: getprop said '{output.text.strip()}'"
            )
        return dict(zip(names, (line.strip() for line in lines), strict=False))

    def _check_identity(self) -> None:
        for name, wanted in self._details.identity.items():
            found = self._properties[name]
            if found != wanted:
                phone = f"{self._properties['manufacturer']} {self._properties['model']}".strip()
                raise DeviceUnavailableError(
                    f"the phone at {self._adb.serial} is a {phone} ({name} is '{found}', not '{wanted}'), no "
                    f"{self._card.name}; connect the right one or choose its card with --device"
                )

    def _settle(self, runner: bytes) -> None:
        parent, folder = quoted([self._details.folder]), quoted([self._folder])
        made = self._adb.shell(_SWEEP.format(parent=parent, folder=folder), _SHORT_S)
        if made.status != 0:
            raise DeviceUnavailableError(f"{self._folder} cannot be made on the phone: {made.text.strip()}")
        # The pattern must not match the janitor's own command line.
        pattern = quoted([f"[/]{self._token}/"])
        self._adb.hold(_JANITOR.format(folder=folder, parent=parent, pattern=pattern))
        files: dict[str, Path | bytes] = {self.path(_RUNNER): runner, self.path(_STATE): SCRIPT.encode()}
        self._adb.push(files, self._details.deadline_s, 0o755)
        tried = self._adb.shell(f"{quoted([self.path(_RUNNER), '--help'])} > /dev/null", _SHORT_S)
        if tried.status in (126, 127) or tried.status > 128:
            raise DeviceUnavailableError(
                f"the runner does not start on this phone ({self._properties['abi']}): "
                f"{tried.text.strip() or f'status {tried.status}'}; give another with --runner FILE"
            )
