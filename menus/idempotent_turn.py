"""Answers one USSD turn: loads the session, runs the engine, applies the Confirm's effect exactly once.

A turn may come twice, late, or without its cached state. Three kinds of turn open a transaction: the first
one, one that acts, and one that skipped a yes. A turn that acts first locks our session row, looks the
recorded effect up, and writes its outcome under (session, screen, ordinal). The caller saves
`TurnResponse.state` only after `answer` returned: by then everything is committed.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from menus import engine, session_rows
from menus.facts import Facts
from menus.flow import FLOW
from menus.position import DialoguePosition, Effect, Outcomes, ScreenText, Turn
from menus.screens import Confirm, EffectRequest
from mutuelle import crypto, db, pipeline
from mutuelle.errors import Refused, UnreadableBooks


@dataclass(frozen=True)
class TurnRequest:
    """One turn as the gateway sent it, with the gateway account and the mutuelle it belongs to.

    `text` is the whole transcript where `cumulative`, else the new input only (ignored in the first turn).
    `shortcut` is what was dialled beyond the code, where the gateway reports it apart.
    """

    gateway_id: UUID
    tenant_id: UUID
    foreign_id: str
    phone: str
    text: str
    cumulative: bool = True
    shortcut: str = ""
    deadline: db.Deadline | None = None


@dataclass(frozen=True)
class SessionState:
    """The state of a session between two turns, for the cache: our ids, the opening facts, the position.

    `phone_index` is the blind index of the phone that dialled.
    """

    gateway_id: UUID
    session_id: UUID
    phone_index: bytes
    facts: Facts
    position: DialoguePosition

    @property
    def tenant_id(self) -> UUID:
        return UUID(self.facts.tenant_id)

    def as_json(self) -> dict[str, Any]:
        return {
            "gateway_id": str(self.gateway_id),
            "session_id": str(self.session_id),
            "phone_index": self.phone_index.hex(),
            "facts": self.facts.as_json(),
            "position": self.position.as_json(),
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> "SessionState":
        """Reads `as_json`. Raises LookupError, TypeError, ValueError or AttributeError on another form."""
        return cls(
            gateway_id=UUID(payload["gateway_id"]),
            session_id=UUID(payload["session_id"]),
            phone_index=bytes.fromhex(payload["phone_index"]),
            facts=Facts.from_json(payload["facts"]),
            position=DialoguePosition.from_json(payload["position"]),
        )


@dataclass(frozen=True)
class TurnResponse:
    """The text for the phone, and what the caller saves.

    The caller saves `state` under the gateway's session id and `draft` under the phone (None: delete the
    draft). When `state` is None nothing changed, and there is nothing to save or delete.
    """

    screen_text: ScreenText
    state: SessionState | None = None
    draft: dict[str, Any] | None = None

    @property
    def acted(self) -> bool:
        """Whether a Confirm of this session has acted: its work may wait in the outbox."""
        return self.state is not None and bool(self.state.position.outcomes)


class _NoAnswer(Exception):
    """The turn belongs to no session that can answer it: it gets an error screen and changes nothing."""

    def __init__(self, text_id: str, language: str = "") -> None:
        super().__init__(text_id)
        self.text_id, self.language = text_id, language


def answer(
    request: TurnRequest, state: SessionState | None, draft: dict[str, Any] | None = None
) -> TurnResponse:
    """Answers one turn. Never raises for a database error.

    `draft` is the last `TurnResponse.draft` of this phone and mutuelle; it matters in a first turn only.
    """
    attempt = _Attempt(request)
    facts = state.facts if state else None
    try:
        try:
            return attempt.run(state, draft)
        except IntegrityError:  # an identical turn acted at the same moment: the second run finds its effect
            return attempt.run(state, draft)
    except _NoAnswer as reason:
        return error_screen(reason.text_id, facts, reason.language)
    except UnreadableBooks:
        return error_screen("session.unreadable", facts)
    except SQLAlchemyError:
        return error_screen("session.checking" if attempt.effect_written else "session.failed", facts)


def error_screen(text_id: str, facts: Facts | None = None, language: str = "") -> TurnResponse:
    """An error screen that ends the session; the stored state stays as it was.

    It is in the language of `facts`, else in `language`, or in the first one while the mutuelle is not known.
    """
    catalogue = FLOW.catalogues.get(facts.language if facts else language)
    catalogue = catalogue or next(iter(FLOW.catalogues.values()))
    return TurnResponse(ScreenText(catalogue[text_id], False))


def _stored_position(row: Any, facts: Facts, outcomes: Outcomes) -> DialoguePosition:
    """Returns the position saved in the row by a turn without a cache, or that of the first screen."""
    if row.heard is None:
        return engine.turn(FLOW, None, facts, facts.first_text, outcomes).position
    return replace(DialoguePosition.from_json(row.heard), outcomes=dict(outcomes))


def _replay(facts: Facts, turn: Turn, outcomes: Outcomes) -> Turn:
    """Answers the same transcript with every recorded outcome, because the cached state was behind."""
    position = engine.replay(FLOW, facts, turn.position.text, outcomes)
    return Turn(position, position.screen_text)


@dataclass
class _Attempt:
    """One try at a turn.

    `effect_written` is true from the moment an effect was written: from then on an error must not be shown as
    "not done", because the commit may have succeeded. `refused` is the refusal to record in place of the act.
    """

    request: TurnRequest
    effect_written: bool = False
    refused: Refused | None = None
    phone_index: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.phone_index = crypto.blind_index(self.request.phone)

    def run(self, state: SessionState | None, draft: dict[str, Any] | None) -> TurnResponse:
        """Answers the turn. After a refusal of the rules, runs again (rolled back) and records it."""
        self.refused = None
        try:
            return self._run(state, draft)
        except Refused as refused:
            self.refused = refused
            return self._run(state, draft)

    def _run(self, state: SessionState | None, draft: dict[str, Any] | None) -> TurnResponse:
        self.effect_written = False
        if state is None:
            return self._run_without_state(draft)
        if state.phone_index != self.phone_index:
            raise _NoAnswer("session.diverged")
        if state.facts.flow != FLOW.version:
            raise _NoAnswer("session.changed")
        turn = self._turn(state.position, state.facts, {})
        if turn.effect or turn.skipped_yes:
            turn = self._check_effects(state, turn)
        return self._response(state.session_id, state.facts, turn, state)

    def _turn(self, position: DialoguePosition | None, facts: Facts, outcomes: Outcomes) -> Turn:
        text = self.request.text
        if position and not self.request.cumulative:
            return engine.advance(FLOW, position, facts, text)
        return engine.turn(FLOW, position, facts, text if self.request.cumulative else "", outcomes)

    def _transaction(self) -> AbstractContextManager[Session]:
        request = self.request
        return db.transaction(
            db.Role.APP, request.tenant_id, gateway=request.gateway_id, deadline=request.deadline
        )

    def _run_without_state(self, draft: dict[str, Any] | None) -> TurnResponse:
        """Answers the first turn, or one whose cached state is lost, from the session row."""
        request = self.request
        with self._transaction() as session:
            lookup = session_rows.look_up(
                session, request.gateway_id, request.foreign_id, request.tenant_id, request.phone
            )
            if lookup.row is None:
                session_id, facts = self._begin(session, lookup.opening, draft)
                turn = self._turn(None, facts, {})
            else:
                session_id, facts = lookup.row.id, Facts.from_json(lookup.row.opening)
                turn = self._turn_from_row(session, lookup.row, facts)
        return self._response(session_id, facts, turn)

    def _begin(self, session: Session, opening: Any, draft: dict[str, Any] | None) -> tuple[UUID, Facts]:
        request = self.request
        try:
            facts = session_rows.opening_facts(
                opening,
                request.tenant_id,
                flow=FLOW.version,
                shortcut=request.shortcut,
                first_text=request.text if request.cumulative else "",
                draft=draft,
            )
        except UnreadableBooks:
            raise _NoAnswer("session.unreadable", opening.spoken or opening.language) from None
        row_id = session_rows.begin(session, request.gateway_id, request.foreign_id, request.phone, facts)
        return row_id, facts

    def _turn_from_row(self, session: Session, row: Any, facts: Facts) -> Turn:
        """Answers a turn of a session whose cached state is lost, and saves the new position in the row."""
        if row.phone_index != self.phone_index or row.tenant_id != self.request.tenant_id:
            raise _NoAnswer("session.diverged")
        if facts.flow != FLOW.version:
            raise _NoAnswer("session.changed")
        outcomes = self._outcomes(session, row.id)
        turn = self._turn(_stored_position(row, facts, outcomes), facts, outcomes)
        if turn.effect:
            turn = self._complete(session, row.id, facts, turn, turn.effect, outcomes)
        session_rows.save_position(
            session, self.request.gateway_id, row.id, turn.position.as_json(), turn.position.version
        )
        return turn

    def _check_effects(self, state: SessionState, turn: Turn) -> Turn:
        """Completes a turn that acts, or replays one whose state may be behind the recorded effects."""
        with self._transaction() as session:
            outcomes = self._outcomes(session, state.session_id)
            if turn.effect:
                return self._complete(session, state.session_id, state.facts, turn, turn.effect, outcomes)
            if outcomes.keys() <= state.position.outcomes.keys():
                return turn
            return _replay(state.facts, turn, outcomes)

    def _outcomes(self, session: Session, session_id: UUID) -> dict[str, dict[str, Any]]:
        effects = session_rows.lock_effects(session, self.request.gateway_id, session_id)
        return {f"{screen}#{ordinal}": outcome for (screen, ordinal), outcome in effects.items()}

    def _complete(
        self,
        session: Session,
        session_id: UUID,
        facts: Facts,
        turn: Turn,
        effect: Effect,
        outcomes: Outcomes,
    ) -> Turn:
        """Returns the turn after its Confirm: with the recorded outcome, or with that of the act run now."""
        record = outcomes.get(effect.key)
        if record is None:
            record = self._act(session, session_id, facts, turn.position, effect)
        elif record["at"] != effect.at:
            return _replay(facts, turn, outcomes)
        position = engine.apply_outcome(FLOW, turn.position, facts, effect, record)
        return Turn(position, position.screen_text)

    def _act(
        self, session: Session, session_id: UUID, facts: Facts, position: DialoguePosition, effect: Effect
    ) -> dict[str, Any]:
        """Runs the act of the Confirm and records its outcome.

        A refusal is an outcome too: `do` raises it, and the second run records it without acting.
        """
        screen = FLOW.screens[effect.screen]
        if not isinstance(screen, Confirm):
            raise ValueError(f"{effect.screen} does not act")
        effect_request = EffectRequest(
            phone=self.request.phone,
            language=engine.view_of(FLOW, facts, position.answers).language,
            facts=facts,
            answers=position.answers,
            effect_key=session_rows.effect_key(session_id, effect.screen, effect.ordinal),
        )
        refused = self.refused
        record = effect.refusal(refused) if refused else effect.record(screen.do(session, effect_request))
        session_rows.record_effect(
            session, self.request.gateway_id, session_id, effect.screen, effect.ordinal, record
        )
        # Up to this point nothing was committed: if the database refuses a statement, "not done" is true.
        pipeline.send(session.connection())
        self.effect_written = True
        return record

    def _response(
        self, session_id: UUID, facts: Facts, turn: Turn, before: SessionState | None = None
    ) -> TurnResponse:
        if before and before.position == turn.position:
            return TurnResponse(turn.screen_text)
        state = SessionState(self.request.gateway_id, session_id, self.phone_index, facts, turn.position)
        return TurnResponse(turn.screen_text, state, _draft(facts, turn.position))


def _draft(facts: Facts, position: DialoguePosition) -> dict[str, Any] | None:
    """Returns the draft to save: the unfinished dialogue, or the older draft while it was not offered yet."""
    draft = engine.draft_of(FLOW, position)
    if draft:
        return draft
    not_offered = (facts.shortcut or facts.first_text) and not position.acts
    return facts.draft if position.screen == "resume" or not_offered else None
