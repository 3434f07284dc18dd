"""Tables as CSV. Cells that a spreadsheet would run as a formula are made text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Sequence[Any], *, keep_numbers: bool = False) -> str:
    """One line. With `keep_numbers` a text that is a number, such as a parameter's `-1.5`, stays as it is."""
    sink = io.StringIO()
    csv.writer(sink).writerow([_harmless(cell, keep_numbers) for cell in cells])
    return sink.getvalue()


def csv_answer(name: str, heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> HttpResponse:
    """The lines as a file `<name>.csv`. They are read here, inside the request's transaction; the caller bounds them."""
    text = "".join([csv_line(heads), *map(csv_line, lines)])
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _harmless(cell: Any, keep_numbers: bool) -> Any:
    if not isinstance(cell, str) or not cell.startswith(_FORMULA) or keep_numbers and _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
