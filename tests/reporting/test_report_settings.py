"""The settings: every one of them, written for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reports import CONFIG, report, rows

TASK = {
    "input_shape": [3, 32, 32],
    "outputs": 10,
    "splits": {
        "name": "digits",
        "input_shape": [3, 32, 32],
        "outputs": 10,
        "sizes": {"train": 719, "valid": 718, "test": 359},
        "valid_fraction": 0.5,
        "sha256": {"train": "0123456789abcdef" * 4, "valid": "fedcba9876543210" * 4},
    },
}


def test_every_setting_and_version(tmp_path: Path) -> None:
    shown = list(rows(report(tmp_path, None, CONFIG)))
    for row in (["population", "20"], ["betas", "[0.5, 0.999]"], ["torch", "2.6.0"]):
        assert row in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0029999999999999996, "0.003"),
        (5.0, "5"),
        (1e-5, "1e-05"),
        (0.12345678, "0.123457"),
        (1234567, "1234567"),
        (True, "true"),
        (None, "null"),
        ([0.1 + 0.2, 2], "[0.3, 2]"),
        ({"eta": 0.1 + 0.2}, "{&quot;eta&quot;: 0.3}"),
    ],
)
def test_numbers_are_short(tmp_path: Path, value: Any, text: str) -> None:
    config = {"settings": {"strategy": {"gate_lr": value}}}
    assert ["gate lr", text] in list(rows(report(tmp_path, None, config)))


def test_the_task_is_compact(tmp_path: Path) -> None:
    page = report(tmp_path, None, {**CONFIG, "task": TASK})
    card = page[page.index("<h3>task</h3>") :]
    assert list(rows(card[: card.index("</table>")])) == [
        ["input shape", "3 × 32 × 32"],  # noqa: RUF001
        ["outputs", "10"],
        ["train split", "719, sha256 0123456789ab"],
        ["valid split", "718, sha256 fedcba987654"],
        ["test split", "359"],
    ]
    assert not any(row[0] == "task" for row in rows(page))
    assert "0123456789abc" not in page
