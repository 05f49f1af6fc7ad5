"""`zenbench`: finds the command, turns failures into one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module

import click

from ... import __version__
from ...errors import ZenbenchError

COMMANDS = {
    "devices": "What can be measured on, and what is missing for it.",
    "doctor": "What on this machine disturbs measurements, and what to do about it.",
    "setup": "Get the program that times on a phone.",
    "tables": "The latency tables there are.",
    "profile": "Measure a device's blocks and build its latency table.",
    "cost": "MACs, parameters, layers and activation memory of networks.",
    "score": "Zen-Score and other training-free scores of networks.",
    "rank": "How well proxies order networks of known accuracy.",
    "search": "Find the most expressive network within a budget.",
    "train": "Train a network on labelled images.",
    "evaluate": "Accuracy of a network, and of the files it is exported to.",
    "predict": "Latency of networks, from a table.",
    "export": "Write a network as an ONNX or TFLite file and check it.",
    "measure": "Latency of whole networks, measured on a device.",
    "fit": "Learn a latency table from whole networks that were measured anywhere.",
    "calibrate": "Improve a modelled table with whole networks that you measured.",
    "compare": "Hold predictions against measurements.",
    "report": "One page that shows a run: a self-contained HTML file.",
    "demo": "The whole story on this machine, in a few minutes.",
}
INTERRUPTED = 130


class LazyCommands(click.Group):
    """Loads a command's module when it is called, so that --help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"..{name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zenbench")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def cli(debug: bool) -> None:
    """Measure how long networks take on real devices, and search for the best one within a budget."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 the answer is no, 2 user's mistake, 3 device trouble."""
    # The tables' matrices are small: threads of the linear algebra only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    # --debug is wanted after the fact, so it may stand anywhere.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = cli.main(arguments, prog_name="zenbench", standalone_mode=False)
    except ZenbenchError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; what was finished is kept", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (as in `| head`); nothing is left to say.
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(sentence: str, code: int) -> None:
    # Names in a file of somebody else's may hold what moves a terminal's cursor.
    shown = "".join(letter if letter.isprintable() else " " for letter in sentence)
    click.echo(f"zenbench: {shown}", err=True)
    sys.exit(code)
