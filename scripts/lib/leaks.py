# SPDX-License-Identifier: MIT
"""Which test has lost memory? Shares out what kmemleak finds.

A search takes long, and tells when what is lost was allocated, in jiffies. So there is one
for several tests, each of which owns what was allocated from its start to that of the next.
"""

import dataclasses
import re

# Prints the jiffies that have passed.
CLOCK = "sed -n '/^jiffies: /{s///p;q}' /proc/timer_list"

SEARCH = "/usr/lib/vshare/leftovers leaks"

# Tests that may wait for a search. More would be faster, but what a guest that dies has
# not been searched for is not known.
PATIENCE = 10

REPORT = re.compile(r"^(?=unreferenced )", re.M)
ALLOCATED = re.compile(r"^  comm .*, jiffies (\d+)", re.M)


class Waiting:
    """The tests of one boot that nobody has looked at yet."""

    def __init__(self):
        self._began = {}        # name -> jiffies, in that order

    def begin(self, name, jiffies):
        """A test is about to start."""
        self._began[name] = jiffies

    def __contains__(self, name):
        return name in self._began

    def __len__(self):
        return len(self._began)

    def take(self):
        """All of them, which then do not wait any more: {name: jiffies}."""
        began, self._began = self._began, {}
        return began


def owners(began, report):
    """Names of those of @began that may have allocated what @report is about."""
    match = ALLOCATED.search(report)
    jiffies = int(match[1]) if match else 0
    before = [name for name, start in began.items() if start <= jiffies]
    # What is older than all of them was lost by somebody who did not allocate it.
    return before[-1:] or list(began)


def share(began, outcome):
    """Yield (name, Outcome) for each test of @began, given the outcome of the search."""
    lost = {name: "" for name in began}
    for report in REPORT.split(outcome.out)[1:]:
        for name in owners(began, report):
            lost[name] += report
    found = any(lost.values())
    seconds = outcome.seconds / max(1, len(began))
    for name, reports in lost.items():
        if reports or not found:
            # Nothing was found, or else it is his: all that the search has to say counts.
            yield name, dataclasses.replace(outcome, seconds=seconds,
                                            out=reports or outcome.out)
        else:
            yield name, dataclasses.replace(outcome, status=0, seconds=seconds, out="", log=[])
