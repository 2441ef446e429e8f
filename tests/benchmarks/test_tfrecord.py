"""TFRecord files: framing and checksums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from official_files import frame

from nas.benchmarks import tfrecord
from nas.benchmarks.tfrecord import crc32c, first_record, records
from nas.errors import NasError

PARTS = [bytes([i % 251]) * (i % 40) + b"end" for i in range(300)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.tfrecord"
    path.write_bytes(b"".join(map(frame, PARTS)))
    return path


def test_checksums_of_published_examples() -> None:
    """RFC 3720, section B.4, and the usual check value."""
    examples = {
        b"123456789": 0xE3069283,
        b"\0" * 32: 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
        bytes(range(31, -1, -1)): 0x113FDB5C,
        b"": 0,
        b"a": 0xC1D04330,
        b"abc": 0x364B3FB7,
    }
    assert crc32c(list(examples)).tolist() == list(examples.values())


def test_all_records_come_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "_BATCH", 7)  # 300 is no multiple of it
    assert [part for batch in records(file) for part in batch] == PARTS


def test_the_first_record(file: Path, tmp_path: Path) -> None:
    assert first_record(file) == PARTS[0]
    (tmp_path / "other").write_bytes(b"text that is long enough to be a header")
    assert first_record(tmp_path / "other") == b""
    assert first_record(tmp_path / "absent") == b""
    (tmp_path / "short").write_bytes(b"abc")
    assert first_record(tmp_path / "short") == b""


def test_every_altered_byte_is_found(tmp_path: Path) -> None:
    whole = b"".join(map(frame, (b"first record", b"second", b"third record")))
    path = tmp_path / "data.tfrecord"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(NasError, match=r"data\.tfrecord: .*record \d"):
            list(records(path))


def test_every_truncation_is_found(tmp_path: Path) -> None:
    parts = (b"first record", b"second")
    whole = b"".join(map(frame, parts))
    path = tmp_path / "data.tfrecord"
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        if size == len(frame(parts[0])):
            continue  # the file of one record only
        with pytest.raises(NasError, match=r"data\.tfrecord: it is truncated, in record \d"):
            list(records(path))


def test_a_great_length_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.tfrecord"
    path.write_bytes(np.uint64(1 << 60).tobytes() + b"\0" * 100)
    with pytest.raises(NasError, match="length of 1152921504606846976"):
        list(records(path))


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="absent"):
        list(records(tmp_path / "absent"))
