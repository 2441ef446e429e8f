"""The notation of genotypes: read without evaluating anything, written as the papers do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.errors import NasError
from nas.search_spaces.cells.genotypes import (
    DARTS_GENOTYPES,
    NASNET_GENOTYPES,
    format_genotype,
    parse_genotype,
)
from nas.search_spaces.cells.network import Genotype

ALL = {**DARTS_GENOTYPES, **NASNET_GENOTYPES}
PAIRS = "[('skip_connect', 0), ('max_pool_3x3', 1)]"


def genotype(normal: str = PAIRS, concat: str = "[2]", rest: str = "") -> str:
    reduction = f"reduce={PAIRS}, reduce_concat=[2]"
    return f"Genotype(normal={normal}, normal_concat={concat}, {reduction}{rest})"


@pytest.mark.parametrize("name", ALL)
def test_parse_undoes_format(name: str) -> None:
    assert parse_genotype(format_genotype(ALL[name])) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_published_genotypes_are_possible(name: str) -> None:
    for pairs, concat in (ALL[name][:2], ALL[name][2:]):
        assert all(0 <= state < 2 + i // 2 for i, (_, state) in enumerate(pairs))
        assert sorted(concat) == concat and max(concat) == 1 + len(pairs) // 2


def test_format() -> None:
    pair = [("skip_connect", 0), ("max_pool_3x3", 1)]
    assert format_genotype(Genotype(pair, [2], pair, [2])) == genotype()


@pytest.mark.parametrize(
    "text",
    [
        genotype(),
        f"  {genotype()}\n",
        genotype(concat="range(2, 3)"),
        genotype(concat="(2,)"),
        genotype(normal="(('skip_connect', 0), ['max_pool_3x3', 1])"),
        genotype().replace(", ", ",\n    "),
        f"Genotype({PAIRS}, [2], {PAIRS}, [2])",
        f"Genotype({PAIRS}, [2], reduce_concat=[2], reduce={PAIRS})",
    ],
)
def test_ways_to_write_the_same(text: str) -> None:
    assert parse_genotype(text) == parse_genotype(genotype())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # not a genotype
        ("", "genotype: not readable"),
        (" \n", "genotype: not readable"),
        ("Genotype(", "genotype: not readable"),
        ("Genotype", "expected Genotype(normal=[...], ...)"),
        ("3", "expected Genotype(normal=[...], ...)"),
        ("[]", "expected Genotype(normal=[...], ...)"),
        ("genotypes.Genotype()", "expected Genotype(normal=[...], ...)"),
        ("Genotyp()", "unknown genotype notation 'Genotyp'. Did you mean 'Genotype'?"),
        (f"x = {genotype()}", "genotype: not readable"),
        (f"{genotype()}; {genotype()}", "genotype: not readable"),
        (f"{genotype()} or 1", "expected Genotype(normal=[...], ...)"),
        ("\0", "genotype: not readable"),
        ("\ud800", "genotype: not readable"),
        ("|nor_conv_3x3~0|+|none~0|none~1|", "genotype: not readable"),
        # fields
        ("Genotype()", "field 'normal' is missing"),
        (f"Genotype({PAIRS}, [2], {PAIRS})", "field 'reduce_concat' is missing"),
        (f"Genotype({PAIRS}, [2], {PAIRS}, [2], 3)", "5 fields; 4 are needed"),
        (genotype(rest=", extra=3"), "unknown field of Genotype 'extra'"),
        (genotype(rest=", normal=[]"), "5 fields; 4 are needed"),
        (genotype().replace("normal=", "norml="), "Did you mean 'normal'?"),
        (genotype(rest=", **{}"), "unknown field of Genotype '**'"),
        (f"Genotype(*[{PAIRS}, [2], {PAIRS}, [2]])", "is missing"),
        (f"Genotype(*x, [2], {PAIRS}, [2])", "normal is not a plain list"),
        # pairs
        (genotype("3"), "normal must hold (operation, state) pairs; got 3"),
        (genotype("'sep'"), "normal must hold (operation, state) pairs; got 'sep'"),
        (genotype("[3]"), "normal must hold (operation, state) pairs; got 3"),
        (genotype("['ab']"), "normal must hold (operation, state) pairs; got 'ab'"),
        (genotype("[('a', 0, 1)]"), "normal must hold (operation, state) pairs"),
        (genotype("[(0, 'a')]"), "normal must hold (operation, state) pairs"),
        (genotype("[('a', 0.0)]"), "normal must hold (operation, state) pairs"),
        (genotype("[('a', True)]"), "normal must hold (operation, state) pairs"),
        (genotype("[('a', None)]"), "normal must hold (operation, state) pairs"),
        (genotype(f"['{'a' * 9999}']"), "normal must hold (operation, state) pairs; got 'aaa"),
        (genotype("{('a', 0)}"), "normal must hold (operation, state) pairs"),
        (genotype("{'a': 0}"), "normal must hold (operation, state) pairs"),
        (genotype("{[]: 0}"), "normal is not a plain list"),
        (genotype("range(4)"), "normal must hold (operation, state) pairs; got 0"),
        (genotype("[('a', i) for i in range(4)]"), "normal is not a plain list"),
        (genotype("[('a', 0)] * 10**9"), "normal is not a plain list"),
        # states
        (genotype(concat="2"), "normal_concat must be a list of states; got 2"),
        (genotype(concat=f"['{'a' * 9999}']"), "normal_concat must be a list of states"),
        (genotype(concat="['2']"), "normal_concat must be a list of states"),
        (genotype(concat="[True]"), "normal_concat must be a list of states"),
        (genotype(concat="range(10**9)"), "normal_concat is not a plain list"),
        (genotype(concat="range(1000000000)"), "normal_concat is not a plain list"),
        (genotype(concat="range(2, 6, 2)"), "normal_concat is not a plain list"),
        (genotype(concat="range(-5, 6)"), "normal_concat is not a plain list"),
        (genotype(concat="range(2, stop=6)"), "normal_concat is not a plain list"),
        (genotype(concat="range()"), "normal_concat is not a plain list"),
        (genotype(concat="range(*[2, 6])"), "normal_concat is not a plain list"),
        (genotype(concat="list(range(2, 6))"), "normal_concat is not a plain list"),
        (genotype(concat="range(range(range(3)))"), "normal_concat is not a plain list"),
        (genotype(concat="9" * 5000), "not readable"),
    ],
)
def test_what_is_not_a_genotype(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        parse_genotype(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').system('touch {}')",
        "open('{}', 'w').close()",
        "[(open('{}', 'w').name, 0)]",
        "(lambda: open('{}', 'w'))()",
        "[('a', 0) for _ in [open('{}', 'w')]]",
        'f\'{{open("{}", "w")}}\'',
        "[x := open('{}', 'w')]",
        'exec(\'open("{}", "w")\')',
        "range(open('{}', 'w'))",
        "[('a', 0)][open('{}', 'w').fileno()]",
    ],
)
def test_code_does_not_run(code: str, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    for text in (
        genotype(code.format(target)),
        genotype(concat=code.format(target)),
        code.format(target),
        genotype(rest=f", extra={code.format(target)}"),
    ):
        with pytest.raises(NasError):
            parse_genotype(text)
    assert not target.exists()


@pytest.mark.parametrize(
    "deep",
    [
        "(" * 100_000,
        "[" * 150 + "]" * 150,
        "[" * 100_000 + "]" * 100_000,
        "-" * 100_000 + "1",
        "1" + "+1" * 100_000,
        "a" + ".a" * 100_000,
        "not " * 100_000 + "1",
        "f(" * 150 + ")" * 150,
        "range(" * 150 + ")" * 150,
    ],
)
def test_deep_nesting(deep: str) -> None:
    for text in (deep, genotype(deep), genotype(concat=deep)):
        with pytest.raises(NasError, match="genotype") as error:
            parse_genotype(text)
        assert len(str(error.value)) < 1000
