"""Rank correlations: Spearman's rho and Kendall's tau-b."""

from __future__ import annotations

from collections.abc import Sequence


def rank_correlations(xs: Sequence[float], ys: Sequence[float]) -> tuple[float | None, float | None]:
    """Spearman's rho and Kendall's tau-b; None where three pairs or two different values are wanting."""
    from scipy.stats import kendalltau, spearmanr

    if len(xs) < 3 or len(set(xs)) == 1 or len(set(ys)) == 1:
        return None, None
    return float(spearmanr(xs, ys).statistic), float(kendalltau(xs, ys).statistic)
