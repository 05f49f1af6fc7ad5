from itertools import pairwise

import pytest
import torch
from zenbench.errors import UserError
from zenbench.zen.graph import Activation, Graph
from zenbench.zen.module import initialise
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.regions import regions


def of(text: str, batch: int = 16, repeats: int = 4) -> float:
    return regions(parse_text(text, 16, classes=10).graph(), batch, repeats).value


def test_a_score_counts_the_patterns_that_a_walk_along_the_line_changes(tiny: Graph) -> None:
    """The definition word by word: at every step, every rectifier that switched."""
    generator = torch.Generator().manual_seed(3)
    module = initialise(tiny.trunk(), int(torch.randint(2**62, (), generator=generator)))
    start, end = torch.randn(2, 3, 8, 8, generator=generator)
    rectifiers = [op.inputs[0] for op in tiny.ops if isinstance(op, Activation)]
    patterns: list[list[bool]] = []
    for step in range(5):
        pattern: list[bool] = []
        hooks = [
            module.get_submodule(name).register_forward_hook(
                lambda _layer, _inputs, x, pattern=pattern: pattern.extend((x > 0).flatten().tolist())
            )
            for name in rectifiers
        ]
        with torch.no_grad():
            module((start + (end - start) * step / 4)[None])
        for hook in hooks:
            hook.remove()
        patterns.append(pattern)
    switched = sum(
        was != now for before, after in pairwise(patterns) for was, now in zip(before, after, strict=True)
    )
    assert regions(tiny, batch=5, seed=3).value == pytest.approx(1 + switched, abs=1)


def test_one_layer_is_counted_exactly_by_any_line() -> None:
    """Its rectifiers see an affine function of the place on the line, so each switches once or never."""
    one_layer = "SuperConvK3BNRELU(3,8,1,1)"
    assert of(one_layer, batch=2) == of(one_layer, batch=33)


def test_the_count_leaves_the_batch_far_behind_and_tells_networks_apart() -> None:
    narrow, wide = (of(f"SuperConvK3BNRELU(3,{width},1,2)") for width in (8, 16))
    deep = of("SuperConvK3BNRELU(3,8,1,6)")
    assert 16 * 10 < narrow < wide < deep


def test_a_finer_line_finds_more() -> None:
    counts = [of("SuperConvK3BNRELU(3,8,1,4)", batch) for batch in (5, 9, 17)]
    assert counts == sorted(set(counts))


def test_a_line_of_one_point_is_refused(tiny: Graph) -> None:
    with pytest.raises(UserError, match="regions takes a batch of 2 to 65536 images, not 1"):
        regions(tiny, batch=1)
