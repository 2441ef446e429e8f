"""Published genotypes, and the safe reading and writing of their notation.

The genotypes are those that the authors published with their code: NASNet-A, AmoebaNet-A,
DARTS_V1 and DARTS_V2 in quark0/darts, PC_DARTS in yuhuixu1993/PC-DARTS, P-DARTS in
chenxin061/pdarts, DrNAS in xiangning-chen/DrNAS.
"""

from __future__ import annotations

import ast
from typing import Any

from nas.errors import NasError, unknown
from nas.search_spaces.cells.network import Genotype

__all__ = ["DARTS_GENOTYPES", "NASNET_GENOTYPES", "format_genotype", "parse_genotype"]

_NODES = [2, 3, 4, 5]
_SHORT = {
    "none": "none",
    "skip": "skip_connect",
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "sep7": "sep_conv_7x7",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
    "7x1": "conv_7x1_1x7",
}


def _pairs(text: str) -> list[tuple[str, int]]:
    """Expand "sep3:0 skip:1" to pairs of operation and input state."""
    return [(_SHORT[op], int(state)) for op, state in (pair.split(":") for pair in text.split())]


def _darts(normal: str, reduce: str) -> Genotype:
    return Genotype(_pairs(normal), _NODES, _pairs(reduce), _NODES)


DARTS_GENOTYPES: dict[str, Genotype] = {
    "DARTS_V1": _darts(
        "sep3:1 sep3:0 skip:0 sep3:1 skip:0 sep3:1 sep3:0 skip:2",
        "max:0 max:1 skip:2 max:0 max:0 skip:2 skip:2 avg:0",
    ),
    "DARTS_V2": _darts(
        "sep3:0 sep3:1 sep3:0 sep3:1 sep3:1 skip:0 skip:0 dil3:2",
        "max:0 max:1 skip:2 max:1 max:0 skip:2 skip:2 max:1",
    ),
    "PC_DARTS": _darts(
        "sep3:1 skip:0 sep3:0 dil3:1 sep5:0 sep3:1 avg:0 dil3:1",
        "sep5:1 max:0 sep5:1 sep5:2 sep3:0 sep3:3 sep3:1 sep3:2",
    ),
    "PC_DARTS_ImageNet": _darts(
        "skip:1 sep3:0 sep3:0 skip:1 sep3:1 sep3:3 sep3:1 dil5:4",
        "sep3:0 skip:1 dil5:2 max:1 sep3:2 sep3:1 sep5:0 sep3:3",
    ),
    "P-DARTS": _darts(
        "skip:0 dil3:1 skip:0 sep3:1 sep3:1 sep3:3 sep3:0 dil5:4",
        "avg:0 sep5:1 sep3:0 dil5:2 max:0 dil3:1 dil3:1 dil5:3",
    ),
    "DrNAS": _darts(
        "sep3:0 sep5:1 sep3:1 sep3:2 skip:0 sep3:1 sep3:2 dil5:3",
        "max:0 sep5:1 dil5:2 sep5:1 sep5:1 dil5:3 skip:4 sep5:1",
    ),
    "DrNAS_ImageNet": _darts(
        "sep3:1 sep3:0 sep3:0 sep3:1 sep3:0 dil3:3 skip:0 sep3:1",
        "max:0 sep3:1 sep3:0 skip:2 sep3:0 sep3:2 sep3:3 sep3:1",
    ),
}

NASNET_GENOTYPES: dict[str, Genotype] = {
    "NASNet-A": Genotype(
        _pairs("sep5:1 sep3:0 sep5:0 sep3:0 avg:1 skip:0 avg:0 avg:0 sep3:1 skip:1"),
        [2, 3, 4, 5, 6],
        _pairs("sep5:1 sep7:0 max:1 sep7:0 avg:1 sep5:0 skip:3 avg:2 sep3:2 max:1"),
        [4, 5, 6],
    ),
    "AmoebaNet-A": Genotype(
        _pairs("avg:0 max:1 sep3:0 sep5:2 sep3:0 avg:3 sep3:1 skip:1 skip:0 avg:1"),
        [4, 5, 6],
        _pairs("avg:0 sep3:1 max:0 sep7:2 sep7:0 avg:1 max:0 max:1 7x1:0 sep3:5"),
        [3, 4, 6],
    ),
}


def format_genotype(genotype: Genotype) -> str:
    """Write a genotype as the papers do: `Genotype(normal=[('sep_conv_3x3', 0), ...], ...)`."""
    fields = zip(Genotype._fields, genotype, strict=True)
    return f"Genotype({', '.join(f'{name}={value!r}' for name, value in fields)})"


def parse_genotype(text: str) -> Genotype:
    """Read a genotype without evaluating anything.

    Args:
        text: `Genotype(normal=..., normal_concat=..., reduce=..., reduce_concat=...)` with literal
            lists; `range(2, 6)` is understood.

    Raises:
        NasError: Where the text is something else; it names the place.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NasError(f"genotype: not readable ({error}): {text[:80]!r}") from error
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise NasError(f"genotype: expected Genotype(normal=[...], ...), got {text[:80]!r}")
    if call.func.id != "Genotype":
        raise unknown("genotype notation", call.func.id, ["Genotype"])
    values = dict(zip(Genotype._fields, call.args, strict=False))
    values |= {keyword.arg or "**": keyword.value for keyword in call.keywords}
    for name in values:
        if name not in Genotype._fields:
            raise unknown("field of Genotype", name, Genotype._fields)
    for name in Genotype._fields:
        if name not in values:
            raise NasError(f"genotype: field '{name}' is missing")
    given = len(call.args) + len(call.keywords)
    if given != len(Genotype._fields):
        raise NasError(f"genotype: {given} fields; {len(Genotype._fields)} are needed, each once")
    return Genotype(
        _read_pairs(values["normal"], "normal"),
        _read_states(values["normal_concat"], "normal_concat"),
        _read_pairs(values["reduce"], "reduce"),
        _read_states(values["reduce_concat"], "reduce_concat"),
    )


def _literal(node: ast.expr, where: str) -> Any:
    """Evaluate a literal or `range(...)` of integers."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bounds = [_literal(argument, where) for argument in node.args]
        plain = 1 <= len(bounds) <= 2 and not node.keywords
        if plain and all(type(b) is int and 0 <= b <= 100 for b in bounds):
            return list(range(*bounds))
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise NasError(f"genotype: {where} is not a plain list") from error


def _read_pairs(node: ast.expr, where: str) -> list[tuple[str, int]]:
    pairs = _literal(node, where)
    for pair in pairs if isinstance(pairs, (list, tuple)) else [pairs]:
        parts = pair if isinstance(pair, (list, tuple)) else ()
        if [type(part) for part in parts] != [str, int]:
            raise NasError(
                f"genotype: {where} must hold (operation, state) pairs; got {pair!r:.80}"
            )
    return [(name, state) for name, state in pairs]


def _read_states(node: ast.expr, where: str) -> list[int]:
    states = _literal(node, where)
    if not isinstance(states, (list, tuple)) or any(type(state) is not int for state in states):
        raise NasError(f"genotype: {where} must be a list of states; got {states!r:.80}")
    return list(states)
