"""Small files of exactly the official structure, with numbers that tell what they are."""

from __future__ import annotations

import base64
import bz2
import json
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

CELLS = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|nor_conv_3x3~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
)
WIDTHS = ("8:8:8:8:8", "64:8:16:24:32")
PARTS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
_PLACES = ("train", "x-valid", "x-test", "ori-test")


class Attack:
    """Makes a file called OWNED where it is unpickled in the usual way."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


# -- NAS-Bench-201 and NATS-Bench ---------------------------------------------------------------


def accuracy(number: int, dataset: str, epochs: int, seed: int, part: str) -> float:
    """The percentage after the last epoch; no two are the same."""
    at = (list(PARTS).index(dataset) * 4 + _PLACES.index(part)) * 3 + (seed // 111) % 3
    return 10.0 + number + at / 4 + epochs / 1000


def _curve(last: float, epochs: int, prefix: str = "") -> dict[Any, float]:
    return {
        (f"{prefix}@{epoch}" if prefix else epoch): last - 0.001 * (epochs - 1 - epoch)
        for epoch in range(epochs)
    }


def trial(number: int, text: str, dataset: str, epochs: int, seed: int) -> dict[str, Any]:
    """The state of a `ResultsCount`, weights cleared."""
    last = {p: accuracy(number, dataset, epochs, seed, p) for p in ("train", *PARTS[dataset])}
    evaluated = {p: _curve(last[p], epochs, p) for p in PARTS[dataset]}
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": _curve(last["train"], epochs),
        "train_acc5es": None,
        "train_losses": {epoch: v / 100 for epoch, v in _curve(last["train"], epochs).items()},
        "train_times": OrderedDict((epoch, 2.5) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
        "params": 0.1 + number,
        "flop": 10.5 + number,
        "seed": seed,
        "epochs": epochs,
        "latency": [np.float64(0.01), 0.03],
        "eval_names": list(PARTS[dataset]),
        "eval_acc1es": {k: v for curve in evaluated.values() for k, v in curve.items()},
        "eval_times": {k: 0.5 for curve in evaluated.values() for k in curve},
        "eval_losses": {k: v / 100 for curve in evaluated.values() for k, v in curve.items()},
    }


def arch_results(
    number: int, text: str, epochs: int, seeds: dict[str, tuple[int, ...]]
) -> dict[str, Any]:
    """The state of an `ArchResults`."""
    return {
        "arch_index": number,
        "arch_str": text,
        "all_results": {
            (dataset, seed): trial(number, text, dataset, epochs, seed)
            for dataset in seeds
            for seed in seeds[dataset]
        },
        "dataset_seed": {dataset: list(found) for dataset, found in seeds.items()},
        "clear_net_done": True,
    }


SHORT = {**dict.fromkeys(PARTS, (111,)), "cifar10-valid": (111, 777)}
LONG = {number: dict.fromkeys(PARTS, (777, 888, 999)[: 3 - number]) for number in range(3)}
"""Trainings over 200 epochs: three of the first cell, two of the second, one of the third."""


def nas_bench_201(short: dict[str, tuple[int, ...]] = SHORT) -> dict[str, Any]:
    """What the `.pth` file holds."""
    infos = {
        number: {
            "full": arch_results(number, text, 200, LONG[number]),
            "less": arch_results(number, text, 12, short),
        }
        for number, text in enumerate(CELLS)
    }
    return {"meta_archs": list(CELLS), "arch2infos": infos, "evaluated_indexes": {0, 1, 2}}


def save_torch(path: Path, data: Any, old: bool = True) -> Path:
    """Write with torch.save: as torch did before 1.6, or as a zip archive."""
    torch.save(data, path, _use_new_zipfile_serialization=not old)
    return path


def write_bz2(path: Path, data: Any) -> None:
    with bz2.open(path, "wb") as stream:
        pickle.dump(data, stream, protocol=4)


def nats(folder: Path, texts: tuple[str, ...], epochs: tuple[str, ...]) -> Path:
    """Write a folder of NATS-Bench; trainings of 12 epochs have two seeds, others one."""
    folder.mkdir()
    listed = {"meta_archs": list(texts), "total_archs": len(texts), "arch2infos": None,
              "evaluated_indexes": set()}  # fmt: skip
    write_bz2(folder / "meta.pickle.pbz2", listed)
    for number, text in enumerate(texts):
        results = {
            key: arch_results(
                number, text, int(key), dict.fromkeys(PARTS, (777, 888)[: 1 + (key == "12")])
            )
            for key in epochs
        }
        write_bz2(folder / f"{number:06d}.pickle.pbz2", results)
    return folder


# -- NAS-Bench-101 ------------------------------------------------------------------------------

MODULES = {
    "m0": ("0100001000010000", "input,conv3x3-bn-relu,maxpool3x3,output"),
    "m1": ("0100", "input,output"),
}


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def frame(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def metrics(params: int, evaluations: list[tuple[float, ...]], checkpoint: bytes = b"") -> bytes:
    """A serialised `ModelMetrics`."""
    message = b""
    for numbers in evaluations:
        fields = b"".join(
            bytes([field << 3 | 1]) + struct.pack("<d", number)
            for field, number in enumerate(numbers, start=1)
        )
        if checkpoint:
            fields += b"\x32" + bytes([len(checkpoint)]) + checkpoint
        message += b"\x0a" + bytes([len(fields)]) + fields
    message += b"\x10"
    while params > 0x7F:
        message += bytes([params & 0x7F | 0x80])
        params >>= 7
    return message + bytes([params]) + b"\x19" + struct.pack("<d", 1234.5)


def training(module: str, epochs: int, repeat: int) -> bytes:
    """A record; accuracies at the end are 0.5 + 0.01 per repeat, + 0.1 valid, + 0.2 test."""
    end = 0.5 + 0.01 * repeat + epochs / 10_000
    evaluations = [
        (0.0, 0.0, 0.1, 0.1, 0.1),
        (epochs / 2, 5.0 * epochs, end - 0.25, end - 0.15, end - 0.05),
        (float(epochs), 10.0 * epochs, end, end + 0.1, end + 0.2),
    ]
    adjacency, operations = MODULES[module]
    found = metrics(1_000_000 + len(adjacency), evaluations)
    row = [module, epochs, adjacency, operations, base64.b64encode(found).decode()]
    return json.dumps(row).encode()


def write_nas_bench_101(path: Path, epochs: tuple[int, ...] = (108,)) -> Path:
    rows = [
        frame(training(module, number, repeat))
        for module in MODULES
        for number in epochs
        for repeat in range(3)
    ]
    path.write_bytes(b"".join(rows))
    return path


# -- TransNAS-Bench-101 and HW-NAS-Bench --------------------------------------------------------

_HEADS = {"class_object": ("top1", "top5", "loss"), "room_layout": ("loss", "neg_loss"),
          "segmentsemantic": ("acc", "mIoU", "loss"), "normal": ("ssim", "l1_loss")}  # fmt: skip


def transnas() -> dict[str, Any]:
    """What `transnas-bench_v10141024.pth` holds, of four of the seven tasks; five epochs each.

    Validation is best at the fourth epoch.
    """
    names = {
        task: [f"{split}_{head}" for split in ("train", "valid", "test") for head in heads]
        + ["time_elapsed"]
        for task, heads in _HEADS.items()
    }
    shape = (1.0, 2.0, 3.0, 5.0, 4.0)
    data: dict[str, dict[str, Any]] = {"macro": {}, "micro": {}}
    for number, text in enumerate(("64-1234-basic", "64-4111-basic")):
        data["macro"][text] = _transnas(names, shape, number)
    for number, text in enumerate(("64-41414-1_02_333", "64-41414-0_00_000", "64-41414-3_33_333")):
        data["micro"][text] = _transnas(names, shape, number)
    infos = ["inference_time", "encoder_params", "model_params", "model_FLOPs", "encoder_FLOPs"]
    return {"metrics_dict": names, "info_names": infos, "task_list": list(names), "data": data}


def _transnas(names: dict[str, list[str]], shape: tuple[float, ...], number: int) -> dict[str, Any]:
    results = {}
    for task, metric_names in names.items():
        offsets = {"train": 30.0, "valid": 20.0, "test": 10.0, "time": 0.0}
        curves = {
            name: [number + offsets[name.split("_")[0]] + value for value in shape]
            for name in metric_names
        }
        curves["time_elapsed"] = [100.0 * (epoch + 1) for epoch in range(5)]
        results[task] = {
            "total_epochs": 5,
            "metrics": curves,
            "model_info": {
                "inference_time": 0.5,
                "encoder_params": 10.0,
                "model_params": 11.0 + number,
                "model_FLOPs": 12.0,
                "encoder_FLOPs": 13.0,
            },
        }
    return results


def hw_nas_bench() -> dict[str, Any]:
    """What `HW-NAS-Bench-v1_0.pickle` holds, of two devices and one dataset more than one."""
    found = {}
    for at, dataset in enumerate(("cifar10", "cifar100")):
        found[dataset] = {
            "config": [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10}
                       for text in CELLS],
            "edgegpu_latency": [5.8 + at, np.float64(6.5), 7.5],
            "edgegpu_energy": [24.0 + at, 29.0, 30.0],
            "raspi4_latency": np.array([10.5 + at, 54.7, 1.0]),
            "eyeriss_arithmetic_intensity": [6.2, 7.0, 8.0],
        }  # fmt: skip
    return {"nasbench201": found, "fbnet": {"edgegpu_latency": {"Skip_H32": 0.1}}}
