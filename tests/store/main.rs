//! The store's contract, as a suite that every engine passes: each clause is a plain function over a service on a
//! fresh store, and its name is the test's name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unchecked_time_subtraction,
    reason = "a test says what is wrong by failing"
)]

mod accounts;
mod backend;
mod cached;
mod continued;
#[path = "../database.rs"]
mod database;
mod earlier;
mod external_ids;
mod groups;
mod keeping;
mod keys;
mod model;
mod past;
mod races;
mod replay;
mod service;
mod sessions;
mod sign_out;
#[path = "../skipped.rs"]
mod skipped;
mod statements;
mod two_weeks;
mod unreadable;

/// Lists every clause for one engine; without a database server the shared store's are skipped with a message.
macro_rules! contract {
    ($engine:ident on $backend:expr, $lives:literal lives) => {
        mod $engine {
            use crate::service::Service;

            contract!(@clauses $backend,
                accounts: usernames_are_unique_and_freed, deleting_frees_the_name_and_ends_everything,
                    only_the_verified_hash_is_replaced, disabling_ends_everything_and_enabling_brings_nothing_back,
                    password_change_raises_the_floor, an_administrators_password_leaves_no_device,
                    a_stale_password_changes_nothing, users_are_listed_by_name, who_is_not_there_is_told;
                continued: a_token_of_another_system_is_exchanged_for_one_device,
                    a_token_of_an_imported_user_is_exchanged,
                    an_exchanged_token_is_replaced_where_devices_rotate,
                    an_exchanged_token_is_of_no_use_after_its_device_until_it_expires,
                    a_token_is_of_no_use_to_an_account_that_was_deleted_and_came_again,
                    a_token_is_of_no_use_to_the_next_user_with_its_external_id,
                    what_ended_everything_ended_sessions_of_another_system_too,
                    of_parallel_exchanges_one_opens_the_device;
                external_ids: external_ids_are_unique_and_freed, a_repeated_creation_changes_nothing,
                    a_dry_run_says_what_a_step_would_come_to_and_changes_nothing,
                    of_two_creations_with_one_external_id_one_wins, a_device_says_how_the_user_was_proven,
                    a_rename_moves_the_indexes_and_ends_nothing,
                    another_password_hash_ends_all_devices_and_a_first_one_none;
                keeping: acknowledged_is_durable, log_has_no_gaps_and_is_ordered, log_is_kept_65_minutes,
                    ended_is_kept_28_days_then_swept, left_behind_is_kept_28_days_then_swept,
                    bumps_keep_nothing_longer, signing_in_and_out_keeps_so_many_records,
                    a_record_that_gave_way_proves_no_rollback,
                    signing_out_everywhere_keeps_so_many_records, expired_devices_are_ended_by_the_sweep,
                    expired_long_ago_is_forgotten_at_last, a_sweep_goes_in_small_batches;
                keys: initialized_once, restored_it_is_another_store_in_which_nobody_is_signed_in, restored_it_trusts_no_key_of_the_copy, names_of_tokens_are_remembered, keys_change_only_from_the_version_read, service_keys_come_and_go;
                sessions: refresh_rotates_once, a_device_advances_once_a_minute_from_one_network, a_recovery_opens_the_window_again, a_reused_token_ends_its_device, what_rolled_back_is_ahead,
                    live_count_follows_the_rule, least_recently_seen_gives_way, what_ran_out_gives_way_first,
                    a_device_seen_by_a_clock_that_was_ahead_gives_way_like_one_seen_now,
                    last_seen_is_a_record_of_its_own, devices_are_renamed_by_their_user,
                    devices_are_listed_in_pages, another_systems_word_opens_a_device;
                sign_out: a_sign_out_is_logged_in_the_same_step, a_bump_is_logged_with_the_device_that_goes_on,
                    a_bump_is_logged_as_of_a_disabled_account_until_it_is_enabled,
                    who_waits_for_the_log_is_told, already_ended_is_told,
                    generation_only_grows, era_never_repeats, bump_is_constant_cost,
                    revocation_wins_races, restamped_device_keeps_its_refresh_token,
                    ended_devices_say_when_and_why, signing_in_again_works_at_once;
                past: the_first_end_of_a_device_is_told, past_devices_are_listed_in_pages_the_last_end_first;
                races: a_login_never_survives_a_password_change, a_refresh_never_survives_a_logout_all;
                replay: honest_devices_stay_signed_in, a_thief_elsewhere_is_noticed,
                    a_thief_on_the_same_network_is_noticed, strict_forgives_nothing;
            );

            /// The test gets the constructor, because it needs a new store for every case.
            #[test]
            fn follows_the_model() {
                crate::model::follows_the_model($lives, async || Some(Service::found($backend?).await));
            }
        }
    };
    (@clauses $backend:expr, $($room:ident: $($clause:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $clause() {
                let backend = async { Some($backend?) };
                if let Some(backend) = backend.await {
                    crate::$room::$clause(Service::found(backend).await).await;
                }
            }
        )+)+
    };
}

contract!(memory on Some(crate::backend::MemoryBackend::fresh()), 128 lives);
contract!(sled on Some(crate::backend::SledBackend::fresh()), 128 lives);
contract!(postgres on crate::backend::PostgresBackend::fresh().await, 16 lives);
