/* The banner. See banner.h. */
#include "log/banner.h"
#include "log/uart.h"
#include "log/writer.h"

static void put_number(const char *key, uint64_t value)
{
    char digits[21];
    char *at = &digits[20];

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    (void)log_uart_puts(key);
    (void)log_uart_puts(at);
}

static void put_hex(const char *key, const uint8_t *bytes, unsigned size)
{
    (void)log_uart_puts(key);
    for (unsigned i = 0; i < size; i++) {
        const char pair[] = {"0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 0xf], '\0'};

        (void)log_uart_puts(pair);
    }
}

/* Whose records the other bank still holds, for whoever wants to fetch them with a memory dump. */
static void put_previous(void)
{
    const struct log_bank *bank = log_area_previous(log_state.area);

    if (bank == NULL)
        return;
    put_number(" previous=", bank->epoch);
    put_number(" previous_records=", log_area_records(log_state.area, bank));
    if (bank->build_id_size != 0)
        put_hex(" previous_build=", bank->build_id, bank->build_id_size);
}

void log_banner(const struct log_config *config)
{
    const struct log_bank *bank = &log_state.area->bank[log_state.area->current];

    put_number("\n\n#BRAID ", LOG_FORMAT_VERSION);
    put_number(" t=", log_state.tag_bits);
    put_number(" cpus=", log_state.cpus);
    put_hex(" build=", bank->build_id, bank->build_id_size);
    put_number(" khz=", bank->tsc_khz);
    put_number(" shift=", log_state.shift);
    (void)log_uart_puts(" uart=");
    (void)log_uart_puts(log_uart.name);
    put_number(" fifo=", log_uart.depth);
    (void)log_uart_puts(config->mode == LOG_SYNC ? " mode=sync" : " mode=async");
    put_number(" epoch=", bank->epoch);
    put_previous();
    (void)log_uart_puts("\n");
}
