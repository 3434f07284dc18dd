"""The columns that a flight's delay is predicted from, for training and for scoring alike."""

from __future__ import annotations

import pandas as pd

CATEGORIES = ["carrier", "origin", "dest", "manufacturer"]
NUMBERS = ["month", "hour", "distance", "dep_delay", "temp", "wind_speed", "precip", "visib", "seats", "plane_year"]
TARGET = "arr_delay"


def flight_features(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """One row per flight in the order given: CATEGORIES as text, NUMBERS as float64 (missing ones NaN), and TARGET where it is known."""
    sky = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]].drop_duplicates(
        ["origin", "time_hour"]
    )
    fleet = planes[["tailnum", "year", "manufacturer", "seats"]].rename(columns={"year": "plane_year"})
    rows = flights.merge(sky, on=["origin", "time_hour"], how="left").merge(fleet, on="tailnum", how="left")
    for name in CATEGORIES:
        rows[name] = rows[name].astype("object").where(rows[name].notna(), "unknown").astype(str)
    rows[NUMBERS] = rows[NUMBERS].astype("float64")
    return rows[[*CATEGORIES, *NUMBERS, *([TARGET] if TARGET in rows else [])]]
