# SPDX-License-Identifier: MIT
"""results.json in the forms that other tools read: JUnit XML and KTAP."""

import re
from xml.etree import ElementTree

# What XML 1.0 cannot say, not even escaped.
UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _seconds(times):
    return times["end"] - times["start"]


def _text(test):
    """What there is to read about a subtest that has failed."""
    parts = [test["why"]]
    for title, key in (("output", "out"), ("kernel log", "dmesg")):
        if test[key]:
            parts.append(f"--- {title}\n{test[key]}")
    return UNSAYABLE.sub("?", "\n".join(parts))


def _by_test(document):
    """{test: {subtest: what became of it}}, without the "igt@" in front."""
    tests = {}
    for name, test in document["tests"].items():
        group, _, subtest = name.removeprefix("igt@").partition("@")
        tests.setdefault(group, {})[subtest] = test
    return tests


def _count(tests, verdict):
    return str(sum(test["verdict"] == verdict for test in tests))


def junit(document):
    """JUnit XML: a <testsuite> for each test, a <testcase> for each subtest."""
    root = ElementTree.Element("testsuites", name=document["name"])
    for group, subtests in _by_test(document).items():
        suite = ElementTree.SubElement(
            root, "testsuite", name=group, tests=str(len(subtests)), errors="0",
            failures=_count(subtests.values(), "failed"),
            skipped=_count(subtests.values(), "skipped"),
            time=f"{sum(_seconds(test['time']) for test in subtests.values()):.3f}")
        for name, test in subtests.items():
            case = ElementTree.SubElement(suite, "testcase", name=name,
                                          classname=f"{document['name']}.{group}",
                                          time=f"{_seconds(test['time']):.3f}")
            if test["verdict"] == "failed":
                failure = ElementTree.SubElement(case, "failure", type=test["result"],
                                                 message=UNSAYABLE.sub("?", test["why"]))
                failure.text = _text(test)
            elif test["verdict"] == "skipped":
                ElementTree.SubElement(case, "skipped", message=test["why"])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + \
        ElementTree.tostring(root, encoding="unicode") + "\n"


def _ktap_line(number, name, test):
    word = "not ok" if test["verdict"] == "failed" else "ok"
    directive = ""
    if test["verdict"] == "skipped":
        directive = f" # SKIP {test['why']}"
    elif test["result"] == "timeout":
        directive = " # TIMEOUT"
    return f"{word} {number} {name}{directive}"


def ktap(document):
    """KTAP version 1: a test for each test, with its subtests nested in it."""
    tests = _by_test(document)
    lines = ["KTAP version 1", f"1..{len(tests)}"]
    for number, (group, subtests) in enumerate(tests.items(), 1):
        lines += ["  KTAP version 1", f"  # Subtest: {group}", f"  1..{len(subtests)}"]
        for inner, (name, test) in enumerate(subtests.items(), 1):
            if test["verdict"] == "failed":
                lines += [f"  # {line}" for line in _text(test).splitlines()]
            lines.append("  " + _ktap_line(inner, name, test))
        failed = any(test["verdict"] == "failed" for test in subtests.values())
        lines.append(f"{'not ok' if failed else 'ok'} {number} {group}")
    return "\n".join(lines) + "\n"
