# SPDX-License-Identifier: MIT
"""Finds complaints of the kernel in its log, as /dev/kmsg gives it."""

import re

# What a kernel writes when something of its own went wrong. A driver's plain
# error messages are not among these: bad input may well be answered by one.
SPLAT = re.compile(r"""
    WARNING:\ | BUG: | \bOops\b | KASAN: | KCSAN: | UBSAN: | KFENCE | ODEBUG: | DEBUG_LOCKS_WARN_ON
    | refcount_t: | list_(?:add|del)\ corruption | slab\ error | Bad\ page\ state
    | general\ protection | Unable\ to\ handle | unable\ to\ handle | Call\ Trace
    | possible\ circular\ locking | possible\ recursive\ locking | inconsistent\ lock\ state
    | suspicious\ RCU\ usage | bad\ unlock\ balance | held\ lock\ freed | lock\ held\ when
    | lockdep\ is\ turned\ off | [Ll]ock\ debugging\ due\ to
    | sleeping\ function\ called | scheduling\ while\ atomic | Invalid\ wait\ context
    | DMA-API:\ (?!preallocated|debugging\ enabled) | INFO:\ task\ .*\ blocked | soft\ lockup
    | self-detected\ stall | kmemleak:\ .*(?:suspected|disabled) | BUG\ kmalloc
    | Memory\ manager\ not\ clean | still\ has\ .*\ allocated | swiotlb\ buffer\ is\ full
    """, re.VERBOSE)

# "4,1234,5678901,-;text": 8 * facility + level, number, microseconds, flags. Lines
# that begin with a blank say what device the record is about.
RECORD = re.compile(r"^(\d+),(\d+),(\d+),[^;]*;(.*)")

# What WARN() writes around its report. Its message, if it has one, comes first.
CUT = "------------[ cut here ]------------"
END = re.compile(r"^---\[ end trace .*\]---$")


class Record:
    """One message."""

    def __init__(self, line):
        match = RECORD.match(line)
        if not match:
            raise ValueError(f"this is no record of /dev/kmsg: {line!r}")
        self.number = int(match[2])
        # Facility 0 is the kernel. Programs write with another, and may say anything.
        self.ours = int(match[1]) < 8
        self.seconds = int(match[3]) / 1e6
        self.text = match[4]

    def __str__(self):
        return f"[{self.seconds:12.6f}] {self.text}"


def records(data):
    """The records in @data, whole lines of /dev/kmsg."""
    return [Record(line) for line in data.splitlines() if line and not line.startswith(" ")]


def _complaint(log, allowed):
    """Number of the first of the records @log that is a complaint, or None."""
    skipping = False
    for number, record in enumerate(log):
        if not record.ours:
            continue
        if record.text == CUT:
            headline = next((r.text for r in log[number + 1:] if r.ours), "")
            skipping = headline in allowed
        elif skipping:
            skipping = not END.match(record.text)
        elif SPLAT.search(record.text) and record.text not in allowed:
            return number
    return None


def find(log, allowed=()):
    """Text of the first complaint in the records @log, or None.

    A text in @allowed is none, nor is a WARN() that begins with it.
    """
    number = _complaint(log, allowed)
    return None if number is None else log[number].text


def readable(log):
    """@log as dmesg shows it."""
    return "\n".join(map(str, log))


def excerpt(log, count, allowed=()):
    """The @count records of @log to look at first: a complaint, or else the end."""
    number = _complaint(log, allowed)
    start = len(log) - count if number is None else number - 2
    return readable(log[max(0, start):][:count])
