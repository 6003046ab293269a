# SPDX-License-Identifier: MIT
"""Judges subtests, prints them as they end, and writes files about them.

results.json has the form that igt_runner gives it, so that tools which read that
understand it; "verdict" and "why" are ours. The others are made from it.
"""

import collections
import json
import os
import sys
import threading
import time

from . import formats, splat

IGT_RESULTS = ("pass", "fail", "skip", "crash", "timeout", "dmesg-warn", "dmesg-fail", "abort",
               "incomplete", "notrun", "warn")
COLOURS = {"pass": "\033[32m", "FAIL": "\033[31m", "skip": "\033[33m"}
EXCERPT = 40

# Exit status of a libigt test whose assertion failed.
IGT_FAILURE = 98


def result_of(outcome, messages=()):
    """igt_runner's word for an outcome."""
    if not outcome.ran:
        return "notrun"
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
    if splat.find(outcome.log, messages):
        word = "dmesg-warn" if word in ("pass", "skip") else "dmesg-fail"
    return word


def judge(item, outcome, expected, lockdep):
    """("passed" or "failed" or "skipped", why) of a subtest.

    @expected: the Expectations of the lane
    @lockdep: has the lane's kernel a lock checker, which has to be alive?
    """
    complaint = splat.find(outcome.log, expected.messages)
    if outcome.lost:
        return "failed", "the kernel log overflowed, so a complaint may be lost"
    if item.must_fail:
        return _judge_bug(item, outcome, complaint)
    if complaint:
        return "failed", f"the kernel complained: {complaint}"
    if lockdep and outcome.lockdep != "1":
        return "failed", "the lock checker (lockdep) has switched itself off"
    if not outcome.ran:
        return "failed", f"the test ended with status {outcome.status} without running it"
    if outcome.status is None:
        return "failed", f"killed after {outcome.seconds:.0f} s"
    reason = expected.skip(item.name)
    if outcome.status == 0 and reason:
        return "failed", f"ran, but was expected to skip: {reason}"
    if outcome.status == 0:
        return "passed", ""
    if outcome.status == 77 and reason:
        return "skipped", reason
    if outcome.status == 77:
        return "failed", "skipped, but igt-tests/expect does not say so for this lane"
    return "failed", f"exit status {outcome.status}"


def _judge_bug(item, outcome, complaint):
    """A deliberate bug: has it been noticed the way it should?"""
    if item.complaint:
        first, *rest = (text.strip() for text in item.complaint.split("&"))
        if not complaint:
            return "failed", f"the bug survived: the kernel did not say '{first}'"
        report = splat.readable(outcome.log)
        if first in complaint and all(text in report for text in rest):
            return "passed", ""
        return "failed", f"the kernel complained, but of something else: {complaint}"
    if complaint:
        return "failed", f"the kernel complained: {complaint}"
    if outcome.ran and outcome.status == IGT_FAILURE:
        return "passed", ""
    if outcome.ran and outcome.status == 0:
        return "failed", "the bug survived: the subtest did not notice it"
    return "failed", f"exit status {outcome.status} where a failed assertion was expected"


class Results:
    """All subtests of a run. Used by several threads."""

    def __init__(self, lane, expected, progress):
        self._lane = lane
        self._expected = expected
        self._progress = progress
        self._tests = {}
        self._start = time.time()
        self._lock = threading.Lock()
        self._colour = sys.stdout.isatty()

    def outcome(self, item, outcome):
        """Record an outcome. True if the subtest did not fail."""
        verdict, why = judge(item, outcome, self._expected, "lockdep" in self._lane.watch)
        result = result_of(outcome, self._expected.messages)
        if item.must_fail and verdict == "passed":
            result = "pass"
        elif verdict == "failed" and result in ("pass", "skip"):
            result = "fail"
        self._record(item.name, result, verdict, why, outcome.seconds, outcome.out, outcome.log)
        return verdict != "failed"

    def complaint(self, log):
        """The first complaint in a kernel log that belongs to no subtest, or None."""
        return splat.find(log, self._expected.messages)

    def failure(self, name, result, why, out="", log=()):
        """Record a subtest that has no outcome of its own."""
        self._record(name, result, "failed", why, 0.0, out, log)

    def _record(self, name, result, verdict, why, seconds, out, log):
        with self._lock:
            old = self._tests.get(name)
            if old and (old["verdict"] == "failed" or verdict != "failed"):
                return      # steps that each boot repeats count once, and a failure sticks
            end = time.time()
            self._tests[name] = {
                "result": result, "verdict": verdict, "why": why,
                "time": {"__type__": "TimeAttribute", "start": end - seconds, "end": end},
                "out": out, "err": "", "dmesg": splat.readable(log),
            }
            self._progress.clear()
            self._print(name, verdict, why, seconds)
            if verdict == "failed":
                self._print_block("output", "\n".join(out.splitlines()[-EXCERPT:]))
                self._print_block("kernel log", splat.excerpt(log, EXCERPT,
                                                                self._expected.messages))
            sys.stdout.flush()
            self._progress.ended(name)

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
        """(passed, failed, skipped)"""
        count = collections.Counter(test["verdict"] for test in self._tests.values())
        return count["passed"], count["failed"], count["skipped"]

    def tests(self):
        """{name: what became of it}"""
        return dict(self._tests)

    def write(self, directory, uname):
        """Write results.json, .xml (JUnit) and .ktap to @directory."""
        document = self.document(uname)
        path = os.path.join(directory, "results")
        _write(f"{path}.json", json.dumps(document, indent=1) + "\n")
        _write(f"{path}.xml", formats.junit(document))
        _write(f"{path}.ktap", formats.ktap(document))
        self._progress.clear()

    def document(self, uname):
        """What results.json has in it."""
        totals = {}
        for name, test in self._tests.items():
            for key in ("", "root", "igt@" + name.split("@")[0]):
                total = totals.setdefault(key, dict.fromkeys(IGT_RESULTS, 0))
                total[test["result"]] += 1
        passed, failed, skipped = self.counts()
        return {
            "__type__": "TestrunResult",
            "results_version": 10,
            "name": f"vshare-{self._lane.name}",
            "uname": uname,
            "time_elapsed": {"__type__": "TimeAttribute", "start": self._start,
                             "end": time.time()},
            "tests": {f"igt@{name}": test for name, test in sorted(self._tests.items())},
            "totals": totals,
            "verdicts": {"passed": passed, "failed": failed, "skipped": skipped},
        }


def _write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)
