"""The domain of a table without measurements: what its card says it was fitted to."""

from dataclasses import replace

import pytest
from toys import measured_card
from zenbench.devices.base import Setting
from zenbench.errors import UserError
from zenbench.latency_tables.domain import TableDomain, table_domain
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.store import shipped
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.network import parse_text
from zenbench.zen.search import Budget, LatencyLimit, SearchTask, search
from zenbench.zen.search.evaluator import BEYOND
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

T4 = shipped(Setting("t4", "tensorrt", "fp16", 1))


def domain_of(*names: str) -> TableDomain | None:
    model = {**(T4.card.model or {}), "trained_on": [{"network": name} for name in names]}
    return table_domain(replace(T4, card=replace(T4.card, model=model)))


def test_a_domain_is_what_the_networks_have() -> None:
    found = TableDomain.of([zoo("resnet-18"), zoo("resnet-50")])
    assert (found.most_convolutions, found.least_width) == (49, 64)
    assert found.kinds == {"image", "dense", "pointwise", "linear", "elementwise", "pooling"}
    assert found.knows(Workload.parse("conv(kernel=3,in_channels=64,out_channels=8,stride=2)@16"))
    inverted = parse_text("SuperConvK3BNRELU(3,64,1,1)SuperResIDWE2K3(64,64,1,64,1)").workloads()[1]
    assert not found.knows(inverted)


def test_names_of_a_source_texts_and_the_zoo_are_read() -> None:
    resnets = domain_of("ResNet18")
    assert resnets is not None and resnets.most_convolutions == 17
    assert domain_of("zoo:resnet-18", "a/file.onnx") == resnets
    assert domain_of("SuperConvK3BNRELU(3,8,1,1)") == TableDomain.of(
        [parse_text("SuperConvK3BNRELU(3,8,1,1)")]
    )


def test_a_card_that_says_too_little_is_read_as_what_was_published_for_the_device() -> None:
    unknown = domain_of("a/file.onnx")
    assert unknown is not None and unknown.most_convolutions >= 200 and "depthwise" in unknown.kinds


def test_a_calibration_adds_its_networks_and_a_measured_table_has_no_domain() -> None:
    model = {**(T4.card.model or {}), "trained_on": [{"network": "zoo:resnet-18"}]}
    model["calibration"] = {"trained_on": [{"network": "zoo:resnet-50"}]}
    both = table_domain(replace(T4, card=replace(T4.card, model=model)))
    assert both is not None and both.most_convolutions == 49
    assert table_domain(LatencyTable(measured_card(), {})) is None


def task(domain: TableDomain | None, space: str = "resnet", **budget: int) -> SearchTask:
    limit = LatencyLimit(50.0, ModelledTable(T4), domain=domain)
    return SearchTask(spaces()[space], 64, 10, Budget(latencies=(limit,), **budget), 500, 32)


def test_a_search_stays_in_the_domain() -> None:
    domain = TableDomain(40, 32, TableDomain.of([zoo("resnet-50")]).kinds)
    found = search(task(domain))
    assert {*BEYOND[:2]} <= set(found.rejected)
    for candidate in found.best:
        learned = TableDomain.of([candidate.network])
        assert learned.most_convolutions <= 40 and learned.least_width >= 32
    assert not set(BEYOND) & set(search(task(None)).rejected)


def test_a_space_of_unknown_operations_is_refused_with_what_lifts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zenbench.zen.search.start._REPAIRS", 20)
    with pytest.raises(UserError, match=r"blocks with unknown operations 4; .* met: --beyond-table$"):
        search(task(TableDomain.of([zoo("resnet-50")]), "mobilenet"))
