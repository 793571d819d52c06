"""Many numbers in little room: enough to tell any quantile within one percent, and to add up sketches.

Each number falls into a bucket whose bounds grow by a constant factor, as in DDSketch (Masson, Rim and Lee,
2019). A quantile is answered from the bucket that holds it, so it is off by at most `ERROR` of its own size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

ERROR = 0.01
SMALLEST, LARGEST = 1e-300, 1e300
"""Magnitudes the promise holds for: what is smaller counts as zero, larger must not come."""
_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_MIDDLE = math.log(2 / (_GAMMA + 1))


@dataclass(frozen=True, slots=True)
class Sketch:
    """How many numbers fell into each bucket. Equal for the same numbers in whatever order."""

    positive: Mapping[int, int] = field(default_factory=dict)
    negative: Mapping[int, int] = field(default_factory=dict)
    zeros: int = 0

    @classmethod
    def of(cls, values: Iterable[float], times: int = 1) -> Sketch:
        """A sketch of numbers, each counted so many times."""
        positive: Counter[int] = Counter()
        negative: Counter[int] = Counter()
        zeros = 0
        for value in values:
            if value >= SMALLEST:
                positive[_bucket(value)] += times
            elif value <= -SMALLEST:
                negative[_bucket(-value)] += times
            else:
                zeros += times
        return cls(dict(positive), dict(negative), zeros)

    def __add__(self, other: Sketch) -> Sketch:
        positive = dict(Counter(self.positive) + Counter(other.positive))
        negative = dict(Counter(self.negative) + Counter(other.negative))
        return Sketch(positive, negative, self.zeros + other.zeros)

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return sum(self.positive.values()) + sum(self.negative.values()) + self.zeros

    def at_rank(self, rank: int) -> float:
        """The number at a rank, 1 for the smallest, within ERROR of its size. Raises ValueError beyond the last."""
        for value, many in self._ascending():
            rank -= many
            if rank <= 0:
                return value
        raise ValueError("there are not so many numbers")

    def _ascending(self) -> Iterator[tuple[float, int]]:
        for bucket in sorted(self.negative, reverse=True):
            yield -_value(bucket), self.negative[bucket]
        if self.zeros:
            yield 0.0, self.zeros
        for bucket in sorted(self.positive):
            yield _value(bucket), self.positive[bucket]

    def dump(self) -> bytes:
        """As bytes, two or three for each bucket that holds something."""
        parts = [_varint(self.zeros)]
        for side in (self.positive, self.negative):
            parts.append(_varint(len(side)))
            before = 0
            for bucket in sorted(side):
                parts += (_varint(_zigzag(bucket - before)), _varint(side[bucket]))
                before = bucket
        return b"".join(parts)

    @classmethod
    def load(cls, data: bytes) -> Sketch:
        """What `dump` wrote. Raises ValueError for anything else."""
        numbers = _varints(data)
        try:
            zeros = next(numbers)
            positive, negative = _side(numbers), _side(numbers)
        except StopIteration:
            raise ValueError("a sketch that is cut short") from None
        return cls(positive, negative, zeros)


def _bucket(value: float) -> int:
    return math.ceil(math.log(value) / _LOG_GAMMA)


def _value(bucket: int) -> float:
    """The number whose distance to both ends of a bucket is the same share of them."""
    return math.exp(bucket * _LOG_GAMMA + _MIDDLE)


def _side(numbers: Iterator[int]) -> dict[int, int]:
    side, bucket = {}, 0
    for _ in range(next(numbers)):
        bucket += _unzigzag(next(numbers))
        side[bucket] = next(numbers)
    return side


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _unzigzag(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that more follow."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _varints(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield number
            number = shift = 0
