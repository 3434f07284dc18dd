"""Code that reads and writes a table, filled in for it, and running as pasted."""

from __future__ import annotations

from apps.tables.computations import is_number
from apps.tables.models import Table, TableVersion


def reading(table: Table, url: str = "$BOATHOUSE_URL") -> dict[str, str]:
    """Reading, by language. `url` is this installation's address."""
    some = _some_columns(table)
    return {
        "Python": f'import boathouse\n\nrows = boathouse.read_table("{table.name}")  # Arrow, the newest version\n'
        f'old = boathouse.read_table("{table.name}", version={table.version})  # exactly this one, for good',
        "pandas": f'import boathouse\n\nframe = boathouse.read_table("{table.name}", columns={some}, as_="pandas")\nprint(frame.describe())',
        "DuckDB": f'import boathouse, duckdb\n\nrows = boathouse.read_table("{table.name}")\nprint(duckdb.sql("{_question(table)}"))',
        "curl": f'export BOATHOUSE_TOKEN=...  # one of yours: Account, Tokens\ncurl -H "Authorization: Bearer $BOATHOUSE_TOKEN" \\\n'
        f'  "{url}/api/v1/tables/{table.name}/preview?limit=10"',
    }


def as_of(table: Table, last: TableVersion) -> dict[str, str]:
    """Reading a moment, some columns and some rows."""
    columns = [str(column["name"]) for column in table.columns if is_number(str(column["type"]))]
    filter = f',\n    filter=[("{columns[0]}", "is not null")]' if columns else ""
    moment = f"{last.committed_at:%Y-%m-%dT%H:%M:%SZ}".replace("Z", ".999999Z")
    return {
        "Python": f'import boathouse\n\nrows = boathouse.read_table(\n    "{table.name}",\n    timestamp="{moment}",\n'
        f"    columns={_some_columns(table)}{filter},\n)"
    }


def writing(table: Table) -> dict[str, str]:
    """Writing from code: one call, one version."""
    return {
        "Python": f'import boathouse\n\nrows = boathouse.read_table("{table.name}").slice(0, 10)\n'
        f'boathouse.write_table("{table.name}", rows, mode="append", note="Ten rows again")',
        "pandas": f'import boathouse\n\nframe = boathouse.read_table("{table.name}", as_="pandas")\n'
        f'boathouse.write_table("{table.name}", frame.head(1000), mode="overwrite", expected_version={table.version})',
    }


def appending_a_file(name: str, file_name: str = "more.csv") -> dict[str, str]:
    """Adding the rows of a file to the table of this name."""
    ending = file_name.rpartition(".")[2].lower()
    module, call = {"parquet": ("parquet", "read_table"), "jsonl": ("json", "read_json")}.get(
        ending, ("csv", "read_csv")
    )
    return {
        "Python": f"import boathouse\nimport pyarrow.{module}\n\nrows = pyarrow.{module}.{call}({file_name!r})\n"
        f'boathouse.write_table("{name}", rows, mode="append")'
    }


def _some_columns(table: Table) -> str:
    names = [str(column["name"]) for column in table.columns[:3]]
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _question(table: Table) -> str:
    text = next((str(column["name"]) for column in table.columns if column["type"] == "string"), None)
    return (
        f'select \\"{text}\\", count(*) from rows group by 1 order by 2 desc' if text else "select count(*) from rows"
    )
