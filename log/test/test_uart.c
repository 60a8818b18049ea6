/* The UART's set-up, and the right to the wire where it has no FIFO. */
#include <string.h>
#include "log/owner.h"
#include "log/test/check.h"
#include "log/test/decode.h"
#include "log/test/machine.h"
#include "log/test/tests.h"
#include "log/uart.h"
#include "log/writer.h"

static int open_kind(enum uart_kind kind, unsigned cpus)
{
    const struct log_config config = machine_config(cpus, LOG_SYNC);

    machine_start(cpus);
    machine.kind = kind;
    return log_open_wire(&config);
}

void test_uart_kinds(void)
{
    CHECK_EQ(open_kind(UART_16550A, 4), LOG_OK);
    CHECK(strcmp(log_uart.name, "16550A") == 0 && log_uart.depth == 16, "a 16550A has 16");
    CHECK_EQ(log_uart.burst, 2u); /* 4 CPUs, 2 contexts each */
    CHECK(!log_owner_required(), "nobody needs the right");
    CHECK_EQ(open_kind(UART_16450, 4), LOG_OK);
    CHECK(strcmp(log_uart.name, "16450") == 0 && log_uart.depth == 1 && log_uart.burst == 1, "a 16450 has 1");
    CHECK(log_owner_required(), "one at a time");
    CHECK_EQ(open_kind(UART_16550_BROKEN, 4), LOG_OK);
    CHECK(strcmp(log_uart.name, "16550") == 0 && log_uart.depth == 1, "a broken FIFO is not used");
    CHECK_EQ(open_kind(UART_ABSENT, 4), LOG_ERR_UART);
    log_info("to the ring");
    log_flush_panic();
    log_drain();
    CHECK(!log_pump(0, 10), "no UART, no wire");
    CHECK_EQ(open_kind(UART_16550A, 32), LOG_OK);
    CHECK_EQ(log_uart.burst, 1u);
    CHECK_EQ(open_kind(UART_16550A, 1), LOG_OK);
    CHECK_EQ(log_state.tag_bits, 0u);
}

void test_uart_bad_config(void)
{
    struct log_config config = machine_config(4, LOG_SYNC);

    machine_start(4);
    config.cpus = 5;
    CHECK_EQ(log_open_wire(&config), LOG_ERR_CPUS);
    config.cpus = 0;
    CHECK_EQ(log_open_wire(&config), LOG_ERR_CPUS);
    config.cpus = 4;
    config.tsc_khz = 0;
    CHECK_EQ(log_open_wire(&config), LOG_ERR_CLOCK);
    CHECK_EQ(machine.accesses, 0u);
}

void test_uart_early_text(void)
{
    struct decoded got;

    machine_start(1);
    log_puts_early("no SVM here\n");
    machine_settle();
    CHECK(machine.sent_size == 13 && memcmp(machine.sent, "no SVM here\r\n", 13) == 0, "plain ASCII");
    machine_start_open(1, LOG_SYNC);
    log_puts_early("too late");
    machine_settle();
    got = decode(machine.sent, machine.sent_size, 0);
    CHECK_EQ(got.count, 2u); /* SYNC and a text record */
    decode_free(&got);
}

void test_owner_goes_by_turns(void)
{
    struct log_writer *a, *b;
    struct log_right right_a, right_b;

    machine_start_open(4, LOG_SYNC);
    a = log_writer(0, LOG_NORMAL);
    b = log_writer(1, LOG_NORMAL);
    CHECK(log_owner_try(a, &right_a), "free");
    CHECK(!log_owner_try(b, &right_b), "held");
    log_owner_release(b, &right_b);
    CHECK(log_owner_keep(a), "b could not release it");
    log_owner_release(a, &right_a);
    CHECK(!log_owner_keep(a), "given back");
    CHECK(log_owner_try(b, &right_b), "free again");
}

void test_owner_nests(void)
{
    struct log_writer *normal, *nmi;
    struct log_right right, inner;

    machine_start_open(4, LOG_SYNC);
    normal = log_writer(2, LOG_NORMAL);
    nmi = log_writer(2, LOG_NMI);
    CHECK(log_owner_try(normal, &right), "free");
    CHECK(log_owner_try(nmi, &inner), "an NMI does not wait for its own CPU");
    CHECK(!log_owner_keep(normal), "meanwhile it is the NMI's");
    log_owner_release(nmi, &inner);
    CHECK(log_owner_keep(normal), "and then ours again");
    log_owner_release(normal, &right);
}

void test_owner_that_stands_still_is_replaced(void)
{
    struct log_writer *a, *b;
    struct log_right right;

    machine_start_open(4, LOG_SYNC);
    a = log_writer(0, LOG_NORMAL);
    b = log_writer(1, LOG_NORMAL);
    CHECK(log_owner_try(a, &right), "free");
    CHECK(!log_owner_try(b, &right), "held");
    machine.clock += 3 * log_uart.patience;
    CHECK(log_owner_keep(a), "it moves");
    CHECK(!log_owner_try(b, &right), "so it is alive");
    machine.clock += 3 * log_uart.patience;
    CHECK(log_owner_try(b, &right), "it stood still");
    CHECK(!log_owner_keep(a), "and sees it when it wakes up");
}

/* Without a FIFO, async: what one could not send while another held the wire comes with its next pump. */
void test_owner_leaves_records_in_the_ring(void)
{
    const struct log_config config = machine_config(4, LOG_ASYNC);
    struct log_right right;

    machine_start(4);
    machine.kind = UART_16450;
    CHECK_EQ(log_open_wire(&config), LOG_OK);
    CHECK(log_owner_try(log_writer(3, LOG_NORMAL), &right), "CPU 3 sends");
    log_info("must wait");
    CHECK(log_pump(0, 10), "it does");
    log_owner_release(log_writer(3, LOG_NORMAL), &right);
    CHECK(!log_pump(0, 10), "now it went");
    CHECK_EQ(log_totals().records, 1u);
    CHECK_EQ(machine.overruns, 0u);
}

/* Sync: the record is on the wire when the call returns, although CPU 3 stopped with the right to it. */
void test_owner_is_waited_for(void)
{
    struct log_right right;
    uint64_t start;

    CHECK_EQ(open_kind(UART_16450, 4), LOG_OK);
    machine.tick = log_uart.patience / 100;
    CHECK(log_owner_try(log_writer(3, LOG_NORMAL), &right), "CPU 3 sends");
    start = machine.clock;
    log_info("does not wait for good");
    CHECK(machine.clock - start < (LOG_OWNER_STILL + 2) * log_uart.patience, "bounded");
    CHECK_EQ(log_totals().records, 1u);
    CHECK(!log_backlog(0), "nothing is left");
    CHECK_EQ(machine.overruns, 0u);
}

static void other_moves(void)
{
    (void)log_owner_keep(log_writer(3, LOG_NORMAL));
}

/* One that is never given its turn gives up by the clock, and its record waits in the ring. */
void test_owner_that_moves_is_not_waited_for_for_good(void)
{
    struct log_right right;
    uint64_t start;

    CHECK_EQ(open_kind(UART_16450, 4), LOG_OK);
    machine.tick = log_uart.patience / 100;
    machine.relax = other_moves;
    CHECK(log_owner_try(log_writer(3, LOG_NORMAL), &right), "CPU 3 sends");
    start = machine.clock;
    log_info("must wait");
    CHECK(machine.clock - start < (LOG_OWNER_STILL + 2) * log_uart.patience, "bounded");
    CHECK(log_backlog(0), "it waits in the ring");
}

/* Without a FIFO, an old look at THRE is worth nothing: others have sent since. */
void test_owner_looks_again(void)
{
    CHECK_EQ(open_kind(UART_16450, 4), LOG_OK);
    log_state.lane[0].writer[LOG_NORMAL].credit = 1; /* as one that lost the right between look and write */
    machine_settle();
    log_uart_put('a');
    log_uart_put('b'); /* one in the shift register, one behind it */
    CHECK_EQ(machine.overruns, 0u);
    log_info("waits for both");
    CHECK_EQ(machine.overruns, 0u);
}
