"""How much of a limit may a confirmed network take? `python benchmarks/search/accepted_share.py`.

Simulated searches: 12 networks, whose true latencies lie around the share of the limit that predictions aim
at; each loaded four times; the winner is the slowest that is accepted, as scores grow with latency. Later it
is loaded four times in another process. Deviations: of loads 1.2 %, of processes 1 and 2 %, of predictions
2.5 % (what host tables and searches of this computer had).
"""

import numpy as np
from zenbench.bench.refining.standing import CONFIRMING_LOADS
from zenbench.latency_tables.corrected import LOAD_STD
from zenbench.latency_tables.row import Row

SEARCHES, NETWORKS, PREDICTION_STD, AIM = 20_000, 12, 0.025, 0.01


def main() -> None:
    print("| accepted | process | no winner | later above 1.02 | above 1.10 | at least 0.90 |")
    print("|---" * 6 + "|")
    for accepted in (0.95, 0.96, 0.97, 0.98, 1.0):
        for process in (0.01, 0.02):
            print("| " + " | ".join(simulated(accepted, process)) + " |")


def simulated(accepted: float, process_std: float) -> list[str]:
    rng = np.random.default_rng(0)
    true = (accepted - AIM) * (1 + PREDICTION_STD * rng.standard_normal((SEARCHES, NETWORKS)))
    loads = true[..., None] * (1 + LOAD_STD * rng.standard_normal((SEARCHES, NETWORKS, CONFIRMING_LOADS)))
    medians = np.median(loads, 2)
    stds = Row.STD_OF_MEDIAN * np.maximum(loads.std(2, ddof=1), LOAD_STD * medians) / CONFIRMING_LOADS**0.5
    taken = np.where(medians + stds <= accepted, true, 0.0).max(1)
    later = taken[:, None] * (1 + process_std * rng.standard_normal((SEARCHES, 1)))
    later = np.median(later * (1 + LOAD_STD * rng.standard_normal((SEARCHES, CONFIRMING_LOADS))), 1)[
        taken > 0
    ]
    shares = (np.mean(taken == 0), np.mean(later > 1.02), np.mean(later > 1.1), np.mean(later >= 0.9))
    return [f"{accepted:.2f}", f"{process_std:.0%}", *(f"{share:.1%}" for share in shares)]


if __name__ == "__main__":
    main()
