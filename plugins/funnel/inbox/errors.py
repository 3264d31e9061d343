"""Exceptions of the inbox: unreadable manifests, files and cells."""

from funnel.errors import Failure


class ManifestError(Failure):
    """A manifest cannot be used. The message names the file, the place and what to write."""

    is_permanent = True


class Refused(Failure):
    """A file is refused as a whole; nothing of it is loaded. `reasons` are the first ten, the most useful first."""

    def __init__(self, reason: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reasons = reasons


class Vanished(Failure):
    """A listed file is gone, or it changes while it is read. The next run reads it as it is then."""


class Unclear(Failure):
    """A column can be read in more than one way. The message says how, and what to state in the manifest."""


class BadCell(Failure):
    """A cell that does not fit its column; the message is the reason."""


class OtherForm(BadCell):
    """A date that is not written in the expected format."""


class Misstated(Failure):
    """A column, a scale or a format of the manifest is not valid; the message says what to write."""


class YamlError(Failure):
    """The YAML is not valid; the message says why, `line` where, if known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
