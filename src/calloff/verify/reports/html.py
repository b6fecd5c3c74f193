"""Write the report as one self-contained HTML page."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def to_html(data: dict[str, Any]) -> str:
    """Return the page; every value is escaped by the template engine, nothing is loaded from elsewhere."""
    environment = Environment(
        loader=PackageLoader("calloff.verify.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    operations = list(dict.fromkeys(row["operation"] for row in data["results"]))
    rows = {(row["requirement"], row["operation"]): row for row in data["results"]}
    return environment.get_template("report.html.jinja").render(data=data, operations=operations, rows=rows)
