/*
 * What -fsanitize=thread calls, as far as C needs it: each access first tells the explorer, and atomics are
 * then done as they are. Not instrumented itself.
 */
#include "log/explorer/explorer.h"

/* The compiler knows these names; their prototypes are its own affair. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"

void __tsan_init(void) {}
void __tsan_func_entry(void *caller)
{
    (void)caller;
}
void __tsan_func_exit(void) {}

#define PLAIN(size)                                                                                          \
    void __tsan_read##size(void *address)                                                                    \
    {                                                                                                        \
        explorer_access(address, size, false);                                                               \
    }                                                                                                        \
    void __tsan_write##size(void *address)                                                                   \
    {                                                                                                        \
        explorer_access(address, size, true);                                                                \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void *address)                                                          \
    {                                                                                                        \
        explorer_access(address, size, false);                                                               \
    }                                                                                                        \
    void __tsan_unaligned_write##size(void *address)                                                         \
    {                                                                                                        \
        explorer_access(address, size, true);                                                                \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *address, size_t size)
{
    explorer_access(address, size, false);
}
void __tsan_write_range(void *address, size_t size)
{
    explorer_access(address, size, true);
}

#define UPDATE(bits, name, operation)                                                                        \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t value,           \
                                                int order)                                                   \
    {                                                                                                        \
        (void)order;                                                                                         \
        explorer_access((const void *)at, sizeof(*at), true);                                                \
        return operation(at, value, __ATOMIC_SEQ_CST);                                                       \
    }
#define COMPARE(bits, strength)                                                                              \
    bool __tsan_atomic##bits##_compare_exchange_##strength(                                                  \
        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t value, int order, int failure) \
    {                                                                                                        \
        (void)order;                                                                                         \
        (void)failure;                                                                                       \
        explorer_access((const void *)at, sizeof(*at), true);                                                \
        if (*at != *expected) {                                                                              \
            *expected = *at;                                                                                 \
            return false;                                                                                    \
        }                                                                                                    \
        *at = value;                                                                                         \
        return true;                                                                                         \
    }
#define ATOMIC(bits)                                                                                         \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)                  \
    {                                                                                                        \
        (void)order;                                                                                         \
        explorer_access((const void *)at, sizeof(*at), false);                                               \
        return *at;                                                                                          \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value, int order)           \
    {                                                                                                        \
        (void)order;                                                                                         \
        explorer_access((const void *)at, sizeof(*at), true);                                                \
        *at = value;                                                                                         \
    }                                                                                                        \
    COMPARE(bits, strong)                                                                                    \
    COMPARE(bits, weak)                                                                                      \
    UPDATE(bits, exchange, __atomic_exchange_n)                                                              \
    UPDATE(bits, fetch_add, __atomic_fetch_add)                                                              \
    UPDATE(bits, fetch_sub, __atomic_fetch_sub)                                                              \
    UPDATE(bits, fetch_and, __atomic_fetch_and)                                                              \
    UPDATE(bits, fetch_or, __atomic_fetch_or)                                                                \
    UPDATE(bits, fetch_xor, __atomic_fetch_xor)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

/* One thread runs at a time, so memory has one order; what remains of a fence is what the compiler sees. */
void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    __asm__ volatile("" ::: "memory");
}
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __asm__ volatile("" ::: "memory");
}
