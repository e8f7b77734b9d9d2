"""`python -m proving.schema`: writes what a freshly migrated database refuses and hides (`make schema`)."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from mutuelle import db
from mutuelle.migrations.migrate import migrate
from mutuelle.verification import schema
from proving.stage import server_files
from proving.stage.programs import found_postgres
from proving.stage.servers import Postgres


def main() -> None:
    """Starts the newest PostgreSQL found, migrates an empty database, and writes `schema.json` from it."""
    program = max(found_postgres(), key=lambda program: program.major)
    folder = server_files.make_state_dir(Path(tempfile.mkdtemp(prefix="mutuelle-schema-")))
    server = Postgres(
        program,
        folder,
        superuser_password=secrets.token_hex(),
        login_password=secrets.token_hex(),
        durable=False,
    )
    try:
        server.start()
        server.create_database("migrated")
        migrate(server.url("migrated"))
        db.connect(server.url("migrated"))
        with db.transaction(db.Role.AUDITOR) as session:
            text = schema.capture(session)
        db.disconnect()
    finally:
        server.stop()
        server_files.forget(folder)
        shutil.rmtree(folder)
    changed = not schema.EXPECTED.exists() or schema.EXPECTED.read_text(encoding="utf-8") != text
    schema.EXPECTED.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{schema.EXPECTED.name}: {'written anew' if changed else 'as it was'}\n")


if __name__ == "__main__":
    main()
