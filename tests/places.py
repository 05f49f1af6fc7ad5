"""Where the checkout and the data of the tests are, wherever a test lies."""

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DATA = TESTS / "data"
