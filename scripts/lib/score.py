# SPDX-License-Identifier: MIT
"""Which deliberate bug was noticed by what, as a table."""

import re
import statistics

# The oracle whose assertion has failed, by the file that it is in. Anything else is a check of
# the subtest's own.
ORACLES = {
    "lib/igt_dmabuf_oracle.c": "data",
    "lib/igt_vimport_space.c": "data",
    "lib/igt_vshare.c": "quarantine",
    "vexport_verdict.c": "verdict",
}
ASSERTION = re.compile(r"Test assertion failure function \w+, file (\S+?):\d+")
HEAD = ("bug", "rule", "killed", "first by", "oracle", "after")


def oracle(item, test):
    """What has noticed the bug that @item is about."""
    if item.complaint:
        return "kernel"
    match = ASSERTION.search(test["out"])
    return ORACLES.get(match[1], "subtest") if match else "subtest"


def _seconds(test):
    return test["time"]["end"] - test["time"]["start"]


def _row(bug, items, tests):
    """The cells of a bug, and how long it took to kill it, or None."""
    killed = [(item, tests[item.name]) for item in items
              if tests.get(item.name, {}).get("verdict") == "passed"]
    count = f"{len(killed)}/{len(items)}"
    if not killed:
        return (bug, items[0].rule, count, "", "", ""), None
    item, test = min(killed, key=lambda pair: _seconds(pair[1]))
    oracles = sorted({oracle(*pair) for pair in killed})
    return (bug, item.rule, count, item.clean, ", ".join(oracles),
            f"{_seconds(test):.1f} s"), _seconds(test)


def table(items, tests):
    """Lines about the bugs of @items, given the {name: result} of a run; none if it had none."""
    bugs = {}
    for item in items:
        if item.must_fail:
            bugs.setdefault(item.name.split("@")[1], []).append(item)
    if not bugs:
        return []
    rows, times = [HEAD], []
    whole = 0
    for bug, its in bugs.items():
        cells, seconds = _row(bug, its, tests)
        rows.append(cells)
        times += [] if seconds is None else [seconds]
        whole += cells[2] == f"{len(its)}/{len(its)}"
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    median = f", within {statistics.median(times):.1f} s in the median" if times else ""
    return [*lines, f"score: {whole} of {len(bugs)} bugs killed by every subtest that claims "
                    f"to{median}"]
