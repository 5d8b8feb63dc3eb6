"""FullStory's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
FULLSTORY: Contract = {
    "poll": {
        "imports, errors and a job of four fields, as documented": (
            "tests/api/test_fullstory.py::test_the_documented_job_is_told_to_the_byte",
            "tests/acceptance/test_fullstory_live.py::test_the_documented_counts",
        ),
        "An id is opaque, may hold = and comes back percent-encoded": (
            "tests/api/test_fullstory.py::test_an_id_is_opaque_and_comes_back",
            "tests/acceptance/test_fullstory_client.py::test_a_batch_is_completed_and_its_imports_read",
            "tests/api/test_fullstory.py::test_any_other_word_is_no_job",
        ),
    },
    "statuses": {
        "PROCESSING from the acceptance on, through every attempt that is not the last": (
            "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
        ),
        "COMPLETED without any errors, FAILED with any": (
            "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
            "tests/acceptance/test_fullstory_client.py::test_a_partial_failure_is_failed_and_its_errors_read",
            "tests/acceptance/test_fullstory_live.py::test_the_documented_counts",
        ),
    },
    "presence": {
        "errors is there when FAILED only, finished when it is over only; times in milliseconds and Z": (
            "tests/api/test_fullstory.py::test_each_life_of_a_job_as_a_poller_sees_it",
            "tests/api/test_fullstory.py::test_the_documented_job_is_told_to_the_byte",
        ),
    },
    "workflow": {
        "A batch is taken and answered with its job; a repeated Idempotency-Key has one effect": (
            "tests/acceptance/test_fullstory_live.py::test_a_batch_is_applied_in_order",
            "tests/acceptance/test_fullstory_live.py::test_a_key_is_answered_the_same_and_applied_once",
        ),
        "imports and errors come in pages with a token, their total in text; schemas where asked": (
            "tests/acceptance/test_fullstory_live.py::test_long_lists_come_in_pages",
            "tests/acceptance/test_fullstory_live.py::test_schemas_are_shown_when_asked_for",
            "tests/api/test_fullstory.py::test_a_page_counts_in_text_and_tells_items_that_were_never_come_to",
            "tests/conformance/test_pages.py::test_pages_of_a_size_that_nobody_chooses",
        ),
        "An error has a message, a code and the item; what was shared comes with it": (
            "tests/acceptance/test_fullstory_live.py::test_an_item_s_error_spares_the_others",
            "tests/acceptance/test_fullstory_live.py::test_what_is_shared_comes_back_with_errors",
        ),
        "Asked too early, the lists are refused": (
            "tests/acceptance/test_fullstory_refusals.py::test_results_are_not_there_before_the_end",
        ),
        "50,000 items a batch; 200 batches or 500,000 items waiting, then 429": (
            "tests/api/test_fullstory.py::test_the_limits_are_the_product_s_own",
            "tests/acceptance/test_fullstory_client.py::test_the_quotas_hold_for_batches_and_items",
            "tests/acceptance/test_fullstory_refusals.py::test_bad_bodies_are_refused_and_kept_nowhere",
        ),
    },
    "errors": {
        "message and code; 400, 401, 403, 404, 429 with seconds to wait, 500": (
            "tests/api/test_fullstory.py::test_each_fault_has_its_status_and_code",
            "tests/acceptance/test_fullstory_refusals.py::test_who_may_not_and_what_is_not",
            "tests/acceptance/test_fullstory_client.py::test_a_project_with_too_much_waiting_is_asked_to_come_back",
        ),
        "A missing field is required_field": (
            "tests/acceptance/test_fullstory_refusals.py::test_bad_bodies_are_refused_and_kept_nowhere",
            "tests/acceptance/test_fullstory_live.py::test_an_item_s_error_spares_the_others",
        ),
    },
    "the import itself": {
        "It is a job with history, it survives a crash in its middle, and nothing is doubled": (
            "tests/acceptance/test_fullstory_live.py::test_a_batch_is_a_job_with_a_history",
            "tests/acceptance/test_fullstory_crash.py::test_a_batch_survives_kill_9_in_its_middle",
            "tests/acceptance/test_fullstory_crash.py::test_another_server_goes_on_where_one_was_killed",
        ),
        "A body may be chunked, packed, without a type, and larger than elsewhere": (
            "tests/acceptance/test_fullstory_live.py::test_a_body_may_be_chunked_packed_and_without_a_type",
            "tests/acceptance/test_fullstory_client.py::test_a_large_batch_goes_through",
        ),
    },
}
