"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")  # the last one of ARM


def describe(device: torch.device) -> dict[str, Any]:
    """Return what a reader of the figures wants to know (JSON-able)."""
    facts = cpu_facts()
    native = sorted(set(_BF16_FLAGS) & set(facts.get("flags", facts.get("Features", "")).split()))
    machine: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "cpu_bf16": native,
        "device": str(device),
    }
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
        machine["gpu_bf16"] = torch.cuda.is_bf16_supported()
    return machine


def cpu_facts() -> dict[str, str]:
    """Return what Linux tells of the first core; nothing on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def heading(machine: dict[str, Any]) -> str:
    """Write `describe`'s facts for a person."""
    native = ", ".join(machine["cpu_bf16"]) or "none: bf16 is emulated"
    lines = [
        f"torch {machine['torch']}, Python {machine['python']}",
        f"CPU   {machine['cpu']}, {machine['cores'] or '?'} cores, {machine['threads']} threads; "
        f"bf16 instructions: {native}",
    ]
    if "gpu" in machine:
        bf16 = "native bf16" if machine["gpu_bf16"] else "no native bf16"
        lines.append(f"GPU   {machine['gpu']}, {bf16}")
    return "\n".join([*lines, f"measured on {machine['device']}"])
