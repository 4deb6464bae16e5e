"""Turn the figures into ``docs/benchmarks.md`` and a picture of time against size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Results = dict[str, Any]

INTRODUCTION = """\
# Benchmarks

`make bench` measures all of this again and rewrites this page. Every cell is a median; a ratio is
the median of paired ratios, ours over theirs in the same round, so **below 1 we are faster**.
Contenders run in turn, round by round: whole commands in an order drawn anew for each round; in
memory each quick one is called once before its timing starts. Filters get the same border
(`reflect`), the same result type and memory for the result; kernels, borders and rounding are the
same to one grey level. Losses stay in.
"""


def write(report: Results, folder: Path) -> None:
    """Write the page and, where sizes were measured, the picture."""
    text = INTRODUCTION + "".join(_sections(report, folder))
    (folder / "benchmarks.md").write_text(text, encoding="utf-8")


def _sections(report: Results, folder: Path) -> Iterator[str]:
    if "memory" in report:
        yield from _memory(report["memory"])
        yield _machine(report["memory machine"])
    if "commands" in report:
        yield "\n## Whole commands: vertical edges, file to file, all cores\n"
        yield from map(_command_table, report["commands"].items())
        yield _machine(report["commands machine"])
    if "peak" in report:
        yield "\n## Peak memory of a whole command\n\n"
        yield "Peak resident memory as a multiple of the decoded picture; the interpreter with\n"
        yield "NumPy and Pillow is about 40 MB of it.\n"
        yield from map(_command_table, report["peak"].items())
        yield _machine(report["peak machine"])
    if "sizes" in report:
        draw_sizes(report["sizes"], folder / "pictures" / "benchmark-sizes.png")
        yield "\n## Time against size\n\n"
        yield "![time against size, log-log](pictures/benchmark-sizes.png)\n\n"
        yield "Both axes are logarithmic; one thread, grey bytes. Nothing jumps: the planner\n"
        yield "changes algorithm where the lines would cross.\n"
        yield _machine(report["sizes machine"])


def _machine(facts: Results) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    load = ", ".join(f"{value:.1f}" for value in facts["load_average"] or ())
    busy = max(facts["load_average"] or (0,)) > 1.5 * facts["cores"]
    return (
        f"\n*{facts['date']}, commit {facts['commit']}: {facts['cores']} cores of {facts['cpu']} "
        f"(caches {facts['caches']}), {facts['memory_gb']} GB, Python {facts['python']}, "
        f"{versions}; load average {load} at the end."
        + " **The machine was busy with other work: measure again when it is not.**" * busy
        + "*\n"
    )


def _memory(races: Results) -> Iterator[str]:
    yield "\n## Arrays in memory\n\n"
    yield "Milliseconds (fastest to slowest round), and in brackets our time over theirs. One\n"
    yield "thread: processor time of that thread; several: time on the wall.\n"
    for setting, cases in races.items():
        yield f"\n### {setting}{'s' if not setting.endswith('1 thread') else ''}\n\n"
        others = list(dict.fromkeys(n for case in cases.values() for n in case if n != "cnncli"))
        yield f"| | cnncli | {' | '.join(others)} |\n|---|---|{'---|' * len(others)}\n"
        for name, found in cases.items():
            cells = [_versus(found.get(other)) for other in others]
            ours = found["cnncli"]
            spread = f"**{_short(ours['median_ms'])}** ({_short(ours['min_ms'])} to "
            yield f"| {name} | {spread}{_short(ours['max_ms'])}) | {' | '.join(cells)} |\n"


def _versus(figures: Results | None) -> str:
    if figures is None:
        return ""
    return f"{_short(figures['median_ms'])} [{figures['ratio']:.2f}]"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _command_table(item: tuple[str, Results]) -> str:
    label, found = item
    times = any("times_decoded" in figures for figures in found.values())
    head = f"\n| {label} | seconds (spread) | ours / theirs | peak MB |"
    lines = [head + (" x decoded |" if times else ""), "|---|---|---|---|" + "---|" * times]
    for name, figures in found.items():
        if figures["failed"]:
            lines.append(f"| {name} | failed | | |" + " |" * times)
            continue
        row = f"| {name} | {figures['median_s']:.3f} ({figures['min_s']:.3f} to "
        row += f"{figures['max_s']:.3f}) | {figures['ratio']:.2f} | {figures['peak_mb']:.0f} |"
        lines.append(row + (f" {figures['times_decoded']:.2f} |" if times else ""))
    return "\n".join(lines) + "\n"


def draw_sizes(results: Results, path: Path) -> None:
    """Draw time against picture size and against kernel size, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    titles = {"image": "side of the picture, pixels", "kernel": "side of the kernel, taps (1024²)"}
    for panel, (kind, title) in zip(panels, titles.items(), strict=True):
        for i, (name, found) in enumerate(results[kind].items()):
            sides = [int(side) for side in found]
            for who, style in (("cnncli", "-o"), ("cv2.filter2D", ":")):
                times = [figures[who]["median_ms"] for figures in found.values()]
                label = f"{name}, {who}"
                panel.loglog(sides, times, style, color=f"C{i}", markersize=3, label=label)
        panel.set(xlabel=title, ylabel="milliseconds")
        panel.grid(visible=True, which="major", alpha=0.3)
        panel.legend(fontsize=7)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
