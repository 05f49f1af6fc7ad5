"""What the Zen-NAS paper shows of its score, seen here: `python benchmarks/search/paper.py COMMAND [FIGURE]`.

depth    the Phi-Score overflows, log Delta behind batch norm saturates, the Zen-Score does neither (1 minute)
width    the same against width (1 minute)
theorem  how far the product of batch norm's deviations is from the scale it stands for (1 minute)
time     seconds of TE-Score, NASWOT and Zen-Score on ResNet-18 and -50 (5 minutes, 8 GB)

Prints a table; the first three also draw docs/figures/paper_COMMAND.png or FIGURE and need matplotlib.
"""

import sys
from collections.abc import Callable, Sequence
from math import exp, log, nan
from pathlib import Path
from statistics import fmean, median, stdev

import torch
from matplotlib.figure import Figure
from torch.nn import functional
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies import score
from zenbench.zen.proxies.phi import phi, phi_by_depth
from zenbench.zen.proxies.zen_score import zen_samples

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
COLOURS = ("#0072b2", "#d55e00", "#009e73")
RESOLUTION, REPEATS = 16, 4
DEPTHS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 96)
Curves = list[list[tuple[str, list[float], list[float]]]]
"""For every panel its lines: name, places, values."""


def chain(depth: int, width: int, resolution: int = RESOLUTION) -> Graph:
    """So many 3x3 convolutions of one width, each with batch norm and ReLU."""
    layers = [min(250, depth - start) for start in range(0, depth, 250)]
    blocks = [f"SuperConvK3BNRELU({width if i else 3},{width},1,{n})" for i, n in enumerate(layers)]
    return parse_text("".join(blocks), resolution, 10).graph()


def panels(
    path: Path,
    across: str,
    titles: Sequence[str],
    curves: Sequence[Sequence[tuple[str, list[float], list[float]]]],
) -> None:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for panel, title, lines in zip(figure.subplots(1, len(titles)), titles, curves, strict=True):
        for (name, xs, ys), colour in zip(lines, COLOURS, strict=False):
            panel.plot(xs, ys, ".-", color=colour, label=name, ms=5, lw=1.2)
        panel.set(xlabel=across, title=title)
        panel.title.set_fontsize(10)
        panel.legend(frameon=False, fontsize=8)
        if across != "convolutions":
            panel.set_xscale("log", base=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def depth(
    path: Path, depths: Sequence[int] = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 96)
) -> dict[str, list[float]]:
    """Phi by depth until fp32 ends, log Delta and Zen-Score at each depth, for three widths."""
    found: dict[str, list[float]] = {}
    curves: Curves = [[], [], []]
    for width in (16, 32, 64):
        phis = phi_by_depth(chain(max(depths), width))
        samples = [zen_samples(chain(d, width), repeats=REPEATS) for d in depths]
        deltas = [fmean(sample.log_delta) for sample in samples]
        zens = [fmean(sample.paper) for sample in samples]
        print(f"width {width}: fp32 ends after {len(phis)} of {max(depths)} convolutions")
        for d, delta, zen in zip(depths, deltas, zens, strict=True):
            known = f"{phis[d - 1]:8.2f}" if d <= len(phis) else "overflow"
            print(f"  {d:4} convolutions  Phi {known}  log Delta {delta:6.2f}  Zen {zen:8.2f}")
        name, places = f"{width} channels", [float(d) for d in depths]
        curves[0].append((name, [float(d + 1) for d in range(len(phis))], phis))
        curves[1].append((name, places, deltas))
        curves[2].append((name, places, zens))
        found[name] = [float(len(phis)), *deltas, *zens]
    titles = ("Phi-Score: no batch norm, until fp32 ends", "batch norm alone: log Delta", "Zen-Score")
    panels(path, "convolutions", titles, curves)
    return found


def width(path: Path, widths: Sequence[int] = (8, 16, 32, 64, 128, 256)) -> dict[str, list[float]]:
    """Phi, log Delta a value of the last map, and Zen-Score against width, for three depths."""
    found: dict[str, list[float]] = {}
    curves: Curves = [[], [], []]
    for convolutions in (6, 12, 24):
        print(f"{convolutions} convolutions")
        rows = []
        for channels in widths:
            graph = chain(convolutions, channels)
            samples = zen_samples(graph, repeats=REPEATS)
            try:
                known = phi(graph, repeats=REPEATS).value
            except UserError:
                known = nan
            delta = fmean(samples.log_delta) - log(channels * RESOLUTION**2)
            rows.append((known, delta, fmean(samples.paper)))
            told = f"Phi {known:7.2f}  log Delta a value {delta:6.2f}  Zen {rows[-1][2]:7.2f}"
            print(f"  width {channels:4}  {told}")
        places = [float(channels) for channels in widths]
        for lines, curve in zip(curves, zip(*rows, strict=True), strict=True):
            lines.append((f"{convolutions} convolutions", places, list(curve)))
        found[f"{convolutions} convolutions"] = [value for row in rows for value in row[1:]]
    panels(path, "channels", ("Phi-Score", "batch norm alone: log Delta a value", "Zen-Score"), curves)
    return found


@torch.no_grad()
def log_scales(convolutions: int, resolution: int, batch: int, seed: int) -> tuple[float, float]:
    """log of the mean squared norm of the last map, 32 channels, fp64: of the plain network, and as the
    product of batch norm's variances with the norm behind them, on the same weights and images. Batch norm
    divides only, as in the proof of Theorem 1."""
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(batch, 3, resolution, resolution, generator=generator, dtype=torch.float64)
    normed, log_variances = plain, 0.0
    for layer in range(convolutions):
        weight = torch.randn(32, 32 if layer else 3, 3, 3, generator=generator, dtype=torch.float64)
        plain = functional.conv2d(plain, weight, padding=1).relu()
        y = functional.conv2d(normed, weight, padding=1)
        variance = y.square().mean(dim=(0, 2, 3), keepdim=True)
        log_variances += variance.mean().log().item()
        normed = (y / variance.sqrt()).relu()
    plain_norm, norm = (x.flatten(1).square().sum(dim=1).mean().log().item() for x in (plain, normed))
    return plain_norm, log_variances + norm


def theorem(path: Path, draws: int = 48) -> None:
    """The error of the expected scale, and the spread of one draw's, against batch x height x width."""
    curves: Curves = [[], []]
    for convolutions in (5, 10, 20):
        print(f"{convolutions} convolutions of 32 channels, {draws} draws")
        places, errors, spreads = [], [], []
        for resolution, batch in ((1, 4), (1, 16), (2, 16), (4, 16), (8, 16), (16, 16)):
            runs = [log_scales(convolutions, resolution, batch, seed) for seed in range(draws)]
            expected, estimated = (log_mean_exp(column) for column in zip(*runs, strict=True))
            places.append(float(batch * resolution**2))
            errors.append(abs(estimated - expected) / 2)
            spreads.append(stdev((one - other) / 2 for one, other in runs))
            told = f"error of the expectation {errors[-1]:.3f}, spread of one draw {spreads[-1]:.3f}"
            print(f"  batch x height x width {places[-1]:6.0f}: {told}")
        for lines, values in zip(curves, (errors, spreads), strict=True):
            lines.append((f"{convolutions} convolutions", places, values))
    titles = ("log scale: error of the expectation", "log scale: spread of one draw")
    panels(path, "batch x height x width", titles, curves)


def log_mean_exp(values: Sequence[float]) -> float:
    largest = max(values)
    return largest + log(fmean(exp(value - largest) for value in values))


def time(_path: Path, repeats: int = 3) -> None:
    """Seconds of a score at 224 pixels, batch 16, one thread, in turn; medians, and the ratio to zen."""
    torch.set_num_threads(1)
    for name in ("resnet-18", "resnet-50"):
        seconds: dict[str, list[float]] = {}
        for seed in range(repeats):
            for proxy in ("zen", "naswot", "regions", "te"):
                if proxy == "te" and seed:
                    continue  # one is minutes long
                seconds.setdefault(proxy, []).append(score(zoo(name), proxy, seed=seed).seconds)
        middle = {proxy: median(values) for proxy, values in seconds.items()}
        middle["te + regions"] = middle["te"] + middle["regions"]
        told = ", ".join(
            f"{proxy} {value:.2f} s ({value / middle['zen']:.1f} x)" for proxy, value in middle.items()
        )
        print(f"{name}: {told}", flush=True)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "depth": depth,
    "width": width,
    "theorem": theorem,
    "time": time,
}

if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[command](Path(sys.argv[2]) if len(sys.argv) > 2 else FIGURES / f"paper_{command}.png")
