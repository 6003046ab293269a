# SPDX-License-Identifier: MIT
"""Finds complaints of the kernel in its log."""

import re

# What a kernel writes when something of its own went wrong. A driver's plain
# error messages are not among these: bad input may well be answered by one.
SPLAT = re.compile(r"""
    WARNING:\ | BUG: | \bOops\b | KASAN: | KCSAN: | UBSAN: | KFENCE
    | refcount_t: | list_(?:add|del)\ corruption | slab\ error | Bad\ page\ state
    | general\ protection | Unable\ to\ handle | unable\ to\ handle | Call\ Trace
    | possible\ circular\ locking | possible\ recursive\ locking | inconsistent\ lock\ state
    | suspicious\ RCU\ usage | bad\ unlock\ balance | held\ lock\ freed | lock\ held\ when
    | sleeping\ function\ called | scheduling\ while\ atomic
    | DMA-API:\ (?!preallocated|debugging\ enabled) | INFO:\ task\ .*\ blocked | soft\ lockup | self-detected\ stall
    | kmemleak:\ .*(?:suspected|disabled) | BUG\ kmalloc | Memory\ manager\ not\ clean | still\ has\ .*\ allocated | swiotlb\ buffer\ is\ full
    """, re.VERBOSE)

# "<5>[    1.234567] text": the number is 8 * facility + level, and facility 0 is
# the kernel. Programs write to the log with another one, and may say anything.
LINE = re.compile(r"^<(\d+)>(.*)")


def _complaint(lines):
    """Number of the first of @lines that is a complaint of the kernel, or None."""
    ours = True
    for number, line in enumerate(lines):
        match = LINE.match(line)
        if match:
            ours = int(match[1]) < 8
        if ours and SPLAT.search(line):
            return number
    return None


def find(log):
    """The first complaint in the raw kernel log @log, or None."""
    lines = log.splitlines()
    number = _complaint(lines)
    if number is None:
        return None
    return re.sub(r"^(<\d+>)?\[ *[\d.]+\] *", "", lines[number])


def readable(log):
    """@log as dmesg shows it."""
    return "\n".join(LINE.sub(r"\2", line) for line in log.splitlines())


def excerpt(log, count):
    """The @count lines of @log to look at first: a complaint, or else the end."""
    lines = log.splitlines()
    number = _complaint(lines)
    start = len(lines) - count if number is None else number - 2
    return readable("\n".join(lines[max(0, start):][:count]))
