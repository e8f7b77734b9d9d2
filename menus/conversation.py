"""A turn that may come twice, late, or without its cache, acts once. Here the pure engine meets the database.

Only the first turn, a turn that acts, and a turn whose cached state is doubtful open a transaction. A turn
that acts locks our session row first, looks the recorded effect up, and writes what it did under (session,
screen, ordinal). The caller saves `Reply.cached` only once `take` returned: by then everything is committed.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from menus import engine, session_rows
from menus.engine import DialoguePosition, Effect, Outcomes, ScreenText, Turn
from menus.facts import Facts
from menus.flow import FLOW
from menus.screens import Confirm, EffectRequest
from mutuelle import crypto, db, pipeline
from mutuelle.errors import Refused


@dataclass(frozen=True)
class TurnRequest:
    """One turn as it came, once the gateway account and the mutuelle are known.

    `text` is the whole transcript where `cumulative`, else what was just typed (ignored in the first turn).
    `shortcut` is what was dialled beyond the code, where the gateway tells it apart; `language` is spoken
    when nothing can be read.
    """

    gateway_id: UUID
    tenant_id: UUID
    foreign_id: str
    phone: str
    text: str
    cumulative: bool = True
    shortcut: str = ""
    channel: str = "ussd"
    language: str = "fr"
    deadline: db.Deadline | None = None


@dataclass(frozen=True)
class SessionState:
    """What the caller keeps between turns: our session, whose it is (blind index), its opening facts, where
    it stands."""

    session_id: str
    phone_index: str
    facts: Facts
    heard: DialoguePosition

    def as_json(self) -> dict[str, Any]:
        return {
            "session_id": self.session_id,
            "phone_index": self.phone_index,
            "facts": self.facts.as_json(),
            "heard": self.heard.as_json(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "SessionState":
        facts, heard = Facts.from_json(told["facts"]), DialoguePosition.from_json(told["heard"])
        return cls(told["session_id"], told["phone_index"], facts, heard)


@dataclass(frozen=True)
class TurnResponse:
    """What the phone shows. `cached` is to be saved under the gateway's session id, and `draft` under the
    phone (None: forget it); when `cached` is None nothing changed and nothing is to be saved or forgotten.
    `screen` names the step, for counting.
    """

    said: ScreenText
    cached: SessionState | None = None
    draft: dict[str, Any] | None = None
    screen: str = ""

    @property
    def acted(self) -> bool:
        """Whether a Confirm of this session has acted: its work may wait in the outbox."""
        return self.cached is not None and bool(self.cached.heard.outcomes)


class _SessionEnded(Exception):
    """This is not a turn of that session: polite last words, nothing changed."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def take(hop: TurnRequest, cached: SessionState | None, draft: dict[str, Any] | None = None) -> TurnResponse:
    """Answer one turn. Never raises for what the database may do.

    `draft` is what the last `Reply.draft` for this phone and mutuelle was; it matters in a first turn only.
    """
    attempt = _Attempt(hop)
    try:
        try:
            return attempt.run(cached, draft)
        except IntegrityError:  # somebody else just did the same: look again, and show what was done
            return attempt.run(cached, draft)
    except _SessionEnded as polite:
        return sorry(hop, polite.said, cached.facts if cached else None)
    except SQLAlchemyError:
        return sorry(
            hop,
            "session.checking" if attempt.committing else "session.failed",
            cached.facts if cached else None,
        )


def unplaced(said: str) -> TurnResponse:
    """Polite last words before it is known whose session it is, in the first language."""
    return TurnResponse(ScreenText(next(iter(FLOW.catalogues.values()))[said], False))


def sorry(hop: TurnRequest, said: str = "session.failed", facts: Facts | None = None) -> TurnResponse:
    """Polite last words; the state stays as it was."""
    catalogue = FLOW.catalogues.get(facts.language if facts else hop.language) or next(
        iter(FLOW.catalogues.values())
    )
    return TurnResponse(ScreenText(catalogue[said], False))


def _standing(row: Any, facts: Facts, outcomes: Outcomes) -> DialoguePosition:
    """Where the row says the session stood: as last saved without a cache, or at its first screen."""
    if row.heard is None:
        return engine.turn(FLOW, None, facts, facts.spoken, outcomes).heard
    return replace(DialoguePosition.from_json(row.heard), outcomes=dict(outcomes))


def _replayed(facts: Facts, turn: Turn, outcomes: Outcomes) -> Turn:
    """The same transcript with everything that was recorded: the cached state was behind."""
    heard = engine.replay(FLOW, facts, turn.heard.text, outcomes)
    return Turn(heard, heard.said)


class _Attempt:
    """One try at a turn. `committing` is true from the moment an effect was written: from then on we cannot
    say "not done"."""

    def __init__(self, hop: TurnRequest) -> None:
        self.hop = hop
        self.committing = False
        self.refused: Refused | None = None
        self.phone_index = crypto.blind_index(hop.phone)

    def run(self, cached: SessionState | None, draft: dict[str, Any] | None) -> TurnResponse:
        """Answer; when the rules refuse what is done, everything is rolled back, and the refusal is recorded
        instead."""
        self.refused = None
        try:
            return self._run(cached, draft)
        except Refused as refused:
            self.refused = refused
            return self._run(cached, draft)

    def _run(self, cached: SessionState | None, draft: dict[str, Any] | None) -> TurnResponse:
        self.committing = False
        if cached is None:
            return self._without_cache(draft)
        if cached.phone_index != self.phone_index.hex():
            raise _SessionEnded("session.diverged")
        if cached.facts.flow != FLOW.version:
            raise _SessionEnded("session.changed")
        turn = self._turn(cached.heard, cached.facts, {})
        if turn.effect or turn.doubt:
            turn = self._with_records(cached, turn)
        return self._reply(cached.session_id, cached.facts, turn, cached)

    def _turn(self, heard: DialoguePosition | None, facts: Facts, outcomes: Outcomes) -> Turn:
        if heard and not self.hop.cumulative:
            return engine.advance(FLOW, heard, facts, self.hop.text)
        return engine.turn(FLOW, heard, facts, self.hop.text if self.hop.cumulative else "", outcomes)

    def _transaction(self) -> AbstractContextManager[Session]:
        hop = self.hop
        return db.transaction(db.Role.APP, hop.tenant_id, gateway=hop.gateway_id, deadline=hop.deadline)

    def _without_cache(self, draft: dict[str, Any] | None) -> TurnResponse:
        """The first turn, or one whose cache is lost: from the row, where a turn without a cache also leaves
        its state."""
        hop = self.hop
        with self._transaction() as session:
            found = session_rows.enter(session, hop.gateway_id, hop.foreign_id, hop.tenant_id, hop.phone)
            if found.row is None:
                session_id, facts = self._begin(session, found.opening, draft)
                turn = self._turn(None, facts, {})
            else:
                session_id, facts = found.row.id, Facts.from_json(found.row.opening)
                turn = self._found(session, found.row, facts)
        return self._reply(str(session_id), facts, turn)

    def _begin(self, session: Session, now: Any, draft: dict[str, Any] | None) -> tuple[UUID, Facts]:
        hop = self.hop
        spoken = hop.text if hop.cumulative else ""
        facts = session_rows.opening(
            now, hop.tenant_id, flow=FLOW.version, shortcut=hop.shortcut, spoken=spoken, draft=draft
        )
        return session_rows.begin(session, hop.gateway_id, hop.foreign_id, hop.phone, facts), facts

    def _found(self, session: Session, row: Any, facts: Facts) -> Turn:
        """A turn of a session whose cache is lost; where it leads is kept in the row."""
        if row.phone_index != self.phone_index or row.tenant_id != self.hop.tenant_id:
            raise _SessionEnded("session.diverged")
        if facts.flow != FLOW.version:
            raise _SessionEnded("session.changed")
        outcomes = self._outcomes(session, row.id)
        turn = self._turn(_standing(row, facts, outcomes), facts, outcomes)
        if turn.effect:
            turn = self._settled(session, row.id, facts, turn, outcomes)
        session_rows.keep(session, self.hop.gateway_id, row.id, turn.heard.as_json(), turn.heard.version)
        return turn

    def _with_records(self, cached: SessionState, turn: Turn) -> Turn:
        """A turn that acts, or whose cached state may be behind what was recorded."""
        session_id = UUID(cached.session_id)
        with self._transaction() as session:
            outcomes = self._outcomes(session, session_id)
            if turn.effect:
                return self._settled(session, session_id, cached.facts, turn, outcomes)
            if outcomes.keys() <= cached.heard.outcomes.keys():
                return turn
            return _replayed(cached.facts, turn, outcomes)

    def _outcomes(self, session: Session, session_id: UUID) -> dict[str, dict[str, Any]]:
        recorded = session_rows.effects_of(session, self.hop.gateway_id, session_id)
        return {f"{screen}#{ordinal}": told for (screen, ordinal), told in recorded.items()}

    def _settled(
        self, session: Session, session_id: UUID, facts: Facts, turn: Turn, outcomes: Outcomes
    ) -> Turn:
        """The turn after its Confirm: what was recorded, or what is done now."""
        effect = turn.effect
        if effect is None:
            return turn
        record = outcomes.get(effect.key)
        if record is None:
            record = self._act(session, session_id, facts, turn.heard, effect)
        elif record["at"] != effect.at:
            return _replayed(facts, turn, outcomes)
        heard = engine.settle(FLOW, turn.heard, facts, effect, record)
        return Turn(heard, heard.said)

    def _act(
        self, session: Session, session_id: UUID, facts: Facts, heard: DialoguePosition, effect: Effect
    ) -> dict[str, Any]:
        """Do what the Confirm says, once, and record what came of it. A refusal is an outcome too: raised,
        then recorded."""
        screen = FLOW.screens[effect.screen]
        if not isinstance(screen, Confirm):
            raise ValueError(f"{effect.screen} does not act")
        hop, home = self.hop, facts.household
        asked = EffectRequest(
            tenant_id=facts.tenant_id,
            household_id=home.id if home else None,
            phone=hop.phone,
            language=engine.view_of(FLOW, facts, heard.answers).language,
            channel=hop.channel,
            facts=facts,
            answers=heard.answers,
            effect_key=session_rows.effect_key(session_id, effect.screen, effect.ordinal),
        )
        record = effect.refusal(self.refused) if self.refused else effect.record(screen.do(session, asked))
        session_rows.record_effect(session, hop.gateway_id, session_id, effect.screen, effect.ordinal, record)
        pipeline.send(session.connection())  # what is refused now was not done, and may be said so
        self.committing = True
        return record

    def _reply(
        self, session_id: str, facts: Facts, turn: Turn, cached: SessionState | None = None
    ) -> TurnResponse:
        heard = turn.heard
        if cached and cached.heard == heard:
            return TurnResponse(turn.said, screen=heard.screen)
        kept = SessionState(session_id, self.phone_index.hex(), facts, heard)
        return TurnResponse(turn.said, kept, _draft(facts, heard), heard.screen)


def _draft(facts: Facts, heard: DialoguePosition) -> dict[str, Any] | None:
    """What this phone may resume later: what this session left unfinished, or the older draft it has not
    looked at."""
    draft = engine.draft_of(FLOW, heard)
    if draft:
        return draft
    unseen = heard.screen == "resume" or ((facts.shortcut or facts.spoken) and not heard.acts)
    return facts.draft if unseen else None
