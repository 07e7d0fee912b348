"""Why a rule does not run, and where in its document."""

from __future__ import annotations

from vonggac.sigma.rulefile import At


class RuleError(ValueError):
    """The rule is refused; `at` is the path in the document, `kind` the name of the check."""

    def __init__(self, at: At, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.kind = kind
        self.reason = reason
