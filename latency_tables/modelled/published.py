"""The published figures behind the modelled tables: which source, which machine, which networks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from ...devices.base import Setting
from ...zen.families import FAMILIES, PREFIX, zoo
from ...zen.network import Network, parse_text
from ..card import TableCard
from ..model_statistics import ErrorStatistics
from ..table import LatencyTable
from .contradictions import Contradiction, contradict
from .priors import PIXEL2_FP32, T4_FP16, T4_INT8, V100_FP16, Hardware
from .record import ModelRecord
from .roofline import Roofline
from .roofline_fit import Fit, Observation, unexplained

OTHER_SOURCES = "other_sources.csv"
"""Figures of others for one run of the batch, in no fit: they check the models, or contradict a source."""


@dataclass(frozen=True)
class Publication:
    """One column of one source: figures of one setting, in ms an image or, not `per_image`, of a batch."""

    setting: Setting
    hardware: Hardware
    file: str
    column: str
    source: str
    per_image: bool = True

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the source calls its networks, or their `zoo:` names, one an observation."""
        return tuple(row.get("name") or row["network"] for row in self._rows())

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """The networks with a figure, for one run of the batch."""
        images, found = self.setting.batch if self.per_image else 1, []
        for row in self._rows():
            figure = row[self.column]
            digits = len(figure.partition(".")[2])
            found.append(Observation(read_network(row), float(figure) * images, 0.5 * 10**-digits * images))
        return tuple(found)

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """The networks for which another source prints another figure, of the same runtime, precision and
        batch."""
        setting = self.setting
        same = {name: str(getattr(setting, name)) for name in ("device", "runtime", "precision", "batch")}
        own = {one.network.name: one.latency_ms for one in self.observations}
        return tuple(
            Contradiction(name, own[name], float(row["latency_ms"]), row["stack"])
            for row in read_source(OTHER_SOURCES)
            if row.items() >= same.items()
            and (name := row["network"]) in own
            and contradict(own[name], float(row["latency_ms"]))
        )

    def fit(self) -> Fit:
        return Fit(self.hardware.machine, self.setting.batch, self.hardware.prior(), self.observations)

    def _rows(self) -> Iterator[dict[str, str]]:
        for row in read_source(self.file):
            if row[self.column].replace(".", "", 1).isdigit():  # else OOM, UNSUPPORTED, not printed
                yield row


def read_source(file: str) -> list[dict[str, str]]:
    """The rows of a file in `sources/`."""
    text = files(__package__).joinpath("sources", file).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def family(observation: Observation) -> str:
    """The family that a network is left out with: its source, with gates or without."""
    network = observation.network
    short = (network.name or "").removeprefix(PREFIX)
    source = next((module.SOURCE for module in FAMILIES if short in module.names()), "others")
    return f"{source} with gates" if network.squeeze_excite else source


def modelled_table(publication: Publication, created: str) -> LatencyTable:
    """The table of a publication: its networks fitted, each of them left out in turn for the error."""
    fit = publication.fit()
    left_out, spreads = fit.left_out()
    noise = unexplained(left_out, fit.observed_ms, spreads)
    roofline = Roofline.from_log_times(fit.machine, fit.log_times, fit.covariance, noise)
    error = ErrorStatistics.of(left_out, fit.observed_ms)
    trained_on = fit.trained_on(publication.names, left_out)
    card = TableCard(
        setting=publication.setting,
        provenance="modelled",
        identity={},
        versions={},
        recipe={},
        reference=None,
        reference_ms=None,
        created=created,
        source=publication.source,
        model=ModelRecord(roofline, trained_on, error, contradictions=publication.contradictions).to_json(),
    )
    return LatencyTable(card, {})


def read_network(row: dict[str, str]) -> Network:
    """The network that a row of a source names or spells."""
    text = row["network"]
    return zoo(text) if text.startswith(PREFIX) else parse_text(text, int(row["resolution"]))


_ZEN_NAS = "Zen-NAS paper, appendix, one-to-one latency table (arXiv 2102.01063)"
_GENET = (
    "idstcv/GPU-Efficient-Networks at 392ebb3, misc/genet_speedup_tab.jpg (arXiv 2006.14090), batch assumed"
)
_PADDLECLAS = (
    "PaddlePaddle/PaddleClas at d178931, docs/zh_CN/models/ImageNet1k, Paddle Inference with TensorRT 8.0.3.4"
)

PUBLICATIONS = (
    Publication(
        Setting("t4", "tensorrt", "int8", 64),
        T4_INT8,
        "zen_nas_table7.csv",
        "t4_int8_b64_ms_per_image",
        _ZEN_NAS,
    ),
    Publication(
        Setting("t4", "tensorrt", "fp16", 64), T4_FP16, "genet_t4.csv", "t4_fp16_ms_per_image", _GENET
    ),
    Publication(
        Setting("v100", "torch", "fp16", 64),
        V100_FP16,
        "zen_nas_table7.csv",
        "v100_fp16_b64_ms_per_image",
        _ZEN_NAS,
    ),
    Publication(
        Setting("pixel2", "litert", "fp32", 1, pinning="mask-f0"),
        PIXEL2_FP32,
        "zen_nas_table7.csv",
        "pixel2_b1_ms",
        _ZEN_NAS,
    ),
    *(
        Publication(
            Setting("t4", "tensorrt", "fp16", batch),
            T4_FP16,
            "paddleclas_t4.csv",
            f"t4_fp16_b{batch}_ms",
            _PADDLECLAS,
            per_image=False,
        )
        for batch in (1, 4, 8)
    ),
)
