"""The regulator's indicators at the command line: a table, JSON, CSV, or DHIS2 `dataValueSets` JSON."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway import dhis2_client, http_client
from gateway.cli.common import boot, mutuelle_of, of_mutuelle
from mutuelle import db
from mutuelle.errors import Malformed, OperatorError
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import dhis2, indicators, targets
from mutuelle.reports.indicator_list import NAMED
from mutuelle.reports.indicators import Month, Reading

WITHIN_S = 600
CSV_COLUMNS = (
    "mutuelle",
    "month",
    "indicator",
    "by",
    "slice",
    "numerator",
    "denominator",
    "per_mille",
    "unit",
)


@click.group("indicators", invoke_without_command=True)
@click.option("--mutuelle", "code", help="the mutuelle's code")
@click.option("--month", "month_text", help="such as 2026-11")
@click.option("--json", "as_json", is_flag=True, help="figures as JSON")
@click.option("--csv", "as_csv", is_flag=True, help="figures as CSV")
@click.pass_context
def group(ctx: click.Context, code: str | None, month_text: str | None, as_json: bool, as_csv: bool) -> None:
    """Show a mutuelle's indicators of a month: numerator, denominator, quotient in thousandths.

    Small numbers are not suppressed here.
    """
    if ctx.invoked_subcommand is not None:
        return
    if code is None or month_text is None:
        raise click.UsageError("--mutuelle and --month are needed", ctx)
    _show(code, month_text, as_json, as_csv)


def _show(code: str, month_text: str, as_json: bool, as_csv: bool) -> None:
    tenant, month, readings = _read(code, month_text)
    if as_json:
        head = {
            "mutuelle": tenant.code,
            "currency": tenant.currency,
            "month": str(month),
            "on": month.last,
            "over": month.over,
        }
        rows = [{**_row(reading), "formula": NAMED[reading.code].formula[1]} for reading in readings]
        click.echo(json.dumps({**head, "indicators": rows}, ensure_ascii=False, default=str))
    elif as_csv:
        buffer = io.StringIO()
        table = csv.DictWriter(buffer, CSV_COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(
            {"mutuelle": tenant.code, "month": str(month), **_row(reading)} for reading in readings
        )
        click.echo(buffer.getvalue(), nl=False)
    else:
        for reading in readings:
            name = " ".join(filter(None, (reading.code, reading.by, reading.slice)))
            denominator, per_mille = _or_dash(reading.denominator), _or_dash(reading.per_mille)
            click.echo(f"{name:<32} {reading.numerator:>14} {denominator:>14} {per_mille:>8}")


@group.command("dhis2")
@of_mutuelle
@click.option("--month", "month_text", required=True, help="such as 2026-11")
@click.option(
    "--mapping",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="such as config/dhis2-example.toml",
)
@click.option("--post", "url", help="send it to the DHIS2 at this address instead of printing it")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="a file with a personal access token, for --post"
)
@click.option(
    "--id-scheme",
    type=click.Choice(["UID", "CODE"]),
    default="UID",
    help="what the mapping's identifiers are",
)
def as_dhis2(
    code: str, month_text: str, file: Path, url: str | None, token_file: Path | None, id_scheme: str
) -> None:
    """Print or send the JSON for `POST /api/dataValueSets`. Unknown values are left out and counted."""
    try:
        mapping = dhis2.load(file)
        tenant, month, readings = _read(code, month_text)
        values = dhis2.data_value_set(mapping, code, month, readings, tenant.today())
    except dhis2.MappingError as error:
        raise click.ClickException(f"--mapping: {error}") from None
    if url is None:
        click.echo(json.dumps(values, ensure_ascii=False))
    else:
        _post(url, token_file, values, id_scheme)
    left_out = len(mapping.elements) - len(values["dataValues"])
    if left_out:
        click.echo(f"{left_out} of {len(mapping.elements)} numbers are not known and left out", err=True)


def _post(url: str, token_file: Path | None, values: dict[str, Any], id_scheme: str) -> None:
    """Sends the values and prints the import summary. Exit 1 unless every value was imported."""
    if token_file is None:
        raise click.UsageError("--post needs --token-file")
    try:
        token = token_file.read_text(encoding="utf-8").strip()
        with http_client.client() as http:
            summary = dhis2_client.send(http, dhis2_client.address(url), token, values, id_scheme)
    except OSError as error:
        raise click.ClickException(f"--token-file: {error.strerror}") from None
    except (OperatorError, Malformed) as error:
        raise click.ClickException(f"--post: {error}") from None
    click.echo(" ".join([summary.status, *(f"{name} {number}" for name, number in summary.counts.items())]))
    for conflict in summary.conflicts:
        click.echo(conflict, err=True)
    if not summary.whole:
        sys.exit(1)


def _read(code: str, month_text: str) -> tuple[Tenant, Month, list[Reading]]:
    populations = targets.load(boot().targets_file)
    tenant = mutuelle_of(code)
    try:
        month = indicators.month(month_text, tenant.today())
    except Malformed as error:
        raise click.ClickException(f"--month: {error}") from None
    if sys.stderr.isatty():
        click.echo(f"{tenant.name}, {month}, as of {month.last}", err=True)
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        readings = indicators.read(session, tenant, month, populations.on(code, month.last))
    return tenant, month, readings


def _row(reading: Reading) -> dict[str, Any]:
    """A reading as JSON values, without `behind`, which serves small-number suppression only."""
    return {
        "indicator": reading.code,
        "by": reading.by,
        "slice": reading.slice,
        "numerator": reading.numerator,
        "denominator": reading.denominator,
        "per_mille": reading.per_mille,
        "unit": NAMED[reading.code].unit,
    }


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
