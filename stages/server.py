"""A process from which stages are forked, with torch, transformers and PEFT loaded: `dart repro` starts one (Linux).

Loading these libraries costs 7 CPU-s, more than the work of many a stage at the embedded size. The server loads
libraries alone: each stage imports this project's code itself, in a fork that has the environment, the folder, the
arguments and the output streams of the `python -m stages` that asked for it. That command runs the stage itself where
there is no server, as under `dvc repro`, or where an environment variable differs that a library may have read.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from dart.core.stage_server import VARIABLE

OWN = frozenset({VARIABLE, "PWD", "OLDPWD", "SHLVL", "_"})  # differ from command to command and decide nothing
OURS = ("dart", "stages")
_LENGTH = 8  # bytes that say how long a request is
_PATIENCE_S = 10.0  # for a request that has begun


class Child(NamedTuple):
    """A forked stage, and the command that waits for it."""

    pid: int
    descriptor: int  # becomes readable when the stage ends
    connection: socket.socket


def run_in_server(arguments: Sequence[str]) -> int | None:
    """Run a stage in a fork of the server; returns its exit code, or None if this process has to run it itself."""
    address = os.environ.get(VARIABLE)
    if not address:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            request = json.dumps([list(arguments), os.getcwd(), dict(os.environ)]).encode()
            socket.send_fds(connection, [len(request).to_bytes(_LENGTH, "big")], [0, 1, 2])
            connection.sendall(request)
            answer = connection.recv(_LENGTH)
        except OSError:  # not ready yet, or gone
            return None
        if len(answer) < _LENGTH:
            return None  # refused: another folder or environment
        return _wait(connection, int.from_bytes(answer, "big"))


def _wait(connection: socket.socket, pid: int) -> int:
    """The exit code of the stage; Ctrl-C is passed on to it. If this process is killed, the server kills the stage."""
    while True:
        try:
            code = connection.recv(1)
        except KeyboardInterrupt:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGINT)
            continue
        if not code:
            print("the process that this stage was forked from has ended; run the stage again", file=sys.stderr)
            return 1
        return code[0]


def serve(address: str, libraries: Sequence[str]) -> tuple[list[str], str, dict[str, str]]:
    """Load `libraries`, listen at `address`, and fork a process per request until stdin ends.

    Returns:
        In each fork, never in the server: arguments, folder and environment of the stage.
    """
    environment = comparable(os.environ)
    for library in libraries:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        selector.register(0, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        children: dict[Any, Child] = {}  # by what becomes readable
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    _end(children)
                elif key.fileobj is listener:
                    connection = listener.accept()[0]
                    request, streams = _receive(connection)
                    if request is None or request[1] != os.getcwd() or comparable(request[2]) != environment:
                        connection.close()
                        _close(streams)
                        continue
                    pid = os.fork()
                    if not pid:
                        os.setpgid(0, 0)
                        connection.close()
                        for other in {*children.values()}:
                            os.close(other.descriptor)
                            other.connection.close()
                        for target, stream in enumerate(streams):
                            os.dup2(stream, target)
                        _close(streams)
                        return request
                    with contextlib.suppress(OSError):  # it has done so itself, or has ended
                        os.setpgid(pid, pid)
                    _close(streams)
                    child = Child(pid, os.pidfd_open(pid), connection)
                    with contextlib.suppress(OSError):  # the command is gone: `select` says so next
                        connection.sendall(pid.to_bytes(_LENGTH, "big"))
                    for source in (child.descriptor, connection):
                        children[source] = child
                        selector.register(source, selectors.EVENT_READ)
                elif key.fileobj in children:
                    child = children[key.fileobj]
                    if key.fileobj is child.connection:
                        _kill(child)  # the command was killed
                    status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
                    with contextlib.suppress(OSError):
                        child.connection.sendall(bytes([status if status >= 0 else 128 - status]))
                    for source in (child.descriptor, child.connection):
                        del children[source]
                        selector.unregister(source)
                    os.close(child.descriptor)
                    child.connection.close()


def comparable(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a library may read while it is imported."""
    return {name: value for name, value in environment.items() if name not in OWN and not name.startswith("DVC_")}


def _receive(connection: socket.socket) -> tuple[tuple[list[str], str, dict[str, str]] | None, list[int]]:
    """A request and the streams that came with it; None: it is not complete."""
    streams: list[int] = []
    connection.settimeout(_PATIENCE_S)
    try:
        head, streams, _, _ = socket.recv_fds(connection, _LENGTH, 3)
        body = b""
        while len(body) < int.from_bytes(head, "big"):
            part = connection.recv(1 << 16)
            if not part:
                return None, streams
            body += part
        arguments, folder, environment = json.loads(body)
    except (OSError, ValueError):
        return None, streams
    connection.settimeout(None)
    return (arguments, folder, environment), streams


def _close(streams: Sequence[int]) -> None:
    for stream in streams:
        os.close(stream)


def _kill(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _end(children: Mapping[Any, Child]) -> NoReturn:
    for child in children.values():
        _kill(child)
    sys.exit()


def main(address: str, libraries: Sequence[str]) -> None:
    arguments, folder, environment = serve(address, libraries)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    os.environ.clear()
    os.environ.update(environment)
    del os.environ[VARIABLE]
    os.chdir(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]  # the code as it is now
    sys.argv[1:] = arguments
    runpy.run_module("stages", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
