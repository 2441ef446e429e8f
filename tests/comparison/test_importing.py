"""Files imported as tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.benchmarks.home import open_benchmark
from nas.comparison.importing import import_file
from nas.errors import NasError
from nas.progress import Silent

PLAIN = """# space: nas-bench-201
# benchmark: my-table
# problem: toy search=toy/valid_accuracy@5
architecture,toy/valid_accuracy@5
|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|,0.75
"""


@pytest.fixture
def plain(empty_home: Path, tmp_path: Path) -> Path:
    """A file in the plain format."""
    file = tmp_path / "some.csv"
    file.write_text(PLAIN)
    return file


def test_a_file_becomes_a_table(plain: Path, empty_home: Path) -> None:
    assert import_file(plain, progress=Silent()) == [empty_home / "my-table.table"]
    assert open_benchmark("my-table:toy").optimum == pytest.approx(0.75)


def test_a_name_of_ones_own(plain: Path, empty_home: Path) -> None:
    [path] = import_file(plain, name="other", progress=Silent())
    assert path.name == "other.table" and open_benchmark("other").name == "other:toy"


def test_another_table_is_not_overwritten(plain: Path, empty_home: Path) -> None:
    import_file(plain, progress=Silent())
    plain.write_text(PLAIN.replace("0.75", "0.5"))
    with pytest.raises(NasError, match="--force"):
        import_file(plain, progress=Silent())
    import_file(plain, force=True, progress=Silent())
    assert open_benchmark("my-table").optimum == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PLAIN[:-5], "truncated"),
        (PLAIN.replace("none", "nine"), "nine"),
        ("x,y\n1,2\n", "no benchmark"),
    ],
)
def test_what_cannot_be_read_leaves_nothing(
    plain: Path, empty_home: Path, content: str, reason: str
) -> None:
    plain.write_text(content)
    with pytest.raises(NasError, match=reason):
        import_file(plain, progress=Silent())
    assert not list(empty_home.glob("*"))


def test_no_such_file(empty_home: Path) -> None:
    with pytest.raises(NasError, match="no file or folder"):
        import_file("absent.pth", progress=Silent())
