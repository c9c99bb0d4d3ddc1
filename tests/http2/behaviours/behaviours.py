"""The 46 behaviours of gateways that catch careless senders, and the tests that hold each.

Topic and broadcast parts are left out: the product sends neither.
"""

from dataclasses import dataclass
from itertools import chain

# Every transport under trial.
TRANSPORT_KINDS = ("http2",)
# By kind and name of a test: why it fails there. Our own core has none.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A behaviour by its number; `later` says what of it is left to pacing, retrying or pausing.

    Tests are named without `test_`, in `file`, or as path::name where they live elsewhere.
    """

    number: int
    name: str
    file: str
    tests: tuple[str, ...]
    later: str = ""

    def holds_for(self) -> tuple[str, ...]:
        """Return the transports that no test of it is expected to fail on."""
        names = {f"test_{name}" for name in self.tests}
        return tuple(
            kind for kind in TRANSPORT_KINDS if not names & EXPECTED_FAILURES.get(kind, {}).keys()
        )


_CONNECTION = (
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
            "pushes_after_a_timeout_in_silence_go_over_another_connection",
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
_CREDENTIALS = (
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
        ("a_revoked_key_stops_the_credential_and_no_token",),
        later="Pausing within a few requests, and resuming, is the engine's.",
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
        ("a_bad_key_of_apple_leaves_android_alone",),
    ),
)
_RATES = (
    Behaviour(
        31,
        "429 for hot tokens alone",
        "test_rates",
        ("hot_tokens_are_delayed_alone",),
        later="The delay itself is kept by the engine's retries.",
    ),
    Behaviour(
        32,
        "A project quota in every form",
        "test_rates",
        ("a_spent_project_quota_says_when_to_come_back", "a_quota_is_read_in_every_form"),
        later="Freezing and shrinking the project's rate is pacing.",
    ),
    Behaviour(
        33,
        "A storm of 429, then recovery",
        "test_rates",
        (),
        later="Retry spacing and fairness between priorities are pacing.",
    ),
    Behaviour(34, "A ramp at the start", "test_rates", (), later="The ramp is pacing."),
    Behaviour(
        35,
        "5xx in bursts",
        "test_rates",
        (
            "hundreds_of_server_errors_wear_no_connection_out",
            "a_503_says_when_to_come_back",
        ),
        later="The spacing of retries is the engine's.",
    ),
    Behaviour(
        36,
        "Slow answers",
        "test_rates",
        ("slow_answers_are_waited_for_and_sent_once",),
        later="Answers of 12 s and 61 s under the engine's own timeouts.",
    ),
    Behaviour(37, "Limits of a device", "test_rates", (), later="Limits per device are pacing."),
    Behaviour(
        38,
        "A sender of many 4xx is disconnected",
        "test_rates",
        ("a_gateway_that_hangs_up_on_bad_senders_loses_no_push",),
        later="Slowing down is pacing.",
    ),
)
_E2E = "tests/e2e/test_changes_meanwhile.py"
_TOKENS = (
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
        ("a_wrong_gateway_makes_tokens_suspect_and_ends_none",),
        later="The guard that pauses the credential is the engine's.",
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
_PAYLOAD = (
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
BEHAVIOURS = tuple(chain(_CONNECTION, _CREDENTIALS, _RATES, _TOKENS, _PAYLOAD))
