"""GoGrid's contract: box -> statement, in our words -> the tests that turn red where the product does not keep it."""

from __future__ import annotations

from tests.conformance.contracts.contract import Contract

# fmt: off
GOGRID: Contract = {
    "requests": {
        "Jobs are got and listed at the product's two paths; the answer names its method without /api": (
            "tests/api/test_gogrid_tell.py::test_the_method_is_the_path_without_api",
            "tests/api/test_gogrid_words.py::test_every_operation_reads_and_needs_the_right_to",
        ),
        "GET with a query and POST with a form say the same, repeated parameters too; a body is a form and nothing else": (
            "tests/api/test_gogrid_words.py::test_a_form_says_the_same_as_a_query", "tests/api/test_gogrid_words.py::test_a_form_is_a_form",
            "tests/acceptance/test_libcloud.py::test_libcloud_posts_what_it_asks",
        ),
    },
    "parameters of every request": {
        "api_key and sig come in the query or the form, and both are needed": (
            "tests/api/test_gogrid_words.py::test_a_signature_is_found_in_the_query_and_in_the_form",
            "tests/api/test_gogrid_words.py::test_half_a_signature_is_none", "tests/conformance/test_faults.py::test_who_is_not_let_in_is_told_so",
        ),
        "v is required; any 1.x is spoken, and no other": (
            "tests/api/test_gogrid_words.py::test_a_version_is_required", "tests/api/test_gogrid_words.py::test_any_version_1_is_spoken",
            "tests/api/test_gogrid_words.py::test_no_other_version_is",
        ),
        "format is json, xml or csv, and without one it is JSON": (
            "tests/api/test_gogrid_words.py::test_there_are_three_formats",
            "tests/api/test_gogrid_tell.py::test_without_a_format_it_is_json_and_a_post_is_answered_alike",
        ),
    },
    "signature": {
        "sig is the lower-case md5 of key, secret and Unix seconds in a row": (
            "tests/api/test_gogrid_signature.py::test_three_strings_without_a_separator",
            "tests/api/test_gogrid_signature.py::test_no_other_form_of_the_signature_fits",
        ),
        "Every second of ten minutes either way fits, and none beyond": (
            "tests/api/test_gogrid_signature.py::test_a_clock_may_be_off_by_the_window",
            "tests/api/test_gogrid_signature.py::test_but_not_by_more", "tests/api/test_auth_signatures.py::test_a_signature_of_the_window_fits",
            "tests/api/test_auth_signatures.py::test_a_signature_beyond_the_window_does_not",
            "tests/acceptance/test_gogrid_document.py::test_a_clock_may_be_ten_minutes_off_and_a_signature_is_good_for_as_long",
        ),
        "A client that rounds its clock up is let in": (
            "tests/api/test_gogrid_signature.py::test_part_of_a_second_changes_nothing",
        ),
        "A signature that a client keeps for a while goes on being good": (
            "tests/acceptance/test_gogrid_document.py::test_a_clock_may_be_ten_minutes_off_and_a_signature_is_good_for_as_long",
            "tests/api/test_auth_signatures.py::test_a_signature_ages_out",
        ),
    },
    "job/get": {
        "id once or more; job once or more, as numbers or as names": (
            "tests/api/test_gogrid_ask.py::test_jobs_by_id", "tests/api/test_gogrid_ask.py::test_jobs_by_id_or_name",
            "tests/acceptance/test_libcloud.py::test_libcloud_gets_and_lists_jobs",
        ),
        "Both kinds, or neither, is a bad argument": (
            "tests/api/test_gogrid_ask.py::test_exactly_one_kind_of_name",
            "tests/api/test_gogrid_faults.py::test_each_fault_has_its_status_and_errorcode",
        ),
    },
    "job/list": {
        "A page holds 100 unless num_items says; page counts from 0": (
            "tests/api/test_gogrid_ask.py::test_by_default_the_newest_hundred_of_four_weeks",
            "tests/api/test_gogrid_ask.py::test_pages_count_from_0", "tests/conformance/test_pages.py::test_all_pages_joined_are_the_whole",
        ),
        "Other lists are whole unless num_items says, and page alone does nothing there": (
            "tests/api/test_gogrid_options.py::test_the_order_of_a_lookup",
        ),
        "job.state and job.objecttype take ids or names, several of them; none given is all": (
            "tests/api/test_gogrid_ask.py::test_states_by_id_and_several", "tests/api/test_gogrid_ask.py::test_states_by_name",
            "tests/api/test_gogrid_ask.py::test_object_types_by_id_name_and_several",
            "tests/acceptance/test_gogrid_document.py::test_every_state_lists_the_jobs_that_are_shown_in_it",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
            "tests/api/test_gogrid_words.py::test_a_parameter_without_a_value_is_absent",
        ),
        "owner and object are exact": (
            "tests/api/test_gogrid_ask.py::test_owner_and_object", "tests/acceptance/test_libcloud.py::test_libcloud_lists_by_every_parameter",
            "tests/conformance/test_filters.py::test_a_filter_finds_what_it_should",
        ),
        "datacenter must be one that there is, and narrows nothing, since the ledger keeps none": (
            "tests/api/test_gogrid_ask.py::test_a_datacenter_narrows_nothing_but_must_be_one",
        ),
    },
    "four weeks": {
        "Without startdate a list goes back four weeks, so that the documented job of 2009 is not in it": (
            "tests/api/test_gogrid_ask.py::test_by_default_the_newest_hundred_of_four_weeks",
            "tests/acceptance/test_gogrid_document.py::test_the_documented_job_comes_back_from_the_database",
        ),
    },
    "dates": {
        "Full times with Z or an offset, two American forms, a bare date, milliseconds, now": (
            "tests/api/test_gogrid_moments.py::test_the_ways_to_write_a_date",
            "tests/api/test_gogrid_moments.py::test_a_moment_written_in_any_offset_is_read_back",
            "tests/acceptance/test_libcloud.py::test_libcloud_lists_by_every_parameter",
        ),
        "A bare date is its midnight in UTC": (
            "tests/api/test_gogrid_moments.py::test_the_ways_to_write_a_date",
        ),
        "A plus that arrives as a space is a plus": (
            "tests/api/test_gogrid_moments.py::test_a_plus_may_arrive_as_a_space",
        ),
        "Anything else is a bad argument that names its parameter": (
            "tests/api/test_gogrid_moments.py::test_other_words_are_no_date",
        ),
    },
    "order": {
        "Newest first, so that one of an object is the latest of it": (
            "tests/api/test_gogrid_ask.py::test_by_default_the_newest_hundred_of_four_weeks",
            "tests/acceptance/test_gogrid_document.py::test_the_latest_of_an_object_comes_first",
        ),
        "Lookups sort by id, name or description, upwards unless asc says otherwise in any of its spellings": (
            "tests/api/test_gogrid_options.py::test_the_order_of_a_lookup",
            "tests/api/test_gogrid_ask.py::test_a_lookup_names_a_table_and_an_order",
        ),
    },
    "lookups": {
        "The tables by id and by name, in every format": (
            "tests/api/test_gogrid_options.py::test_lookups_by_name_and_id_in_every_format",
        ),
        "lookups lists all 24, and each of them can be asked for": (
            "tests/api/test_gogrid_options.py::test_the_table_of_tables",
            "tests/acceptance/test_libcloud.py::test_libcloud_lists_the_lookup_tables",
        ),
    },
    "roles": {
        "Who has not the right to read is told so, of jobs and lookups alike (one right opens both here)": (
            "tests/acceptance/test_libcloud.py::test_a_key_that_may_not_read_has_insufficient_rights",
            "tests/api/test_gogrid_words.py::test_every_operation_reads_and_needs_the_right_to",
        ),
    },
    "envelope": {
        "list, method, status and summary, with keys sorted at every level": (
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
            "tests/api/test_gogrid_golden.py::test_json_has_the_keys_in_the_document_s_order",
            "tests/api/test_gogrid_tell.py::test_json_is_sorted_at_every_level",
        ),
    },
    "counts": {
        "numpages is total by num_items rounded up, 0 for a get and for nothing": (
            "tests/api/test_gogrid_tell.py::test_a_list_counts_its_pages", "tests/api/test_gogrid_tell.py::test_a_get_has_no_pages",
            "tests/api/test_gogrid_options.py::test_a_page_of_a_lookup_counts_pages",
        ),
        "start counts objects, returned those in the body; a page past the end is empty": (
            "tests/api/test_gogrid_tell.py::test_a_list_counts_its_pages", "tests/api/test_gogrid_tell.py::test_a_page_past_the_end_is_empty",
        ),
        "A failure has no numpages": (
            "tests/api/test_gogrid_faults.py::test_a_failure_in_json", "tests/api/test_gogrid_faults.py::test_a_failure_in_xml",
            "tests/api/test_gogrid_faults.py::test_a_failure_in_csv",
        ),
    },
    "job": {
        "All fields of the document, times in milliseconds; no datacenter, which the document has not either": (
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
            "tests/api/test_gogrid_tell.py::test_every_entry_of_our_own_has_its_time",
        ),
        "attempts counts starts": (
            "tests/api/test_gogrid_tell.py::test_entries_are_transitions_and_attempts_count_starts",
        ),
    },
    "option": {
        "id, name, description and object; a missing description is null in JSON": (
            "tests/api/test_gogrid_tell.py::test_json_nulls_are_shown_and_left_out_as_in_the_original",
            "tests/api/test_gogrid_options.py::test_a_job_without_a_command_still_has_an_option",
        ),
    },
    "history entry": {
        "In JSON without an object key, and without note or updatedon where there is none": (
            "tests/api/test_gogrid_tell.py::test_json_nulls_are_shown_and_left_out_as_in_the_original",
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
        ),
        "In XML a job_history; XML and CSV always have both": (
            "tests/api/test_gogrid_tell.py::test_xml_and_csv_always_have_a_note_and_a_time",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
        ),
    },
    "history ids and times": {
        "An entry's id is its source's number, else its position in the log": (
            "tests/api/test_gogrid_tell.py::test_entries_have_their_source_s_number_or_their_position",
        ),
        "updatedon is there wherever the event has a time; the last one is lastupdatedon": (
            "tests/api/test_gogrid_tell.py::test_every_entry_of_our_own_has_its_time",
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
        ),
    },
    "option ids": {
        "Seven states, 1 to 7": (
            "tests/api/test_gogrid_options.py::test_the_seven_states",
        ),
        "Commands and object types that the product knew keep their ids; other words get one that never changes": (
            "tests/api/test_gogrid_options.py::test_commands_and_types_that_gogrid_knew",
            "tests/api/test_gogrid_options.py::test_ids_of_other_words_never_change",
            "tests/api/test_gogrid_options.py::test_every_word_has_an_option_whose_id_fits_32_bits",
        ),
    },
    "descriptions": {
        "The seven sentences, slips included": (
            "tests/api/test_gogrid_options.py::test_the_seven_states", "tests/api/test_gogrid_golden.py::test_json_is_the_document",
        ),
    },
    "failed": {
        "Failed may come several times and be queued again; Fatal is for good": (
            "tests/api/test_gogrid_tell.py::test_the_state_of_every_entry", "tests/api/test_gogrid_ask.py::test_failed_and_fatal_are_told_apart",
            "tests/acceptance/test_gogrid_document.py::test_every_state_lists_the_jobs_that_are_shown_in_it",
        ),
    },
    "XML: elements": {
        "Elements, attributes and their order are the document's; without a prolog": (
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
            "tests/api/test_gogrid_formats.py::test_xml_has_nothing_between_its_elements",
        ),
        "What is null is an empty element": (
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
        ),
    },
    "XML: compact": {
        "Nothing stands between elements, so that a first child is the option; the job is the first object of a get": (
            "tests/api/test_gogrid_formats.py::test_xml_has_nothing_between_its_elements",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
        ),
    },
    "XML: detail": {
        "detail is what Java says of a map, in the order it was given; JSON sorts it": (
            "tests/api/test_gogrid_formats.py::test_detail_in_xml_is_java_s",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
            "tests/api/test_gogrid_tell.py::test_json_is_sorted_at_every_level",
        ),
    },
    "CSV: head": {
        "A line that counts and a line of 39 names, as documented": (
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell", "tests/api/test_gogrid_options.py::test_csv_of_a_lookup",
        ),
    },
    "CSV: columns": {
        "Options as three cells each, the history last and counted from 1": (
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell",
            "tests/api/test_gogrid_formats.py::test_csv_pads_short_histories",
        ),
    },
    "CSV: rows": {
        "A row ends in a comma: 40 cells; detail is quoted JSON; lines end in LF": (
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell",
        ),
        "Columns go up to the longest history, and shorter rows are padded": (
            "tests/api/test_gogrid_formats.py::test_csv_pads_short_histories",
        ),
    },
    "errors": {
        "400 for a bad argument and for an unknown job, in the words that clients look for": (
            "tests/api/test_gogrid_faults.py::test_each_fault_has_its_status_and_errorcode",
            "tests/acceptance/test_libcloud.py::test_an_unknown_job_is_told_in_the_words_that_clients_look_for",
            "tests/acceptance/test_libcloud.py::test_bad_input_and_unknown_methods_are_told_apart",
        ),
        "401 for a wrong role, 403 for a bad signature": (
            "tests/acceptance/test_libcloud.py::test_a_key_that_may_not_read_has_insufficient_rights",
            "tests/acceptance/test_libcloud.py::test_a_wrong_secret_is_invalid_credentials",
        ),
        "404 for a method or an address that there is not, 500 UnexpectedError for our own": (
            "tests/acceptance/test_libcloud.py::test_another_verb_is_a_method_that_does_not_exist",
            "tests/api/test_dialects.py::test_a_path_belongs_to_the_product_whose_it_was",
            "tests/conformance/test_faults.py::test_trouble_on_our_side_is_told_in_every_dialect",
            "tests/api/test_gogrid_faults.py::test_each_fault_has_its_status_and_errorcode",
        ),
    },
    "error bodies": {
        "An error is the one object of a failure, in three formats; it always parses": (
            "tests/api/test_gogrid_faults.py::test_a_failure_in_json", "tests/api/test_gogrid_faults.py::test_a_failure_in_xml",
            "tests/api/test_gogrid_faults.py::test_a_failure_in_csv",
            "tests/api/test_gogrid_faults.py::test_a_fault_never_raises_and_always_parses",
        ),
    },
    "content types": {
        "application/json, text/xml and text/csv, the last two in UTF-8": (
            "tests/api/test_gogrid_golden.py::test_json_is_the_document",
            "tests/api/test_gogrid_golden.py::test_xml_is_the_document_without_the_white_space_between_its_elements",
            "tests/api/test_gogrid_golden.py::test_csv_is_the_document_cell_by_cell",
        ),
    },
}
