"""Find the server under test: the embedded mock, or what the options describe."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from calloff.cli.extras import require_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.cli.verify.options import Options
    from calloff.verify.engine import Run
    from calloff.verify.target import Target


@contextmanager
def targets(opts: Options) -> Iterator[list[Target]]:
    """Yield a target for each API that is to be verified, and close them at the end."""
    from calloff.verify.given import given_target
    from calloff.verify.pace import Pace
    from calloff.verify.provider_states import announced_targets

    if opts.mock:
        require_extra("mock")
        from calloff.mock.dialects import parse_dialect
        from calloff.mock.server import run_embedded

        with run_embedded(opts.apis, dialect=parse_dialect(opts.dialect), mutant=opts.mutant) as server:
            found = announced_targets(server.announcement, settle=opts.settle, timeout=opts.timeout)
            for target in found:
                target.pace = Pace(opts.rate, opts.max_requests, opts.max_seconds)
            yield from _closing(found)
        return
    yield from _closing(
        [
            given_target(
                opts.apis,
                opts.base_url or "",
                host=opts.host,
                project_id=opts.project_id,
                ca_file=opts.ca_file,
                provider_states=opts.provider_states,
                jobs=opts.jobs,
                credentials=opts.credentials,
                access_key=opts.access_key,
                secret_key=opts.secret_key,
                security_token=opts.security_token,
                token=opts.token,
                live=opts.live,
                settle=opts.settle,
                timeout=opts.timeout,
                rate=opts.rate,
                max_requests=opts.max_requests,
                max_seconds=opts.max_seconds,
            )
        ]
    )


def _closing(found: list[Target]) -> Iterator[list[Target]]:
    try:
        yield found
    finally:
        for target in found:
            target.close()


def new_run(opts: Options) -> Run:
    """Make the run that the options describe; raise InvalidInputError where one names what does not exist."""
    from calloff.contract import load_catalogue
    from calloff.verify import selection
    from calloff.verify.engine import LAYERS, Run

    selection.check_operations(opts.operations, opts.apis)
    layers = [layer for layer in LAYERS if not opts.layers or layer in opts.layers]
    if opts.case is None:
        selection.check_budget(opts.budget, layers)  # type: ignore[arg-type]
    return Run(
        load_catalogue(),
        seed=opts.seed,
        layers=layers,
        operations=opts.operations,
        only=opts.only,
        level=opts.level,
        budget=opts.budget,  # type: ignore[arg-type]
        workers=opts.workers or 1,
        live=opts.live,
        beside=True,
        case=opts.case,
    )
