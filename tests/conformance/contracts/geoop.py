"""GeoOp's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
GEOOP: Contract = {
    "result": {
        "success when everything was processed and saved": (
            "tests/acceptance/test_geoop_live.py::test_items_are_created_and_told_with_what_was_received",
            "tests/acceptance/test_geoop_live.py::test_patch_moves_jobs_from_status_to_status",
        ),
        "failure when an item is at fault, and then nothing is saved; never of a GET": (
            "tests/acceptance/test_geoop_refusals.py::test_a_batch_with_bad_items_saves_none_and_names_them",
            "tests/acceptance/test_geoop_refusals.py::test_every_item_at_fault_is_told_at_once_and_none_is_saved",
            "tests/acceptance/test_geoop_refusals.py::test_bad_parameters_are_errors_with_their_field",
        ),
        "error when nothing was processed": (
            "tests/acceptance/test_geoop_refusals.py::test_the_six_types_of_error",
            "tests/api/test_geoop.py::test_a_request_that_was_not_processed",
        ),
    },
    "bodies": {
        "A success has the collection under its name, a failure failures with raw data and errors, an error one error": (
            "tests/api/test_geoop.py::test_a_page", "tests/api/test_geoop.py::test_items_that_were_saved",
            "tests/api/test_geoop.py::test_items_that_were_refused", "tests/api/test_geoop.py::test_a_request_that_was_not_processed",
        ),
    },
    "metadata": {
        "Of a GET: page, pages, size and count": (
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata", "tests/api/test_geoop.py::test_a_page",
        ),
        "Of a change: how many came, which were valid and which not, counted from 0; failures go with the invalid ones in order": (
            "tests/acceptance/test_geoop_refusals.py::test_a_batch_with_bad_items_saves_none_and_names_them",
            "tests/acceptance/test_geoop_refusals.py::test_the_index_of_a_failure_is_the_item_s_and_not_its_event_s",
            "tests/acceptance/test_geoop_live.py::test_items_are_created_and_told_with_what_was_received",
        ),
    },
    "counting": {
        "Counts are there unless recordsCount=false, as the document has them": (
            "tests/acceptance/test_geoop_live.py::test_pages_and_their_metadata",
            "tests/api/test_geoop.py::test_a_list_is_asked_newest_first_with_its_count",
        ),
    },
    "error object": {
        "type, code and message always; description where there is one; field of a validation": (
            "tests/api/test_geoop.py::test_each_fault_has_its_status_type_and_code",
            "tests/acceptance/test_geoop_refusals.py::test_bad_parameters_are_errors_with_their_field",
            "tests/acceptance/test_geoop_refusals.py::test_the_six_types_of_error",
        ),
    },
    "statuses": {
        "200, 400, 401, 403, 404, 405, 422 and 500, each with its type": (
            "tests/api/test_geoop.py::test_each_fault_has_its_status_type_and_code",
            "tests/acceptance/test_geoop_refusals.py::test_the_six_types_of_error",
        ),
        "What one may not see is not there": (
            "tests/acceptance/test_geoop_refusals.py::test_another_tenant_s_jobs_are_not_there",
        ),
    },
    "requests": {
        "Collection and item, with a bearer token; an action that there is not is 404": (
            "tests/acceptance/test_geoop_refusals.py::test_the_six_types_of_error",
            "tests/acceptance/test_geoop_live.py::test_an_item_may_come_by_itself",
        ),
        "X-Version is echoed where it was sent and is of version 1, else refused; it may be left out": (
            "tests/acceptance/test_geoop_live.py::test_x_method_overrides_the_verb_and_x_version_is_echoed",
            "tests/api/test_geoop.py::test_the_verb_and_the_version_that_a_request_means",
        ),
        "X-Method is the verb that counts": (
            "tests/acceptance/test_geoop_live.py::test_x_method_overrides_the_verb_and_x_version_is_echoed",
        ),
        "PATCH and DELETE take several items at once: transitions and cancellations": (
            "tests/acceptance/test_geoop_live.py::test_patch_moves_jobs_from_status_to_status",
            "tests/acceptance/test_geoop_live.py::test_delete_cancels", "tests/api/test_geoop_changes.py::test_what_a_status_means_for_a_job",
        ),
        "A status is an object with id and name, and may be sent as either": (
            "tests/acceptance/test_geoop_live.py::test_items_are_created_and_told_with_what_was_received",
            "tests/api/test_geoop_changes.py::test_what_a_status_means_for_a_job",
            "tests/api/test_geoop_changes.py::test_what_comes_with_a_status_comes_in_order",
        ),
    },
}
