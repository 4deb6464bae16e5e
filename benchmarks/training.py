"""Training against the plain loop: speed, time to 99 %, memory, threads, a busy machine.

``python benchmarks/training.py [--quick]`` with ``CNNCLI_DATA`` naming a folder with MNIST's
files. Every figure comes from a process of its own; what is compared runs in turn, so that the
load of the machine meets both alike.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import facts

HERE = Path(__file__).resolve().parent
JSON_FILE = HERE / "training.json"
PAGE = HERE.parent / "docs" / "benchmarks-training.md"
MNIST_PICTURES = 54_000  # to learn from, a tenth held out
Results = dict[str, Any]

# What differs from `cnncli train` as it stands, on two threads.
CASES: dict[str, dict[str, Any]] = {
    "plain loop": {"loop": "plain", "batch": 64},
    "cnncli, no augmentation": {"augment": False},
    "cnncli, augmentation": {},
    "plain loop, 1 thread": {"loop": "plain", "batch": 64, "threads": 1},
    "cnncli, no augmentation, 1 thread": {"augment": False, "threads": 1},
    "cnncli, augmentation, 1 thread": {"threads": 1},
    "cnncli, no augmentation, batch 64": {"augment": False, "batch": 64},
    "cnncli, no augmentation, batch 128": {"augment": False, "batch": 128},
    "cnncli, no augmentation, batch 512": {"augment": False, "batch": 512},
    "cnncli, no augmentation, float32": {"augment": False, "precision": "fp32"},
    "cnncli, --model deep, augmentation": {"model": "deep"},
}
# With a GPU at hand.
GPU_CASES: dict[str, dict[str, Any]] = {
    "plain loop, GPU": {"loop": "plain", "batch": 64, "device": "cuda"},
    "cnncli, no augmentation, GPU": {"augment": False, "device": "cuda"},
    "cnncli, augmentation, GPU": {"device": "cuda"},
}


def plain_worker(case: Results, images: int) -> float:
    """Return images/s of the loop as tutorials write it: one picture at a time, batch 64, Adam."""
    import torch
    from PIL import Image
    from torch import nn
    from torchvision import transforms

    from cnncli.config import ModelConfig, data_folder
    from cnncli.nn.datasets import open_data
    from cnncli.nn.networks import build_network

    split = open_data("mnist", data_folder()).train
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )

    class Pictures(torch.utils.data.Dataset):  # as torchvision.datasets.MNIST does it
        def __len__(self) -> int:
            return len(split)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            picture = Image.fromarray(split.images[index, 0].numpy())
            return transform(picture), int(split.labels[index])

    device = torch.device(case.get("device", "cpu"))
    network, loss_of = build_network(ModelConfig()).to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    loader = torch.utils.data.DataLoader(Pictures(), case["batch"], shuffle=True)
    done, start = -10 * case["batch"], 0.0
    for pictures, labels in loader:
        if done == 0:
            start = now(device)
        optimizer.zero_grad()
        loss_of(network(pictures.to(device)), labels.to(device)).backward()
        optimizer.step()
        done += case["batch"]
        if done >= images:
            break
    return done / (now(device) - start)


def now(device: Any) -> float:
    """Return the time at which the device has done all that it was told to."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter()


def our_worker(case: Results, images: int) -> float:
    """Return images/s of cnncli's own training step."""
    import torch

    from cnncli.config import RECIPES, ModelConfig, data_folder, suited_to
    from cnncli.nn.datasets import open_data
    from cnncli.nn.device import claim_threads
    from cnncli.nn.networks import entry_of
    from cnncli.nn.training import TrainingRun

    model = ModelConfig(case.get("model", "simple"))
    recipe = replace(RECIPES["fast"], **entry_of(model.name).recipe)
    recipe = suited_to(recipe, MNIST_PICTURES, model.name)
    batch = case.get("batch", recipe.batch_size)
    config = replace(
        recipe,
        batch_size=batch,
        augment=case.get("augment", True),
        precision=case.get("precision", "auto"),
    )
    data = open_data("mnist", data_folder()).split_validation(0.1, 0)
    warm = 10 * batch
    part = replace(data, train=data.train.take(torch.arange(min(images + warm, len(data.train)))))
    device = torch.device(case.get("device", "cpu"))
    workers = claim_threads(device, model.name, config.batch_size, 1)
    run = TrainingRun(model, part, config, device, workers=workers)
    marks: list[float] = []

    def mark(done: int, steps: int) -> None:
        if done in (10, steps):
            marks.append(now(device))

    next(run.epochs(on_step=mark))
    return (len(part.train) - warm) / (marks[-1] - marks[0])


def worker(case: Results, images: int) -> None:
    """Measure one case in this process, and print it."""
    speed = (plain_worker if case.get("loop") == "plain" else our_worker)(case, images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"images_per_second": speed, "peak_mb": peak / 1e3}))


def measure(case: Results, images: int) -> Results:
    """Measure one case in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(case.get("threads", 2))}
    if case.get("loop") != "plain":
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `cnncli train` sets it
    command = [sys.executable, __file__, "--worker", json.dumps(case), "--images", str(images)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: Results = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with another process."""
    command = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def race(names: list[str], rounds: int, images: int) -> Results:
    """Return median and range of images/s of cases that run in turn."""
    speeds: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for name in names:
            case = (CASES | GPU_CASES)[name]
            found = measure(case, images // (8 if "deep" in name else 1))
            speeds[name].append(found["images_per_second"])
            peaks[name] = found["peak_mb"]
            print(f"{name}: {found['images_per_second']:,.0f} images/s", file=sys.stderr)
    return {
        name: {
            "median": statistics.median(values),
            "low": min(values),
            "high": max(values),
            "rounds": rounds,
            "peak_mb": peaks[name],
        }
        for name, values in speeds.items()
    }


def time_to_99(seeds: int) -> list[Results]:
    """Run two epochs without augmentation from process start; note when and how good it ends."""
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            what = ["--data", "mnist", "--epochs", "2", "--no-augment"]
            arguments = [*what, "--seed", str(seed), "--json"]
            command = [sys.executable, "-m", "cnncli", "train", *arguments]
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
            seconds = time.perf_counter() - start
        result = json.loads(done.stdout.splitlines()[-1])
        found.append({"seed": seed, "seconds": seconds, "accuracy": result["test_accuracy"]})
        print(found[-1], file=sys.stderr)
    return found


def profile() -> Results:
    """Measure where a step's time goes, on one thread, and what the arithmetic alone would take.

    The arithmetic: 7.3 million operations a picture (1.2 million multiply-adds forward, twice as
    many for the gradients, less those of the input's), at the speed of a large matrix product.
    """
    import torch
    from torch.profiler import ProfilerActivity

    from cnncli.config import RECIPES, ModelConfig, data_folder
    from cnncli.nn.datasets import open_data
    from cnncli.nn.networks import entry_of
    from cnncli.nn.training import TrainingRun

    torch.set_num_threads(1)
    data = open_data("mnist", data_folder()).split_validation(0.1, 0)
    pictures = 40 * 192  # a thread's share of a batch of 384
    part = replace(data, train=data.train.take(torch.arange(pictures)))
    recipe = replace(RECIPES["fast"], **entry_of("simple").recipe, batch_size=192)
    run = TrainingRun(ModelConfig(), part, recipe, torch.device("cpu"))
    steps = run.epochs()
    next(steps)
    with torch.profiler.profile(activities=[ProfilerActivity.CPU]) as seen:
        next(steps)
    events = sorted(seen.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in events)
    a = torch.randn(2048, 2048, dtype=torch.bfloat16)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(a, a)
        times.append(time.perf_counter() - start)
    return {
        "microseconds": total / pictures,
        "arithmetic": 7.3e6 / (2 * 2048**3 / min(times)) * 1e6,
        "operations": {each.key: each.self_cpu_time_total / total for each in events[:12]},
    }


def profile_lines(found: Results) -> list[str]:
    """Return the profile as Markdown."""
    rows = [f"| `{name}` | {share:.1%} |" for name, share in found["operations"].items()]
    return [
        "## Where a step's time goes",
        "",
        f"One thread, batches of 192, with augmentation, profiled: {found['microseconds']:.0f} "
        "microseconds a picture (the profiler itself takes a part). The arithmetic alone would "
        f"take {found['arithmetic']:.0f} at the speed of a 2048x2048 bfloat16 matrix product here.",
        "",
        "| operation | share of the time |",
        "|---|---|",
        *rows,
        "",
    ]


def gpu_lines(found: Results) -> list[str]:
    """Return what a GPU did as Markdown, or that there was none."""
    if not found:
        return [
            "No GPU was at hand, and nothing was timed on one. A GPU takes the same steps "
            "as a processor does."
        ]
    return [
        "## On a GPU",
        "",
        "| loop | images/s | range |",
        "|---|---|---|",
        *(
            f"| {name} | {row['median']:,.0f} | {row['low']:,.0f} to {row['high']:,.0f} |"
            for name, row in found.items()
        ),
    ]


def has_gpu() -> bool:
    """Tell whether torch finds a CUDA GPU here."""
    import torch

    return torch.cuda.is_available()


def page(report: Results) -> str:
    """Return the report as Markdown."""
    machine = report["machine"]
    base = report["speed"]["plain loop"]["median"]
    lines = [
        "# Training, measured",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, torch {machine['versions']['torch']}, "
        f"commit {machine['commit']}, {machine['date']}; load average at the start "
        f"{machine['load_average'][0]:.1f}. Written by `python benchmarks/training.py`; all "
        "figures are in `benchmarks/training.json`. The loops run in turn, each in a process of "
        "its own; medians, with the range of the rounds.",
        "",
        "| loop | images/s | range | x plain | peak memory |",
        "|---|---|---|---|---|",
    ]
    for name, row in report["speed"].items():
        lines.append(
            f"| {name} | {row['median']:,.0f} | {row['low']:,.0f} to {row['high']:,.0f} "
            f"| {row['median'] / base:.1f} | {row['peak_mb']:,.0f} MB |"
        )
    lines += ["", "With one core kept busy by another process:", ""]
    lines += ["| loop | images/s, quiet | images/s, busy | times slower |", "|---|---|---|---|"]
    for name, row in report["busy"].items():
        quiet = report["speed"][name]["median"]
        lines.append(
            f"| {name} | {quiet:,.0f} | {row['median']:,.0f} | {quiet / row['median']:.1f} |"
        )
    runs = report["time_to_99"]
    seconds = statistics.median(run["seconds"] for run in runs)
    accuracies = ", ".join(f"{run['accuracy']:.2%}" for run in runs)
    lines += [
        "",
        "From process start to the result of `cnncli train --epochs 2 --no-augment`: "
        f"{seconds:.1f} s (median of {len(runs)} seeds), test accuracy {accuracies}.",
        "",
        *profile_lines(report["profile"]),
        *gpu_lines(report["gpu"]),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure everything and write the JSON and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, few pictures")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=20_000, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        worker(arguments.worker, arguments.images)
        return
    rounds, images, seeds = (1, 4000, 1) if arguments.quick else (3, 20_000, 5)
    report: Results = {"machine": facts(), "speed": race(list(CASES), rounds, images)}
    with busy_core():
        names = ["plain loop", "cnncli, no augmentation", "cnncli, augmentation"]
        report["busy"] = race(names, rounds, images)
    report["time_to_99"] = time_to_99(seeds)
    report["gpu"] = race(list(GPU_CASES), rounds, 3 * images) if has_gpu() else {}
    report["profile"] = profile()
    JSON_FILE.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(report), encoding="utf-8")
    print(page(report))


if __name__ == "__main__":
    main()
