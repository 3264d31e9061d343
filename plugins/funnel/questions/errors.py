"""Exceptions of questions."""

from funnel.errors import Failure


class QuestionError(Failure):
    """A question cannot be answered as asked. The message says which word, and what to write instead."""
