"""What the transport on the SDKs fails at, by the numbers in docs/reference/transports.md.

Behaviours of providers run once over it (`sdk`); those of the bare transport once with pushes to
APNs (`aioapns`) and once with pushes to FCM (`firebase-admin`). A name with `[…]` is one case.
"""

SDK_KINDS = ("sdk", "aioapns", "firebase-admin")

_SDK = {
    "test_a_bad_key_of_apple_leaves_android_alone": "F-4",
    "test_a_goodbye_decides_between_a_free_retry_and_doubt": "A-5",
    "test_a_goodbye_for_a_shutdown_stops_nothing": "A-5",
    "test_a_goodbye_over_the_certificate_stops_the_credential": "A-5",
    "test_apns_takes_the_last_byte_and_is_never_sent_one_more": "A-12",
    "test_every_answer_has_an_outcome[200-OK-Unknown]": "A-11",
    "test_every_answer_has_an_outcome[400--Rejected]": "A-1",
    "test_every_answer_has_an_outcome[400-Bad Request-Rejected]": "A-3",
    "test_every_answer_has_an_outcome[500--Retry]": "A-1",
    "test_every_answer_has_an_outcome[503-[]-Retry]": "A-3",
    "test_headers_that_do_not_fit_are_refused_and_never_retried[changes4]": "A-17",
    "test_hot_tokens_are_delayed_alone": "A-10",
    "test_only_a_refusal_is_free_to_be_sent_again": "A-4",
}
_AIOAPNS = {
    "test_a_connection_window_that_refills_slowly_is_respected": "A-6",
    "test_a_gateway_that_hangs_up_on_bad_senders_loses_no_push": "A-5",
    "test_a_goodbye_and_a_close_divide_the_pushes_exactly[None]": "A-5",
    "test_a_goodbye_and_a_close_divide_the_pushes_exactly[9]": "A-5",
    "test_a_goodbye_to_a_fresh_connection_is_told_with_its_words": "A-5",
    "test_a_graceful_goodbye_loses_and_doubles_nothing": "A-5",
    "test_a_limit_lowered_below_what_is_open_holds_new_streams_back": "A-14",
    "test_a_limit_that_drops_at_each_refusal_is_followed": "A-14",
    "test_a_limit_that_stays_at_nothing_ends_the_push_unsent": "A-8",
    "test_a_refusal_of_streams_costs_no_connection": "A-4",
    "test_a_reset_before_the_whole_push_was_written_means_not_processed": "A-6",
    "test_a_small_window_of_each_stream_is_respected": "A-6",
    "test_a_window_made_smaller_than_what_is_used_is_waited_out": "A-6",
    "test_a_window_of_nothing_waits_for_its_update": "A-6",
    "test_an_address_that_swallows_everything_costs_only_its_share_of_time": "A-15",
    "test_an_answer_is_read_in_every_form[split_body]": "A-3",
    "test_an_answer_is_read_in_every_form[empty_last_frame]": "A-3",
    "test_an_answer_is_read_in_every_form[padded_body]": "A-3",
    "test_an_answer_is_read_in_every_form[padded_head]": "A-2",
    "test_an_answer_is_read_in_every_form[head_with_priority]": "A-2",
    "test_an_answer_is_read_in_every_form[continuations]": "A-2",
    "test_an_answer_is_read_in_every_form[one_byte_at_a_time]": "A-2",
    "test_an_answer_needs_no_apns_id_to_find_its_push": "A-2",
    "test_answers_in_any_order_find_their_pushes": "A-1",
    "test_any_status_with_any_body_is_an_answer": "A-1",
    "test_being_told_to_calm_down_is_survived": "A-5",
    "test_bodies_of_errors_never_use_up_the_senders_own_window": "A-7",
    "test_connections_that_come_to_nothing_are_not_opened_in_a_storm": "A-16",
    "test_frequent_goodbyes_cost_no_more_connections_than_they_must": "A-5",
    "test_graceful_goodbyes_under_load_leave_no_doubt": "A-5",
    "test_many_small_errors_never_use_up_the_senders_own_window": "A-7",
    "test_nothing_is_sent_before_the_first_settings": "A-8",
    "test_one_stream_is_open_until_the_gateway_allows_more": "A-8",
    "test_resets_end_only_their_own_streams_and_say_what_they_mean": "A-4",
    "test_settings_that_never_come_end_the_push_in_its_time": "A-8",
    "test_the_words_of_a_goodbye_reach_the_sender": "A-5",
    "test_what_a_goodbye_left_over_is_sent_again_by_the_sender_alone": "A-5",
}
_FIREBASE = {
    "test_a_certificate_that_expires_mid_run_ends_no_open_connection": "F-7",
    "test_a_connection_lost_under_load_keeps_the_books": "F-12",
    "test_a_gateway_that_hangs_up_on_bad_senders_loses_no_push": "F-6",
    "test_a_goodbye_and_a_close_divide_the_pushes_exactly": "F-2",
    "test_a_goodbye_to_a_fresh_connection_is_told_with_its_words": "F-10",
    "test_a_graceful_goodbye_loses_and_doubles_nothing": "F-2",
    "test_a_limit_lowered_below_what_is_open_holds_new_streams_back": "F-1",
    "test_a_limit_of_nothing_is_waited_out_without_spinning": "F-9",
    "test_a_limit_that_drops_at_each_refusal_is_followed": "F-1",
    "test_a_refusal_of_streams_costs_no_connection": "F-3",
    "test_a_reset_before_the_whole_push_was_written_means_not_processed": "F-3",
    "test_a_window_made_smaller_than_what_is_used_is_waited_out": "F-11",
    "test_an_address_that_swallows_everything_costs_only_its_share_of_time": "F-13",
    "test_an_idle_connection_that_the_gateway_closed_costs_no_push": "F-7",
    "test_being_told_to_calm_down_is_survived": "F-6",
    "test_every_allowed_kind_of_tls_is_spoken[no ALPN]": "F-8",
    "test_frequent_goodbyes_cost_no_more_connections_than_they_must": "F-6",
    "test_graceful_goodbyes_under_load_leave_no_doubt": "F-2",
    "test_nothing_is_sent_before_the_first_settings": "F-9",
    "test_resets_end_only_their_own_streams_and_say_what_they_mean": "F-3",
    "test_the_words_of_a_goodbye_reach_the_sender": "F-10",
    "test_what_a_goodbye_left_over_is_sent_again_by_the_sender_alone": "F-6",
    "test_what_finds_no_window_in_its_time_was_never_written_whole": "F-11",
}
SDK_FAILURES = {"sdk": _SDK, "aioapns": _AIOAPNS, "firebase-admin": _FIREBASE}
# These depend on what arrives first, so they may pass.
SOMETIMES = {
    "aioapns": {
        "test_a_gateway_that_wants_another_certificate_is_named": "A-13",
        "test_a_lost_connection_doubles_nothing_and_leaves_the_doubt_to_the_policy": "A-14",
        "test_a_reset_behind_a_whole_answer_takes_nothing_back": "A-6",
    },
    "firebase-admin": {
        "test_a_hole_that_swallows_whole_windows_leaves_what_was_not_written_unsent": "F-11",
        "test_a_limit_that_stays_at_nothing_ends_the_push_unsent": "F-9",
        "test_settings_that_never_come_end_the_push_in_its_time": "F-9",
        "test_a_gateway_that_wants_another_certificate_is_named": "A-13",
        "test_any_mixture_of_faults_keeps_the_books": "F-2",
    },
}
# Not asked of the SDKs: options and PINGs of our own sender, requests that no provider makes,
# headers and tokens of the other gateway, and 3,000 answers in the time of one.
_OWN = {
    "test_a_connection_out_of_stream_ids_is_replaced",
    "test_headers_larger_than_the_gateway_takes_are_kept_from_it",
    "test_silence_is_noticed_by_a_ping_without_an_answer",
    "test_slow_but_living_gateways_are_left_alone",
}
NOT_ASKED = {
    "sdk": {"test_a_compressed_body_is_refused"},
    "aioapns": _OWN,
    "firebase-admin": {
        *_OWN,
        "test_a_reset_behind_a_whole_answer_takes_nothing_back",
        "test_header_tables_of_any_size_are_followed",
        "test_many_small_errors_never_use_up_the_senders_own_window",
    },
}
