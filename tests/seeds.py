"""SEEDS: for each promise the bugs it guards against, each as a change of our source, and the test that must turn red with it.

Invariants: a change names its files by a pattern and its old text as it stands there; the seed of a row is sown into every process that the
test starts, and into nothing on disk; `shows` is a word of the failure, so that a test which fails for another reason is no catch.
`./scripts/seeds` sows each by itself and counts what is caught; rows that are `short` are sown in every run of the tests. Errors: none."""

from __future__ import annotations

from tests.seed import Change, Seed

_MIGRATIONS = "ledger/migrations/*.sql"
_APPEND = "ledger/migrations/0021_at_once.sql"  # where ledger.append was defined last
_MOVED_ON = """UPDATE ledger.head h SET position = h.position + asked, recorded_at = greatest(h.recorded_at, clock_timestamp())
  RETURNING h.position - asked, h.recorded_at INTO STRICT head, moment;"""

_SAVED = """        async with connection.transaction():
            if not await batches.hold(connection, batch):
                raise Elsewhere
            if unit.entries:
                [answer] = await store.append(connection, [unit])
                if not isinstance(answer, Appended):
                    raise Moved
                position = answer.position
            results = decided.results_at(position)
            await batches.record(connection, batch, results, finished=decided.finished)
"""
_SAVED_LATER = """        [answer] = await store.append(connection, [unit])
        position = answer.position
        async with connection.transaction():
            results = decided.results_at(position)
            await batches.record(connection, batch, results, finished=decided.finished)
"""
_SAVED_FIRST = """        async with connection.transaction():
            results = decided.results_at(await store.head(connection) + 1)
            await batches.record(connection, batch, results, finished=decided.finished)
        [answer] = await store.append(connection, [unit])
        position = answer.position
"""

# fmt: off
SEEDS: tuple[Seed, ...] = (
    Seed(
        "commit-before-disk", "P1", "A commit is answered before it is on disk.",
        (
            Change("ledger/connection.py", "-c timezone=UTC", "-c timezone=UTC -c synchronous_commit=off"),
            Change("ledger/durability.py", 'found.get(name) == "off"', 'found.get(name) == "forgotten"'),
        ),
        "tests/acceptance/test_killed.py", r"assert \[\(<Finding",
    ),
    Seed(
        "unsafe-start", "P1", "A start does not look whether PostgreSQL keeps what it acknowledges.",
        (Change("ledger/durability.py", 'found.get(name) == "off"', 'found.get(name) == "forgotten"'),),
        "tests/ledger/test_durability.py", "DID NOT RAISE",
    ),
    Seed(
        "waits-for-the-silent", "P1", "A write waits for ever for a server that keeps the line and says nothing on it.",
        (Change("ledger/wire.py", "now_s - self._due_s > settings.SILENCE_S", "now_s < self._due_s"),),
        "tests/ledger/test_wires.py", "said nothing",
    ),
    Seed(
        "refused-and-sent", "P1", "Who is told that nothing happened, since a commit does not end, is sent behind it all the same.",
        (Change("ledger/committer.py", "decided, self._decided = self._decided, []", "decided = self._decided"),),
        "tests/ledger/test_committer_stuck.py", "assert|Taken",
    ),
    Seed(
        "watches-what-is-closed", "P1", "A socket that libpq has closed is let go a turn later, by when the loop has ended the process.",
        (Change("ledger/ear.py", "            loop.remove_reader(socket)\n", "            loop.call_soon(loop.remove_reader, socket)\n"),),
        "tests/ledger/test_closed_sockets.py", "assert -6 == 0",
    ),
    Seed(
        "sequence", "P2", "Positions come from a sequence, without the lock on the head row.",
        (
            Change(_MIGRATIONS, "CREATE SEQUENCE ledger.job_numbers", "CREATE SEQUENCE ledger.sown MINVALUE 0 START 0;"
                   " GRANT ALL ON SEQUENCE ledger.sown TO PUBLIC; CREATE SEQUENCE ledger.job_numbers"),
            Change(_APPEND, _MOVED_ON, "SELECT greatest(h.recorded_at, clock_timestamp()) INTO STRICT moment FROM ledger.head h;"
                   " PERFORM pg_advisory_lock(7); SELECT last_value INTO head FROM ledger.sown;"
                   " PERFORM setval('ledger.sown', head + asked), pg_advisory_unlock(7);"),
            Change(_APPEND, "END $$;", "UPDATE ledger.head h SET position = greatest(h.position, head + asked),"
                   " recorded_at = greatest(h.recorded_at, moment); END $$;"),
        ),
        "tests/acceptance/test_followers.py", "assert",
    ),
    Seed(
        "position-apart", "P3", "A projection's position moves in a transaction of its own.",
        (Change("projections/fold.sql", "AND notification_id = $1;\n  IF NOT FOUND THEN", "AND false;\n  IF false THEN"),
         Change("projections/fold.py", "    return int(row[0])",
                "    connection.execute('UPDATE projections.notification_tracking SET notification_id = %s WHERE application_name = %s',"
                " (row[0], table))\n    return int(row[0])")),
        "tests/projections/test_poison.py::test_a_session_killed_between_rows_and_position_leaves_neither", "assert",
    ),
    Seed(
        "no-read-back", "P4", "A lost answer is not looked up by event id before the write is decided anew.",
        (Change("ledger/writer.py", "if uncertain and (there :=", "if not uncertain and (there :="),),
        "tests/ledger/test_committer_lost.py::test_a_broken_line_has_one_effect_and_the_caller_hears_of_it", "IdentityTaken|IllegalTransition",
    ),
    Seed(
        "refusal-overtakes", "P4", "What cannot be read is refused before the request that came before it on its line is answered.",
        (Change("api/line.py", "newest is not None and (self._in_head or self._next):", "newest is not None and self._next:"),),
        "tests/api/test_wire.py::test_what_has_an_effect_is_never_answered_for_what_comes_behind_it", "assert",
    ),
    Seed(
        "key-not-kept", "P4", "The append does not keep the idempotency key.",
        (Change(_APPEND, "k -> 4, moment FROM jsonb_array_elements(keys) k;", "k -> 4, moment FROM jsonb_array_elements(keys) k WHERE false;"),),
        "tests/api/test_native.py::test_one_effect_and_one_answer_per_idempotency_key", "assert", short=True,
    ),
    Seed(
        "any-project", "P6", "A key is not held to its own project.",
        (Change("api/authority.py", "project is not None and project != principal.project", "project is not None and not project"),),
        "tests/api/test_native_refusals.py::test_another_tenant_sees_nothing", "assert",
    ),
    Seed(
        "nul", "P7", "The edge lets U+0000 through, which PostgreSQL cannot hold.",
        (Change("ledger/words.py", "\\x00", "\\x7f"),),
        "tests/api/test_native_refusals.py::test_a_body_that_is_no_job_is_refused", "assert",
    ),
    Seed(
        "no-admission", "P8", "A process takes on whatever comes.",
        (Change("api/turns.py", "return self.working < self._places_max and not", "return not"),),
        "tests/api/test_admission.py::test_a_process_takes_on_only_so_much", "assert 403 == 503",
    ),
    Seed(
        "starved-by-commits", "P8", "Signed requests wait for their commits on the connections of questions, for as long as a standby is away.",
        (
            Change("api/teller.py", "self.nonces = Nonces(dsn)", "self.nonces = Nonces(dsn); self.nonces._pool = self.pool"),
            Change("api/nonces.py", "await self._pool.open()", "pass"),
            Change("api/nonces.py", "as connection, asyncio.timeout(settings.LOCK_TIMEOUT_S):", "as connection:"),
        ),
        "tests/acceptance/test_standby.py", "assert",
    ),
    Seed(
        "no-version-check", "P9", "The append does not compare the version that a decision rests on.",
        (
            Change(_APPEND, "coalesce(last.originator_version, least(version - 1, 0)) = version - 1", "true"),
            Change(_APPEND, "WHERE coalesce(last.originator_version, least(a.expected, 0)) <> a.expected", "WHERE false"),
            Change(_MIGRATIONS, "PRIMARY KEY (originator_id, originator_version)", "PRIMARY KEY (originator_id, originator_version, event_id)"),
        ),
        "tests/ledger/test_store.py::test_each_unit_gets_its_own_answer_and_harms_no_other", "stale", short=True,
    ),
    Seed(
        "half-batch", "P10", "A batch saves its good commands and drops the bad ones.",
        (
            Change("ledger/plan.py", "if failures:", "if failures and not entries:"),
            Change("ledger/desk.py", "self._jobs[job_id] for job_id in order", "self._jobs[job_id] for job_id in order if job_id in self._jobs"),
        ),
        "tests/api/test_native.py::test_a_batch_saves_all_or_none_and_names_the_bad", r"Response \[200 OK\]",
    ),
    Seed(
        "page-again", "P12", "A page begins with the item that the last one ended with.",
        (Change("projections/statement.py", 'SQL("<" if place.descending else ">")', 'SQL("<=" if place.descending else ">=")'),),
        "tests/api/test_native.py::test_pages_join_to_the_whole_list", "assert", short=True,
    ),
    Seed(
        "poison-skipped", "P13", "A projection goes on behind an event that it cannot fold.",
        (Change("projections/build.py", "raise Poison(self.table, to, str(error).splitlines()[0]) from error",
                "return self.positions.move(connection, self.table, to) or to"),),
        "tests/projections/test_poison.py::test_poison_is_found_exactly", "DID NOT RAISE", short=True,
    ),
    Seed(
        "policy-for-all", "P6", "The readers' policy lets every row through; the API's own filters are off in this test.",
        (Change("ledger/migrations/0007_walls.sql", "USING (project = ANY ((SELECT ledger.sight())::text[]))", "USING (true)"),),
        "tests/api/test_tenants.py::test_row_level_security_alone_lets_nothing_through", "canary|but of nothing",
    ),
    Seed(
        "no-force", "P6", "Row-level security does not hold for a table's owner.",
        (Change("ledger/migrations/0007_walls.sql", ", FORCE ROW LEVEL SECURITY', walled", "', walled"),),
        "tests/ledger/test_sight.py::test_every_table_of_many_projects_is_behind_the_wall", "lacks FORCE",
    ),
    Seed(
        "sight-of-the-path", "P6", "The database shows the project that a path names, and not that of the credential.",
        (Change("api/teller.py", "sight = (asked.who.project,)", "sight = (question.project,)"),),
        "tests/api/test_tenants.py::test_row_level_security_alone_lets_nothing_through", "canary|but of nothing",
    ),
    Seed(
        "proof-of-the-path", "P6", "A proof is read with sight of the project that the path names, and not of the credential's.",
        (Change("api/teller.py", "(asked.who.project,) if asked.principal else ()", "(question.project,) if asked.principal else ()"),),
        "tests/api/test_tenants.py::test_row_level_security_alone_lets_nothing_through", "canary|but of nothing",
    ),
    Seed(
        "list-forgets-project", "P6", "Lists do not ask for a project, and the readers' policy lets every row through.",
        (
            Change("ledger/migrations/0007_walls.sql", "USING (project = ANY ((SELECT ledger.sight())::text[]))", "USING (true)"),
            Change("projections/form.py", 'SQL("j.project = %(project)s")', 'SQL("%(project)s::text IS NOT NULL")'),
        ),
        "tests/api/test_tenants.py::test_nothing_of_another_tenant_shows", "canary|but of nothing",
    ),
    Seed(
        "revoked-lives-on", "P6", "A revoked key lives on in the cache of a process.",
        (Change("api/auth.py", "known.read_at_s < settings.KEY_CACHE_S", "known.read_at_s < 3_600"),),
        "tests/api/test_rotation.py::test_a_revoked_key_is_let_in_no_longer_than_five_seconds", "DID NOT RAISE",
    ),
    Seed(
        "nonce-of-one-process", "P6", "A nonce is not taken, so that a signed request can be sent again.",
        (Change("api/auth.py", "new = await self._nonces.is_new(key_id, nonce)", "new = bool(nonce)"),),
        "tests/api/test_signed.py::test_a_replay_is_refused_in_every_process", "201",
    ),
    Seed(
        "refusal-in-silence", "P14", "A refused authorisation is not logged.",
        (Change("api/authority.py", '_log(principal, operation, "scope")', "pass"),),
        "tests/api/test_refusals.py::test_every_refusal_is_logged_with_its_request_id", "not logged",
    ),
    Seed(
        "cursor-of-any-project", "P6", "A cursor is good for a list of any project.",
        (Change("api/cursor.py", "repr((project, conditions,", "repr((conditions,"),),
        "tests/api/test_tenants.py::test_a_cursor_is_good_for_its_own_project_only", "422",
    ),
    Seed(
        "append-to-strangers", "P6", "The log takes events for a job of another project.",
        (Change(_APPEND, "AND (last.project IS NULL OR last.project = e ->> 7)", ""),
         Change(_APPEND, "OR last.project IS NOT NULL AND last.project IS DISTINCT FROM a.project", ""),
         Change("ledger/plan.py", "job.project == command.envelope.project", "True")),
        "tests/api/test_tenants.py::test_row_level_security_alone_lets_nothing_through", "canary|but of nothing|changed",
    ),
    Seed(
        "batch-results-later", "P4", "The results of a batch's slice are written in a transaction of their own, behind the events.",
        (Change("api/batch/worker.py", _SAVED, _SAVED_LATER),),
        "tests/api/test_batch_worker.py::test_a_crash_between_events_and_results_has_no_effect", "assert 499 == 500",
    ),
    Seed(
        "batch-results-first", "P4", "The results of a batch's slice are written in a transaction of their own, before the events.",
        (Change("api/batch/worker.py", _SAVED, _SAVED_FIRST),),
        "tests/api/test_batch_worker.py::test_a_crash_at_the_append_loses_nothing", "assert",
    ),
    Seed(
        "batch-keeps-its-turn", "P6", "The first project's batch is served until it is done.",
        (Change("api/batch/worker.py", "for batch in waiting:", "for batch in waiting[:1]:"),),
        "tests/api/test_batch_worker.py::test_projects_take_turns", "had to wait",
    ),
    Seed(
        "leaf-without-time", "P5", "A leaf does not commit to the time at which an event occurred.",
        (
            Change("ledger/leaf.py", "ids + self.occurred + self.recorded", "ids + self.recorded"),
            Change("ledger/tree.sql", "              || coalesce('\\x01'::bytea || timestamptz_send(e.occurred_at), '\\x00'::bytea)\n", ""),
        ),
        "tests/acceptance/test_attacks.py::test_an_attack_is_found[2: change when it occurred]", r"assert \[\]",
    ),
    Seed(
        "notary-forgets", "P5", "The notary signs what does not continue what it signed before.",
        (
            Change("ledger/notary.py", "if size < last.size:", "if size < 0:"),
            Change("ledger/notary.py", "if not merkle.verify_consistency(", "if size < 0 and not merkle.verify_consistency("),
        ),
        "tests/ledger/test_notary.py::test_what_was_changed_is_refused", "DID NOT RAISE", short=True,
    ),
    Seed(
        "salt-excuses-all", "P5", "The audit takes every event without a salt for one that was erased.",
        (Change("ledger/audit.py", "if self._told.get(key) != left:", "if not left:"),),
        "tests/ledger/test_audit_erased.py::test_nothing_hides_behind_an_erasure", r"assert \[\]",
    ),
    Seed(
        "owner-not-compared", "P5", "A read model is compared with the log by its keys alone.",
        (Change("projections/rebuild.py", "t::text", "''::text"),),
        "tests/acceptance/test_attacks.py::test_13_a_changed_row_of_a_read_model_is_found", r"assert \[\]",
    ),
    Seed(
        "stays-of-now", "P11", "Lists of then take the stays that are in effect now: the position is ignored in one read model.",
        (Change("projections/past_statement.sql", "AND t.left_position > %(position)s OFFSET 0", "AND t.left_position IS NULL OFFSET 0"),),
        "tests/acceptance/test_golden_log.py::test_the_past_is_told_as_it_was_told_then", "assert",
    ),
    Seed(
        "an-event-too-early", "P11", "What is asked as of a position ends an event before it.",
        (Change("projections/past_statement.sql", "r.position <= %(position)s", "r.position < %(position)s"),),
        "tests/laws/test_past.py::test_who_has_just_come_and_who_has_just_gone", "assert",
    ),
    Seed(
        "moved-on-unseen", "P11", "A job of the past is taken for the row that it is now, though it has moved on since.",
        (
            Change("projections/past_statement.sql", "r.position = j.position AS settled", "true AS settled"),
            Change("projections/past_statement.sql", "c.position = now.position AS settled", "true AS settled"),
        ),
        "tests/laws/test_past.py::test_who_has_just_come_and_who_has_just_gone", "assert",
    ),
    Seed(
        "counts-from-now", "P11", "What a dialect counts back from is the time of asking, and not that of the moment asked about.",
        (Change("api/past.py", "asked.as_of, asked.now = as_of, now", "asked.as_of = as_of"),),
        "tests/acceptance/test_golden_log.py::test_the_past_is_told_as_it_was_told_then", "assert",
    ),
    Seed(
        "golden-answer", "P11", "An answer of the past reads otherwise than the version gave it that wrote the log.",
        (Change("tests/golden/log_1/answers.jsonl", "in-progress", "under way"),),
        "tests/acceptance/test_golden_log.py::test_the_past_is_told_as_it_was_told_then", "assert",
    ),
    Seed(
        "nobody-wrote-it", "P14", "An event does not name the credential that it was written with.",
        (Change("api/dialects/native/ask.py", "credential_id=who.key_id,", "credential_id=None,"),),
        "tests/conformance/test_accountable.py::test_every_event_names_who_wrote_it", "assert",
    ),
    Seed(
        "stranger-in-silence", "P14", "A made-up credential is refused, and nobody is told.",
        (Change("api/auth.py", 'log.warning("credential refused", reason="mistyped or made up", credential="key")', "pass"),),
        "tests/api/test_refusals.py::test_every_refusal_is_logged_with_its_request_id", "not logged",
    ),
    Seed(
        "refused-command-lost", "P14", "A refused command is not kept for auditors.",
        (Change("api/refused.py", "self._waiting.append(", "list("),),
        "tests/acceptance/test_audit_live.py::test_refused_commands_are_kept", "refusals are kept",
    ),
)
# fmt: on
