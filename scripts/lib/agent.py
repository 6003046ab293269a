# SPDX-License-Identifier: MIT
"""A guest that runs one command after the other, for scripts/test."""

import dataclasses
import socket
import subprocess
import time

from . import guest

# Beside a command's own limit: for the guest to kill it and to report.
GRACE = 15

BOOT_LIMIT = 90


class Died(Exception):
    """The guest is gone, or has to be given up; the text says how."""


@dataclasses.dataclass
class Outcome:
    """What became of one command."""
    status: int         # exit status, or None if it was killed for being late
    seconds: float
    out: str
    err: str
    log: str            # kernel log since the command before


class Agent:
    """One boot. A context: leaving it ends the guest."""

    def __init__(self, lane, image, accelerator, console):
        self._console = console
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._guest = guest.Guest(lane, image, accelerator, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, agent=theirs)
        self._input = self._socket.makefile("rb")
        try:
            self._line(BOOT_LIMIT, "ready")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._input.close()
        self._socket.close()
        self._guest.kill()
        with open(self._console, "a", encoding="utf-8") as file:
            file.write(self._guest.console())
        self._guest.__exit__()

    def _line(self, limit, verb):
        self._socket.settimeout(limit)
        try:
            words = self._input.readline().decode(errors="replace").split()
        except TimeoutError as err:
            raise Died(f"no answer from the guest within {limit} s: it hangs") from err
        except OSError as err:
            raise Died(str(err)) from err
        if not words or words[0] != verb:
            self._guest.wait(5)
            raise Died(self._guest.verdict()[1] or "the guest ended")
        return words[1:]

    def last_messages(self):
        """What the kernel has said on the console."""
        return "\n".join(self._guest.last_messages(200))

    def run(self, name, command, limit):
        """Run the shell command @command; @name is for the kernel log."""
        start = time.monotonic()
        try:
            self._socket.sendall(f"run {limit} {name} {command}\n".encode())
            status, *sizes = self._line(limit + GRACE, "done")
            texts = [self._input.read(int(size)).decode(errors="replace") for size in sizes]
        except OSError as err:
            raise Died(str(err)) from err
        seconds = time.monotonic() - start
        return Outcome(None if status == "timeout" else int(status), seconds, *texts)

    def quit(self):
        """End the machine in good order; False if it had died."""
        try:
            self._socket.sendall(b"quit\n")
        except OSError:
            return False
        return self._guest.wait(20) and self._guest.verdict() == (0, None)
