"""Pickles read as data."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import Attack

from nas.benchmarks.unpickling import DATA, load_pickle
from nas.errors import NasError

SHARED = ["again", 1.5]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 255, 256, 65_535, 70_000, -70_000, 2**31, 2**40, -(2**70), 1.5,
    "", "text", "é\n\\ ☃", "long " * 100, b"", b"\x00\xff", b"x" * 300, [], [1], (), (1,), (1, 2),
    (1, 2, 3), (1, 2, 3, 4), {}, {1: 2}, {"a": {"b": [{}]}}, {("t", 777): 1.0}, set(), {1, 2},
    frozenset({3}), collections.OrderedDict([("b", 1), ("a", 2)]), [SHARED, SHARED],
    np.float64(2.5), np.int64(-7), np.bool_(True), {i: float(i) for i in range(2000)},
    list(range(3000)),
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_come_back(protocol: int) -> None:
    assert load_pickle(pickle.dumps(VALUES, protocol), DATA, "file") == VALUES


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        np.array(["ab", "c"]),
        np.zeros((0, 4), np.float32),
    ],
)
def test_arrays_come_back(protocol: int, array: np.ndarray[Any, Any]) -> None:
    found = np.asarray(load_pickle(pickle.dumps([array], protocol), DATA, "file")[0])
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_shared_objects_stay_shared() -> None:
    found = load_pickle(pickle.dumps([SHARED, SHARED]), DATA, "file")
    assert found[0] is found[1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_of_a_malicious_pickle_runs(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "OWNED"
    data = pickle.dumps({"data": [1.0, Attack(marker)]}, protocol)
    with pytest.raises(NasError, match=r"^file: it asks for '\w+\.system', which is no data"):
        load_pickle(data, DATA, "file")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("builtins.eval", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."),
        ("os.system", b"cos\nsystem\n(Vx\ntR."),
        ("numpy.core.multiarray.fromfile", b"cnumpy.core.multiarray\nfromfile\n."),
        ("builtins.getattr", b"cbuiltins\ngetattr\n."),
    ],
)
def test_forbidden_names_are_named(name: str, data: bytes) -> None:
    with pytest.raises(NasError, match=rf"^file: it asks for '{name}'"):
        load_pickle(data, DATA, "file")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02ccollections\nOrderedDict\n)R}Va\nK\x01sb.",  # sets attributes
        b"ccollections\nOrderedDict\n}V__call__\nK\x01sb.",  # changes what a name stands for
        b"(Vx\nios\nsystem\n.",  # INST
        b"\x80\x02\x82\x01.",  # EXT1: a registered extension
        b"Vx\nQ.",  # a persistent name
        b"VX\n)R.",  # calls a text
        b"\x80\x09.",
        b"(lp0\n" + b"r\xff\xff\xff\x7f" + b".",  # memo of 2^31 entries
        b"\x8b\xff\xff\xff\x7f" + b"1" * 1000 + b".",  # number of 2^31 bytes
        b"]K\x01K\x02s.",  # an item of a list
        b"}K\x01a.",  # appends to a dictionary
        b"h\x05.",
        b"garbage",
        b"t.",
        b"ccollections\nOrderedDict\n(K\x01K\x02tR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO8\nK\x00K\x01tRC\x01xtR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(Vf8\nK\x00K\x01tRVx\ntR.",
        b"cnumpy\ndtype\n(Vvoid\nK\x00K\x01tR.",
    ],
)
def test_what_is_no_data_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(NasError, match=r"^file: it [^\n]*$"):
        load_pickle(data, DATA, "file")


@pytest.mark.parametrize("size", [0, 1, 2, 10, 50, 200, 1000])
def test_truncated_pickles_are_refused(size: int) -> None:
    data = pickle.dumps(VALUES, 4)
    with pytest.raises(NasError, match=r"^file: it is truncated"):
        load_pickle(data[:size], DATA, "file")


def test_deeply_nested_tuples_are_no_keys() -> None:
    # hashing such a key in C overflows the stack: the process would die
    nested = b"}" + b")" + b"\x85" * 20_000 + b"K\x01s."
    with pytest.raises(NasError, match="keys"):
        load_pickle(nested, DATA, "file")
    in_a_set = b"\x80\x04\x8f()" + b"\x85" * 20_000 + b"\x90."
    with pytest.raises(NasError, match="keys"):
        load_pickle(in_a_set, DATA, "file")


def test_deep_nesting_elsewhere_is_read() -> None:
    found = load_pickle(b")" + b"\x85" * 20_000 + b".", DATA, "file")
    assert len(found) == 1


def test_lengths_beyond_the_file_take_no_memory() -> None:
    for data in (b"X\xff\xff\xff\xff", b"\x8e" + b"\xff" * 7 + b"\x7f", b"B\xff\xff\xff\xff"):
        with pytest.raises(NasError, match="truncated"):
            load_pickle(data + b"abc", DATA, "file")


def test_only_what_is_allowed_is_called() -> None:
    data = pickle.dumps(collections.OrderedDict(a=1))
    with pytest.raises(NasError, match="OrderedDict"):
        load_pickle(data, {}, "file")
    assert load_pickle(data, {"collections.OrderedDict": dict}, "file") == {"a": 1}
