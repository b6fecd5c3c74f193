"""What the benches of the clients make of their measurements: ratios, limits, a table and a chart."""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

_PEERS = ("calloff", "httpx", "httpcore", "aiohttp", "openapi-python-client", "huaweicloudsdkdli")


@dataclass(frozen=True)
class Limit:
    """What a median must not be under, or over."""

    least: float | None = None
    most: float | None = None

    def holds(self, median: float) -> bool:
        """Tell whether a median keeps to it."""
        return (self.least is None or median >= self.least) and (self.most is None or median <= self.most)

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


@dataclass(frozen=True)
class Group:
    """Contenders measured in the same rounds, ours first: for each a figure of every round.

    ``limits`` are of the ratio of ours to a contender, ``absolute`` of a contender's own figure.
    """

    title: str
    unit: str
    runs: Mapping[str, Sequence[float]]
    limits: Mapping[str, Limit]
    absolute: Mapping[str, Limit] = field(default_factory=dict)

    @property
    def ours(self) -> str:
        """Return the name of the first contender."""
        return next(iter(self.runs))

    def ratios(self, name: str) -> list[float]:
        """Return the ratios of ours to a contender, each of one round."""
        return [ours / other for ours, other in zip(self.runs[self.ours], self.runs[name], strict=True)]


def missed(groups: Sequence[Group]) -> list[str]:
    """Say which medians miss their limits."""
    found = []
    for group in groups:
        for name, limit in group.limits.items():
            median = statistics.median(group.ratios(name))
            if not limit.holds(median):
                found.append(f"{group.title}: {group.ours} is {median:.2f} times {name}; it must be {limit}")
        for name, limit in group.absolute.items():
            median = statistics.median(group.runs[name])
            if not limit.holds(median):
                found.append(f"{group.title}: {name} takes {median:.0f} {group.unit}; it must be {limit}")
    return found


def _spread(values: Sequence[float], places: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{places}f} ({low:,.{places}f} to {high:,.{places}f})"


def markdown(groups: Sequence[Group]) -> str:
    """Write a table of each group: medians with the lowest and the highest of the rounds."""
    lines = []
    for group in groups:
        lines += [
            f"**{group.title}**",
            "",
            f"| | {group.unit} | ratio of the first | must be |",
            "|---|--:|--:|--:|",
        ]
        for name, values in group.runs.items():
            ratio = "" if name == group.ours else _spread(group.ratios(name), 2)
            limit = group.limits.get(name) or group.absolute.get(name) or ""
            lines.append(f"| {name} | {_spread(values, 0)} | {ratio} | {limit} |")
        lines.append("")
    versions = ", ".join(f"{name} {version(name)}" for name in _PEERS)
    lines.append(
        f"Medians, with the lowest and the highest of the rounds, on {os.cpu_count()} processors that a server of its "
        f"own shares; Python {platform.python_version()}, {versions}."
    )
    return "\n".join(lines) + "\n"


_LIGHT, _DARK = "#24292f", "#e6edf3"
_OURS, _OTHERS = "#2f81f7", "#8c959f"
_PAGE = (
    "inline:.guide { stroke: none !important; } .text-overlay text { text-anchor: start !important; }"
    # It is read on a white page and on a dark one.
    f" @media (prefers-color-scheme: dark) {{ text, .title {{ fill: {_DARK} !important; }} }}"
)


def chart(groups: Sequence[Group]) -> bytes:
    """Draw the medians of groups of one unit as bars, ours in a colour of their own; SVG without scripts."""
    import pygal  # type: ignore[import-untyped]
    from pygal.style import Style  # type: ignore[import-untyped]

    # Its import hook is of an old kind, and makes each later import of the process warn.
    sys.meta_path[:] = [hook for hook in sys.meta_path if not type(hook).__module__.startswith("pygal")]
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_LIGHT,
        foreground_strong=_LIGHT,
        foreground_subtle=_OTHERS,
        value_colors=(_LIGHT,),
        colors=(_OTHERS,),
        opacity="1",
        title_font_size=18,
        label_font_size=14,
        major_label_font_size=14,
        value_font_size=14,
        font_family="system-ui, sans-serif",
    )
    bars = [
        (
            f"{name}, {'many at once' if number else 'one by one'}",
            statistics.median(values),
            name == group.ours,
        )
        for number, group in enumerate(groups)
        for name, values in group.runs.items()
    ]
    drawn = pygal.HorizontalBar(
        css=["file://style.css", "file://graph.css", _PAGE],
        js=[],
        style=style,
        width=900,
        height=90 + 48 * len(bars),
        title=f"{groups[0].unit[:1].upper()}{groups[0].unit[1:]}, medians",
        show_legend=False,
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: f"{value:,.0f}",
        show_x_labels=False,
        range=(0, max(value for _, value, _ in bars) * 1.12),
    )
    bars.reverse()  # pygal begins at the bottom
    drawn.x_labels = [name for name, _, _ in bars]
    drawn.add("", [{"value": value, "color": _OURS if ours else _OTHERS} for _, value, ours in bars])
    drawn.uuid = "clients"  # else another one each time
    svg: bytes = drawn.render()
    return re.sub(rb"<script.*?</script>", b"", svg, flags=re.DOTALL)  # of its tooltips
