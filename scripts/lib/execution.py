# SPDX-License-Identifier: MIT
"""One process in a guest, and the subtests in it as they end.

libigt says on the output where a subtest begins and how it ends, and writes a mark
into the kernel log where it begins. A subtest is over when both have got past it, so
that what the kernel said in its time is known.
"""

import dataclasses
import re
import time

from . import agent

# What libigt calls the end of a subtest, and the exit status it would have alone.
RESULTS = {"SUCCESS": 0, "SKIP": 77, "FAIL": 98, "CRASH": 139}

BEGINS = re.compile(r"^Starting subtest: (\S+)$", re.M)
ENDS = re.compile(r"^Subtest (\S+): ([A-Z]+)(?: \(([\d.]+)s\))?$", re.M)
MARK = re.compile(r"^\[IGT\] \S+: starting subtest (\S+)$")


@dataclasses.dataclass
class Outcome:
    """What became of one subtest."""
    status: int | None      # exit status, or None if it was killed for being late
    seconds: float = 0.0
    out: str = ""
    log: list = dataclasses.field(default_factory=list)
    lockdep: str = "-"      # state of the lock checker afterwards
    lost: bool = False      # has the kernel log been read with gaps?
    ran: bool = True        # did the test get to it?


class Execution:
    """Runs a batch in a guest."""

    def __init__(self, vm, batch, limit):
        self._vm = vm
        self._batch = batch
        self._limit = limit
        self._waiting = {item.subtest: item for item in batch.items}
        self._out = ""          # output that belongs to no subtest that is over
        self._seen = 0          # how much of it has been looked at for beginnings
        self._log = []          # the same of the kernel log
        self._ended = []        # [(item, Outcome)] whose log is not complete yet
        self._statuses = set()  # of the subtests so far
        self._killed = False
        self._deadline = 0

    def outcomes(self):
        """Yield (item, Outcome) as the subtests end. May raise agent.Died.

        Whoever stops before the end must not use the guest any further.
        """
        self._vm.say(f"run {self._batch.line()}")
        self._start_clock()
        while True:
            event = self._vm.event(self._deadline)
            if not event:
                self._late()
                continue
            kind, data = event
            if kind == "end":
                break
            if kind == "log":
                self._log += data
            else:
                self._out += data
                self._read_output()
            yield from self._complete()
        yield from self._finish(data)

    def _start_clock(self):
        self._began = time.monotonic()
        self._deadline = self._began + self._limit

    def _late(self):
        if self._killed:
            raise agent.Died("no answer from the guest: it hangs")
        self._killed = True
        self._vm.say("kill")
        self._deadline = time.monotonic() + agent.GRACE

    def _read_output(self):
        """Take note of subtests that have ended or begun."""
        if not self._batch.igt:
            return
        while match := ENDS.search(self._out):
            out, self._out = self._out[:match.end() + 1], self._out[match.end() + 1:]
            self._seen = 0
            name, word, seconds = match.groups()
            item = self._waiting.pop(name, None)
            if item is None or word not in RESULTS:
                raise agent.Died(f"the test says what cannot be: {match[0]}")
            status = RESULTS[word]
            self._statuses.add(status)
            self._ended.append((item, Outcome(status, float(seconds or 0), out)))
        for match in BEGINS.finditer(self._out, self._seen):
            self._seen = match.end()
            if not self._killed:
                self._start_clock()

    def _complete(self):
        """Yield the subtests that have ended before another one has begun."""
        while self._ended:
            item = self._ended[0][0]
            marks = [(number, match[1]) for number, record in enumerate(self._log)
                     if (match := MARK.match(record.text))]
            # Its own mark, if it has one, is the first that is left.
            others = [number for number, name in marks if name != item.subtest]
            if not others:
                return
            yield self._close(others[0])

    def _close(self, end):
        item, outcome = self._ended.pop(0)
        outcome.log, self._log = self._log[:end], self._log[end:]
        outcome.lockdep, outcome.lost = self._vm.lockdep, self._vm.lost
        return item, outcome

    def _finish(self, word):
        """The process is gone: nothing more will come."""
        status = None if self._killed or word == "stuck" else int(word)
        for item in list(self._waiting.values()):
            if not self._batch.igt or f"Starting subtest: {item.subtest}\n" in self._out:
                self._end_last(item, status)
        if self._batch.igt and not self._ended and not self._statuses:
            # It did not even get to the first.
            self._end_last(next(iter(self._waiting.values())), status, ran=False)
        elif self._batch.igt and not self._accounted(status):
            # It went wrong where no subtest was under way; somebody has to answer.
            self._ended[-1][1].status = status
            self._ended[-1][1].out += self._out
        while len(self._ended) > 1:
            marks = [number for number, record in enumerate(self._log)
                     if (match := MARK.match(record.text)) and
                     match[1] == self._ended[1][0].subtest]
            yield self._close(marks[0] if marks else 0)
        if self._ended:
            yield self._close(len(self._log))

    def _end_last(self, item, status, ran=True):
        self._statuses.add(status)
        self._ended.append((item, Outcome(status, time.monotonic() - self._began, self._out,
                                          ran=ran)))

    def _accounted(self, status):
        """Is the exit status of the process what its subtests make it?"""
        if any(s not in (0, 77) for s in self._statuses):
            return status != 0
        return status == (0 if 0 in self._statuses else 77)
