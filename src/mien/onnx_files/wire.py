"""Read protobuf messages without onnx, which takes longer to import than a recognizer to load.

Stricter than protobuf: what a reader may take in two ways (a message given in parts, groups) is
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

MOST_FIELDS = 1_000_000
"""A file with more fields is refused: those of the default models have about 10,000."""

Field = tuple[int, int | bytes | memoryview]
"""Number and value of a field; texts and messages are encoded."""

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


class Message:
    """One protobuf message: the values of its fields by number.

    Args:
        data: the encoded message.
        budget: a list with the number of fields that may still be read, shared by a whole file.

    Raises:
        ValueError: it is no protobuf message, or has too many fields.
    """

    def __init__(self, data: memoryview, budget: list[int]) -> None:
        self.size = len(data)
        self._budget = budget
        self._values: dict[int, list[int | memoryview]] = {}
        self.fields: list[tuple[int, int | memoryview]] = []
        for number, value in _fields(data):
            budget[0] -= 1
            if budget[0] < 0:
                raise ValueError("it has too many parts")
            self.fields.append((number, value))
            self._values.setdefault(number, []).append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._values

    def messages(self, number: int) -> list[Message]:
        """Return the messages in a repeated field."""
        return [Message(data, self._budget) for data in self.payloads(number)]

    def message(self, number: int) -> Message | None:
        """Return the message in a field, or None; a ValueError where it is given twice."""
        found = self.payloads(number)
        if len(found) > 1:
            raise ValueError("a part is given twice")
        return Message(found[0], self._budget) if found else None

    def texts(self, number: int) -> list[str]:
        """Return the texts in a repeated field."""
        return [bytes(data).decode("utf-8") for data in self.payloads(number)]

    def text(self, number: int) -> str:
        """Return the text in a field, empty without one; a ValueError where it is given twice."""
        found = self.texts(number)
        if len(found) > 1:
            raise ValueError("a part is given twice")
        return found[0] if found else ""

    def integers(self, number: int) -> list[int]:
        """Return the integers in a repeated field, packed or not."""
        found: list[int] = []
        for value in self._values.get(number, []):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = 0
            while at < len(value):
                packed, at = _varint(value, at)
                found.append(_signed(packed))
        return found

    def integer(self, number: int) -> int:
        """Return the integer in a field, 0 without one; a ValueError where it is given twice."""
        found = self.integers(number)
        if len(found) > 1:
            raise ValueError("a part is given twice")
        return found[0] if found else 0

    def data(self, number: int) -> bytes:
        """Return the bytes in a field, empty without any."""
        found = self.payloads(number)
        return bytes(found[0]) if len(found) == 1 else b""

    def payloads(self, number: int) -> list[memoryview]:
        """Return the texts or messages in a repeated field, encoded."""
        found = [value for value in self._values.get(number, []) if isinstance(value, memoryview)]
        if len(found) != len(self._values.get(number, [])):
            raise ValueError("a part has the wrong type")
        return found


def elements(tensor: Message) -> tuple[int, ...]:
    """Return the shape of an ONNX tensor, checked against the bytes that hold its elements.

    Raises:
        ValueError: the elements are in another file, or fewer than the shape states.
    """
    dims, data_type, external, location = 1, 2, 13, 14
    text = 8
    shape = tuple(tensor.integers(dims))
    if external in tensor or tensor.integer(location):
        raise ValueError("it refers to another file")
    if tensor.integer(data_type) == text or any(side < 0 for side in shape):
        raise ValueError("a stored tensor is malformed")
    # The smallest elements have four bits.
    if prod(shape) > 2 * tensor.size:
        raise ValueError("a stored tensor is smaller than its shape")
    return shape


def encoded(fields: Iterable[Field]) -> bytes:
    """Return a message with these fields: integers, and texts or messages that are encoded."""
    parts: list[bytes | memoryview] = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_as_varint(number << 3 | _VARINT), _as_varint(value)]
        else:
            parts += [_as_varint(number << 3 | _BYTES), _as_varint(len(value)), value]
    return b"".join(parts)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        start = at
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, start = _varint(data, at)
            at = start + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("it is damaged")
        if at > len(data) or not number:
            raise ValueError("it is damaged")
        yield number, data[start:at]


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise ValueError("it is damaged")


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
