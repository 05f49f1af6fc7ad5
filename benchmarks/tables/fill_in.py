"""How true the fill-in is: `OMP_NUM_THREADS=1 python benchmarks/tables/fill_in.py TABLE...`.

For each table: the error on workloads left out in fifths, and, of units that differ by 32 channels at the
same alignment, how many have the wider one predicted faster by more than the noise.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean, median

from zenbench.bench.profiling.plan import sources, stratified_workloads
from zenbench.errors import NetworkError
from zenbench.latency_tables.measured.fill_in import FillIn
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.workload import Workload

FOLDS, WORKLOADS, WIDER = 5, 600, 32


def main(paths: Sequence[str]) -> None:
    pairs = list(wider_pairs())
    for path in paths:
        rows = [(workload, row.latency_ms) for workload, row in LatencyTable.load(Path(path)).rows.items()]
        errors = [abs(error) for fold in range(FOLDS) for error in left_out(rows, fold)]
        fill_in = FillIn(*zip(*rows, strict=True))
        slack = 1 - fill_in.noise
        faster = sum(fill_in.predict(wide)[0] < slack * fill_in.predict(narrow)[0] for narrow, wide in pairs)
        print(
            f"{path}: {len(rows)} workloads, left out mean error {fmean(errors):.1%}, "
            f"median {median(errors):.1%}; of {len(pairs)} pairs {faster} predicted faster when wider"
        )


def left_out(rows: Sequence[tuple[Workload, float]], fold: int) -> Iterator[float]:
    known = [row for number, row in enumerate(rows) if number % FOLDS != fold]
    fill_in = FillIn(*zip(*known, strict=True))
    for workload, ms in rows[fold::FOLDS]:
        yield fill_in.predict(workload)[0] / ms - 1


def wider_pairs() -> Iterator[tuple[Workload, Workload]]:
    for workload in islice(stratified_workloads(sources(), (224, 128, 64, 32), 3), WORKLOADS):
        for name, width in re.findall(r"(in_channels|hidden_channels|out_channels)=(\d+)", str(workload)):
            if int(width) % 16 == 0:
                wider = str(workload).replace(f"{name}={width}", f"{name}={int(width) + WIDER}")
                try:
                    yield workload, Workload.parse(wider)
                except NetworkError:
                    continue  # some units fix some of their widths


if __name__ == "__main__":
    main(sys.argv[1:])
