"""Pickles read as data: by a machine of our own, that calls nothing but what a list allows.

Python's unpickler calls whatever a file names. This one knows numbers, text and containers; a name
in the file stands for what the caller's list says, or the file is refused before anything of it
runs. Keys must be plain, since Python's hash of deeply nested tuples overflows the stack; the memo
cannot be made larger than the file. Dictionaries can be handed over while the file is still being
read and be emptied then, so that files much larger than the memory can be read.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from typing import Any

from nas.errors import NasError

__all__ = ["Buffer", "NoData", "Rebuilt", "Unpickler", "require_plain"]

Buffer = bytes | mmap.mmap
"""Where a pickle lies: in memory, or in a file that is mapped into it."""

_KEYS = {str, int, float, bool, bytes, type(None)}
_WIDEST_GAP = 1 << 16
_LONGEST_NUMBER = 64
_INTERNED = 64
_double = struct.Struct(">d").unpack_from


class NoData(Exception):
    """Why a pickle is refused."""


class Rebuilt:
    """What a pickle makes empty first, and fills then."""

    def set_state(self, state: Any) -> None:
        """Take what it is filled with; raises `NoData` for what it cannot be."""
        raise NotImplementedError


class _Name:
    """A name in a pickle, and what stands in for it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make


class Unpickler:
    """Reads the pickles of a buffer, one after another.

    Args:
        data: Where they lie.
        allowed: `module.name` -> what is called in its place.
        where: Name of the file, for messages.
        at: Where the first one starts.
        filled: Called with a dictionary each time items were put into it. It may empty it.
    """

    def __init__(
        self,
        data: Buffer,
        allowed: Mapping[str, Callable[..., Any]],
        where: str,
        at: int = 0,
        filled: Callable[[dict[Any, Any]], None] | None = None,
    ) -> None:
        self.at = at
        self._data, self._allowed, self._where, self._filled = data, allowed, where, filled
        self._texts: dict[str, str] = {}
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: list[Any] = []

    def load(self) -> Any:
        """Read the next pickle.

        Raises:
            NasError: That names the file and what it asks for, or where it is damaged.
        """
        self._stack, self._marks, self._memo = [], [], []
        try:
            return self._run()
        except NoData as error:
            reason = str(error)
        except (IndexError, struct.error):
            reason = "it is truncated" if self.at + 9 > len(self._data) else "it is damaged"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"it is damaged ({type(error).__name__}: {error})".splitlines()[0]
        raise NasError(f"{self._where}: {reason:.200}")

    def _run(self) -> Any:
        """Do one operation after another; the commonest ones here, for speed."""
        data, at, stack, memo = self._data, self.at, self._stack, self._memo
        while True:
            self.at = at
            code = data[at]
            at += 1
            if code == 0x47:  # BINFLOAT
                stack.append(_double(data, at)[0])
                at += 8
            elif code == 0x4B:  # BININT1
                stack.append(data[at])
                at += 1
            elif code == 0x94:  # MEMOIZE
                memo.append(stack[-1])
            elif code == 0x68:  # BINGET
                stack.append(memo[data[at]])
                at += 1
            elif code == 0x6A:  # LONG_BINGET
                stack.append(memo[int.from_bytes(data[at : at + 4], "little")])
                at += 4
            elif code == 0x2E:  # STOP
                self.at = at
                return stack.pop()
            else:
                operation = _OPERATIONS.get(code)
                if operation is None:
                    raise NoData(f"it is no pickle of data (operation {code:#04x})")
                self.at = at
                operation(self)
                at, stack = self.at, self._stack

    # -- what operations share ----------------------------------------------------------------

    def _take(self, n: int) -> bytes:
        part = self._data[self.at : self.at + n]
        if len(part) < n:
            raise NoData("it is truncated")
        self.at += n
        return part

    def _number(self, n: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(n), "little", signed=signed)

    def _line(self, encoding: str = "ascii") -> str:
        end = self._data.find(b"\n", self.at)
        if end < 0:
            raise NoData("it is truncated")
        line = self._data[self.at : end]
        self.at = end + 1
        return line.decode(encoding)

    def _marked(self) -> list[Any]:
        """Return what lies above the last mark."""
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _put(self, index: int) -> None:
        memo = self._memo
        if index > len(memo) + _WIDEST_GAP:
            raise NoData(f"it is damaged (entry {index} of its memo)")
        memo.extend([None] * (index + 1 - len(memo)))
        memo[index] = self._stack[-1]

    def _text(self, n: int) -> None:
        text = str(self._take(n), "utf-8", "surrogatepass")
        # the same short texts come again in every architecture
        self._stack.append(self._texts.setdefault(text, text) if n < _INTERNED else text)

    def _name(self, module: str, name: str) -> None:
        make = self._allowed.get(f"{module}.{name}")
        if make is None:
            raise NoData(f"it asks for '{module}.{name}', which is no data; nothing of it was run")
        self._stack.append(_Name(make))

    def _call(self, arguments: Any) -> None:
        name = self._stack.pop()
        if type(name) is not _Name or type(arguments) is not tuple:
            raise NoData("it calls what has no name; nothing of it was run")
        self._stack.append(name.make(*arguments))

    def _set_items(self, items: list[Any]) -> None:
        target, keys = self._stack[-1], items[::2]
        if type(target) is not dict or len(items) % 2:
            raise NoData("it sets items of what is no dictionary")
        require_plain(keys)
        target.update(zip(keys, items[1::2], strict=True))
        if self._filled:
            self._filled(target)

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise NoData("it appends to what is no list")
        target.extend(items)

    # -- operations ---------------------------------------------------------------------------

    def _protocol(self) -> None:
        if self._number(1) > 5:
            raise NoData("it has a protocol of pickling newer than 5")

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise NoData("it is damaged (a name that is no text)")
        self._name(module, name)

    def _build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if not isinstance(target, Rebuilt):
            raise NoData("it changes an object that is no data")
        target.set_state(state)

    def _add_items(self) -> None:
        items, target = self._marked(), self._stack[-1]
        if type(target) is not set:
            raise NoData("it adds to what is no set")
        target.update(require_plain(items))

    def _pairs(self) -> None:
        items = self._marked()
        self._stack.append({})
        self._set_items(items)

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value])

    def _tuple(self, n: int) -> None:
        items = tuple(self._stack[-n:])
        if len(items) < n:
            raise NoData("it is damaged (too few items of a tuple)")
        self._stack[-n:] = [items]

    def _integer(self, n: int) -> None:
        if n > _LONGEST_NUMBER:
            raise NoData(f"it is damaged (a number of {n} bytes)")
        self._stack.append(self._number(n, signed=True))

    def _integer_line(self) -> None:
        text, booleans = self._line().rstrip("L"), {"00": False, "01": True}
        if len(text) > 2 * _LONGEST_NUMBER:
            raise NoData(f"it is damaged (a number of {len(text)} digits)")
        self._stack.append(booleans[text] if text in booleans else int(text))

    def _pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._marked()


def require_plain(keys: list[Any]) -> list[Any]:
    """Return keys that can be hashed at no risk: no tuples in tuples."""
    if not _KEYS.issuperset(map(type, keys)):
        for key in keys:
            parts = key if type(key) is tuple else (key,)
            if not _KEYS.issuperset(map(type, parts)):
                raise NoData("it has keys that are neither text nor numbers")
    return keys


Operation = Callable[[Unpickler], object]


def _collect(make: Callable[[list[Any]], Any]) -> Operation:
    def operation(machine: Unpickler) -> None:
        items = machine._marked()  # which changes the stack
        machine._stack.append(make(items))

    return operation


def _push(value: Any) -> Operation:
    return lambda machine: machine._stack.append(value)


def _bytes(width: int) -> Operation:
    return lambda machine: machine._stack.append(machine._take(machine._number(width)))


def _latin(width: int) -> Operation:
    return lambda machine: machine._stack.append(
        machine._take(machine._number(width)).decode("latin-1")
    )


_OPERATIONS: dict[int, Operation] = {
    ord("("): Unpickler._mark,
    ord("0"): Unpickler._pop,
    ord("1"): lambda m: m._marked(),
    ord("2"): lambda m: m._stack.append(m._stack[-1]),
    ord("F"): lambda m: m._stack.append(float(m._line())),
    ord("I"): Unpickler._integer_line,
    ord("L"): Unpickler._integer_line,
    ord("J"): lambda m: m._integer(4),
    ord("M"): lambda m: m._stack.append(m._number(2)),
    ord("N"): _push(None),
    ord("R"): lambda m: m._call(m._stack.pop()),
    ord("V"): lambda m: m._stack.append(m._line("raw-unicode-escape")),
    ord("X"): lambda m: m._text(m._number(4)),
    ord("T"): _latin(4),
    ord("U"): _latin(1),
    ord("B"): _bytes(4),
    ord("C"): _bytes(1),
    ord("a"): lambda m: m._append([m._stack.pop()]),
    ord("b"): Unpickler._build,
    ord("c"): lambda m: m._name(m._line(), m._line()),
    ord("d"): Unpickler._pairs,
    ord("}"): lambda m: m._stack.append({}),
    ord("e"): lambda m: m._append(m._marked()),
    ord("g"): lambda m: m._stack.append(m._memo[int(m._line())]),
    ord("l"): _collect(list),
    ord("]"): lambda m: m._stack.append([]),
    ord("p"): lambda m: m._put(int(m._line())),
    ord("q"): lambda m: m._put(m._number(1)),
    ord("r"): lambda m: m._put(m._number(4)),
    ord("s"): Unpickler._set_item,
    ord("t"): _collect(tuple),
    ord(")"): _push(()),
    ord("u"): lambda m: m._set_items(m._marked()),
    0x80: Unpickler._protocol,
    0x81: lambda m: m._call(m._stack.pop()),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    0x88: _push(True),
    0x89: _push(False),
    0x8A: lambda m: m._integer(m._number(1)),
    0x8B: lambda m: m._integer(m._number(4)),
    0x8C: lambda m: m._text(m._number(1)),
    0x8D: lambda m: m._text(m._number(8)),
    0x8E: _bytes(8),
    0x8F: lambda m: m._stack.append(set()),
    0x90: Unpickler._add_items,
    0x91: _collect(lambda items: frozenset(require_plain(items))),
    0x93: Unpickler._stack_global,
    0x95: lambda m: m._take(8),
    0x96: _bytes(8),
}
"""What a byte means (Python's `pickletools` describes them all); those that are not here, such as
persistent names and classes' instances, are no data."""
