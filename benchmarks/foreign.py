"""How much of others' networks zenbench reads: `python benchmarks/foreign.py [--only NAME ...] [--out FILE]`.

Builds each network of foreign_networks.csv with random weights, and reads it as a module, with prices for
what cannot be read, and as the ONNX files that both exporters of torch write with their defaults. One row a
network goes to FILE, which is foreign.csv beside the list unless said otherwise: modules first, as exporting
takes longest. What FILE has is left out, so that a run goes on.
Needs `pip install --no-deps timm==1.0.31 torchvision==0.28.0 onnxscript onnx_ir` beside zenbench.

Networks are as created: of their own resolution, in their training form, with auxiliary heads where the
library makes some. MACs are half of the FLOPs that FlopCounterMode counts on the meta device: convolutions
and matrix products, attention included; no sums, norms, activations, pools, resizing or FFTs. Parameters are
all of the module, auxiliary heads that only a training runs among them. A file has fewer, as exporters fold
batch norms and leave zero biases out. Outputs are compared in double precision, so that a difference is one
of meaning.

How foreign_networks.csv resolves the names of its list:

- `tv:` and the names that only torchvision has (alexnet, googlenet, shufflenet_v2, squeezenet, swin_t,
  vit_b_16) are torchvision's, all others timm's, so vgg11_bn is there twice.
- A family without a size is the constructor of the fewest parameters whose name adds nothing but a size:
  coat is coat_tiny and not a coat_lite. convnext is the four smallest with layer norm; mobilevit is the
  smallest of each of its two versions.
- A size without a variant is the variant of the paper or, where that has none, the one with weights:
  res2net50_26w_4s, ese_vovnet19b_dw, vit_tiny_patch16_224.
"""

import csv
import multiprocessing as mp
import os
import re
import resource
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from foreign_stages import STAGES, Row
from zenbench.errors import first_line

FOLDER = Path(__file__).parent
DEADLINE_S = 240
MACS_TOLERANCE = 0.005
MEMORY_BYTES = 10 * 2**30


def in_process(stage: str, network: Row) -> Row:
    """What a stage finds, in a process of its own; one that fails, hangs or dies leaves the reason."""
    context = mp.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    with TemporaryDirectory() as folder:
        process = context.Process(target=_work, args=(theirs, stage, network, folder))
        process.start()
        theirs.close()
        try:
            if ours.poll(DEADLINE_S):
                return dict(ours.recv())
            return _failed(stage, f"it took more than {DEADLINE_S} s")
        except EOFError:
            process.join()
            return _failed(stage, f"its process ended with {process.exitcode}")
        finally:
            process.kill()
            process.join()


def _work(pipe: Connection, stage: str, network: Row, folder: str) -> None:
    tempfile.tempdir = folder  # what a killed process leaves goes with it
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    nothing = os.open(os.devnull, os.O_WRONLY)  # exporters talk a lot
    os.dup2(nothing, sys.stdout.fileno())
    os.dup2(nothing, sys.stderr.fileno())
    try:
        found = STAGES[stage](network)
    except BaseException as error:  # noqa: BLE001 - a row like any other
        found = _failed(stage, f"{type(error).__name__}: {first_line(error)}")
    pipe.send(found)


def _failed(stage: str, reason: str) -> Row:
    return {stage: "failed", f"{stage}_reason": reason}


COLUMNS = (
    *("name", "library", "constructor", "resolution", "macs", "params", "counted", "counted_reason"),
    *("module", "module_macs", "module_params", "module_reason"),
    *("priced", "priced_macs", "priced_params", "priced_kinds", "priced_reason"),
    *("outputs", "outputs_difference", "outputs_reason"),
    *("torchscript", "torchscript_macs", "torchscript_params", "torchscript_reason"),
    *("dynamo", "dynamo_macs", "dynamo_params", "dynamo_reason"),
)


def summary(rows: list[Row], networks: list[Row]) -> str:
    before = {_key(network): network["read_before"] == "yes" for network in networks}
    read = [row for row in rows if row["module"] == "read"]
    lines = [f"{len(rows)} networks"]
    for form in ("module", "torchscript", "dynamo"):
        of_form = [row for row in rows if row[form] == "read"]
        macs = sum(row[f"{form}_macs"] == row["macs"] for row in of_form)
        params = sum(row[f"{form}_params"] == row["params"] for row in of_form)
        states = ", ".join(f"{count} {state}" for state, count in Counter(row[form] for row in rows).items())
        lines.append(f"{form}: {states}; equal MACs {macs}, equal parameters {params}")
    lines.append(_priced_summary(rows))
    states = ", ".join(f"{count} {state}" for state, count in Counter(row["outputs"] for row in read).items())
    lines.append(f"outputs of modules read: {states}")
    for title, was in (("read now and not before", False), ("read before and not now", True)):
        changed = [row for row in rows if (row["module"] == "read") != was == before[_key(row)]]
        lines.append(f"{title}: {' '.join(row['name'] for row in changed) or 'none'}")
    for form in STAGES:
        causes = Counter(_cause(row[f"{form}_reason"]) for row in rows if row[f"{form}_reason"])
        lines += [f"\n{form}, causes"] * bool(causes)
        lines += [f"{count:4d}  {cause}" for cause, count in causes.most_common()]
    return "\n".join(lines)


def _priced_summary(rows: list[Row]) -> str:
    """How many priced readings have torch's counts, and which have not."""
    of_form = [row for row in rows if row["priced"] in ("read", "priced")]
    wrong = [
        row["name"]
        for row in of_form
        if row["priced_params"] != row["params"]
        or abs(int(row["priced_macs"]) - int(row["macs"])) > MACS_TOLERANCE * int(row["macs"])
    ]
    states = ", ".join(f"{count} {state}" for state, count in Counter(row["priced"] for row in rows).items())
    return (
        f"with prices: {states}; equal parameters and MACs within {MACS_TOLERANCE:.1%}: "
        f"{len(of_form) - len(wrong)}, but not {' '.join(wrong) or 'any'}"
    )


def _cause(reason: str) -> str:
    """A reason without the names and numbers of its network."""
    return re.sub(r"\d[\d.]*", "#", re.sub(r"'[^']*'", "'...'", reason))


def _key(row: Row) -> tuple[str, str]:
    return row["library"], row["constructor"]


def main() -> None:
    parser = ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names or constructors of the list")
    parser.add_argument("--out", type=Path, default=FOLDER / "foreign.csv", metavar="FILE")
    options = parser.parse_args()
    with (FOLDER / "foreign_networks.csv").open(newline="") as file:
        networks = list(csv.DictReader(file))
    rows = {_key(network): {column: network.get(column, "") for column in COLUMNS} for network in networks}
    if options.out.exists():
        with options.out.open(newline="") as file:
            rows |= {_key(row): row for row in csv.DictReader(file)}
    wanted = [n for n in networks if not options.only or {n["name"], n["constructor"]} & {*options.only}]
    for stage in STAGES:
        for network in wanted:
            row, start = rows[_key(network)], perf_counter()
            if row[stage]:
                continue
            found = {stage: "not read"}
            if stage != "outputs" or row["module"] == "read":
                found = in_process(stage, network)
                print(f"{row['name']}: {stage} {found[stage]} ({perf_counter() - start:.0f} s)", flush=True)
            row.update({column: str(value) for column, value in found.items()})
            _write(options.out, list(rows.values()))
    print(summary([rows[_key(network)] for network in wanted], networks))


def _write(path: Path, rows: list[Row]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row["counted"])
    part.replace(path)


if __name__ == "__main__":
    main()
