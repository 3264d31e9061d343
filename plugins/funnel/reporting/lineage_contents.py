"""Removes texts from every lineage event before it is sent. The transport of `lineage` uses it."""

from typing import Any

from openlineage.client.transport.transform import EventTransformer

from funnel.reporting.lineage import CONTENTS


class WithoutContents(EventTransformer):
    """Keeps the names of jobs, tables and columns; removes facets that quote rows, messages, statements or code."""

    def transform(self, event: Any) -> Any:
        """The event without those facets."""
        for part in (getattr(event, "run", None), getattr(event, "job", None)):
            for name in CONTENTS:
                if part is not None and part.facets:
                    part.facets.pop(name, None)
        return event
