"""The page around the sections: its frame and style sheet, with nothing to load."""

from __future__ import annotations

from html import escape

from nas.reporting.charts import dark_of

__all__ = ["page"]


def page(title: str, body: str) -> str:
    """Write the page.

    Args:
        title: As text.
        body: As HTML.
    """
    return _PAGE.format(title=escape(title), style=_style(), body=body)


def _style() -> str:
    """Return the style sheet, with a variable for every colour of a figure."""
    light = "".join(f"--c{colour[1:]}:{colour};" for colour in dark_of())
    dark = "".join(f"--c{colour[1:]}:{other};" for colour, other in dark_of().items())
    return _CSS.replace("/*light*/", light).replace("/*dark*/", dark)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

_CSS = """
:root { /*light*/ --ground: #f4f5f8; --line: #e3e6eb; --soft: #f4f5f8; --alarm: #fff4e5;
  --alarm-line: #e8a33d; --good: #0b7a5b; --open: #9a5b00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { /*dark*/ --ground: #0f131a; --line: #2b333f; --soft: #10151c; --alarm: #33260f;
    --alarm-line: #c98500; --good: #4fd1a5; --open: #f0b355;
    --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--ground);
  color: var(--c1f2937); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .8rem; font-size: 1.1rem; }
h3 { margin: 0 0 .4rem; font-size: .8rem; color: var(--c5b6472); text-transform: uppercase;
  letter-spacing: .05em; }
header p { margin: .5rem 0 1.2rem; color: var(--c5b6472); }
section { margin: 1.25rem 0; padding: 1.2rem 1.4rem; background: var(--cffffff);
  border: 1px solid var(--line); border-radius: 10px; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0; }
dl div { padding: .6rem 1.1rem .7rem; min-width: 8rem; background: var(--cffffff);
  border: 1px solid var(--line); border-radius: 10px; }
dt { font-size: .8rem; color: var(--c5b6472); }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.chip { margin-right: .4rem; padding: .1rem .6rem; border: 1px solid; border-radius: 99px;
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
.finished { color: var(--good); } .unfinished { color: var(--open); }
.failed { color: var(--bad); } .refused { color: var(--open); }
td .chip { font-size: .8rem; }
.warning { background: var(--alarm); border-color: var(--alarm-line); border-left-width: 6px; }
.warning h2::before { content: "⚠ "; }
.warning ul { margin: 0; padding-left: 1.2rem; }
svg { display: block; max-width: 100%; height: auto; }
figure { margin: 0; min-width: 0; }
.drawing, .wide { overflow-x: auto; }
.drawing svg { margin: 0 auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1rem; }
.broad { margin-bottom: 1.2rem; }
.cards { columns: 18rem 3; column-gap: 2rem; }
.cards td:first-child { width: 45%; }
.cards div { break-inside: avoid; margin-bottom: 1.2rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--c5b6472); white-space: nowrap; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
code, pre { font: .85em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
td code { overflow-wrap: anywhere; }
pre { margin: 1rem 0 0; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--soft); border: 1px solid var(--line); border-radius: 8px; }
details { margin-top: .8rem; } summary { cursor: pointer; color: var(--c5b6472); }
details table { margin-top: .6rem; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
"""
