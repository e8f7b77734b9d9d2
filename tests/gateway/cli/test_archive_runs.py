"""`mutuelle archive list` shows what was taken out of the working tables."""

from datetime import timedelta

from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from tests.gateway.cli.world import Terminal


def test_runs_are_listed_the_newest_first(shell: Terminal) -> None:
    assert shell.run("archive", "list").stdout == "nothing was taken out yet\n"
    db.connect(shell.database.url)
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for table, limit in ((ArchivedTable.MESSAGES, 9), (ArchivedTable.TRAIL, 0)):
        with db.transaction(db.Role.WORKER) as session:
            archive.take_out(session, table, midnight - timedelta(days=400), limit)
    lines = shell.run("archive", "list").stdout.splitlines()
    day = f"{midnight - timedelta(days=400):%Y-%m-%d}"
    assert [line[18:] for line in lines] == [f"audit  0  {day}  and more", f"messages  0  {day}"]
    (row,) = shell.json("archive", "list", "--last", "1")
    assert (row["table"], row["rows"], row["is_last"]) == ("audit", 0, False)
