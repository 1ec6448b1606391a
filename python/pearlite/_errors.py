"""Errors that Python has no name for."""


class ConvergenceError(RuntimeError):
    """A cell did not reach the tolerance that was asked for.

    Attributes
    ----------
    index : tuple of int
        The worst cell, as an index into the batch axes: ``()`` if there are none.
    residual : float
        The estimated relative error of its effective tensor.
    """

    def __init__(self, message: str, index: tuple[int, ...], residual: float) -> None:
        super().__init__(message)
        self.index = index
        self.residual = residual

    def __reduce__(self) -> tuple[type, tuple[str, tuple[int, ...], float]]:
        return type(self), (str(self), self.index, self.residual)
