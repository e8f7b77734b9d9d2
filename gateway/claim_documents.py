"""The files of a subsidy claim: its lines as CSV (whose SHA-256 is the claim's hash), a workbook, a page to
sign. In French.

The same claim gives the same bytes of CSV for ever. The workbook holds words as words, never as formulas. The
page brings its letters along, so that Bambara, Ewe, Fula and Wolof names are printed as they are written;
Arabic ones are not.
"""

from collections.abc import Callable, Iterable
from datetime import date
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pymupdf_fonts
import xlsxwriter
from fpdf import FPDF
from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from mutuelle.money import Money
from mutuelle.organisation import logins, sponsors, tenants
from mutuelle.schemes import schemes
from mutuelle.subsidies import claim_csv, claim_store, claim_totals
from mutuelle.subsidies.claim_store import Claim

PAYERS = {"state": "État", "commune": "Commune", "sponsor": "Parrain"}
STATES = {
    "drafted": "brouillon",
    "checked": "vérifiée",
    "sent": "envoyée",
    "paid": "payée",
    "cancelled": "annulée",
}
HEADS = (
    "Demande",
    "Ligne",
    "Ménage",
    "Membre",
    "Né(e) en",
    "Catégorie",
    "Barème",
    "Version",
    "Règle",
    "Preuve",
    "Du",
    "Au",
    "Facturé le",
    "Montant",
    "Monnaie",
    "Corrige",
)
HEAD_OF_SUMS = ("Catégorie", "Ménages", "Lignes", "Montant")
WIDTHS = (26, 7, 13, 28, 9, 14, 12, 12, 34, 44, 12, 12, 12, 12, 9, 30)
FONT, FACES = "noto", {"": "notos", "B": "notosbo"}  # Noto Sans, as the package of fonts calls its faces
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


def write(session: Session, claim: Claim, kind: str) -> bytes:
    """The file of this kind, one of KINDS."""
    writers: dict[str, Callable[[Session, Claim], bytes]] = {
        "csv": claim_store.file,
        "xlsx": workbook,
        "pdf": page,
    }
    return writers[kind](session, claim)


def name(claim: Claim, kind: str) -> str:
    """`SN-DIENDER-ETAT-2026-003.csv`."""
    return f"{claim.number.replace('/', '-')}.{kind}"


def workbook(session: Session, claim: Claim) -> bytes:
    """Two sheets: a summary with the hash, and the lines."""
    held = BytesIO()
    book = xlsxwriter.Workbook(held, {"in_memory": True})
    book.set_properties({"title": claim.number, "created": claim.made_at.replace(tzinfo=None)})
    bold = book.add_format({"bold": True})
    summary, lines = book.add_worksheet("Résumé"), book.add_worksheet("Lignes")
    summary.set_column(0, 0, 30)
    summary.set_column(1, 4, 24)
    for row, (label, told) in enumerate(facts(session, claim)):
        summary.write_string(row, 0, label, bold)
        summary.write_string(row, 1, told)
    first = row + 2
    _write(summary, first, HEAD_OF_SUMS)
    for row, cells in enumerate(categories(session, claim), first + 1):
        _write(summary, row, cells)
    for column, (head, width) in enumerate(zip(HEADS, WIDTHS, strict=True)):
        lines.set_column(column, column, width)
        lines.write_string(0, column, head, bold)
    for row, told_line in enumerate(claim_store.lines(session, claim), 1):
        _write(lines, row, claim_csv.cells(claim.number, claim.currency, told_line.csv_line))
    lines.freeze_panes(1, 0)
    book.close()
    return held.getvalue()


def _write(sheet: Worksheet, row: int, cells: Iterable[str | int]) -> None:
    for column, cell in enumerate(cells):
        if isinstance(cell, int):
            sheet.write_number(row, column, cell)
        else:
            sheet.write_string(row, column, cell)


def page(session: Session, claim: Claim) -> bytes:
    """One page to print and sign: who asks whom for what, sums by category, the hash."""
    paper = FPDF(format="A4")
    paper.set_compression(False)
    paper.set_creation_date(claim.made_at)
    paper.set_title(claim.number)
    _letters(paper)
    paper.add_page()
    _say(paper, f"Demande de subvention {claim.number}", 16, bold=True)
    _say(paper, tenants.get(session, claim.tenant_id).name, 12)
    paper.ln(4)
    for label, told in facts(session, claim):
        if label != HASH:
            _pair(paper, label, told)
    paper.ln(4)
    _row(paper, *HEAD_OF_SUMS, bold=True)
    for label, homes, count, units in categories(session, claim):
        _row(paper, label, str(homes), str(count), str(Money(units, claim.currency)))
    _row(paper, "Total", "", str(claim.lines), str(Money(claim.total, claim.currency)), bold=True)
    paper.ln(6)
    _say(paper, "Empreinte SHA-256 du fichier CSV des lignes (sha256sum du fichier donne la même) :", 9)
    paper.set_font("courier", size=9)
    paper.cell(0, 6, claim.lines_hash.hex(), new_x="LMARGIN", new_y="NEXT")
    paper.ln(20)
    paper.set_font(FONT, size=10)
    paper.cell(85, 6, "Pour la mutuelle (nom, date, signature)", border="T")
    paper.set_x(110)
    paper.cell(85, 6, "Pour le payeur (nom, date, signature)", border="T")
    return bytes(paper.output())


HASH = "Empreinte SHA-256"


def facts(session: Session, claim: Claim) -> list[tuple[str, str]]:
    """What the claim is, in pairs of words."""
    tenant, names = tenants.get(session, claim.tenant_id), logins.names(session, claim.tenant_id)
    households, members = claim_totals.people(session, claim)
    checked = (
        f"{names[claim.checked_by]}, {_day(claim.checked_at.date())}"
        if claim.checked_by and claim.checked_at
        else "-"
    )
    return [
        ("Numéro", claim.number),
        ("Mutuelle", f"{tenant.name} ({tenant.code})"),
        ("Payeur", payer(session, claim)),
        ("Période", f"du {_day(claim.period_from)} au {_day(claim.period_until)}"),
        ("État de la demande", STATES[claim.state]),
        ("Préparée par", f"{names[claim.made_by]}, {_day(claim.made_at.date())}"),
        ("Vérifiée par", checked),
        ("Ménages", str(households)),
        ("Membres", str(members)),
        ("Total demandé", str(Money(claim.total, claim.currency))),
        (HASH, claim.lines_hash.hex()),
    ]


def payer(session: Session, claim: Claim) -> str:
    """Who is asked; a sponsor by its name."""
    if claim.sponsor_id is None:
        return PAYERS[claim.payer]
    return f"{PAYERS[claim.payer]} : {sponsors.get(session, claim.tenant_id, claim.sponsor_id).name}"


def labels(session: Session, claim: Claim) -> dict[str, str]:
    """The categories as the rule book labels them."""
    book = schemes.get(tenants.get(session, claim.tenant_id).scheme)
    return {one.code: one.label["fr"] for version in book.versions for one in version.categories}


def categories(session: Session, claim: Claim) -> list[tuple[str, int, int, int]]:
    """Its lines by category: label, households, lines, units."""
    called = labels(session, claim)
    return [
        (called.get(s.name, s.name), s.households, s.lines, s.units)
        for s in claim_totals.by_category(session, claim)
    ]


def _day(on: date) -> str:
    return on.strftime("%d/%m/%Y")


def _letters(paper: FPDF) -> None:
    """Embed the faces; the library reads them from files only."""
    with TemporaryDirectory() as folder:
        for style, face in FACES.items():
            file = Path(folder, f"{face}.ttf")
            file.write_bytes(pymupdf_fonts.myfont(face))
            paper.add_font(FONT, style, file)


def _say(paper: FPDF, words: str, size: int, bold: bool = False) -> None:
    paper.set_font(FONT, style="B" if bold else "", size=size)
    paper.cell(0, size * 0.6, words, new_x="LMARGIN", new_y="NEXT")


def _pair(paper: FPDF, label: str, told: str) -> None:
    paper.set_font(FONT, style="B", size=10)
    paper.cell(50, 6, label)
    paper.set_font(FONT, size=10)
    paper.cell(0, 6, told, new_x="LMARGIN", new_y="NEXT")


def _row(paper: FPDF, label: str, *figures: str, bold: bool = False) -> None:
    paper.set_font(FONT, style="B" if bold else "", size=10)
    paper.cell(80, 7, label, border="B")
    for figure, width in zip(figures, (30, 30, 40), strict=True):
        paper.cell(width, 7, figure, border="B", align="R")
    paper.ln()
