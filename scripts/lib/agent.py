# SPDX-License-Identifier: MIT
"""A guest that runs one command after the other, for scripts/test."""

import socket
import subprocess
import time

from . import guest, splat

# How long a guest may take to answer, beside what it was asked to do. It kills what
# is late for five seconds before it gives up, and may be busy with a report.
GRACE = 30

# And to start, or as long as a subtest on a lane where that is longer.
BOOT_LIMIT = 120


class Died(Exception):
    """The guest is gone, or has to be given up; the text says how."""


class Agent:
    """One boot. A context: leaving it ends the guest. See guest/agent.c."""

    def __init__(self, lane, image, accelerator, console, append=""):
        self._console = console
        self._number = None     # of the last record of the kernel log
        self.lost = False       # were there records that nobody has seen?
        self.lockdep = "-"
        self.boot_log = []
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._guest = guest.Guest(lane, image, accelerator, append=append, agent=theirs,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._buffer = bytearray()
        try:
            limit = max(BOOT_LIMIT, lane.limit)
            deadline = time.monotonic() + limit
            while (event := self.event(deadline)) and event[0] != "ready":
                if event[0] == "log":
                    self.boot_log += event[1]
            if not event:
                raise Died(f"no answer from the guest within {limit} s of its start")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._guest.kill()
        with open(self._console, "a", encoding="utf-8") as file:
            file.write(self._guest.console())
        self._guest.__exit__()

    def _take(self, size, deadline):
        """@size bytes of the guest's, or None if they are not there by @deadline."""
        while len(self._buffer) < size:
            if not self._receive(deadline):
                return None
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _receive(self, deadline):
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError as err:
            raise Died(str(err)) from err
        if not data:
            self._guest.wait(5)
            raise Died(self._guest.verdict()[1] or "the guest ended")
        self._buffer += data
        return True

    def event(self, deadline):
        """The next (kind, data) from the guest, or None at @deadline.

        ("log", records), ("out", text), ("end", status) or ("ready", ""). The state of
        the lock checker goes to self.lockdep.
        """
        while True:
            while b"\n" not in self._buffer:
                if not self._receive(deadline):
                    return None
            # The rest of a frame that has begun is on its way.
            header = self._take(self._buffer.index(b"\n") + 1, deadline)
            kind, size = header.decode().split()
            data = self._take(int(size), time.monotonic() + GRACE)
            if data is None:
                raise Died("the guest stopped in the middle of a message")
            text = data.decode(errors="replace")
            if kind == "lockdep":
                self.lockdep = text
                continue
            return kind, self._records(text) if kind == "log" else text

    def _records(self, text):
        log = splat.records(text)
        for record in log:
            if self._number is not None and record.number != self._number + 1:
                self.lost = True
            self._number = record.number
        return log

    def say(self, line):
        """Send a line to the guest: run COMMAND, or kill."""
        try:
            self._socket.settimeout(GRACE)
            self._socket.sendall(f"{line}\n".encode())
        except OSError as err:
            raise Died(str(err)) from err

    def last_messages(self):
        """What the kernel has said on the console."""
        return "\n".join(self._guest.last_messages(200))

    def quit(self):
        """End the machine in good order; False if it had died."""
        try:
            self._socket.sendall(b"quit\n")
        except OSError:
            return False
        return self._guest.wait(GRACE) and self._guest.verdict() == (0, None)
