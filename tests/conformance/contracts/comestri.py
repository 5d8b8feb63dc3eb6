"""Comestri's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
COMESTRI: Contract = {
    "operations": {
        "An index, a job by itself with processing_details, and a creation, all in JSON": (
            "tests/api/test_comestri_tell.py::test_a_job_by_itself_is_its_entry_and_its_details",
            "tests/api/test_comestri_tell.py::test_items_are_told_once_the_job_is_complete",
            "tests/api/test_comestri_tell.py::test_errors_stand_by_their_item_and_others_after_them",
            "tests/api/test_comestri_golden.py::test_a_job_by_itself",
        ),
        "A creation takes entity, operation, options and data, and answers without a result": (
            "tests/api/test_comestri_create.py::test_a_new_job_is_created_and_queued_in_one_write",
            "tests/api/test_comestri_create.py::test_what_may_be_left_out", "tests/api/test_comestri_tell.py::test_a_new_job_has_no_result_yet",
            "tests/api/test_comestri_golden.py::test_a_new_job",
            "tests/acceptance/test_comestri_live.py::test_a_job_is_asked_for_and_followed_to_its_end",
        ),
        "Objects are in the response where that was asked": (
            "tests/api/test_comestri_tell.py::test_objects_are_in_the_response_where_that_was_asked",
        ),
    },
    "envelope": {
        "page, per_page, total_pages, total_entries and entries, in that order": (
            "tests/api/test_comestri_golden.py::test_the_documented_entry_is_the_document_less_its_white_space",
            "tests/api/test_comestri_tell.py::test_the_envelope_counts",
        ),
        "One page when there is nothing; a page beyond the end is empty and no error": (
            "tests/api/test_comestri_tell.py::test_the_envelope_counts",
            "tests/acceptance/test_comestri_live.py::test_the_documented_job_comes_back_from_the_database",
        ),
    },
    "parameters": {
        "per_page is 50 and page 1 where they are not given, and must be numbers": (
            "tests/api/test_comestri_ask.py::test_pages_count_from_1_and_have_50", "tests/api/test_comestri_ask.py::test_a_page_must_be_a_number",
            "tests/api/test_comestri_faults.py::test_what_does_not_fit_is_named",
        ),
        "id, request_id and created_by are exact strings": (
            "tests/api/test_comestri_ask.py::test_every_filter", "tests/api/test_comestri_ask.py::test_an_id_is_a_string_so_a_word_finds_nothing",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
        ),
        "Four times in ISO 8601, both ends included, under their own names": (
            "tests/api/test_comestri_ask.py::test_every_filter", "tests/api/test_comestri_ask.py::test_forms_of_iso_8601",
            "tests/api/test_comestri_ask.py::test_a_time_that_was_told_finds_its_job_from_either_end",
            "tests/acceptance/test_comestri_live.py::test_the_documented_job_comes_back_from_the_database",
        ),
        "What does not fit is 422 and named": (
            "tests/api/test_comestri_ask.py::test_what_does_not_fit_is_refused_by_name", "tests/api/test_comestri_ask.py::test_what_is_no_time",
            "tests/acceptance/test_comestri_live.py::test_other_paths_verbs_and_crashes",
        ),
    },
    "extras and order": {
        "More filters go by the ledger's own names and change nothing of its own": (
            "tests/api/test_comestri_ask.py::test_extras_are_the_ledger_s_own_filters",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
        ),
        "Newest first": (
            "tests/api/test_comestri_ask.py::test_pages_count_from_1_and_have_50",
            "tests/acceptance/test_comestri_live.py::test_pages_joined_are_the_list",
        ),
    },
    "entry": {
        "Exactly eleven fields": (
            "tests/api/test_comestri_tell.py::test_an_entry_has_exactly_its_fields",
            "tests/api/test_comestri_golden.py::test_the_documented_entry_is_the_document_less_its_white_space",
        ),
        "Times have milliseconds and the tenant's offset": (
            "tests/api/test_comestri_tell.py::test_times_have_milliseconds_and_the_tenant_s_offset",
            "tests/api/test_comestri_style.py::test_an_offset_is_a_zone",
            "tests/api/test_comestri_style.py::test_the_dialect_is_made_from_the_settings",
        ),
        "error_count counts items in error": (
            "tests/api/test_comestri_tell.py::test_error_count",
        ),
    },
    "percent_completed": {
        "A fraction from 0 to 1, and 1 is whole": (
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job",
        ),
    },
    "status": {
        "Seven words, each for its own part of a life": (
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job", "tests/api/test_comestri_tell.py::test_every_status_and_result_is_told",
            "tests/conformance/test_states.py::test_a_job_stands_where_each_product_would_say",
        ),
    },
    "result": {
        "Success without errors, Failure with them or where it could not be received or processed, else Pending": (
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job", "tests/api/test_comestri_tell.py::test_every_status_and_result_is_told",
        ),
        "A canceled job is Pending, unless the operator says Failure": (
            "tests/api/test_comestri_tell.py::test_the_result_of_a_canceled_job_is_a_setting",
            "tests/api/test_comestri_style.py::test_by_default_times_are_in_utc_and_a_canceled_job_is_pending",
        ),
    },
    "errors and credentials": {
        "401 with a challenge, 403, 404, 422 and 500; no 400 and no 429": (
            "tests/api/test_comestri_faults.py::test_each_fault_has_its_status_and_sentence",
            "tests/api/test_comestri_faults.py::test_a_401_challenges", "tests/acceptance/test_comestri_live.py::test_credentials_and_rights",
            "tests/acceptance/test_comestri_live.py::test_other_paths_verbs_and_crashes",
        ),
        "Client id and secret, the old Token scheme, or a bearer": (
            "tests/api/test_comestri_credential.py::test_credentials", "tests/acceptance/test_comestri_live.py::test_credentials_and_rights",
        ),
    },
}
