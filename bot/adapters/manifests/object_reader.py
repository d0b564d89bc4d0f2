"""One `git cat-file --batch` that lives on: an object costs a line through a pipe instead of a process."""

import os
import select
import threading
import time
from collections.abc import Sequence
from typing import Any

from bot.adapters.manifests.git import Git
from bot.ports import Retryable

_AT_ONCE = 500  # names; as many lines fit into a pipe that nobody reads yet
_PATIENCE = 60  # seconds


class _Ended(Exception):
    """The process is gone: somebody ended it, or it was asked for an object that the mirror does not have."""


class ObjectReader:
    """Reads objects of one repository. Safe for threads, and for processes that each have their own.

    The process begins with the first question and ends with this object, or with the bot.
    """

    def __init__(self, git: Git) -> None:
        """Nothing runs yet."""
        self._git = git
        self._lock = threading.Lock()
        self._process: Any = None
        self._buffer = b""

    def read(self, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Object name and content under each of these names; what the mirror does not have is left out.

        git gives up at the first object that a partial mirror left out: those behind it are missing, too.
        """
        found: dict[str, tuple[str, bytes]] = {}
        with self._lock:
            try:
                for start in range(0, len(names), _AT_ONCE):
                    self._ask(names[start : start + _AT_ONCE], found)
            except (_Ended, OSError):
                self._close()
            except BaseException:
                # Half an answer is in the pipe: nobody may take it for that to the next question.
                self._close()
                raise
        return found

    def _ask(self, names: Sequence[str], found: dict[str, tuple[str, bytes]]) -> None:
        if self._process is None or self._process.poll() is not None:
            self._close()
            self._process = self._git.begun("cat-file", "--batch")
        self._process.stdin.write("".join(f"{name}\n" for name in names).encode())
        self._process.stdin.flush()
        deadline = time.monotonic() + _PATIENCE
        for name in names:
            header = self._line(deadline).decode().split(" ")
            if len(header) == 3:
                found[name] = header[0], self._exactly(int(header[2]) + 1, deadline)[:-1]

    def _line(self, deadline: float) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._buffer += self._more(deadline)
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line

    def _exactly(self, size: int, deadline: float) -> bytes:
        parts, got = [self._buffer], len(self._buffer)
        while got < size:
            parts.append(self._more(deadline))
            got += len(parts[-1])
        data = b"".join(parts)
        self._buffer = data[size:]
        return data[:size]

    def _more(self, deadline: float) -> bytes:
        out = self._process.stdout.fileno()
        waiting = select.poll()
        waiting.register(out, select.POLLIN)
        if not waiting.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise Retryable(f"git cat-file took longer than {_PATIENCE} s and was ended")
        data = os.read(out, 1 << 16)
        if not data:
            raise _Ended
        return data

    def _close(self) -> None:
        process, self._process, self._buffer = self._process, None, b""
        if process is not None:
            process.kill()
            process.communicate()
