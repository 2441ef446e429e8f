"""The source file of a network, put together."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor

from nas.export.source.layout import WIDTH, lay_out
from nas.export.source.program import Program

__all__ = ["file_text"]

_FRESH = '''\
    """Build the network with fresh weights."""
'''

_PARTLY_FRESH = '''\
    """Build the network with fresh weights in its layers.

    Parameters that other modules hold themselves start at zero; `load` gives all their values.
    """
'''

_LOAD = '''\
def load(weights: Path | str = WEIGHTS) -> nn.Module:
    """Build the network with its weights, in evaluation mode.

    Args:
        weights: A safetensors file, or a state dict that `torch.save` wrote.
    """
    path = Path(weights)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    network = build()
    network.load_state_dict(state)
    return network.eval()
'''

_MAIN = '''\
def main() -> None:
    """Print the number of parameters, and the shape of the output for random inputs."""
    network = load() if WEIGHTS.exists() else build().eval()
{inputs}
    with torch.no_grad():
        y = network({names})
    print(f"parameters: {{sum(p.numel() for p in network.parameters()):,}}")
{shown}
'''

_CALL = """\
if __name__ == "__main__":
    main()
"""


def file_text(
    program: Program,
    input_shape: Sequence[int],
    tokens: bool,
    output: type,
    notes: Sequence[str],
    graph: Mapping[str, Tensor] | None = None,
) -> str:
    """Write the file.

    Args:
        program: What makes the network.
        input_shape: Of one example.
        tokens: Whether the inputs are integers.
        output: The class of what the network returns.
        notes: Paragraphs about the network for the docstring at the top.
        graph: The inputs of a network that takes a graph, by name.
    """
    shape = ", ".join(map(str, input_shape)) + ("," if len(input_shape) == 1 else "")
    head = [_docstring(notes), "from __future__ import annotations\n", program.symbols.imports()]
    blocks = [
        (f'INPUT_SHAPE = ({shape})\nWEIGHTS = Path(__file__).with_suffix(".safetensors")\n', True),
        *((definition.text, definition.is_constant) for definition in program.definitions),
        (_build(program), False),
        (_LOAD, False),
        (_main(tokens, output, graph or {}), False),
        (_CALL, False),
    ]
    text = "\n".join(head) + "\n\n" + blocks[0][0]
    for (_, was_constant), (block, is_constant) in pairwise(blocks):
        text += ("" if was_constant and is_constant else "\n\n") + block
    return text


def _main(tokens: bool, output: type, graph: Mapping[str, Tensor]) -> str:
    """Write the function that runs the network on random inputs."""
    random = "torch.randint(2, (2, *INPUT_SHAPE))" if tokens else "torch.randn(2, *INPUT_SHAPE)"
    inputs = _random_graph(graph) if graph else {"x": random}
    shown = [f"{name}: {{list({name}.shape)}}" for name in graph] or ["input: {list(x.shape)}"]
    result = "list(y.shape)" if output.__name__ == "Tensor" else "type(y).__name__"
    shown[-1:] = [f"{shown[-1]}, output: {{{result}}}"]
    return _MAIN.format(
        inputs="\n".join(f"    {name} = {made}" for name, made in inputs.items()),
        names=", ".join(inputs),
        shown="\n".join(f'    print(f"{line}")' for line in shown),
    )


def _random_graph(inputs: Mapping[str, Tensor]) -> dict[str, str]:
    """Write the inputs for a graph of ten nodes, or two of five; the second has no edges."""
    made = {
        "features": "torch.randn(10, *INPUT_SHAPE)",
        "edges": f"torch.randint({5 if 'batch' in inputs else 10}, (2, 40))",
        "batch": "torch.arange(10) // 5",
    }
    if "edge_features" in inputs:
        made["edge_features"] = f"torch.randn(40, {inputs['edge_features'].shape[1]})"
    return {name: made[name] for name in inputs}


def _docstring(notes: Sequence[str]) -> str:
    """Write the docstring at the top; long paragraphs are wrapped and indented."""
    paragraphs = [
        "A network found by neural architecture search, in plain PyTorch.",
        *(
            "\n".join(
                textwrap.wrap(n, WIDTH - 4, subsequent_indent=" " * 4, break_on_hyphens=False)
            )
            for n in notes
        ),
        "`load()` makes it with the weights in the file beside this one; run this file to try it.",
    ]
    text = "\n\n".join(paragraphs).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""\n'


def _build(program: Program) -> str:
    """Write the function that makes the network."""
    start = _FRESH if program.keeps_initialisation else _PARTLY_FRESH
    lines = ["def build() -> nn.Module:", *start.splitlines()]
    if program.ties:
        made = lay_out(program.network, indent=4, before=len("    network = "))
        lines += [f"    network = {made}", *(f"    {lay_out(t, 4, 4)}" for t in program.ties)]
        lines.append("    return network")
    else:
        lines.append(f"    return {lay_out(program.network, indent=4, before=11)}")
    return "\n".join(lines) + "\n"
