"""OpenLineage's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
OPENLINEAGE: Contract = {
    "events": {
        "START, RUNNING, COMPLETE, FAIL, ABORT and OTHER, in any order of arrival, are one job a run": (
            "tests/acceptance/test_openlineage_live.py::test_each_order_of_arrival_ends_well",
            "tests/api/test_openlineage_runs.py::test_no_event_is_refused_for_where_its_run_stands",
            "tests/acceptance/test_openlineage_client.py::test_a_run_from_start_to_complete",
            "tests/acceptance/test_openlineage_client.py::test_a_run_that_fails",
        ),
        "Late and repeated events are harmless": (
            "tests/acceptance/test_openlineage_client.py::test_the_client_s_duplicates_and_disorder_are_harmless",
            "tests/acceptance/test_openlineage_live.py::test_a_duplicate_is_known_however_it_is_written",
            "tests/acceptance/test_openlineage_client.py::test_the_client_s_retries_have_one_effect",
        ),
        "Facets are kept whole": (
            "tests/acceptance/test_openlineage_live.py::test_facets_are_kept_whole_however_large",
            "tests/api/test_openlineage_runs.py::test_what_an_event_said_is_kept_once",
            "tests/api/test_openlineage_runs.py::test_parts_are_the_whole",
        ),
        "Packed bodies are bounded": (
            "tests/acceptance/test_openlineage_live.py::test_gzip_is_unpacked_within_bounds",
        ),
        "A batch tells which of its events failed": (
            "tests/acceptance/test_openlineage_live.py::test_a_batch_tells_which_events_failed",
            "tests/acceptance/test_openlineage_live.py::test_a_large_batch_of_many_runs",
        ),
        "Events of no run are taken and not kept": (
            "tests/acceptance/test_openlineage_live.py::test_events_of_no_run_are_taken_and_not_kept",
        ),
        "Bad events are refused with what is wrong": (
            "tests/acceptance/test_openlineage_live.py::test_bad_events_are_refused_with_what_is_wrong",
        ),
    },
}
