"""Orange's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
ORANGE: Contract = {
    "operations": {
        "Jobs of a project, and one of them; the project is the wall": (
            "tests/acceptance/test_orange_live.py::test_a_job_is_what_its_reference_shows",
            "tests/acceptance/test_orange_live.py::test_nothing_of_another_tenant_is_told",
            "tests/api/test_orange_ask.py::test_a_job_is_named_by_its_id",
        ),
        "Jobs can be found by the resource that they are about": (
            "tests/api/test_orange_ask.py::test_the_resource_is_the_name_of_an_object",
            "tests/acceptance/test_orange_live.py::test_jobs_are_found_by_state_in_any_order_and_window",
        ),
    },
    "query": {
        "state once, repeated or with commas; another word is 400": (
            "tests/api/test_orange_ask.py::test_states_are_repeated_or_have_commas",
            "tests/api/test_orange_ask.py::test_any_states_find_the_jobs_that_are_shown_in_them",
            "tests/api/test_orange_ask.py::test_another_state_is_refused",
        ),
        "offset counts items from 0, limit is 100 and at least 1": (
            "tests/api/test_orange_ask.py::test_offset_and_limit", "tests/api/test_orange_ask.py::test_other_numbers_are_refused",
            "tests/conformance/test_pages.py::test_all_pages_joined_are_the_whole",
        ),
        "sort has at most 100 characters": (
            "tests/api/test_orange_ask.py::test_other_sorts_are_refused", "tests/api/test_orange_ask.py::test_the_grammar_is_the_document_s",
        ),
    },
    "sort grammar": {
        "The document's pattern, all of the word: a minus before the first field only": (
            "tests/api/test_orange_ask.py::test_fields_in_order_the_first_perhaps_descending",
            "tests/api/test_orange_ask.py::test_the_grammar_is_the_document_s", "tests/api/test_orange_ask.py::test_other_sorts_are_refused",
            "tests/api/test_orange_ask.py::test_every_grammatical_sort_is_read",
        ),
        "An unknown field is 400": (
            "tests/api/test_orange_ask.py::test_other_sorts_are_refused",
            "tests/acceptance/test_orange_live.py::test_other_paths_verbs_and_crashes",
        ),
    },
    "headers": {
        "X-API-Key or a bearer lets in, X-Requester-Id alone does not; without a credential 401": (
            "tests/api/test_orange_ask.py::test_credentials", "tests/acceptance/test_orange_live.py::test_credentials_and_rights",
        ),
        "X-Total-Count counts what the filters leave, X-Result-Count what is in the body": (
            "tests/api/test_orange_tell.py::test_an_array_and_its_counts",
            "tests/acceptance/test_orange_live.py::test_jobs_are_found_by_state_in_any_order_and_window",
        ),
        "A bare array; past the end it is empty, with the counts": (
            "tests/api/test_orange_tell.py::test_nothing_is_an_empty_array", "tests/api/test_orange_tell.py::test_an_array_and_its_counts",
        ),
    },
    "item": {
        "The fields of the document, in its order, in every life of a job": (
            "tests/api/test_orange_tell.py::test_fields_are_those_of_the_document_in_its_order",
            "tests/api/test_orange_tell.py::test_each_life_of_a_job", "tests/api/test_orange_tell.py::test_the_schema_refuses",
            "tests/api/test_orange_tell.py::test_the_schema_misses",
        ),
        "startProcessingDate is there and null before the start": (
            "tests/api/test_orange_tell.py::test_each_life_of_a_job", "tests/api/test_orange_tell.py::test_the_schema_misses",
        ),
        "Messages have a code and a text; a description only where there is one": (
            "tests/api/test_orange_tell.py::test_messages_without_a_description_leave_it_out",
        ),
    },
    "dates and states": {
        "UTC with three digits and a Z, and in no other form": (
            "tests/api/test_orange_tell.py::test_dates", "tests/api/test_orange_tell.py::test_every_date_has_the_one_form",
        ),
        "in-progress has its hyphen; an end is completed or failed": (
            "tests/api/test_orange_tell.py::test_each_life_of_a_job", "tests/api/test_orange_tell.py::test_every_state_is_told",
        ),
    },
    "errors": {
        "Each status of the document, with code, message and description": (
            "tests/api/test_orange_faults.py::test_each_fault_has_its_status_and_code",
            "tests/api/test_orange_faults.py::test_every_code_is_worded",
        ),
        "Credentials missing, invalid or expired are told apart by code": (
            "tests/acceptance/test_orange_live.py::test_credentials_and_rights",
            "tests/api/test_orange_faults.py::test_each_fault_has_its_status_and_code",
        ),
        "What the state of a job does not allow is 405": (
            "tests/api/test_orange_faults.py::test_each_fault_has_its_status_and_code",
        ),
        "503 says when to come back": (
            "tests/api/test_orange_faults.py::test_headers",
            "tests/acceptance/test_maintenance_live.py::test_every_dialect_says_that_it_is_in_maintenance",
            "tests/conformance/test_faults.py::test_trouble_on_our_side_is_told_in_every_dialect",
        ),
    },
}
