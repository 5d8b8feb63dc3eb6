"""What was decided where the documents are silent, and the golden set: box -> statement, in our words -> the tests that hold it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
DECIDED: Contract = {
    "canceled result": {
        "Pending, or as the operator says": (
            "tests/api/test_comestri_tell.py::test_the_result_of_a_canceled_job_is_a_setting",
            "tests/api/test_comestri_style.py::test_by_default_times_are_in_utc_and_a_canceled_job_is_pending",
        ),
    },
    "dates before they are": {
        "Orange's start and end are null until then": (
            "tests/api/test_orange_tell.py::test_each_life_of_a_job",
        ),
    },
    "resource": {
        "An exact match on the job's object": (
            "tests/api/test_orange_ask.py::test_the_resource_is_the_name_of_an_object",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
        ),
    },
    "pages of GoGrid": {
        "A list is always paged, a get never": (
            "tests/api/test_gogrid_tell.py::test_a_list_counts_its_pages", "tests/api/test_gogrid_tell.py::test_a_get_has_no_pages",
        ),
    },
    "partial failure": {
        "Never a success": (
            "tests/conformance/test_states.py::test_a_job_stands_where_each_product_would_say",
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job", "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
        ),
    },
    "ranges": {
        "Both ends belong to a range; a bare date is midnight in UTC": (
            "tests/api/test_gogrid_moments.py::test_both_ends_of_a_range_belong_to_it",
            "tests/api/test_gogrid_moments.py::test_the_ways_to_write_a_date",
            "tests/api/test_comestri_ask.py::test_a_bare_date_is_its_midnight_in_utc",
            "tests/acceptance/test_comestri_live.py::test_the_documented_job_comes_back_from_the_database",
        ),
    },
    "GeoOp": {
        "Indices from 0; counts unless they are not wanted": (
            "tests/acceptance/test_geoop_refusals.py::test_a_batch_with_bad_items_saves_none_and_names_them",
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata",
        ),
    },
    "FullStory's items": {
        "Transitions of jobs named by source_id, id or number, in order, each for itself": (
            "tests/api/test_fullstory.py::test_an_item_is_a_wish", "tests/api/test_fullstory.py::test_what_an_item_calls_its_job",
            "tests/acceptance/test_fullstory_live.py::test_a_job_goes_by_source_id_id_or_number",
            "tests/acceptance/test_fullstory_live.py::test_a_batch_is_applied_in_order",
            "tests/acceptance/test_fullstory_live.py::test_an_item_s_error_spares_the_others",
        ),
        "Users' batches are not served": (
            "tests/acceptance/test_fullstory_refusals.py::test_who_may_not_and_what_is_not",
        ),
    },
    "FullStory's lists": {
        "409 still_processing until the end": (
            "tests/acceptance/test_fullstory_refusals.py::test_results_are_not_there_before_the_end",
        ),
    },
    "GoGrid's types": {
        "Content types, charsets and line ends": (
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
        ),
    },
    "extras": {
        "A filter that a product lacks goes by the ledger's name and changes nothing of its own": (
            "tests/api/test_comestri_ask.py::test_extras_are_the_ledger_s_own_filters",
            "tests/api/test_orange_ask.py::test_extras_are_the_ledger_s_own_filters",
            "tests/acceptance/test_geoop_live.py::test_extra_filters_and_orders",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
        ),
    },
    "faults": {
        "Every fault under a product's paths is in its words: 404, 405, 500 and maintenance included": (
            "tests/conformance/test_faults.py::test_a_path_that_is_not_served_is_refused_in_the_dialects_words",
            "tests/conformance/test_faults.py::test_a_verb_that_a_path_does_not_take",
            "tests/conformance/test_faults.py::test_trouble_on_our_side_is_told_in_every_dialect",
            "tests/conformance/test_faults.py::test_every_fault_that_may_befall_an_operation_is_in_its_document",
            "tests/api/test_dialects.py::test_a_path_belongs_to_the_product_whose_it_was",
        ),
    },
    "MD5": {
        "A signature opens only what was issued for it, and only to read": (
            "tests/api/test_auth_signatures.py::test_only_signing_keys_sign", "tests/api/test_auth_signatures.py::test_a_signature_may_only_read",
        ),
    },
}

GOLDEN_SET: Contract = {
    "a: job 60531": {
        "Four imported events are the documents: JSON, XML and CSV, also out of a real database, and after the old responses were imported": (
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell",
            "tests/acceptance/test_gogrid_document.py::test_the_documented_job_comes_back_from_the_database",
            "tests/api/test_transfer_foreign.py::test_job_60531_is_told_again_as_it_was",
        ),
    },
    "b: entry 429": {
        "The documented entry, to the byte and out of a real database": (
            "tests/api/test_comestri_golden.py::test_the_documented_entry_is_the_document_less_its_white_space",
            "tests/acceptance/test_comestri_live.py::test_the_documented_job_comes_back_from_the_database",
        ),
    },
    "c: Orange's schema": {
        "Every list that is told is held to it, and it can refuse": (
            "tests/acceptance/test_orange_live.py::test_jobs_are_found_by_state_in_any_order_and_window",
            "tests/api/test_orange_tell.py::test_each_life_of_a_job", "tests/api/test_orange_tell.py::test_the_schema_refuses",
            "tests/api/test_orange_tell.py::test_the_schema_misses",
        ),
    },
    "d: a mixed batch": {
        "Nothing is saved": (
            "tests/acceptance/test_geoop_refusals.py::test_a_batch_with_bad_items_saves_none_and_names_them",
            "tests/acceptance/test_geoop_refusals.py::test_every_item_at_fault_is_told_at_once_and_none_is_saved",
        ),
    },
    "e: 42 and 2": {
        "The documented status to the byte, and the same counts out of a real batch": (
            "tests/api/test_fullstory.py::test_the_documented_job_is_told_to_the_byte",
            "tests/acceptance/test_fullstory_live.py::test_the_documented_counts",
        ),
    },
    "f: clients that nobody here wrote": {
        "Libcloud's driver, FullStory's client for Node and OpenLineage's for Python, unmodified": (
            "tests/acceptance/test_libcloud.py::test_libcloud_gets_and_lists_jobs",
            "tests/acceptance/test_libcloud.py::test_libcloud_lists_by_every_parameter",
            "tests/acceptance/test_fullstory_client.py::test_a_batch_is_completed_and_its_imports_read",
            "tests/acceptance/test_fullstory_client.py::test_a_partial_failure_is_failed_and_its_errors_read",
            "tests/acceptance/test_fullstory_client.py::test_a_project_with_too_much_waiting_is_asked_to_come_back",
            "tests/acceptance/test_openlineage_client.py::test_a_run_from_start_to_complete",
            "tests/acceptance/test_openlineage_client.py::test_the_client_s_retries_have_one_effect",
        ),
    },
    "g: clocks and signatures": {
        "Ten minutes either way, replayed and wrong ones": (
            "tests/acceptance/test_gogrid_document.py::test_a_clock_may_be_ten_minutes_off_and_a_signature_is_good_for_as_long",
            "tests/api/test_gogrid_signature.py::test_a_clock_may_be_off_by_the_window",
            "tests/api/test_gogrid_signature.py::test_but_not_by_more",
            "tests/api/test_gogrid_signature.py::test_no_other_form_of_the_signature_fits",
            "tests/acceptance/test_libcloud.py::test_a_wrong_secret_is_invalid_credentials",
        ),
    },
}
