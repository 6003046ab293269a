# SPDX-License-Identifier: MIT
"""How far a run is, and how long the rest may take."""

import json
import sys
import time

# Seconds between two lines about it, where they cannot be written over one another.
PAUSE = 60

CLEAR = "\r\033[K"


def known(path):
    """{subtest: seconds} of the last run, which has left a results.json at @path."""
    try:
        with open(path, encoding="utf-8") as file:
            tests = json.load(file)["tests"]
        return {name.removeprefix("igt@"): test["time"]["end"] - test["time"]["start"]
                for name, test in tests.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}       # there was none, or it is not ours to complain about


class Progress:
    """A line about the rest of a run. Not thread-safe."""

    def __init__(self, names, seconds, stream=sys.stderr):
        """@names: all subtests; @seconds: what known() says of them"""
        mean = sum(seconds.values()) / len(seconds) if seconds else 1.0
        self._weight = {name: seconds.get(name, mean) for name in names}
        self._total = sum(self._weight.values())
        self._all = len(self._weight)
        self._done = 0.0
        self.started = self._said = time.monotonic()
        self._stream = stream
        self._over = stream.isatty()

    def clear(self):
        """Make room for another line."""
        if self._over:
            self._stream.write(CLEAR)
            self._stream.flush()

    def ended(self, name):
        """The subtest @name has ended; say how far that is, if it is time to."""
        self._done += self._weight.pop(name, 0.0)
        now = time.monotonic()
        if self._over or now - self._said >= PAUSE:
            self._said = now
            self._stream.write(self.line(now) + ("" if self._over else "\n"))
            self._stream.flush()

    def line(self, now):
        """ "412 of 1079 done, about 21 min left", as of @now."""
        text = f"test: {self._all - len(self._weight)} of {self._all} done"
        if not self._done:
            return text
        left = (now - self.started) * (self._total - self._done) / self._done
        if left < 90:
            return f"{text}, about {left:.0f} s left"
        return f"{text}, about {left / 60:.0f} min left"
