"""The commands `mutuelle account`: the wallets of mutuelles at operators."""

import json
import secrets
from pathlib import Path

import click

from gateway import momo
from gateway.cli.common import boot
from mutuelle import db
from mutuelle.organisation import tenants


@click.group("account")
def group() -> None:
    """Operator accounts."""


@group.command("add")
@click.option("--mutuelle", "code", required=True, help="the mutuelle's code")
@click.option("--operator", type=click.Choice(sorted(momo.OPERATORS)), required=True)
@click.option("--name", required=True, help="a code of your own for the account")
@click.option(
    "--credentials", type=click.Path(exists=True, dir_okay=False), required=True, help="a JSON file"
)
def add(code: str, operator: str, name: str, credentials: str) -> None:
    """Store a wallet's credentials, encrypted, and print the callback URL to register at the operator."""
    settings = boot()
    token = secrets.token_urlsafe(24)
    secrets_by_name = _read_credentials(Path(credentials))
    try:
        momo.connect(operator, settings, secrets_by_name)
    except KeyError as missing:
        raise click.ClickException(f"--credentials: {missing} is missing") from None
    proofs = momo.OPERATORS[operator].proofs
    if proofs and not any(secrets_by_name.get(name, "").strip(" ,") for name in proofs):
        raise click.ClickException(
            f"--credentials: {' or '.join(proofs)} is missing; every callback would be refused"
        )
    with db.transaction(db.Role.LOGIN) as session:
        tenant = tenants.by_code(session, code)
        if tenant is None:
            raise click.ClickException(f"there is no mutuelle {code}")
        if tenants.is_account(session, name):
            raise click.ClickException(f"there is an account {name} already")
        tenants.add_account(
            session,
            tenant.id,
            operator=operator,
            code=name,
            currency=tenant.currency,
            credentials=secrets_by_name | {"callback_token": token},
            token=token,
        )
    click.echo(f"{settings.public_url.rstrip('/')}/momo/{operator}/{token}/callback")


def _read_credentials(file: Path) -> dict[str, str]:
    """The texts by name in a JSON file. Ends the command when it holds anything else."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise click.ClickException("--credentials: the file is not JSON") from None
    if not isinstance(values, dict) or not all(isinstance(text, str) and text for text in values.values()):
        raise click.ClickException(
            '--credentials: the file holds no words by name, such as {"api_key": "..."}'
        )
    return values
