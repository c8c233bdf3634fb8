"""Tests of many endpoints at once, for `streamtui endpoints test`."""

import asyncio
from collections.abc import Sequence

from streamtui.cli.endpoint_words import heading, report_lines, report_object
from streamtui.cli.outcome import EXIT_CODES
from streamtui.cli.output import emit, emit_json, terminal_width
from streamtui.config import Endpoint
from streamtui.engine.doors import Doors
from streamtui.engine.reports import ModelList, ProbeReport


class Tests:
    """Tests of several endpoints at once, printed in the order in which they were given."""

    def __init__(self, targets: Sequence[Endpoint], *, as_json: bool, all_models: bool) -> None:
        self.codes: list[int] = []
        self._targets = targets
        self._as_json = as_json
        self._all_models = all_models
        self._ended: dict[int, tuple[ProbeReport, ModelList | None]] = {}

    async def run(self, doors: Doors) -> None:
        """Test all; what is known is printed at once."""
        self._print_heading()
        await asyncio.gather(*(self._test(doors, place) for place in range(len(self._targets))))

    async def _test(self, doors: Doors, place: int) -> None:
        target = self._targets[place]
        report = await doors.probe(target)
        models = await doors.models(target) if _is_open(report) else None
        self._ended[place] = report, models
        while len(self.codes) in self._ended:
            self._print_next()

    def _print_next(self) -> None:
        place = len(self.codes)
        report, models = self._ended[place]
        if self._as_json:
            emit_json(report_object(self._targets[place], report, models))
        else:
            lines = report_lines(
                report, models, width=terminal_width(), all_models=self._all_models
            )
            emit("\n".join(lines))
        self.codes.append(EXIT_CODES[report.error.kind] if report.error else 0)
        self._print_heading()

    def _print_heading(self) -> None:
        """Before its test has ended: so it can be seen what is waited for."""
        place = len(self.codes)
        if not self._as_json and place < len(self._targets):
            emit(("\n" if place else "") + heading(self._targets[place]))


def _is_open(report: ProbeReport) -> bool:
    """Whether it is of use to ask for the models: somebody answered, and took the key."""
    answered = any(
        stage.name == "first byte" and stage.seconds is not None for stage in report.stages
    )
    return answered and not (report.error and report.error.kind in {"auth", "forbidden"})
