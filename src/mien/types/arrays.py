"""Arrays inside value types: checked, and read-only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_only(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    """Return a read-only view of `array`.

    Args:
        array: any array.
        dtype: that it must have.
        shape: that it must have; None allows any length of an axis.

    Raises:
        TypeError: it has another dtype.
        ValueError: it has another shape.
    """
    if array.dtype != dtype:
        raise TypeError(f"expected {np.dtype(dtype)}, got {array.dtype}")
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        raise ValueError(f"expected shape {shape}, got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view
