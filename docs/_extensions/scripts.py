"""How tutorials run."""

import warnings


def strict(_settings: dict[str, object], _script: str) -> None:
    """Make each warning of a tutorial an error, as in the tests."""
    warnings.simplefilter("error")
