"""Modules by name: packages that are stood in for, and one's own code, which may do anything."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from zenbench.bench.networks.named.modules import module_of
from zenbench.bench.networks.named.names import names_module
from zenbench.bench.networks.reading import read, read_network
from zenbench.errors import NetworkError, UserError
from zenbench.zen.graph_network import GraphNetwork

NET = """
from torch import nn

print("made")

def make(num_classes=10, width=8):
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(width, num_classes),
    )
"""

TIMM = """
from .. import parts

def is_model(name):
    return name == "tiny_net"

def list_models():
    return ["tiny_net", "tiny_net_b", "large_net"]

def create_model(name, pretrained, num_classes=7):
    assert pretrained is False
    module = make(num_classes)
    module.pretrained_cfg = {"input_size": (3, 40, 40)}
    return module
""".replace("from .. import parts\n", NET)

TORCHVISION = (
    """
import sys
from types import SimpleNamespace
import torch
if not hasattr(torch.ops.torchvision, "nms"):  # as its own import does beside another build of torch
    raise RuntimeError("operator torchvision::nms does not exist")
"""
    + NET
    + """
def crop(size):
    return SimpleNamespace(transforms=lambda: SimpleNamespace(crop_size=[size]))

def builder(*, weights=None, weights_backbone="downloaded", **options):
    assert weights is None and weights_backbone is None
    return make(**options)

models = SimpleNamespace(
    list_models=lambda: ["tiny"],
    get_model_builder={"tiny": builder}.get,
    get_model_weights=lambda name: [crop(64), crop(48)],
)
"""
)


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A timm and a torchvision of one model each, before those that may be installed."""
    monkeypatch.chdir(tmp_path)
    for name, code in (("timm", TIMM), ("torchvision", TORCHVISION)):
        Path(f"{name}.py").write_text(code)
    before = {name: x for name, x in sys.modules.items() if name.partition(".")[0] in ("timm", "torchvision")}
    for name in before:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("timm", "torchvision"):
        sys.modules.pop(name, None)


def own(code: str, name: str = "net.py") -> None:
    Path(name).write_text(code)


def network(text: str, resolution: int | None = None, classes: int | None = None) -> GraphNetwork:
    found = read(text, resolution, classes)
    assert isinstance(found, GraphNetwork)
    return found


@pytest.mark.parametrize(
    "text", ["timm:x", "torchvision:x", "net.py:make", "a b/net.py:make", "C:\\net.py:make"]
)
def test_a_name_is_told_from_other_texts(text: str) -> None:
    assert names_module(text)


@pytest.mark.parametrize("text", ["zoo:x", "net.py", "net.onnx", "net.py:", "SuperConvK3BNRELU(3,8,1,1)"])
def test_other_texts_are_no_names(text: str) -> None:
    assert not names_module(text)


@pytest.mark.parametrize(
    ("text", "size"), [("timm:tiny_net", 40), ("torchvision:tiny", 48), ("net.py:make", 224)]
)
def test_a_name_is_a_network_at_the_size_that_it_was_made_for(text: str, size: int) -> None:
    own(NET)
    found = network(text)
    assert (str(found), found.resolution) == (text, size)
    assert network(text, 32, 5).graph().input_shape == (3, 32, 32)
    assert network(text, 32, 5).classes == 5


def test_weights_are_seeded_and_the_generator_stays_where_it_was() -> None:
    state = torch.random.get_rng_state()
    first, second = (network("timm:tiny_net").read.state() for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("timm:tiny_met", "timm has no model 'tiny_met'; near it are timm:tiny_net, timm:tiny_net_b"),
        ("timm:hf-hub:one/tiny_net", "timm has no model"),
        ("torchvision:zzz", r"torchvision has no model 'zzz'; see torchvision's list_models\(\)"),
    ],
)
def test_an_unknown_name_is_told_its_neighbours(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        module_of(text)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        UserError, match="models of timm need the package timm; install it with pip install timm"
    ):
        module_of("timm:tiny_net")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import one_more",
            "models of torchvision need the package one_more; install it with pip install one",
        ),
        ("1 / 0", r"the package torchvision cannot be imported \(division by zero\); install a version that"),
    ],
)
def test_a_package_that_does_not_import_is_named(code: str, reason: str) -> None:
    own(code, "torchvision.py")
    with pytest.raises(UserError, match=reason):
        module_of("torchvision:tiny")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def make(:", r"net\.py, line 1, is no Python \(invalid syntax\)"),
        ("\nimport nothing_of_that_name", r"net\.py, line 2, fails \(ModuleNotFoundError: No module named"),
        ("def other(): ...", r"there is no 'make' in net\.py"),
        ("make = 3", r"'make' in net\.py is of the type int; name a function"),
        ("from torch import nn\nmake = nn.ReLU()", r"'make' in net\.py is of the type ReLU; name a function"),
        (
            "def make(width, *, depth, more=1, **rest): ...",
            r"'make' in net\.py takes width, depth; give every",
        ),
        ("def make(): return 3", r"'make' in net\.py returns the type int; let it return an nn\.Module"),
        ("def make():\n    return 1 / 0", r"net\.py, line 2, fails \(ZeroDivisionError: division by zero\)"),
        ("import sys\ndef make():\n    sys.exit(4)", r"net\.py, line 3, ends the program \(4\)"),
        ("def make(): raise ValueError('a\\nb')", r"net\.py, line 1, fails \(ValueError: a\)"),
        ("def make(): return make()", r"net\.py, line 1, fails \(RecursionError"),
        ("class make:\n    def __init__(self, width): ...", r"'make' in net\.py takes width"),
        ("def make(): raise GeneratorExit", r"net\.py, line 1, fails \(GeneratorExit"),
        ("x = '\0'", r"net\.py is no Python|net\.py, line 1, is no Python"),
        (
            "class E(Exception):\n    def __str__(self): return 1\ndef make(): raise E",
            r"net\.py, line 3, fails \(E: E\)",
        ),
        (
            "from torch import nn\nclass make(nn.Module):\n    def eval(self): raise ValueError('no')",
            r"net\.py:make cannot be put in eval mode: no",
        ),
    ],
)
def test_own_code_that_fails_is_one_sentence_with_its_line(code: str, reason: str) -> None:
    own(code)
    with pytest.raises(UserError, match=reason) as caught:
        module_of("net.py:make")
    assert "\n" not in str(caught.value)


def test_a_missing_file_of_own_code_is_named() -> None:
    with pytest.raises(UserError, match=r"there is no file none\.py"):
        module_of("none.py:make")


def test_classes_are_told_to_a_factory_that_takes_them() -> None:
    own(NET.replace("num_classes=10, ", "").replace("num_classes", "10"))
    with pytest.raises(UserError, match=r"'make' in net\.py takes no num_classes; leave --classes out"):
        module_of("net.py:make", 5)
    own(NET.replace("num_classes=10", "num_classes"))
    with pytest.raises(UserError, match="takes num_classes"):
        module_of("net.py:make")
    assert network("net.py:make", 32, 5).classes == 5


def test_running_own_code_is_said_once_and_what_it_prints_is_no_output(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    own(NET, "said_once.py")
    for _ in range(2):
        network("said_once.py:make", 32)
    assert caplog.messages == ["running said_once.py: it is your own code, which zenbench does not check"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("made") == 2


def test_files_beside_own_code_are_those_of_its_folder() -> None:
    for folder, width in (("a", 8), ("b", 16)):
        Path(folder).mkdir()
        own(f"width = {width}", f"{folder}/parts.py")
        own(
            NET.replace("width=8", "width=parts.width").replace("print", "import parts\nprint"),
            f"{folder}/net.py",
        )
    widths = [network(f"{folder}/net.py:make", 32).graph().ops[0].shape[0] for folder in ("a", "b")]
    assert widths == [8, 16]
    assert "parts" not in sys.modules
    assert not [path for path in sys.path if path.endswith(("/a", "/b"))]


def test_what_cannot_be_read_is_priced_and_says_why() -> None:
    own("from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 8, (1, 3))")
    found = network("net.py:make", 16)
    assert found.priced == {"conv2d": 1}
    assert found.unread
    with pytest.raises(NetworkError, match=r"net\.py:make: .*kernel 1 x 3"):
        found.require_read()


def test_a_module_that_does_not_run_on_such_images_is_refused() -> None:
    own("from torch import nn\n\ndef make():\n    return nn.Conv2d(4, 8, 3)")
    with pytest.raises(NetworkError, match=r"net\.py:make: the module cannot run on an image of 3 x 16 x 16"):
        network("net.py:make", 16)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def forward(self, x): raise SystemExit(4)", "cannot run on an image of 3 x 16 x 16: 4"),
        ("def forward(self, x): raise GeneratorExit", "cannot run on an image of 3 x 16 x 16: Gen"),
        ("def __deepcopy__(self, memo): raise ValueError('no copy')", "cannot run on .*: no copy"),
        ("lazy = nn.LazyConv2d(4, 3)\n    def forward(self, x): return self.lazy(x)", ""),
    ],
)
def test_a_module_that_fails_is_one_sentence(code: str, reason: str) -> None:
    own(f"from torch import nn\nclass make(nn.Module):\n    {code}")
    with pytest.raises(NetworkError, match=rf"net\.py:make: the module .*{reason}"):
        network("net.py:make", 16)


def test_what_a_module_prints_is_no_output_though_it_closes_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own(
        "import sys\nfrom torch import nn\nclass make(nn.Conv2d):\n"
        "    def __init__(self):\n        super().__init__(3, 4, 1)\n"
        "    def forward(self, x):\n        print('run')\n        return super().forward(x)\n"
        "sys.stdout.close()"
    )
    assert network("net.py:make", 16).graph().ops
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "run" in captured.err


def test_names_in_a_column_of_others_run_no_code() -> None:
    own("raise AssertionError")
    assert read_network("net.py:make", 32, 10) is None


def test_an_exported_program_is_a_network_with_its_weights(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),)), "net.pt2")
    found = network("net.pt2", 8)
    assert (str(found), found.resolution) == ("net.pt2", 8)
    assert found.read.state()["conv1.weight"].shape == (4, 3, 3, 3)
    with pytest.raises(NetworkError, match=r"net\.pt2 has a fixed size of 8 x 8, not 16"):
        read("net.pt2", 16)
