"""Makes the files of a subsidy claim, in French: its lines as CSV, a workbook, and a page to sign (PDF).

The SHA-256 of the CSV is the claim's hash; the same claim always gives the same bytes. The workbook holds
text as text, never as formulas. The PDF embeds its fonts, so that Bambara, Ewe, Fula and Wolof names are
printed as they are written; Arabic ones are not.
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
LINES_HEADER = (
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
    "Jours couverts",
    "N° au registre",
    "Payé par le ménage",
    "Reçus",
    "Taille du ménage",
    "Lieu",
)
SUMS_HEADER = ("Catégorie", "Ménages", "Lignes", "Montant")
WIDTHS = (26, 7, 13, 28, 9, 14, 12, 12, 34, 44, 12, 12, 12, 12, 9, 30, 9, 18, 14, 30, 9, 24)
FONT, FACES = "noto", {"": "notos", "B": "notosbo"}  # Noto Sans, by the names of pymupdf_fonts
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


def write(session: Session, claim: Claim, kind: str) -> bytes:
    """The file of one of the KINDS."""
    writers: dict[str, Callable[[Session, Claim], bytes]] = {
        "csv": claim_store.file,
        "xlsx": workbook,
        "pdf": pdf,
    }
    return writers[kind](session, claim)


def file_name(claim: Claim, kind: str) -> str:
    """The file name, such as `SN-DIENDER-ETAT-2026-003.csv`."""
    return f"{claim.number.replace('/', '-')}.{kind}"


def workbook(session: Session, claim: Claim) -> bytes:
    """Two sheets: a summary with the hash, and the lines."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"title": claim.number, "created": claim.made_at.replace(tzinfo=None)})
    bold = book.add_format({"bold": True})
    summary, lines = book.add_worksheet("Résumé"), book.add_worksheet("Lignes")
    summary.set_column(0, 0, 30)
    summary.set_column(1, 4, 24)
    for row, (label, text) in enumerate(facts(session, claim)):
        summary.write_string(row, 0, label, bold)
        summary.write_string(row, 1, text)
    first = row + 2
    _write(summary, first, SUMS_HEADER)
    for row, cells in enumerate(categories(session, claim), first + 1):
        _write(summary, row, cells)
    columns = len(claim_csv.COLUMNS[claim.format])
    for column, (header, width) in enumerate(zip(LINES_HEADER[:columns], WIDTHS[:columns], strict=True)):
        lines.set_column(column, column, width)
        lines.write_string(0, column, header, bold)
    for row, line in enumerate(claim_store.lines(session, claim), 1):
        _write(lines, row, claim_csv.cells(claim.number, claim.currency, line.csv_line, claim.format))
    lines.freeze_panes(1, 0)
    book.close()
    return buffer.getvalue()


def _write(sheet: Worksheet, row: int, cells: Iterable[str | int]) -> None:
    for column, cell in enumerate(cells):
        if isinstance(cell, int):
            sheet.write_number(row, column, cell)
        else:
            sheet.write_string(row, column, cell)


def pdf(session: Session, claim: Claim) -> bytes:
    """One page to print and sign: the parties, the period, sums by category and the hash."""
    paper = FPDF(format="A4")
    paper.set_compression(False)
    paper.set_creation_date(claim.made_at)
    paper.set_title(claim.number)
    _embed_fonts(paper)
    paper.add_page()
    _print(paper, f"Demande de subvention {claim.number}", 16, bold=True)
    _print(paper, tenants.get(session, claim.tenant_id).name, 12)
    paper.ln(4)
    for label, text in facts(session, claim):
        if label != HASH:
            _print_pair(paper, label, text)
    paper.ln(4)
    _print_row(paper, *SUMS_HEADER, bold=True)
    for label, households, count, units in categories(session, claim):
        _print_row(paper, label, str(households), str(count), str(Money(units, claim.currency)))
    _print_row(paper, "Total", "", str(claim.lines), str(Money(claim.total, claim.currency)), bold=True)
    paper.ln(6)
    _print(paper, "Empreinte SHA-256 du fichier CSV des lignes (sha256sum du fichier donne la même) :", 9)
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
    """The facts about the claim, as pairs of label and text."""
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
        ("Demandé pour", basis(session, claim)),
        ("État de la demande", STATES[claim.state]),
        ("Préparée par", f"{names[claim.made_by]}, {_day(claim.made_at.date())}"),
        ("Vérifiée par", checked),
        ("Ménages", str(households)),
        ("Membres", str(members)),
        ("Total demandé", str(Money(claim.total, claim.currency))),
        (HASH, claim.lines_hash.hex()),
    ]


def basis(session: Session, claim: Claim) -> str:
    """What the lines ask for, in French: the days really covered, or whole periods by which clause."""
    clauses = []
    for code, since in claim_totals.whole_period_rules(session, claim):
        rules = schemes.get(code).version(since).subsidy
        clauses.append((rules and rules.clause) or "demandées avant le décompte des jours couverts")
    if not clauses:
        return "les jours vraiment couverts"
    return f"des périodes entières ({' ; '.join(dict.fromkeys(clauses))})"


def payer(session: Session, claim: Claim) -> str:
    """The payer in French; a sponsor with its name."""
    if claim.sponsor_id is None:
        return PAYERS[claim.payer]
    return f"{PAYERS[claim.payer]} : {sponsors.get(session, claim.tenant_id, claim.sponsor_id).name}"


def labels(session: Session, claim: Claim) -> dict[str, str]:
    """The French label of each category code in the rule book."""
    book = schemes.get(tenants.get(session, claim.tenant_id).scheme)
    return {
        category.code: category.label["fr"] for version in book.versions for category in version.categories
    }


def categories(session: Session, claim: Claim) -> list[tuple[str, int, int, int]]:
    """The sums of the claim by category: (label, households, lines, units)."""
    names = labels(session, claim)
    return [
        (names.get(row.name, row.name), row.households, row.lines, row.units)
        for row in claim_totals.by_category(session, claim)
    ]


def _day(on: date) -> str:
    return on.strftime("%d/%m/%Y")


def _embed_fonts(paper: FPDF) -> None:
    """Embeds the fonts, through files, because the library reads them from files only."""
    with TemporaryDirectory() as folder:
        for style, face in FACES.items():
            file = Path(folder, f"{face}.ttf")
            file.write_bytes(pymupdf_fonts.myfont(face))
            paper.add_font(FONT, style, file)


def _print(paper: FPDF, words: str, size: int, bold: bool = False) -> None:
    paper.set_font(FONT, style="B" if bold else "", size=size)
    paper.cell(0, size * 0.6, words, new_x="LMARGIN", new_y="NEXT")


def _print_pair(paper: FPDF, label: str, text: str) -> None:
    paper.set_font(FONT, style="B", size=10)
    paper.cell(50, 6, label)
    paper.set_font(FONT, size=10)
    paper.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")


def _print_row(paper: FPDF, label: str, *numbers: str, bold: bool = False) -> None:
    paper.set_font(FONT, style="B" if bold else "", size=10)
    paper.cell(80, 7, label, border="B")
    for number, width in zip(numbers, (30, 30, 40), strict=True):
        paper.cell(width, 7, number, border="B", align="R")
    paper.ln()
