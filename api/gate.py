"""The gate: who asks, and whether he may, before anything is done for him.

Invariants: nobody is admitted in maintenance, without a good credential, or beyond its scopes and project; who was not known goes on in the lane of
his project, and the porter hears of it, so that the next request of his credential waits there. Errors: Maintenance, Unauthenticated, Forbidden,
NoSuchProject, Busy, Crowded."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from api.auth import Authenticator
from api.authority import authorised
from api.dialects.dialect import Credential, Dialect
from api.faults import Unauthenticated
from api.maintenance import Switch
from api.operation import Asked, Operation, Principal
from api.porter import Porter
from api.refused import Refusals
from ledger.errors import LedgerError

log = structlog.get_logger("api.gate")


@dataclass(frozen=True, slots=True)
class Gate:
    """One process's. A refusal of somebody who is known is kept for auditors."""

    switch: Switch
    authenticator: Authenticator
    porter: Porter
    refused: Refusals

    async def admit(self, dialect: Dialect, operation: Operation, asked: Asked) -> None:
        """Fill in who asks, if he may."""
        try:
            await self.switch.check(operation.scope)
            credential = dialect.credential(asked)
            if credential is None:
                log.warning("credential refused", reason="missing", operation=operation.id)
                raise Unauthenticated(
                    "This operation needs a credential, and the request brought none.",
                    lack="missing",
                )
            # Known from here on, also to be refused.
            asked.principal = self.authenticator.remembered(credential, asked.now)
            if asked.principal is None:
                asked.principal = await self._found(credential, asked)
            self.porter.met(asked, asked.principal.project)
            asked.principal = authorised(asked.principal, operation, asked)
            if asked.turn is not None:
                await asked.turn.into(asked.principal.project)
        except LedgerError as error:
            self.refused.note(operation, asked, error)
            raise

    async def _found(self, credential: Credential, asked: Asked) -> Principal:
        """Who this is, when nothing is remembered of him."""
        try:
            return await self.authenticator.resolve(credential, asked.now)
        except Unauthenticated:
            self.porter.turned_away(asked)
            raise
