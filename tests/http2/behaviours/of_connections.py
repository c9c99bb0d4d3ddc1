"""Behaviours 1 to 24: HTTP/2, TLS and connections."""

from tests.http2.behaviours.behaviour import Behaviour

CONNECTIONS = (
    Behaviour(
        1,
        "One stream until the first valid token",
        "test_settings",
        (
            "one_stream_is_open_until_the_gateway_allows_more",
            "the_first_valid_token_opens_the_other_streams",
            "a_refusal_of_streams_costs_no_connection",
        ),
    ),
    Behaviour(
        2,
        "The first SETTINGS come late",
        "test_settings",
        (
            "nothing_is_sent_before_the_first_settings",
            "settings_that_never_come_end_the_push_in_its_time",
        ),
    ),
    Behaviour(
        3,
        "The stream limit drops to 1 under load",
        "test_settings",
        ("a_limit_lowered_below_what_is_open_holds_new_streams_back",),
    ),
    Behaviour(
        4,
        "The stream limit drops after each 4xx",
        "test_settings",
        ("a_limit_that_drops_at_each_refusal_is_followed",),
    ),
    Behaviour(
        5,
        "A stream limit of 0",
        "test_settings",
        (
            "a_limit_of_nothing_is_waited_out_without_spinning",
            "a_limit_that_stays_at_nothing_ends_the_push_unsent",
        ),
    ),
    Behaviour(
        6,
        "A graceful pair of GOAWAY",
        "test_goaway",
        (
            "a_graceful_goodbye_loses_and_doubles_nothing",
            "graceful_goodbyes_under_load_leave_no_doubt",
        ),
    ),
    Behaviour(
        7,
        "GOAWAY in the middle, then a close",
        "test_goaway",
        (
            "a_goodbye_and_a_close_divide_the_pushes_exactly",
            "what_a_goodbye_left_over_is_sent_again_by_the_sender_alone",
            "a_goodbye_decides_between_a_free_retry_and_doubt",
        ),
    ),
    Behaviour(
        8,
        "GOAWAY with words",
        "test_goaway",
        (
            "the_words_of_a_goodbye_reach_the_sender",
            "a_goodbye_to_a_fresh_connection_is_told_with_its_words",
            "a_goodbye_over_the_certificate_stops_the_credential",
            "a_goodbye_for_a_shutdown_stops_nothing",
        ),
    ),
    Behaviour(
        9,
        "RST_STREAM on some streams",
        "test_breaks",
        (
            "resets_end_only_their_own_streams_and_say_what_they_mean",
            "a_reset_before_the_whole_push_was_written_means_not_processed",
            "a_reset_behind_a_whole_answer_takes_nothing_back",
            "an_answer_cut_off_by_a_reset_is_no_refusal",
            "only_a_refusal_is_free_to_be_sent_again",
        ),
    ),
    Behaviour(
        10,
        "TCP reset at every moment",
        "test_breaks",
        (
            "a_lost_connection_doubles_nothing_and_leaves_the_doubt_to_the_policy",
            "doubt_is_final_at_most_once_and_a_repeat_at_least_once",
            "a_connection_lost_under_load_keeps_the_books",
            "tests/http2/behaviours/test_mixtures.py::test_any_mixture_of_faults_keeps_the_books",
        ),
    ),
    Behaviour(
        11,
        "A black hole",
        "test_breaks",
        (
            "a_black_hole_ends_pushes_in_their_time",
            "a_hole_that_swallows_whole_windows_leaves_what_was_not_written_unsent",
            "pushes_do_not_follow_others_into_a_long_silence",
            "silence_is_noticed_by_a_ping_without_an_answer",
            "slow_but_living_gateways_are_left_alone",
            "a_hole_is_doubt_for_the_provider",
        ),
    ),
    Behaviour(
        12,
        "Idle connections end; too many pings",
        "test_goaway",
        (
            "an_idle_connection_that_the_gateway_closed_costs_no_push",
            "a_quiet_connection_is_not_pestered_with_pings",
            "being_told_to_calm_down_is_survived",
        ),
    ),
    Behaviour(
        13,
        "The end of a connection at one stream too many",
        "test_settings",
        (
            "a_gateway_that_ends_connections_of_too_many_streams_never_has_to",
            "a_gateway_without_a_limit_of_streams_is_served",
        ),
    ),
    Behaviour(
        14,
        "Small windows",
        "test_flow",
        (
            "a_small_window_of_each_stream_is_respected",
            "a_window_of_nothing_waits_for_its_update",
            "a_window_made_smaller_than_what_is_used_is_waited_out",
            "a_connection_window_that_refills_slowly_is_respected",
            "what_finds_no_window_in_its_time_was_never_written_whole",
        ),
    ),
    Behaviour(
        15,
        "Many bytes of error bodies",
        "test_flow",
        (
            "bodies_of_errors_never_use_up_the_senders_own_window",
            "many_small_errors_never_use_up_the_senders_own_window",
        ),
    ),
    Behaviour(
        16,
        "Small header tables and header lists",
        "test_settings",
        (
            "header_tables_of_any_size_are_followed",
            "headers_larger_than_the_gateway_takes_are_kept_from_it",
        ),
    ),
    Behaviour(
        17,
        "Answers in any order and form",
        "test_answers",
        ("answers_in_any_order_find_their_pushes", "an_answer_is_read_in_every_form"),
    ),
    Behaviour(
        18,
        "Odd error bodies",
        "test_answers",
        ("any_status_with_any_body_is_an_answer", "every_answer_has_an_outcome"),
    ),
    Behaviour(
        19,
        "apns-id absent, in upper case or another one",
        "test_answers",
        ("an_answer_needs_no_apns_id_to_find_its_push",),
    ),
    Behaviour(
        20,
        "1xx, PING, unknown frames and settings",
        "test_answers",
        (
            "informational_responses_are_passed_over",
            "pings_of_the_gateway_are_answered",
            "what_is_unknown_is_ignored",
        ),
    ),
    Behaviour(
        21,
        "Stream ids run out",
        "test_connections",
        ("a_connection_out_of_stream_ids_is_replaced",),
    ),
    Behaviour(
        22,
        "TLS of every kind, and certificates not to be trusted",
        "test_connections",
        (
            "every_allowed_kind_of_tls_is_spoken",
            "a_gateway_that_is_not_trusted_gets_nothing_and_no_storm",
            "a_gateway_that_is_not_trusted_stops_the_credential",
            "a_certificate_that_expires_mid_run_ends_no_open_connection",
            "a_gateway_that_wants_another_certificate_is_named",
        ),
    ),
    Behaviour(
        23,
        "Too many new connections",
        "test_connections",
        (
            "bursts_with_pauses_share_one_connection",
            "connections_that_come_to_nothing_are_not_opened_in_a_storm",
            "frequent_goodbyes_cost_no_more_connections_than_they_must",
            "a_gateway_that_refuses_connections_is_asked_seldom",
        ),
    ),
    Behaviour(
        24,
        "Several addresses, some dead",
        "test_connections",
        (
            "dead_addresses_of_a_name_are_passed_over",
            "an_address_that_swallows_everything_costs_only_its_share_of_time",
            "a_gateway_on_an_ipv6_address_is_reached",
        ),
    ),
)
