"""Modules of torch.nn as calls of their constructors."""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nas.errors import NasError
from nas.export.source.layout import Group, Node
from nas.export.source.values import Values

__all__ = ["Constructors", "torch_base"]

Child = Callable[[nn.Module, str], Node]
"""Writes a module inside another, given with its place in the network."""


def torch_base(kind: type) -> type[nn.Module]:
    """Return the class itself if it is one of torch.nn, else the nearest of its bases that is."""
    for base in kind.__mro__:
        if issubclass(base, nn.Module) and getattr(nn, base.__name__, None) is base:
            found: type[nn.Module] = base
            return found
    raise TypeError(f"{kind} is not a module")


_ATTENTION: dict[str, Callable[[Any], object]] = {
    "bias": lambda m: m.in_proj_bias is not None,
    "add_bias_kv": lambda m: m.bias_k is not None,
}
_TRANSFORMER_LAYER: dict[str, Callable[[Any], object]] = {
    "d_model": lambda m: m.self_attn.embed_dim,
    "nhead": lambda m: m.self_attn.num_heads,
    "dim_feedforward": lambda m: m.linear1.out_features,
    "dropout": lambda m: m.dropout.p,
    "layer_norm_eps": lambda m: m.norm1.eps,
    "batch_first": lambda m: m.self_attn.batch_first,
    "bias": lambda m: m.linear1.bias is not None,
}
_HIDDEN: dict[type, dict[str, Callable[[Any], object]]] = {
    nn.MultiheadAttention: _ATTENTION,
    nn.TransformerEncoderLayer: _TRANSFORMER_LAYER,
    nn.TransformerDecoderLayer: _TRANSFORMER_LAYER,
    nn.TransformerEncoder: {"encoder_layer": lambda m: m.layers[0]},
    nn.TransformerDecoder: {"decoder_layer": lambda m: m.layers[0]},
}
"""Arguments that a module does not keep under their names."""

_CONTAINERS = (
    nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict,
)  # fmt: skip


class Constructors:
    """Finds the arguments with which modules of torch.nn are made.

    Args:
        values: Writes the arguments.
        child: Writes modules that are arguments.
    """

    def __init__(self, values: Values, child: Child) -> None:
        self.values = values
        self.child = child

    def call(self, module: nn.Module, path: str) -> Node:
        """Return the call that makes a module of a class of torch.nn.

        Args:
            module: The module.
            path: Its place in the network; empty for the network itself.

        Raises:
            NasError: If no call makes such a module, as where one was changed afterwards.
        """
        kind = type(module)
        if torch_base(kind) is not kind:
            raise NasError(
                f"export to python: '{path or kind.__name__}' is a {kind.__name__} of "
                f"{kind.__module__}, which is not made by a constructor of torch.nn"
            )
        head = f"{self.values.reference(nn, 'nn', path)}.{kind.__name__}"
        return Group(head, "()", self.arguments(module, path))

    def arguments(self, module: nn.Module, path: str) -> tuple[tuple[str, Node], ...]:
        """Return the arguments of the constructor of the nearest class of torch.nn."""
        base = torch_base(type(module))
        if base is nn.Module:
            return ()
        if base in _CONTAINERS:
            return tuple(self._contents(module, base, path))
        where = path or type(module).__name__
        given = _given(module, base, where)
        short = {name: _shortened(value) for name, value in given.items()}
        chosen = short if _difference(base, short, module) is None else given
        difference = _difference(base, chosen, module)
        if difference is not None:
            raise NasError(
                f"export to python: no call of nn.{base.__name__} makes '{where}' as it is: "
                f"{difference}"
            )
        return tuple(self._written(base, _fewest(base, chosen, module), where))

    def made_by_base(self, module: nn.Module) -> frozenset[str]:
        """Return the attributes that `super().__init__(*arguments)` sets already."""
        base = torch_base(type(module))
        if base is nn.Module:
            return frozenset()
        if base in _CONTAINERS:
            names = {*module._modules, *module._parameters}
            numbered = base in (nn.ModuleList, nn.ParameterList)
            return frozenset(name for name in names if name.isdecimal() or not numbered)
        made = _on_meta(base, _given(module, base, ""))
        return frozenset({*vars(made), *made._parameters, *made._buffers, *made._modules})

    def _written(self, base: type, given: dict[str, Any], path: str) -> Iterator[tuple[str, Node]]:
        for name, parameter in _parameters(base).items():
            if name in given:
                value = given[name]
                where = f"argument '{name}' of '{path}'"
                is_module = isinstance(value, nn.Module)
                node = self.child(value, path) if is_module else self.values.node(value, where)
                required = parameter.default is parameter.empty
                yield ("" if required else f"{name}="), node

    def parameter(self, parameter: nn.Parameter) -> Node:
        """Return the call that makes a parameter of zeros."""
        zeros = self.zeros(parameter)
        arguments = (
            ("", zeros),
            *(() if parameter.requires_grad else (("requires_grad=", "False"),)),
        )
        return Group(f"{self.values.reference(nn, 'nn', '')}.Parameter", "()", arguments)

    def zeros(self, tensor: Tensor) -> Node:
        """Return the call that makes zeros of a tensor's shape and type."""
        arguments: tuple[tuple[str, Node], ...] = tuple(("", str(size)) for size in tensor.shape)
        if not arguments:
            arguments = (("", "()"),)
        if tensor.dtype is not torch.float32:
            arguments += (("dtype=", self.values.node(tensor.dtype, "")),)
        return Group(f"{self.values.reference(torch, 'torch', '')}.zeros", "()", arguments)

    # -- containers ---------------------------------------------------------------------------

    def _contents(self, module: nn.Module, base: type, path: str) -> Iterator[tuple[str, Node]]:
        """Yield what a container is made from."""
        children = {
            name: self.child(child, f"{path}.{name}" if path else name)
            for name, child in module._modules.items()
            if child is not None
        }
        children |= {name: self.parameter(p) for name, p in _own_parameters(module, base)}
        if base in (nn.ModuleList, nn.ParameterList):
            children = {name: node for name, node in children.items() if name.isdecimal()}
        nodes = tuple(("", node) for node in children.values())
        named = tuple((f"{self.values.node(n, path)}: ", node) for n, node in children.items())
        numbered = list(children) == [str(i) for i in range(len(children))]
        if not children:
            return
        if base in (nn.ModuleDict, nn.ParameterDict):
            yield "", Group("", "{}", named)
        elif base in (nn.ModuleList, nn.ParameterList):
            yield "", Group("", "[]", nodes)
        elif numbered:
            yield from nodes
        else:
            ordered = self.values.reference(OrderedDict, "OrderedDict", path)
            yield "", Group(ordered, "()", (("", Group("", "{}", named)),))


def _own_parameters(module: nn.Module, base: type) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that a container was made from."""
    if base in (nn.ParameterList, nn.ParameterDict):
        yield from module.named_parameters(recurse=False)


def _parameters(base: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a constructor that say what a module is like."""
    function: Any = base.__init__  # type: ignore[misc]
    if issubclass(base, nn.RNNBase) and base is not nn.RNNBase:
        function = nn.RNNBase.__init__  # its subclasses say (*args, **kwargs)
    parameters = dict(inspect.signature(function).parameters)
    if base is nn.RNN:
        parameters["nonlinearity"] = inspect.Parameter(
            "nonlinearity", inspect.Parameter.KEYWORD_ONLY, default="tanh"
        )
    left_out = {"self", "device"} | ({"mode"} if function is not base.__init__ else set())  # type: ignore[misc]
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter
        for name, parameter in parameters.items()
        if not (name in left_out or name.startswith("_") or parameter.kind in variable)
    }


def _given(module: nn.Module, base: type, path: str) -> dict[str, Any]:
    """Return the arguments that are not the defaults, from what the module keeps."""
    given = {}
    for name, parameter in _parameters(base).items():
        value = _argument(module, base, name, parameter)
        if value is parameter.empty:
            raise NasError(
                f"export to python: '{path}' ({base.__name__}) does not keep its argument '{name}'"
            )
        if not (type(value) is type(parameter.default) and value == parameter.default):
            given[name] = value
    return given


def _argument(module: Any, base: type, name: str, parameter: inspect.Parameter) -> Any:
    """Return one argument; its default where the module keeps nothing under its name."""
    if name in _HIDDEN.get(base, {}):
        return _HIDDEN[base][name](module)
    if name == "dtype":
        tensors = [*module.parameters(), *module.buffers()]
        floating = [t.dtype for t in tensors if t.is_floating_point()]
        return floating[0] if floating and floating[0] is not torch.float32 else None
    value = getattr(module, name, parameter.default)
    if isinstance(parameter.default, bool) and (value is None or isinstance(value, Tensor)):
        return value is not None  # `bias`: the argument is a switch, the attribute a parameter
    return value


def _shortened(value: object) -> object:
    """Return 3 for (3, 3); most constructors take both."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def _fewest(base: type, given: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Leave out arguments without which a module becomes the same; older versions may lack them."""
    for name, parameter in _parameters(base).items():
        fewer = {key: value for key, value in given.items() if key != name}
        optional = name in given and parameter.default is not parameter.empty
        if optional and _difference(base, fewer, module) is None:
            given = fewer
    return given


def _difference(base: type, given: dict[str, Any], module: nn.Module) -> str | None:
    """Say how a module made with some arguments differs from one that is there, if it does."""
    try:
        made = _on_meta(base, given)
    except Exception as error:  # whatever a constructor may raise
        return f"{type(error).__name__}: {error}"
    others = dict(module.named_modules(remove_duplicate=False))
    for name, part in made.named_modules(remove_duplicate=False):
        prefix = f"{name}." if name else ""
        if name not in others or (name and type(others[name]) is not type(part)):
            return f"it has another '{name}'"
        for key, value in vars(part).items():
            if not key.startswith("_") and not _alike(value, getattr(others[name], key, None), key):
                return f"its {prefix}{key} is {getattr(others[name], key, None)!r}"
    return _tensor_difference(made, module, exact=type(module) is base)


def _on_meta(base: type, given: dict[str, Any]) -> nn.Module:
    """Make a module without memory for its tensors."""
    with torch.device("meta"), _NoInitialisation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = base(**given)
    return made


class _NoInitialisation(TorchFunctionMode):
    """Draws no random numbers: for tensors without memory some would load PyTorch's compiler."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        by_name = getattr(func, "__name__", "") in ("normal_", "uniform_")
        if by_name or getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _alike(a: object, b: object, key: str) -> bool:
    if key == "training" or isinstance(a, (Tensor, nn.Module)):
        return True
    return bool(type(a) is type(b) and a == b)


def _tensor_difference(made: nn.Module, module: nn.Module, exact: bool) -> str | None:
    """Compare parameters and buffers; a subclass (not exact) may have more of them."""
    mine, theirs = _tensors(made), _tensors(module)
    names = mine.keys() | theirs.keys() if exact else mine.keys()
    for name in sorted(names):
        if mine.get(name) != theirs.get(name):
            return f"its tensor '{name}' is {theirs.get(name)}, not {mine.get(name)}"
    return None


def _tensors(module: nn.Module) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors}
