/* The unit tests, in the order in which they run. */
#ifndef LOG_TEST_TESTS_H
#define LOG_TEST_TESTS_H

#define TESTS(X)                                                                                             \
    X(test_crc_vectors)                                                                                      \
    X(test_frame_vectors)                                                                                    \
    X(test_stream_vectors)                                                                                   \
    X(test_record_vectors)                                                                                   \
    X(test_batch_vector)                                                                                     \
    X(test_sync_vectors)                                                                                     \
    X(test_banner_vector)                                                                                    \
    X(test_record_arguments)                                                                                 \
    X(test_record_site_ids)                                                                                  \
    X(test_record_long_strings)                                                                              \
    X(test_record_text)                                                                                      \
    X(test_record_levels)                                                                                    \
    X(test_record_without_writer)                                                                            \
    X(test_record_arguments_evaluated_once)                                                                  \
    X(test_ring_overwrites_the_oldest)                                                                       \
    X(test_ring_half_written_slot)                                                                           \
    X(test_ring_torn_reads)                                                                                  \
    X(test_area_is_refused)                                                                                  \
    X(test_area_epochs)                                                                                      \
    X(test_wire_sync_mode_sends_before_it_returns)                                                           \
    X(test_wire_async_mode_waits_for_the_pump)                                                               \
    X(test_wire_async_mode_at_exits)                                                                         \
    X(test_wire_async_mode_pushes_its_own)                                                                   \
    X(test_wire_async_mode_drains)                                                                           \
    X(test_wire_opens_with_what_waited)                                                                      \
    X(test_wire_nmi_at_every_byte)                                                                           \
    X(test_wire_sync_frames_when_due)                                                                        \
    X(test_wire_counts_what_it_drops)                                                                        \
    X(test_wire_drops_all)                                                                                   \
    X(test_wire_survives_a_dead_uart)                                                                        \
    X(test_wire_nmi_while_its_backlog_is_pumped)                                                             \
    X(test_wire_panic_flushes_all)                                                                           \
    X(test_wire_cost_of_a_line)                                                                              \
    X(test_uart_kinds)                                                                                       \
    X(test_uart_bad_config)                                                                                  \
    X(test_uart_early_text)                                                                                  \
    X(test_owner_goes_by_turns)                                                                              \
    X(test_owner_nests)                                                                                      \
    X(test_owner_that_stands_still_is_replaced)                                                              \
    X(test_owner_is_waited_for)                                                                              \
    X(test_owner_that_moves_is_not_waited_for_for_good)                                                      \
    X(test_owner_leaves_records_in_the_ring)                                                                 \
    X(test_owner_looks_again)

#define TEST_DECLARE(test) void test(void);
TESTS(TEST_DECLARE)

#endif
