# SPDX-License-Identifier: MIT
"""Judges subtests, prints them as they end, and writes results.json.

The file has the form that igt_runner gives it, so that tools which read that
understand it; "verdict" and "why" are ours.
"""

import collections
import fnmatch
import json
import os
import sys
import threading
import time

from . import plan, splat

IGT_RESULTS = ("pass", "fail", "skip", "crash", "timeout", "dmesg-warn", "dmesg-fail", "abort",
               "incomplete", "notrun", "warn")
COLOURS = {"pass": "\033[32m", "FAIL": "\033[31m", "skip": "\033[33m"}
EXCERPT = 40


def result_of(outcome):
    """igt_runner's word for an outcome."""
    if outcome.status is None:
        word = "timeout"
    elif outcome.status == 0:
        word = "pass"
    elif outcome.status == 77:
        word = "skip"
    elif outcome.status == 112:
        word = "abort"
    elif outcome.status > 128:
        word = "crash"
    else:
        word = "fail"
    if splat.find(outcome.log):
        word = "dmesg-warn" if word in ("pass", "skip") else "dmesg-fail"
    return word


def judge(item, outcome, skips):
    """("passed" or "failed" or "skipped", why) of a subtest."""
    complaint = splat.find(outcome.log)
    if complaint:
        return "failed", f"the kernel complained: {complaint}"
    if f"vshare: begin {item.name}" not in outcome.log:
        return "failed", "the kernel log overflowed, so a complaint may be lost"
    if outcome.status is None:
        return "failed", f"killed after {item.limit} s"
    if item.must_fail:
        if outcome.status == plan.IGT_FAILURE:
            return "passed", ""
        if outcome.status == 0:
            return "failed", "the bug survived: the subtest did not notice it"
        return "failed", f"exit status {outcome.status} where a failed assertion was expected"
    if outcome.status == 0:
        return "passed", ""
    if outcome.status == 77:
        for pattern, reason in skips:
            if fnmatch.fnmatchcase(item.name, pattern):
                return "skipped", reason
        return "failed", "skipped, but igt-tests/skips does not allow it on this lane"
    return "failed", f"exit status {outcome.status}"


class Results:
    """All subtests of a run. Used by several threads."""

    def __init__(self, lane, skips):
        self._lane = lane
        self._skips = skips
        self._tests = {}
        self._start = time.time()
        self._lock = threading.Lock()
        self._colour = sys.stdout.isatty()

    def outcome(self, item, outcome):
        """Record an outcome. True if the subtest did not fail."""
        verdict, why = judge(item, outcome, self._skips)
        result = result_of(outcome)
        if item.must_fail and verdict == "passed":
            result = "pass"
        elif verdict == "failed" and result in ("pass", "skip"):
            result = "fail"
        self._record(item.name, result, verdict, why, outcome.seconds, outcome.out,
                     outcome.err, outcome.log)
        return verdict != "failed"

    def failure(self, name, result, why, log=""):
        """Record a subtest that has no outcome of its own."""
        self._record(name, result, "failed", why, 0.0, "", "", log)

    def _record(self, name, result, verdict, why, seconds, out, err, log):
        with self._lock:
            old = self._tests.get(name)
            if old and (old["verdict"] == "failed" or verdict != "failed"):
                return      # steps that each boot repeats count once, and a failure sticks
            end = time.time()
            self._tests[name] = {
                "result": result, "verdict": verdict, "why": why,
                "time": {"__type__": "TimeAttribute", "start": end - seconds, "end": end},
                "out": out, "err": err, "dmesg": splat.readable(log),
            }
            self._print(name, verdict, why, seconds)
            if verdict == "failed":
                self._print_block("output", "\n".join((out + err).splitlines()[-EXCERPT:]))
                self._print_block("kernel log", splat.excerpt(log, EXCERPT))
            sys.stdout.flush()

    def _print(self, name, verdict, why, seconds):
        word = {"passed": "pass", "failed": "FAIL", "skipped": "skip"}[verdict]
        if self._colour:
            word = f"{COLOURS[word]}{word}\033[0m"
        print(f"{word}  {name}  {seconds:.2f}s{'  ' + why if why else ''}")

    @staticmethod
    def _print_block(title, text):
        if text:
            print(f"    --- {title}")
            for line in text.splitlines():
                print(f"    {line}")

    def counts(self):
        count = collections.Counter(test["verdict"] for test in self._tests.values())
        return count["passed"], count["failed"], count["skipped"]

    def write(self, path, uname):
        """Write results.json to @path."""
        totals = {}
        for name, test in self._tests.items():
            for key in ("", "root", "igt@" + name.split("@")[0]):
                total = totals.setdefault(key, dict.fromkeys(IGT_RESULTS, 0))
                total[test["result"]] += 1
        passed, failed, skipped = self.counts()
        document = {
            "__type__": "TestrunResult",
            "results_version": 10,
            "name": f"vshare-{self._lane}",
            "uname": uname,
            "time_elapsed": {"__type__": "TimeAttribute", "start": self._start,
                             "end": time.time()},
            "tests": {f"igt@{name}": test for name, test in sorted(self._tests.items())},
            "totals": totals,
            "verdicts": {"passed": passed, "failed": failed, "skipped": skipped},
        }
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
        os.replace(path + ".new", path)
