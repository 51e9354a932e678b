"""Quick tasks for the platform's tests, run in its workers: nothing here loads a model."""

import dataclasses
import os
import time

from workbench.core.errors import WorkbenchError
from workbench.service.tasks import KINDS as REAL
from workbench.service.tasks import Kind, within


def any_text(value, option):
    return str(value)


def echo(inputs, options, context):
    """The input, and the text of the options, as the result."""
    data = b"".join(path.read_bytes() for path in inputs)
    (context.out / "echo.bin").write_bytes(options["text"].encode() + b"|" + data)


def count(inputs, options, context):
    """Ten steps a second; says its process id with each."""
    (context.out / "half.bin").write_bytes(b"half")
    steps = int(10 * options["seconds"])
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


def full(inputs, options, context):
    """Write more than there is."""
    with (context.out / "big.bin").open("wb") as file:
        for _ in range(int(options["megabytes"])):
            file.write(os.urandom(1 << 20))


def pieces(inputs, options):
    return [options | {"piece": number} for number in range(4)]


def piece(inputs, options, context):
    number = options.get("piece", -1)
    time.sleep(0.1 * (4 - number) if number >= 0 else 0)  # the last piece is done first
    text = "".join(map(str, range(4))) if number < 0 else str(number)
    (context.out / "piece.txt").write_text(text)


def put_together(inputs, options, parts, context):
    text = "".join((part / "piece.txt").read_text() for part in parts)
    (context.out / "piece.txt").write_text(text)


def node_pieces(inputs, options):
    return [options | {"piece": number} for number in range(6)]


def node_piece(inputs, options, context):
    """Where this piece ran on a Ray cluster, after a while."""
    import ray

    context.progress(0.5, "at work")
    time.sleep(options["seconds"])
    node = ray.get_runtime_context().get_node_id()
    (context.out / "piece.txt").write_text(f"{options['piece']} {node}\n")


def node_lines(inputs, options, parts, context):
    lines = [(part / "piece.txt").read_text() for part in parts]
    (context.out / "nodes.txt").write_text("".join(lines))


def film_pieces(inputs, options):
    """As the real kind is cut, but into pieces of five frames."""
    from workbench.service import tasks

    tasks.CHUNK_FRAMES = 5
    return tasks.split_video(inputs, options)


def _kind(name, options=None, **more):
    return Kind(name, f"platform_tasks:{name}", options or {}, **more)


KINDS = {
    "echo": _kind("echo", {"text": (any_text, "")}, input_bytes=1_000_000),
    "count": _kind("count", {"seconds": (within(0, 600), 30.0)}, inputs=0),
    "hang": _kind("hang", inputs=0),
    "brief": Kind("hang", "platform_tasks:hang", {}, inputs=0, seconds=1.0),
    "die": _kind("die", inputs=0),
    "refuse": _kind("refuse", inputs=0),
    "bug": _kind("bug", inputs=0),
    "who": _kind("who", inputs=0),
    "full": _kind("full", {"megabytes": (within(0, 1000), 1)}, inputs=0),
    "pieces": _kind("piece", split="platform_tasks:pieces", join="platform_tasks:put_together"),
    "nodes": _kind(
        "node_piece",
        {"seconds": (within(0, 60), 0.5)},
        inputs=0,
        split="platform_tasks:node_pieces",
        join="platform_tasks:node_lines",
    ),
    "film": dataclasses.replace(REAL["stylize_video"], split="platform_tasks:film_pieces"),
}
