"""Quick tasks for the platform's tests, run in its workers: nothing here loads a model."""

import dataclasses
import os
import time
from typing import Annotated

from workbench.core.errors import WorkbenchError
from workbench.core.options import Range
from workbench.service.tasks import TASKS as REAL
from workbench.service.tasks import NoOptions, Task


@dataclasses.dataclass(frozen=True)
class Text:
    text: str = ""  # to be repeated


@dataclasses.dataclass(frozen=True)
class Seconds:
    seconds: Annotated[float, Range(0, 600)] = 30.0


@dataclasses.dataclass(frozen=True)
class Size:
    megabytes: Annotated[float, Range(0, 1000)] = 1.0


@dataclasses.dataclass(frozen=True)
class Piece:
    seconds: Annotated[float, Range(0, 60)] = 0.5
    _piece: int = -1


def echo(inputs, options, context):
    """The input, and the text of the options, as the result."""
    data = b"".join(path.read_bytes() for path in inputs)
    (context.out / "echo.bin").write_bytes(options.text.encode() + b"|" + data)


def count(inputs, options, context):
    """Ten steps a second; says its process id with each."""
    (context.out / "half.bin").write_bytes(b"half")
    steps = int(10 * options.seconds)
    for step in range(steps):
        context.progress(step / steps, f"pid {os.getpid()}")
        time.sleep(0.1)
    (context.out / "half.bin").rename(context.out / "whole.bin")


def hang(inputs, options, context):
    """Says one word and no more."""
    context.progress(0.1, f"pid {os.getpid()}")
    time.sleep(600)


def die(inputs, options, context):
    """Kill the own process, unless the input's neighbour says that it was done often enough."""
    os.kill(os.getpid(), 9)


def refuse(inputs, options, context):
    raise WorkbenchError("Expected something else but got this. Try another.")


def bug(inputs, options, context):
    raise KeyError("/secret/path")


def who(inputs, options, context):
    (context.out / "who.txt").write_text(str(os.getpid()))


def device(inputs, options, context):
    (context.out / "device.txt").write_text(os.environ.get("WORKBENCH_DEVICE", "none"))


def full(inputs, options, context):
    """Write more than there is."""
    with (context.out / "big.bin").open("wb") as file:
        for _ in range(int(options.megabytes)):
            file.write(os.urandom(1 << 20))


def grow(inputs, options, context):
    """A megabyte after the other, slowly."""
    with (context.out / "big.bin").open("wb") as file:
        for number in range(int(options.megabytes)):
            file.write(bytes(1_000_000))
            file.flush()
            context.progress(number / options.megabytes, "growing")
            time.sleep(0.1)


def pieces(inputs, options):
    return [dataclasses.replace(options, _piece=number) for number in range(4)]


def piece(inputs, options, context):
    number = options._piece
    time.sleep(0.1 * (4 - number) if number >= 0 else 0)  # the last piece is done first
    text = "".join(map(str, range(4))) if number < 0 else str(number)
    (context.out / "piece.txt").write_text(text)


def put_together(inputs, options, parts, context):
    text = "".join((part / "piece.txt").read_text() for part in parts)
    (context.out / "piece.txt").write_text(text)


def node_pieces(inputs, options):
    return [dataclasses.replace(options, _piece=number) for number in range(6)]


def node_piece(inputs, options, context):
    """Where this piece ran on a Ray cluster, after a while."""
    import ray

    context.progress(0.5, "at work")
    time.sleep(options.seconds)
    node = ray.get_runtime_context().get_node_id()
    (context.out / "piece.txt").write_text(f"{options._piece} {node}\n")


def node_lines(inputs, options, parts, context):
    lines = [(part / "piece.txt").read_text() for part in parts]
    (context.out / "nodes.txt").write_text("".join(lines))


def film_pieces(inputs, options):
    """As the real task is cut, but into pieces of five frames."""
    from workbench.service import video_tasks

    video_tasks.CHUNK_FRAMES = 5
    return video_tasks.split(inputs, options)


def take_time(inputs, options, context):
    """As `count`, after it has said that it takes long."""
    context.expect_long()
    count(inputs, options, context)


def crash(inputs, options, context):
    """End the process from within, as a decoder with a bug does."""
    import ctypes

    ctypes.string_at(0)


def _task(name, options=NoOptions, **more):
    return Task(name, name, f"platform_tasks:{name}", options, **more)


KINDS = {
    "echo": _task("echo", Text, input_bytes=1_000_000),
    "count": _task("count", Seconds, inputs=0),
    "hang": _task("hang", inputs=0),
    "brief": _task("hang", inputs=0, seconds=1.0),
    "die": _task("die", inputs=0),
    "crash": _task("crash"),
    "refuse": _task("refuse", inputs=0),
    "bug": _task("bug", inputs=0),
    "who": _task("who", inputs=0),
    "full": _task("full", Size, inputs=0),
    "grow": _task("grow", Size, inputs=0),
    "take_time": _task("take_time", Seconds, inputs=0),
    "pieces": _task("piece", Piece, split="platform_tasks:pieces", join="platform_tasks:put_together"),
    "nodes": _task(
        "node_piece", Piece, inputs=0, split="platform_tasks:node_pieces", join="platform_tasks:node_lines"
    ),
    "film": dataclasses.replace(REAL["stylize_video"], split="platform_tasks:film_pieces"),
}
