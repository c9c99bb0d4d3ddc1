"""Behaviours 25 to 46: credentials, rates, tokens and payloads."""

from tests.http2.behaviours.behaviour import Behaviour

_REVOKED = "tests/chaos/test_key_revoked.py"
_HOLD = "tests/chaos/test_platform_hold.py"
_GUARD = "tests/chaos/test_fleet_guard.py"
CREDENTIALS = (
    Behaviour(
        25,
        "Provider tokens of every wrong kind",
        "test_credentials",
        (
            "an_old_token_is_tried_on_a_new_connection_and_then_blamed_on_the_clock",
            "a_token_from_the_future_stops_the_credential",
            "a_wrong_signing_key_stops_the_credential",
            "a_token_of_a_wrong_algorithm_is_a_fault_of_the_credential",
            "teams_never_meet_on_a_connection",
            "a_second_team_on_one_connection_would_be_refused",
            "a_renewed_token_goes_over_the_same_connection",
            "two_tokens_within_twenty_minutes_cost_a_connection_not_the_credential",
        ),
    ),
    Behaviour(
        26,
        "A connection wedged after ExpiredProviderToken",
        "test_credentials",
        ("a_wedged_connection_is_left_behind",),
    ),
    Behaviour(
        27,
        "A key revoked mid-run",
        "test_credentials",
        (
            "a_revoked_key_stops_the_credential_and_no_token",
            f"{_REVOKED}::test_a_key_revoked_mid_run_pauses_and_resumes_by_itself",
        ),
    ),
    Behaviour(
        28,
        "Keys of another scope or environment",
        "test_credentials",
        (
            "a_key_of_another_scope_gets_a_connection_of_its_own_and_then_stops",
            "a_key_of_the_other_environment_stops_the_credential",
        ),
    ),
    Behaviour(
        29,
        "The OAuth endpoint in every mood",
        "test_credentials",
        (
            "a_slow_token_endpoint_is_asked_once_by_all_who_wait",
            "a_token_endpoint_out_of_order_delays_the_project",
            "an_invalid_grant_stops_the_credential",
            "a_token_of_five_seconds_is_used",
            "a_token_withdrawn_early_is_renewed_once_over_the_same_connection",
            "a_clock_ten_minutes_behind_googles_works",
            "a_clock_ten_minutes_ahead_of_googles_is_named",
        ),
    ),
    Behaviour(
        30,
        "THIRD_PARTY_AUTH_ERROR for iOS alone",
        "test_credentials",
        (
            "a_bad_key_of_apple_leaves_android_alone",
            f"{_HOLD}::test_iphones_wait_while_android_goes_on",
            f"{_HOLD}::test_whoever_resumes_the_credential_lets_the_iphones_go_at_once",
        ),
    ),
)
_RATES = "tests/e2e/test_rates.py"
_RAMP = "tests/delivery/pacing/test_ramp.py"
_STORMS = "tests/chaos/test_rates.py"
RATES = (
    Behaviour(
        31,
        "429 for hot tokens alone",
        "test_rates",
        (
            "hot_tokens_are_delayed_alone",
            f"{_RATES}::test_429_of_some_devices_delays_only_them",
        ),
    ),
    Behaviour(
        32,
        "A project quota in every form",
        "test_rates",
        (
            "a_spent_project_quota_says_when_to_come_back",
            "a_quota_is_read_in_every_form",
            f"{_RATES}::test_a_quota_in_windows_of_its_own_is_waited_for",
            f"{_RATES}::test_a_quota_that_names_no_time_is_left_alone_for_a_minute",
        ),
    ),
    Behaviour(
        33,
        "A storm of 429, then recovery",
        "test_rates",
        (
            f"{_STORMS}::test_a_storm_of_429_leaves_no_wave_behind_and_starves_nothing_new",
            f"{_RATES}::test_a_first_retry_is_never_sooner_than_the_floor_and_is_spread",
        ),
    ),
    Behaviour(
        34,
        "A ramp at the start",
        "test_rates",
        (
            f"{_STORMS}::test_sending_begins_with_a_ramp",
            f"{_RAMP}::test_no_second_of_the_first_minute_sees_more_than_its_part",
        ),
    ),
    Behaviour(
        35,
        "5xx in bursts",
        "test_rates",
        (
            "hundreds_of_server_errors_wear_no_connection_out",
            "a_503_says_when_to_come_back",
            f"{_RATES}::test_a_503_that_says_when_holds_the_project_back_until_then",
            f"{_RATES}::test_bursts_of_5xx_are_tried_again_later_over_the_same_connections",
        ),
    ),
    Behaviour(
        36,
        "Slow answers",
        "test_rates",
        (
            "slow_answers_are_waited_for_and_sent_once",
            f"{_RATES}::test_answers_of_twelve_seconds_are_waited_for_and_nothing_is_sent_twice",
            f"{_RATES}::test_an_answer_beyond_the_timeout_is_a_matter_of_the_policy",
            f"{_RATES}::test_ten_seconds_are_the_least_that_is_waited_for",
        ),
    ),
    Behaviour(
        37,
        "Limits of a device",
        "test_rates",
        (
            f"{_RATES}::test_a_device_beyond_its_limit_waits_alone",
            f"{_RATES}::test_collapsible_messages_beyond_the_budget_wait_where_it_can_be_seen",
        ),
    ),
    Behaviour(
        38,
        "A sender of many 4xx is disconnected",
        "test_rates",
        (
            "a_gateway_that_hangs_up_on_bad_senders_loses_no_push",
            f"{_RATES}::test_a_gateway_that_hangs_up_on_bad_requests_gets_the_good_ones_once",
        ),
    ),
)
_E2E = "tests/e2e/test_changes_meanwhile.py"
TOKENS = (
    Behaviour(
        39,
        "410 before and after a registration",
        "test_tokens",
        (
            "a_verdict_carries_the_moment_of_apple_in_milliseconds",
            f"{_E2E}::test_a_registration_newer_than_the_verdict_survives",
            "tests/api/test_devices.py::test_a_token_registered_again_is_alive_again",
        ),
    ),
    Behaviour(
        40,
        "Tokens that end mid-run",
        "test_tokens",
        (
            "tokens_that_end_mid_run_are_told_from_those_that_live",
            "every_word_of_fcm_about_a_token_has_its_outcome",
        ),
    ),
    Behaviour(
        41,
        "BadDeviceToken for everybody",
        "test_rates",
        (
            "a_wrong_gateway_makes_tokens_suspect_and_ends_none",
            f"{_GUARD}::test_a_wrong_host_pauses_the_credential_and_costs_no_token",
        ),
    ),
    Behaviour(
        42,
        "Tokens of unusual forms",
        "test_tokens",
        (
            "device_tokens_of_any_length_arrive_as_they_are",
            "installation_ids_and_tokens_with_colons_arrive_as_they_are",
            "a_token_can_not_leave_its_place_in_the_path",
        ),
    ),
    Behaviour(
        43,
        "Device tokens in upper case",
        "test_tokens",
        ("a_token_in_upper_case_reaches_the_same_device",),
    ),
)
PAYLOAD = (
    Behaviour(
        44,
        "Limits to the byte",
        "test_payload",
        (
            "apns_takes_the_last_byte_and_is_never_sent_one_more",
            "apns_would_refuse_one_byte_more",
            "a_collapse_id_has_at_most_64_bytes",
            "fcm_takes_the_last_byte_and_is_never_sent_one_more",
            "data_that_is_no_text_or_has_a_reserved_key_is_never_sent",
        ),
    ),
    Behaviour(
        45,
        "Push type, priority and topic that fit",
        "test_payload",
        (
            "every_push_names_its_type_and_the_topic_that_belongs_to_it",
            "a_silent_push_is_never_urgent",
            "headers_that_do_not_fit_are_refused_and_never_retried",
            "an_absent_push_type_is_taken_for_an_alert",
        ),
    ),
    Behaviour(
        46,
        "A compressed body",
        "test_payload",
        ("a_compressed_body_is_refused", "no_provider_compresses"),
    ),
)
