"""The plain format: what a person writes is read, and what is wrong is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.plain import PlainReader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Silent

READER = PlainReader()
VALID, TEST = "cifar10/valid_accuracy@12", "cifar10/test_accuracy@50"
HEADER = f"""# space: nas-bench-macro
# benchmark: mine
# source: trained by us: 2024
# column: params note="of all layers"
# problem: cifar10 search={VALID} report={TEST} seconds=cifar10/train_seconds@12 costs=params
# problem: small search=params
"""
NAMES = f"params,architecture,{VALID},{VALID},{TEST},cifar10/train_seconds@12\n"
ROWS = """10,22212220,0.5,0.75,0.25,3.5
20, 11111111 ,0.5,,nan,4
30,"00000000",1,0,1,1e1
"""
TEXT = HEADER + NAMES + ROWS


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def arrays(**changes: Any) -> dict[str, Any]:
    """The same as an archive."""
    made: dict[str, Any] = {
        "space": "nas-bench-macro",
        "benchmark": np.array("mine"),
        "source": "trained by us: 2024",
        "column": ['params note="of all layers"'],
        "problem": [line.split(": ", 1)[1] for line in HEADER.splitlines() if "problem" in line],
        "architecture": ["22212220", "11111111", "00000000"],
        VALID: np.array([[0.5, 0.75], [0.5, np.nan], [1, 0]]),
        TEST: np.array([0.25, np.nan, 1]),
        "cifar10/train_seconds@12": np.array([3.5, 4, 10], np.float32),
        "params": np.array([10, 20, 30]),
    }
    made |= changes
    return {name: array for name, array in made.items() if array is not None}


def write_npz(folder: Path, **changes: Any) -> Path:
    np.savez(folder / "mine.npz", **arrays(**changes))
    return folder / "mine.npz"


def read(path: Path) -> TableData:
    return READER.read(path, Silent())


def refused(path: Path) -> str:
    with pytest.raises(NasError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 500
    return message


# -- what is read -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_both_kinds_give_the_same_table(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, TEXT) if kind == "csv" else write_npz(tmp_path)
    assert READER.recognises(path)
    data = read(path)
    assert (data.benchmark, data.space) == ("mine", "nas-bench-macro")
    assert data.source == f"{path.name}: trained by us: 2024"
    assert data.choices.tolist() == [[2, 2, 2, 1, 2, 2, 2, 0], [1] * 8, [0] * 8]
    columns = {column.name: column for column in data.columns}
    assert columns.keys() == {"params", VALID, TEST, "cifar10/train_seconds@12"}
    assert columns[VALID].seeds == 2 and columns[TEST].seeds == 1
    assert columns["params"].note == "of all layers" and not columns["params"].maximise
    for name, array in arrays().items():
        if name in columns:
            assert np.array_equal(data.arrays[name], array, equal_nan=True)
    assert [problem.name for problem in data.problems] == ["cifar10", "small"]


def test_it_becomes_a_benchmark(tmp_path: Path) -> None:
    write_table(read(write(tmp_path, TEXT)), tmp_path / "mine.table")
    table = Table(tmp_path / "mine.table")
    found = Benchmark(table, table.problems["cifar10"])
    measurement = found.measure(found.space.parse("22212220"))
    assert measurement.metrics == {"accuracy": 0.625, "test_accuracy": 0.25, "params": 10}
    assert measurement.seconds == 3.5
    assert found.optimum == 0.625
    assert Benchmark(table, table.problems["small"]).optimum == 10


def test_other_line_ends_a_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    whole = read(write(tmp_path, TEXT))
    for text in ("\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT + "\n\n"):
        assert read(write(tmp_path, text)).arrays[TEST].tolist()[::2] == [0.25, 1]
    assert len(whole.choices) == 3


def test_notations_with_commas_stand_in_quotes(tmp_path: Path) -> None:
    from nas import registry

    space = registry.get("search_spaces", "darts").factory()
    texts = [space.format(a) for a in space.sample(np.random.default_rng(0), 3)]
    assert all("," in text for text in texts)
    rows = "".join(f'"{text}",{i}\n' for i, text in enumerate(texts))
    header = "# space: darts\n# benchmark: d\n# problem: p search=params\narchitecture,params\n"
    data = read(write(tmp_path, header + rows))
    assert [space.format(a) for a in space.from_array(data.choices)] == texts


# -- what is not one --------------------------------------------------------------------------


def test_foreign_files_are_not_recognised(tmp_path: Path) -> None:
    for text in ("", "a,b\n1,2\n", "# benchmark: x\na,b\n", "a\n# space: x\n"):
        assert not READER.recognises(write(tmp_path, text))
    (tmp_path / "x.csv").write_bytes(bytes(range(256)))
    np.savez(tmp_path / "x.npz", x_train=np.zeros(3))
    (tmp_path / "y.npz").write_bytes(b"nonsense")
    for name in ("x.csv", "x.npz", "y.npz", "none.csv", "none.npz", ""):
        assert not READER.recognises(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# space: nas-bench-macro\n", "", "does not say its 'space'"),
        ("nas-bench-macro", "nas-bench-micro", "unknown search space 'nas-bench-micro'"),
        ("# benchmark: mine", "# benchmark: my/bench", "benchmark 'my/bench': a name has letters"),
        ("# benchmark: mine", "# bench: mine", "line 2: unknown key 'bench'. Did you mean"),
        ("# benchmark: mine", "# mine", "line 2: expected '# key: value', not '# mine'"),
        ("# benchmark: mine", "# architectures: 4\n# benchmark: mine", "has 3 architectures, but"),
        (",architecture,", ",arch,", "line 7: expected the columns' names, 'architecture' once"),
        ("params,arch", "architecture,arch", "'architecture' once"),
        ("10,22212220", "10,22212223", "line 8: layer 8 of '22212223' is '3'"),
        ("11111111", "22212220", "line 9: architecture '22212220' is there twice, also line 8"),
        ("0.75,", "", "line 8 has 5 fields; 6 are named"),
        ("0.75", "much", f"line 8: '{VALID}' is 'much'; expected a number"),
        ("0.75", "inf", f"line 8: '{VALID}' is infinite"),
        ("0.75", "75", f"line 8: '{VALID}' is"),
        ("10,222", "-inf,222", "line 8: 'params' is infinite"),
        (
            "search=params",
            "search=param",
            "unknown column of problem 'small' 'param'. Did you mean",
        ),
        ("# problem", "# source", "line 5: 'source' is there twice"),
        ('"of all layers"', '"of all', "No closing quotation"),
        ('"00000000"', '"00000000', "not a whole table in the plain format"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    assert old in TEXT
    assert message in refused(write(tmp_path, TEXT.replace(old, new, 1)))


def test_a_column_without_a_number(tmp_path: Path) -> None:
    text = TEXT.replace("0.25,3.5", ",3.5").replace("0,1,1e1", "0,,1e1")
    assert f"column '{TEST}' has no number at all" in refused(write(tmp_path, text))


@pytest.mark.parametrize("text", ["", "\n", HEADER, HEADER + NAMES, HEADER + "architecture\n"])
def test_no_architectures(text: str, tmp_path: Path) -> None:
    refused(write(tmp_path, text))


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    """Where a line is whole, only the number of architectures can tell."""
    counted = "# architectures: 3\n" + TEXT
    assert len(read(write(tmp_path, counted)).choices) == 3
    for length in [*range(0, len(counted), 4), len(counted) - 1]:
        refused(write(tmp_path, counted[:length]))
    assert "its last line has no end" in refused(write(tmp_path, TEXT[:-1]))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(TEXT.encode() + b"10,\xff\xfe,1,1,1,1\n")
    assert "not a whole table in the plain format" in refused(path)


# -- archives ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": None}, "has no array 'architecture'"),
        ({"space": None}, "does not say its 'space'"),
        ({"problem": None}, "has no 'problem', which says what a search sees"),
        ({"space": np.array(3)}, "'space' is int64 [1]; expected a list of texts"),
        ({"architecture": np.zeros((3, 2))}, "'architecture' is float64 [3, 2]"),
        ({"architecture": ["22212220", "3", "0"]}, "architecture[1]: '3' has 1 characters"),
        (
            {"architecture": ["22212220", "11111111", "22212220"]},
            "architecture[2]: architecture '22212220' is there twice, also architecture[0]",
        ),
        ({"params": np.arange(4)}, "'params' is int64 [4]; expected numbers [3]"),
        ({"params": np.array(3)}, "'params' is int64 []; expected numbers [3]"),
        ({"params": ["1", "2", "3"]}, "'params' is <U1 [3]; expected numbers [3]"),
        ({"params": np.array([{}, 1, 2], object)}, "Object arrays cannot be loaded"),
        ({VALID: np.full((3, 2), np.nan)}, f"column '{VALID}' has no number at all"),
        ({VALID: np.full((3, 2), 93.1)}, f"architecture[0]: '{VALID}' is [93.1 93.1]; shares lie"),
    ],
)
def test_archives_that_are_wrong(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert message in refused(write_npz(tmp_path, **changes))


def test_an_archive_that_is_cut_off(tmp_path: Path) -> None:
    whole = write_npz(tmp_path).read_bytes()
    path = tmp_path / "cut.npz"
    for length in range(100, len(whole), 97):
        path.write_bytes(whole[:length])
        assert READER.recognises(path)
        refused(path)


def test_it_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="is read from a file"):
        READER.read(None, Silent())
    for name in ("none.csv", "none.npz"):
        assert "there is no such file" in refused(tmp_path / name)
