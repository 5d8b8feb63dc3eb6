"""Authorisation: what a principal may do, and where.

Invariants: nothing is allowed that a scope does not say; another tenant's project is answered as one that does not exist; every refusal is
logged with the credential's id. Errors: Forbidden, NoSuchProject."""

from __future__ import annotations

import structlog

from api.faults import Forbidden, NoSuchProject
from api.operation import Asked, Operation, Principal

log = structlog.get_logger("api.authority")

# Path parameters that name a tenant, in any dialect.
_TENANTS = ("project", "projectId")


def authorised(principal: Principal, operation: Operation, asked: Asked) -> Principal:
    """The principal in the project that is asked about. Raises Forbidden, NoSuchProject."""
    principal = _in_project(principal, asked)
    if not principal.may(operation.scope):
        _log(principal, operation, "scope")
        raise Forbidden(
            f"{operation.id} needs the scope {operation.scope.value}, which this key lacks."
        )
    return principal


def check_tenant(principal: Principal, asked: Asked) -> None:
    """Raise NoSuchProject when the path names another project than the principal's."""
    for name in _TENANTS:
        project = asked.path_params.get(name)
        if project is not None and project != principal.project:
            log.warning("refused", reason="project", key_id=principal.key_id, path=asked.path[:200])
            raise NoSuchProject(f"This key sees no project {project[:100]!r}.")


def _in_project(principal: Principal, asked: Asked) -> Principal:
    """A credential of several projects asks in that of the path, else in that of the header Ledger-Project, else in its first."""
    if principal.grants:
        named = [asked.path_params[name] for name in _TENANTS if name in asked.path_params]
        principal = principal.within((*named, asked.headers.get("ledger-project", ""))[0])
    check_tenant(principal, asked)
    return principal


def _log(principal: Principal, operation: Operation, reason: str) -> None:
    log.warning(
        "refused",
        reason=reason,
        key_id=principal.key_id,
        operation=operation.id,
        scope=operation.scope.value,
    )
