"""What the products say of one job side by side, and where it stands in each: box -> statement, in our words -> the tests that hold it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
SIDE_BY_SIDE: Contract = {
    "page style": {
        "Each pages in its own way, and all pages joined are the whole": (
            "tests/conformance/test_pages.py::test_all_pages_joined_are_the_whole",
            "tests/conformance/test_pages.py::test_pages_of_a_size_that_nobody_chooses", "tests/api/test_gogrid_ask.py::test_pages_count_from_0",
            "tests/api/test_comestri_ask.py::test_pages_count_from_1_and_have_50", "tests/api/test_orange_ask.py::test_offset_and_limit",
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata",
            "tests/api/test_fullstory.py::test_a_page_token_belongs_to_one_list",
        ),
    },
    "totals": {
        "Each counts in its own place, and a total counts what is listed": (
            "tests/conformance/test_pages.py::test_a_total_counts_what_is_listed", "tests/api/test_gogrid_tell.py::test_a_list_counts_its_pages",
            "tests/api/test_comestri_tell.py::test_the_envelope_counts", "tests/api/test_orange_tell.py::test_an_array_and_its_counts",
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata",
            "tests/acceptance/test_fullstory_live.py::test_long_lists_come_in_pages",
        ),
    },
    "nothing found": {
        "An empty list in each one's words": (
            "tests/api/test_gogrid_tell.py::test_empty_lists", "tests/api/test_gogrid_tell.py::test_a_list_counts_its_pages",
            "tests/api/test_comestri_tell.py::test_the_envelope_counts", "tests/api/test_orange_tell.py::test_nothing_is_an_empty_array",
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata",
            "tests/acceptance/test_fullstory_live.py::test_the_documented_counts",
        ),
    },
    "time format": {
        "Milliseconds, ISO with an offset, ISO with Z": (
            "tests/api/test_gogrid_tell.py::test_every_entry_of_our_own_has_its_time",
            "tests/api/test_comestri_tell.py::test_times_have_milliseconds_and_the_tenant_s_offset",
            "tests/api/test_orange_tell.py::test_every_date_has_the_one_form", "tests/api/test_geoop.py::test_a_page",
            "tests/api/test_fullstory.py::test_the_documented_job_is_told_to_the_byte",
        ),
    },
    "job id": {
        "A number, a number as a string, a UUID, a number, an opaque word: of one job": (
            "tests/api/test_gogrid_ask.py::test_jobs_by_id", "tests/api/test_comestri_ask.py::test_an_id_is_a_string_so_a_word_finds_nothing",
            "tests/api/test_orange_ask.py::test_a_job_is_named_by_its_id", "tests/acceptance/test_geoop_live.py::test_an_item_may_come_by_itself",
            "tests/api/test_fullstory.py::test_an_id_is_opaque_and_comes_back",
        ),
    },
    "tenant": {
        "The credential says whose jobs, and Orange's path must agree": (
            "tests/acceptance/test_libcloud.py::test_a_job_of_another_project_is_unknown",
            "tests/acceptance/test_comestri_live.py::test_nothing_of_another_tenant_is_told",
            "tests/acceptance/test_orange_live.py::test_nothing_of_another_tenant_is_told",
            "tests/acceptance/test_geoop_refusals.py::test_another_tenant_s_jobs_are_not_there",
            "tests/acceptance/test_fullstory_live.py::test_a_job_of_another_project_is_unknown",
            "tests/conformance/test_faults.py::test_a_job_that_is_not_there_or_not_ones_own",
        ),
    },
    "no credential, and a wrong role": {
        "401 and 403 in most, the reverse in GoGrid": (
            "tests/conformance/test_faults.py::test_who_is_not_let_in_is_told_so",
            "tests/acceptance/test_libcloud.py::test_a_wrong_secret_is_invalid_credentials",
            "tests/acceptance/test_orange_live.py::test_credentials_and_rights",
            "tests/acceptance/test_geoop_refusals.py::test_the_six_types_of_error",
            "tests/acceptance/test_fullstory_refusals.py::test_who_may_not_and_what_is_not",
        ),
    },
    "unknown job": {
        "404 in most, 400 in GoGrid": (
            "tests/conformance/test_faults.py::test_a_job_that_is_not_there_or_not_ones_own",
            "tests/acceptance/test_libcloud.py::test_an_unknown_job_is_told_in_the_words_that_clients_look_for",
        ),
    },
    "bad parameter": {
        "400 or 422, as each had it": (
            "tests/conformance/test_faults.py::test_a_parameter_that_does_not_fit",
            "tests/conformance/test_faults.py::test_no_word_in_any_parameter_breaks_anything",
        ),
    },
    "bad change of state": {
        "422 in GeoOp, an item's error in FullStory, 405 by Orange's table, 409 natively; the other two change nothing": (
            "tests/conformance/test_faults.py::test_a_move_that_the_state_does_not_allow",
            "tests/api/test_geoop_changes.py::test_what_a_status_means_for_a_job",
            "tests/acceptance/test_fullstory_live.py::test_an_item_s_error_spares_the_others",
            "tests/api/test_orange_faults.py::test_each_fault_has_its_status_and_code",
            "tests/api/test_comestri_faults.py::test_each_fault_has_its_status_and_sentence",
            "tests/api/test_gogrid_faults.py::test_each_fault_has_its_status_and_errorcode",
        ),
    },
    "too often": {
        "429 where the product knew it, else 503; both say when to come back": (
            "tests/api/test_fullstory.py::test_each_fault_has_its_status_and_code",
            "tests/api/test_gogrid_faults.py::test_each_fault_has_its_status_and_errorcode",
            "tests/api/test_comestri_faults.py::test_each_fault_has_its_status_and_sentence",
            "tests/api/test_orange_faults.py::test_each_fault_has_its_status_and_code",
            "tests/api/test_geoop.py::test_each_fault_has_its_status_type_and_code",
            "tests/conformance/test_faults.py::test_every_fault_that_may_befall_an_operation_is_in_its_document",
        ),
    },
    "wrong verb": {
        "405 in Orange and GeoOp, 404 in the others": (
            "tests/conformance/test_faults.py::test_a_verb_that_a_path_does_not_take",
        ),
    },
    "progress and items in error": {
        "percent_completed; imports and errors; error_count and details; messages; failures of a request": (
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job", "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
            "tests/api/test_comestri_tell.py::test_errors_stand_by_their_item_and_others_after_them",
            "tests/api/test_orange_tell.py::test_a_failed_job_says_why", "tests/api/test_geoop.py::test_items_that_were_refused",
        ),
    },
    "who": {
        "owner, created_by and requesterId are one person": (
            "tests/api/test_gogrid_golden.py::test_json_is_the_document", "tests/api/test_comestri_tell.py::test_an_entry_has_exactly_its_fields",
            "tests/api/test_orange_tell.py::test_the_requester_is_the_owner",
        ),
    },
    "one store": {
        "What one product writes, every other can tell: names, detail in its order, items, messages, notes and times": (
            "tests/acceptance/test_geoop_live.py::test_items_are_created_and_told_with_what_was_received",
            "tests/acceptance/test_fullstory_live.py::test_a_batch_is_applied_in_order",
            "tests/acceptance/test_fullstory_live.py::test_a_batch_is_a_job_with_a_history",
            "tests/api/test_gogrid_tell.py::test_entries_have_their_source_s_number_or_their_position",
            "tests/acceptance/test_openlineage_live.py::test_each_order_of_arrival_ends_well",
        ),
    },
}

STATES: Contract = {
    "one life, five tellings": {
        "Each outcome of the ledger is told as each product would say, and none is left out": (
            "tests/conformance/test_states.py::test_a_job_stands_where_each_product_would_say",
            "tests/conformance/test_states.py::test_no_outcome_is_left_out",
        ),
    },
    "derived": {
        "attempts count starts, a start is the first one, progress is a share, an end has its time": (
            "tests/api/test_gogrid_tell.py::test_entries_are_transitions_and_attempts_count_starts",
            "tests/api/test_orange_tell.py::test_processing_starts_with_the_first_attempt",
            "tests/api/test_comestri_tell.py::test_each_life_of_a_job", "tests/api/test_orange_tell.py::test_each_life_of_a_job",
        ),
    },
    "retried failure": {
        "A failure that will be tried again is no end in any of them": (
            "tests/conformance/test_states.py::test_a_job_stands_where_each_product_would_say",
            "tests/acceptance/test_geoop_live.py::test_a_failure_that_is_retried_is_still_processing",
            "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
        ),
    },
    "rejection": {
        "A job is rejected from Created only": (
            "tests/ledger/test_decide.py::test_every_failure_in_every_state",
        ),
    },
    "canceled": {
        "Who canceled is told where there is no state for it": (
            "tests/conformance/test_states.py::test_who_canceled_is_told_where_there_is_no_state_for_it",
            "tests/api/test_orange_tell.py::test_a_canceled_job_says_by_whom",
        ),
    },
    "rules": {
        "History holds transitions; remarks and progress are events but no entries": (
            "tests/api/test_gogrid_tell.py::test_entries_are_transitions_and_attempts_count_starts",
        ),
        "The last change is the last event's time": (
            "tests/api/test_comestri_tell.py::test_updated_at_is_the_last_event_s_time",
            "tests/api/test_gogrid_tell.py::test_entries_are_transitions_and_attempts_count_starts",
        ),
        "An end absorbs the same end and refuses another": (
            "tests/ledger/test_decide.py::test_every_state_by_every_event",
            "tests/ledger/test_decide.py::test_only_the_same_failure_again_is_the_same_end",
        ),
        "What is refused for where a job stands is kept, with its reason": (
            "tests/acceptance/test_audit_live.py::test_refused_commands_are_kept",
        ),
        "What came late keeps when it occurred": (
            "tests/acceptance/test_openlineage_live.py::test_each_order_of_arrival_ends_well",
        ),
    },
}
