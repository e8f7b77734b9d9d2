"""The regulator's indicators at the command line: as words, JSON or CSV, and as DHIS2's `dataValueSets`
JSON."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway import dhis2_client as gateway_dhis2
from gateway import http_client
from gateway.cli.common import boot, mutuelle_of, of_mutuelle
from mutuelle import clock, db
from mutuelle.errors import Malformed, OperatorError
from mutuelle.organisation.tenants import Tenant
from mutuelle.reports import dhis2, indicators, targets
from mutuelle.reports.indicators import NAMED, Month, Reading

WITHIN_S = 600


@click.group("indicators", invoke_without_command=True)
@click.option("--mutuelle", "code", help="the mutuelle's code")
@click.option("--month", "told", help="such as 2026-11")
@click.option("--json", "as_json", is_flag=True, help="figures as JSON")
@click.option("--csv", "as_csv", is_flag=True, help="figures as CSV")
@click.pass_context
def group(ctx: click.Context, code: str | None, told: str | None, as_json: bool, as_csv: bool) -> None:
    """What a regulator reads of a mutuelle and a month: numerator, denominator, quotient in thousandths.
    Small numbers are not hidden here."""
    if ctx.invoked_subcommand is not None:
        return
    if code is None or told is None:
        raise click.UsageError("--mutuelle and --month are needed", ctx)
    _show(code, told, as_json, as_csv)


def _show(code: str, told: str, as_json: bool, as_csv: bool) -> None:
    tenant, of, readings = _read(code, told)
    if as_json:
        whole = {
            "mutuelle": tenant.code,
            "currency": tenant.currency,
            "month": str(of),
            "on": of.last,
            "over": of.over,
        }
        rows = [{**_row(one), "formula": NAMED[one.code].formula[1]} for one in readings]
        click.echo(json.dumps({**whole, "indicators": rows}, ensure_ascii=False, default=str))
    elif as_csv:
        written = io.StringIO()
        head = [
            "mutuelle",
            "month",
            "indicator",
            "by",
            "slice",
            "numerator",
            "denominator",
            "per_mille",
            "unit",
        ]
        table = csv.DictWriter(written, head, lineterminator="\n")
        table.writeheader()
        table.writerows({"mutuelle": tenant.code, "month": str(of), **_row(one)} for one in readings)
        click.echo(written.getvalue(), nl=False)
    else:
        for one in readings:
            name = " ".join(filter(None, (one.code, one.by, one.slice)))
            click.echo(
                f"{name:<32} {one.numerator:>14} {_or_dash(one.denominator):>14} {_or_dash(one.per_mille):>8}"
            )


@group.command("dhis2")
@of_mutuelle
@click.option("--month", "told", required=True, help="such as 2026-11")
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
    code: str, told: str, file: Path, url: str | None, token_file: Path | None, id_scheme: str
) -> None:
    """The JSON for `POST /api/dataValueSets`; what nobody knows is left out, and told on standard error."""
    try:
        mapping = dhis2.load(file)
        tenant, of, readings = _read(code, told)
        values = dhis2.data_value_set(mapping, code, of, readings, clock.today(tenant.zone))
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
    """Send it and tell what became of it; exit 1 unless all was taken."""
    if token_file is None:
        raise click.UsageError("--post needs --token-file")
    try:
        token = token_file.read_text(encoding="utf-8").strip()
        with http_client.client() as http:
            taken = gateway_dhis2.send(http, gateway_dhis2.address(url), token, values, id_scheme)
    except OSError as error:
        raise click.ClickException(f"--token-file: {error.strerror}") from None
    except (OperatorError, Malformed) as error:
        raise click.ClickException(f"--post: {error}") from None
    click.echo(" ".join([taken.status, *(f"{name} {number}" for name, number in taken.counts.items())]))
    for why in taken.conflicts:
        click.echo(why, err=True)
    if not taken.whole:
        sys.exit(1)


def _read(code: str, told: str) -> tuple[Tenant, Month, list[Reading]]:
    people = targets.load(boot().targets_file)
    tenant = mutuelle_of(code)
    try:
        of = indicators.month(told, clock.today(tenant.zone))
    except Malformed as error:
        raise click.ClickException(f"--month: {error}") from None
    if sys.stderr.isatty():
        click.echo(f"{tenant.name}, {of}, as of {of.last}", err=True)
    with db.transaction(db.Role.AUDITOR, within_s=WITHIN_S) as session:
        return tenant, of, indicators.read(session, tenant, of, people.on(code, of.last))


def _row(one: Reading) -> dict[str, Any]:
    """A reading as a machine takes it, without `behind`, which stands for nobody outside."""
    return {
        "indicator": one.code,
        "by": one.by,
        "slice": one.slice,
        "numerator": one.numerator,
        "denominator": one.denominator,
        "per_mille": one.per_mille,
        "unit": NAMED[one.code].unit,
    }


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
