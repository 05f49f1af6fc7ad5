"""Settings as text: what is written is read back, whatever the parts; and the command that measures one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zenbench.devices.base import Setting, profile_command
from zenbench.errors import UserError

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,9}", fullmatch=True)
SETTINGS = st.builds(
    Setting,
    device=NAMES,
    runtime=NAMES,
    precision=NAMES,
    batch=st.integers(1, 4096),
    threads=st.integers(1, 256),
    pinning=st.sampled_from(["free", "pinned", "pinned+realtime"]),
)


@given(SETTINGS)
def test_text_is_read_back(setting: Setting) -> None:
    assert Setting.parse(setting.device, str(setting)) == setting


@given(SETTINGS, SETTINGS)
def test_different_settings_have_different_texts(one: Setting, other: Setting) -> None:
    assert (one == other) == ((one.device, str(one)) == (other.device, str(other)))


def test_tables_of_different_settings_have_different_files() -> None:
    settings = [Setting("host", "r", p, b, t) for p in ("fp32", "int8") for b in (1, 11) for t in (1, 2)]
    assert len({setting.file_stem for setting in settings}) == len(settings)


@pytest.mark.parametrize(
    "text",
    [
        "onnxruntime/fp32/b1/t1",
        "onnxruntime/fp32/t1/b1/free",
        "onnxruntime/fp32/b-1/t1/free",
        "onnxruntime/fp32/b1.5/t1/free",
        " onnxruntime/fp32/b1/t1/free",
        "onnxruntime/fp32/b1/t1/free\n",
        "onnx runtime/fp32/b1/t1/free",
    ],
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="reads like onnxruntime/fp32/b1/t1/pinned"):
        Setting.parse("host", text)


def test_a_profile_is_asked_for_whole() -> None:
    setting = Setting("pixel2", "litert", threads=4, pinning="mask-f0")
    assert profile_command(setting) == (
        "zenbench profile --device pixel2 --runtime litert --precision fp32 --batch 1 --threads 4"
    )
