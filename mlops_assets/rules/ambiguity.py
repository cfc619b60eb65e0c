"""Whether a backtracking matcher can need exponential time for a pattern.

A pattern is exponentially ambiguous exactly if its automaton has a state to which the same text leads
back along two different paths (Weber and Seidl 1991, criterion EDA). Java backtracks, Rust does not; a
pattern that is free of this is safe on both.
"""

import re._constants as sre  # type: ignore[import-not-found]
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
_LAST = 0x10FFFF
_MAX_EDGES = 250
_MANY = 4  # repetitions with a greater limit are treated as unbounded
_CATEGORIES: dict[Any, Ranges] = {
    sre.CATEGORY_DIGIT: ((48, 57),),
    sre.CATEGORY_SPACE: ((9, 13), (32, 32)),
    sre.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
}


def is_ambiguous(parsed: Iterable[tuple[Any, Any]]) -> bool:
    """Whether some text can take time exponential in its length; also True if that is too costly to decide."""
    loops = [value for op, value in _nested(parsed) if op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and value[1] > 1]
    return any(_loop_is_ambiguous(body) for _, high, body in loops if high > _MANY and _varies(body))


def _nested(parsed: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, Any]]:
    for op, value in parsed:
        yield op, value
        for inner in _inner(op, value):
            yield from _nested(inner)


def _inner(op: Any, value: Any) -> list[Any]:
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        return [value[2]]
    if op is sre.BRANCH:
        return list(value[1])
    return [value[3]] if op is sre.SUBPATTERN else []


def _varies(body: Iterable[tuple[Any, Any]]) -> bool:
    return any(op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.BRANCH) for op, _ in _nested(body))


class _Automaton:
    """Position automaton (Glushkov) of a loop's body repeated: one state per character class of the pattern.

    `follow` lists a state once for every way of reaching it: a loop directly in a loop counts as two paths.
    `two_empties` says that some part can match the empty string in two ways.
    """

    def __init__(self) -> None:
        self.classes: list[Ranges] = []
        self.two_empties = False
        self.follow: dict[int, list[int]] = defaultdict(list)

    def state(self, ranges: Ranges) -> int:
        self.classes.append(ranges)
        return len(self.classes) - 1

    def link(self, last: list[int], first: list[int]) -> None:
        for state in last:
            self.follow[state].extend(first)

    def sequence(self, parsed: Iterable[tuple[Any, Any]]) -> tuple[list[int], list[int], bool]:
        first: list[int] = []
        last: list[int] = []
        empty = True
        for op, value in parsed:
            f, la, e = self.part(op, value)
            self.link(last, f)
            first = first + f if empty else first
            last = last + la if e else la
            empty = empty and e
        return first, last, empty

    def part(self, op: Any, value: Any) -> tuple[list[int], list[int], bool]:
        if op is sre.AT:
            return [], [], True
        if op is sre.BRANCH:
            parts = [self.sequence(branch) for branch in value[1]]
            self.two_empties |= sum(part[2] for part in parts) > 1
            return (
                [s for p in parts for s in p[0]],
                [s for p in parts for s in p[1]],
                any(p[2] for p in parts),
            )
        if op is sre.SUBPATTERN:
            return self.sequence(value[3])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self.repeat(*value)
        state = self.state(_ranges(op, value))
        return [state], [state], False

    def repeat(self, low: int, high: Any, body: Any) -> tuple[list[int], list[int], bool]:
        unbounded = high is sre.MAXREPEAT
        copies = max(low, 1) if unbounded else int(high)
        optional = [i >= low for i in range(copies)]
        first, last, empty = list[int](), list[int](), True
        for may_skip in optional:
            f, la, e = self.sequence(body)
            self.two_empties |= e and may_skip
            self.link(last, f)
            first = first + f if empty else first
            last = last + la if e or may_skip else la
            empty = empty and (e or may_skip)
            if unbounded and may_skip is optional[-1]:
                tail = (f, la)
        if unbounded:
            self.link(tail[1], tail[0])
        return first, last, empty


def _ranges(op: Any, value: Any) -> Ranges:
    if op is sre.LITERAL:
        return ((value, value),)
    if op is sre.NOT_LITERAL:
        return _complement(((value, value),))
    if op is sre.ANY:
        return _complement(((10, 10),))
    members = tuple(r for kind, item in value if kind is not sre.NEGATE for r in _member(kind, item))
    return _complement(members) if value[0][0] is sre.NEGATE else members


def _member(kind: Any, item: Any) -> Ranges:
    if kind is sre.RANGE:
        return (item,)
    if kind is sre.LITERAL:
        return ((item, item),)
    known = _CATEGORIES.get(item)
    return known or _complement(_CATEGORIES[_OPPOSITE[item]])


_OPPOSITE = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}


def _complement(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = max(start, high + 1)
    return (*gaps, (start, _LAST)) if start <= _LAST else tuple(gaps)


def _loop_is_ambiguous(body: Any) -> bool:
    automaton = _Automaton()
    first, last, _ = automaton.sequence(body)
    automaton.link(last, first)
    if automaton.two_empties or any(len(set(after)) < len(after) for after in automaton.follow.values()):
        return True
    return _two_paths(automaton)


def _two_paths(automaton: _Automaton) -> bool:
    """Whether a pair of different states is reached from one state, and reaches it again, on the same text."""
    states = range(len(automaton.classes))
    if sum(len(after) for after in automaton.follow.values()) > _MAX_EDGES:
        return True
    meets = {(a, b): _overlap(automaton.classes[a], automaton.classes[b]) for a in states for b in states}
    forward: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    backward: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for a, b in meets:
        for pair in ((x, y) for x in automaton.follow[a] for y in automaton.follow[b] if meets[x, y]):
            forward[a, b].add(pair)
            backward[pair].add((a, b))
    diagonal = {(s, s) for s in states}
    both = _reach(diagonal, forward) & _reach(diagonal, backward)
    return any(a != b for a, b in both)


def _reach(start: set[tuple[int, int]], edges: dict[tuple[int, int], set[tuple[int, int]]]) -> set[tuple[int, int]]:
    seen, todo = set(start), list(start)
    while todo:
        for pair in edges[todo.pop()] - seen:
            seen.add(pair)
            todo.append(pair)
    return seen


def _overlap(first: Ranges, second: Ranges) -> bool:
    return any(a <= d and c <= b for a, b in first for c, d in second)
