"""How tutorials run."""

import warnings

_kept: list[warnings.catch_warnings] = []


def strict(_settings: dict[str, object], _script: str, when: str) -> None:
    """Make each warning of a tutorial an error, as in the tests, and of a tutorial alone."""
    if when == "before":
        _kept.append(warnings.catch_warnings())
        _kept[-1].__enter__()
        warnings.simplefilter("error")
    else:
        _kept.pop().__exit__(None, None, None)
