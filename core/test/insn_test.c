/*
 * The instruction decoder: the system instructions by hand, the stores against objdump's reading
 * (insn_cases.py), and for every one of them that fewer bytes are refused as "goes on behind the end".
 */
#include "core/test/check.h"

#include <stdio.h>
#include <string.h>

#include "core/guest/insn.h"

#define DECODE(mode, bytes, insn) insn_decode((const uint8_t *)(bytes), sizeof(bytes) - 1, mode, insn)

static void test_system(void)
{
    static const struct {
        const char *bytes;
        int length;
        enum insn_class class;
    } rows[] = {
        {"\x0f\xa2", 2, INSN_CPUID},
        {"\x0f\x32", 2, INSN_RDMSR},
        {"\x0f\x30", 2, INSN_WRMSR},
        {"\xf4", 1, INSN_HLT},
        {"\x0f\x01\xc1", 3, INSN_VMCALL},
        {"\x0f\x01\xd9", 3, INSN_VMMCALL},
        {"\x0f\x01\xd1", 3, INSN_XSETBV},
        {"\xcf", 1, INSN_IRET},
        {"\x66\xcf", 2, INSN_IRET},
        {"\x0f\x08", 2, INSN_OTHER_SYSTEM},
        {"\x0f\x09", 2, INSN_OTHER_SYSTEM},
        {"\x0f\x31", 2, INSN_OTHER_SYSTEM},
        {"\x0f\x33", 2, INSN_OTHER_SYSTEM},
        {"\x0f\x01\xd8", 3, INSN_OTHER_SYSTEM},
        {"\x0f\x01\xdf", 3, INSN_OTHER_SYSTEM},
        {"\xf3\x0f\x09", 3, INSN_OTHER_SYSTEM},
        {"\x0f\x01\xf9", 3, INSN_OTHER_SYSTEM},
        {"\x2e\x65\x0f\xa2", 4, INSN_CPUID},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (enum insn_mode mode = INSN_16; mode <= INSN_64; mode++) {
            struct insn insn;
            const uint8_t *bytes = (const uint8_t *)rows[i].bytes;
            CHECK(insn_decode(bytes, INSN_MAX, mode, &insn) == rows[i].length && insn.class == rows[i].class);
            for (int short_by = 1; short_by <= rows[i].length; short_by++)
                CHECK(insn_decode(bytes, (unsigned)(rows[i].length - short_by), mode, &insn) == -E_FAULT);
        }
}

static void test_fields(void)
{
    struct insn insn;
    CHECK(DECODE(INSN_64, "\x48\xcf", &insn) == 2 && insn.class == INSN_IRET);
    /* Linux's apic_write: mov %esi, -0xa00000(%rdi); movl $imm; xchg; mov to an absolute address */
    CHECK(DECODE(INSN_64, "\x89\xb7\x00\xd0\x5f\xff", &insn) == 6 && insn.class == INSN_STORE_REG);
    CHECK(insn.reg == REG_RSI && insn.size == 4 && !insn.high_byte && !insn.lock && insn.length == 6);
    CHECK(DECODE(INSN_64, "\xc7\x04\x25\x80\xd0\x5f\xff\xfe\xff\xff\xff", &insn) == 11 &&
          insn.class == INSN_STORE_IMM);
    CHECK(insn.immediate == (uint64_t)-2 && insn.size == 4);
    CHECK(DECODE(INSN_64, "\x48\xc7\x00\x01\x00\x00\x80", &insn) == 7 && insn.size == 8 &&
          insn.immediate == 0xffffffff80000001);
    CHECK(DECODE(INSN_32, "\x66\xc7\x00\x34\x12", &insn) == 5 && insn.size == 2 && insn.immediate == 0x1234);
    CHECK(DECODE(INSN_32, "\xc6\x00\x7f", &insn) == 3 && insn.size == 1 && insn.immediate == 0x7f);
    CHECK(DECODE(INSN_32, "\xf0\x87\x10", &insn) == 3 && insn.class == INSN_XCHG && insn.reg == REG_RDX &&
          insn.lock);
    CHECK(DECODE(INSN_32, "\xa3\x80\xd0\x5f\xff", &insn) == 5 && insn.class == INSN_STORE_ACC &&
          insn.reg == REG_RAX);
    CHECK(DECODE(INSN_64, "\xf3\x89\x10", &insn) == 3);
    CHECK(DECODE(INSN_64, "\xf2\x89\x10", &insn) == 3);
    /* A REX that is not last does not count: the operand stays 2 and 4 bytes, the register the low one. */
    CHECK(DECODE(INSN_64, "\x48\x66\x89\x10", &insn) == 4 && insn.size == 2);
    CHECK(DECODE(INSN_64, "\x4f\x40\x89\x10", &insn) == 4 && insn.size == 4 && insn.reg == REG_RDX);
}

static void test_refused(void)
{
    struct insn insn;
    CHECK(DECODE(INSN_64, "\xf0\x89\x10", &insn) == -E_INVAL);             /* LOCK MOV */
    CHECK(DECODE(INSN_64, "\xf0\x0f\xa2", &insn) == -E_INVAL);             /* LOCK CPUID */
    CHECK(DECODE(INSN_64, "\x89\xc0", &insn) == -E_INVAL);                 /* to a register */
    CHECK(DECODE(INSN_64, "\xc7\xf8\x00\x00\x00\x00", &insn) == -E_INVAL); /* XBEGIN */
    CHECK(DECODE(INSN_64, "\xc7\x08\x00\x00\x00\x00", &insn) == -E_INVAL); /* C7 /1 */
    CHECK(DECODE(INSN_64, "\x8b\x00", &insn) == -E_INVAL);                 /* a load */
    CHECK(DECODE(INSN_64, "\x0f\x01\x10", &insn) == -E_INVAL);             /* LGDT */
    CHECK(DECODE(INSN_64, "\x0f\x0b", &insn) == -E_INVAL);                 /* UD2 */
    CHECK(DECODE(INSN_32, "\x48\x89\x10", &insn) == -E_INVAL);             /* DEC EAX */
    CHECK(DECODE(INSN_64, "", &insn) == -E_FAULT);
    static const char many[] = "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xf4"; /* 15 bytes */
    CHECK(DECODE(INSN_64, many, &insn) == 15 && insn.class == INSN_HLT);
    CHECK(insn_decode((const uint8_t *)many, 14, INSN_64, &insn) == -E_FAULT);
    CHECK(DECODE(INSN_64, "\x2e\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xf4", &insn) ==
          -E_INVAL); /* 16 */
}

struct expected {
    uint8_t bytes[16];
    int length, size, reg, high_byte; /* reg -1: an immediate */
    enum insn_mode mode;
};

static bool read_case(FILE *file, struct expected *expected)
{
    unsigned mode, value;
    char hex[33];
    if (fscanf(file, "%u %32s %d %d %d %d", &mode, hex, &expected->length, &expected->size, &expected->reg,
               &expected->high_byte) != 6)
        return false;
    expected->mode = mode == 16 ? INSN_16 : mode == 32 ? INSN_32 : INSN_64;
    for (unsigned i = 0; i < 16 && sscanf(hex + 2 * i, "%2x", &value) == 1; i++)
        expected->bytes[i] = (uint8_t)value;
    return true;
}

static bool case_agrees(const struct expected *expected)
{
    struct insn insn;
    int length = insn_decode(expected->bytes, sizeof expected->bytes, expected->mode, &insn);
    if (expected->length == 0)
        return length == -E_INVAL;
    if (length != expected->length || insn.length != length || insn.size != expected->size)
        return false;
    if ((insn.class == INSN_STORE_IMM) != (expected->reg < 0))
        return false;
    if (expected->reg >= 0 &&
        ((int)insn.reg != expected->reg || insn.high_byte != (expected->high_byte != 0)))
        return false;
    for (int available = 0; available < length; available++)
        if (insn_decode(expected->bytes, (unsigned)available, expected->mode, &insn) != -E_FAULT)
            return false;
    return insn_decode(expected->bytes, (unsigned)length, expected->mode, &insn) == length;
}

static void test_cases(const char *path)
{
    struct expected expected;
    unsigned count = 0, wrong = 0;
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL))
        return;
    for (; read_case(file, &expected); count++)
        if (!case_agrees(&expected) && wrong++ < 5)
            printf("objdump differs: mode %d, length %d, bytes %02x %02x %02x %02x\n", 16 << expected.mode,
                   expected.length, expected.bytes[0], expected.bytes[1], expected.bytes[2],
                   expected.bytes[3]);
    fclose(file);
    CHECK(count > 100000);
    CHECK(wrong == 0);
}

void test_insn(const char *cases)
{
    test_system();
    test_fields();
    test_refused();
    test_cases(cases);
}
