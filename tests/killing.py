"""Runs commands of `nas` in forked copies of one process, each killed at a chosen moment.

A moment is the n-th time that the command is about to touch a file below a folder: just before it
opens, renames, cuts, links or removes one. So every state that a kill can leave on the disk, short
of a half-written line, has a number. One process that has imported everything is forked for each
command, as importing takes far longer than a tiny search.

As a script it reads one JSON request a line and answers each with one: see `Nas.run`.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

_IMPORTED_LATER = (  # by commands, when they need it: here once, before the forks
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "nas.data.npz",
    "nas.drawing.draw",
    "nas.reporting.report",
    "nas.search",
    "nas.search_spaces.cells.supernetworks",
    "nas.strategies.differentiable.strategy",
    "optuna.storages.journal",
    "safetensors.torch",
    "torch._dynamo",
    "torch.utils.serialization",
)
_TOUCHES = ("open", "os.rename", "os.remove", "os.truncate", "os.symlink", "os.mkdir")


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Args:
        status: Its exit status; minus the number of the signal that killed it.
        moments: How many moments it came to.
        stdout: What it printed.
        stderr: The same.
    """

    status: int
    moments: int
    stdout: str
    stderr: str


class Nas:
    """The command line in processes that can be killed.

    Args:
        scratch: A folder for what the commands print.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *arguments: object, folder: Path, kill_at: int = 0) -> Outcome:
        """Run `nas ARGUMENTS...`.

        Args:
            *arguments: Of the command line.
            folder: Whose files are watched.
            kill_at: The moment to be killed at, from 1; 0 for none.
        """
        request = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(folder),
            "kill_at": kill_at,
            "scratch": str(self.scratch),
        }
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        texts = [(self.scratch / name).read_text() for name in ("stdout", "stderr")]
        return Outcome(answer["status"], answer["moments"], *texts)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _serve() -> None:
    """Answer requests until standard input ends."""
    for name in _IMPORTED_LATER:
        with suppress(ModuleNotFoundError):  # not every version of PyTorch has all of them
            import_module(name)
    from nas import cli

    _warm_up(cli)
    for line in sys.stdin:
        request = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            _command(cli, request, write)
        os.close(write)
        with os.fdopen(read) as stream:
            moments = len(stream.read())
        _, status = os.waitpid(child, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "moments": moments}
        print(json.dumps(answer), flush=True)


def _warm_up(cli: Any) -> None:
    """Do once what every command would do for itself: find all parts, read the fonts."""
    from matplotlib.figure import Figure

    from nas import registry

    for kind in registry.KINDS:
        registry.names(kind)
    figure = Figure(layout="constrained")
    figure.subplots().set_title("x")
    for form in ("png", "svg"):
        figure.savefig(io.BytesIO(), format=form)
    for command in ("search", "resume"):
        sys.argv = ["nas", command, "--help"]
        with redirect_stdout(io.StringIO()), suppress(SystemExit):
            cli.main()
    gc.freeze()


def _command(cli: Any, request: dict[str, Any], moments: int) -> None:
    """Be the command, in the forked process; never returns."""
    scratch = Path(request["scratch"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(scratch / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    _arm(request["folder"], request["kill_at"], moments)
    sys.argv = ["nas", *request["arguments"]]
    status = 1
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _arm(folder: str, kill_at: int, moments: int) -> None:
    """Count the moments, a byte each into a pipe, and be killed at one of them."""
    count = 0

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in _TOUCHES:
            return
        paths = [str(a) for a in arguments if isinstance(a, (str, os.PathLike))]
        if not any(path.startswith(folder) for path in paths):
            return
        count += 1
        os.write(moments, b".")
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    _serve()
