"""Top-1 and top-5 accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data_sets.data_set import Images, Labels, Pixels
from ..data_sets.statistics import ChannelStatistics
from .subjects import EvaluationSubject

Scores = NDArray[np.float32]
_AT_ONCE = 256


@dataclass(frozen=True)
class Accuracy:
    """Shares of the images whose class is the first, or among the first five, of what a network says."""

    images: int
    top1: float
    top5: float

    @property
    def standard_error(self) -> float:
        """Of top-1, from the number of images (binomial)."""
        return float((self.top1 * (1 - self.top1) / self.images) ** 0.5)


def accuracy(
    scores: Callable[[Pixels], Scores],
    images: Images,
    resolution: int,
    report: Callable[[int], None] = lambda done: None,
) -> Accuracy:
    """Of what gives images of shape (N, H, W, channels) scores of shape (N, classes)."""
    labels = images.labels
    first = five = 0
    for start in range(0, len(labels), _AT_ONCE):
        numbers: Labels = np.arange(start, min(start + _AT_ONCE, len(labels)))
        found = ranks(scores(images.pixels(numbers, resolution)), labels[numbers])
        first += int((found < 1).sum())
        five += int((found < 5).sum())
        report(start + len(numbers))
    return Accuracy(len(labels), first / len(labels), five / len(labels))


def ranks(scores: Scores, labels: Labels) -> Labels:
    """How many classes come before the right one; of equal ones those of a lower number, and NaN all."""
    right = scores[np.arange(len(labels)), labels][:, None]
    before = ~(scores <= right)
    equal = (scores == right) & (np.arange(scores.shape[1]) < labels[:, None])
    found: Labels = (before | equal).sum(1)
    return found


def subject_accuracy(
    subject: EvaluationSubject,
    statistics: ChannelStatistics,
    images: Images,
    report: Callable[[int], None] = lambda done: None,
) -> Accuracy:
    """Of a network or a file, on images normalised by the statistics."""

    def scores(pixels: Pixels) -> Scores:
        count = len(pixels)
        whole = np.concatenate([pixels, pixels[:1].repeat(-count % subject.batch, 0)])
        return subject.run(statistics.normalised(whole))[:count].reshape(count, -1)

    return accuracy(scores, images, subject.resolution, report)
