"""List what a self-check tries: every mutant, every choice of every silent point, disturbances, pairs of choices."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

from calloff.apis import APIS, OPERATIONS
from calloff.cli.self_check.trials import COLUMNS, Suspect, Variation
from calloff.contract import silent_points
from calloff.mock.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from calloff.apis import ApiName
    from calloff.contract import SilentPoint

# Seeing the lock would take more failures in a row than the suite ever sends under a key.
NOT_RECORDED = frozenset({"dli-key-lock"})
# A vendor's gateway on a bad day: its answers are right, late, refused for now, or the last on their connection.
DISTURBANCES: dict[str, str] = {
    "throttles, and says when to come back": "throttle:rate=150,retry_after=1",
    "answers 50 ms late": "latency:seconds=0.05",
    "closes each connection": "close",
}
DEFAULTS = "every default"


def suspects(*, full: bool) -> Iterator[Suspect]:
    """Give every mutant with all operations that it breaks; *full* lets each column look for it by itself."""
    for mutant in MUTANTS.values():
        operations = tuple(key for key in OPERATIONS if mutant.concerns(key))
        suspect = Suspect(mutant.name, mutant.requirement, operations)
        yield from (replace(suspect, columns=(column,)) for column in COLUMNS) if full else (suspect,)


def variations(*, full: bool, seeds: int) -> Iterator[Variation]:
    """Give every right server: disturbed ones first, since they take longest; *full* adds pairs of choices."""
    for name, disturbance in DISTURBANCES.items():
        for api in APIS:
            # Several requests at a time: most of what they do is wait.
            yield Variation("disturbance", name, api, disturbances=(disturbance,), workers=4)
    # The quick budget leaves the model and schemathesis out: they take long, and their seeds differ little.
    for seed in range(max(1, seeds // 10)):
        for variation in _choices():
            if full:
                yield replace(variation, budget="standard", seed=seed, hurried=seed > 0)
            else:
                yield replace(
                    variation,
                    layers=("model", "fuzz"),
                    budget="standard",
                    records={},
                    seed=seed,
                    hurried=True,
                )
    for seed in range(seeds):
        for variation in (*_choices(), *(_pairs(seed) if full else ())):
            # The first seed is tried as a stranger's server would be: in real time, and over HTTP alone.
            yield replace(variation, seed=seed, hurried=seed > 0)


def points_of(api: ApiName) -> list[SilentPoint]:
    """Return the silent points that concern *api*."""
    keys = [operation.key for operation in APIS[api].operations.values()]
    return [point for point in silent_points().values() if any(point.applies_to(key) for key in keys)]


def _choices() -> Iterator[Variation]:
    for api in APIS:
        points = points_of(api)
        defaults = {point.id: point.default for point in points}
        yield Variation("choice", DEFAULTS, api, defaults, records=_recorded(defaults))
        for point in points:
            operations = tuple(
                key for key, op in OPERATIONS.items() if op.api == api and point.applies_to(key)
            )
            for choice in point.choices:
                if choice == point.default:
                    continue
                chosen = {point.id: choice}
                yield Variation(
                    "choice",
                    f"{point.id}={choice}",
                    api,
                    chosen,
                    records=_recorded(chosen),
                    operations=operations,
                )


def _recorded(choices: Mapping[str, str]) -> dict[str, str]:
    return {point: choice for point, choice in choices.items() if point not in NOT_RECORDED}


def _pairs(seed: int) -> Iterator[Variation]:
    for api in APIS:
        choices = {point.id: tuple(point.choices) for point in points_of(api)}
        for row in covering_rows(choices, seed):
            defaults = silent_points()
            chosen = {point: choice for point, choice in row.items() if choice != defaults[point].default}
            yield Variation("pair", " ".join(f"{p}={c}" for p, c in chosen.items()), api, chosen)


def covering_rows(choices: Mapping[str, Sequence[str]], seed: int) -> Iterator[dict[str, str]]:
    """Give rows, each with one choice at every point, so that every pair of choices at two points stands in one.

    Greedy, after AETG (Cohen et al., 1997): each row begins with a pair that is missing and takes at every further
    point the choice that covers most of those missing. Another *seed* gives other rows.
    """
    random = Random(seed)  # noqa: S311 - repeatable on purpose
    missing = {
        frozenset(((p, one), (q, other)))
        for p, q in combinations(choices, 2)
        for one in choices[p]
        for other in choices[q]
    }
    order = sorted(missing, key=sorted)
    random.shuffle(order)
    for pair in order:
        if pair not in missing:
            continue
        row = dict(sorted(pair))
        points = [point for point in choices if point not in row]
        random.shuffle(points)
        for point in points:
            offered = random.sample(choices[point], len(choices[point]))
            row[point] = max(
                offered,
                key=lambda choice, p=point: sum(  # type: ignore[misc]
                    frozenset(((p, choice), held)) in missing for held in row.items()
                ),
            )
        missing -= {frozenset(two) for two in combinations(row.items(), 2)}
        yield {point: row[point] for point in choices}
