/* See acpi.h. */
#include "core/x86/acpi.h"
#include "core/string.h"
#include "core/x86/asm.h"

#include <stdbool.h>
#include <stddef.h>

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[18], creator[8];
} __attribute__((packed));
_Static_assert(sizeof(struct header) == 36, "ACPI 5.2.6");

struct madt {
    struct header header;
    uint32_t local_apic, flags;
    uint8_t entries[];
} __attribute__((packed));

enum madt_type { MADT_LOCAL_APIC = 0, MADT_LOCAL_X2APIC = 9 };
enum {
    MADT_ENABLED = 1,
    FADT_DSDT = 40,
    FADT_PM1A_CONTROL = 64,
    FADT_PM1B_CONTROL = 68,
    MAX_TABLE = 1 << 20
};

static bool sums_to_zero(const void *p, size_t n)
{
    uint8_t sum = 0;
    for (const uint8_t *b = p; n--; b++)
        sum = (uint8_t)(sum + *b);
    return sum == 0;
}

static const struct rsdp *find_rsdp_in(uint64_t start, uint64_t end)
{
    for (uint64_t at = start & ~15ull; at + 20 <= end; at += 16)
        if (!memcmp((const void *)at, "RSD PTR ", 8) && sums_to_zero((const void *)at, 20))
            return (const void *)at;
    return NULL;
}

static const struct rsdp *find_rsdp(void)
{
    uint16_t segment;
    const uint16_t *bda = (const uint16_t *)0x40E; /* EBDA segment, by the BIOS data area */
    __asm__("" : "+r"(bda));                       /* a real address: the compiler must not think of NULL */
    segment = *bda;
    uint64_t ebda = (uint64_t)segment << 4;
    const struct rsdp *rsdp = ebda >= 0x400 && ebda < 0xA0000 ? find_rsdp_in(ebda, ebda + 1024) : NULL;
    return rsdp ? rsdp : find_rsdp_in(0xE0000, 0x100000);
}

static const struct header *find_table(const struct rsdp *rsdp, const char *signature)
{
    bool wide = rsdp->revision >= 2 && rsdp->xsdt;
    const struct header *root = (const void *)(wide ? rsdp->xsdt : rsdp->rsdt);
    if (!root || root->length < sizeof *root || root->length > MAX_TABLE)
        return NULL;
    size_t size = wide ? 8 : 4;
    const uint8_t *entry = (const uint8_t *)(root + 1);
    for (size_t n = (root->length - sizeof *root) / size; n--; entry += size) {
        uint64_t address = 0;
        memcpy(&address, entry, size);
        const struct header *table = (const void *)address;
        if (table && !memcmp(table->signature, signature, 4) && table->length <= MAX_TABLE &&
            sums_to_zero(table, table->length))
            return table;
    }
    return NULL;
}

static void add_cpu(struct acpi_info *info, uint32_t id, uint32_t flags)
{
    if (!(flags & MADT_ENABLED))
        return;
    for (unsigned i = 0; i < info->cpus && i < sizeof info->apic_ids / sizeof *info->apic_ids; i++)
        if (info->apic_ids[i] == id)
            return; /* listed twice, by either kind of entry */
    if (info->cpus < sizeof info->apic_ids / sizeof *info->apic_ids)
        info->apic_ids[info->cpus] = id;
    info->cpus++;
}

/* The first element of \_S5_'s package in the DSDT, found by its bytes: Name (_S5_, Package (n) {SLP_TYPa,
   ...}) with the AML encodings of 20.2. 0xFF: not there. */
static uint8_t find_s5(const struct header *fadt)
{
    enum { AML_PACKAGE = 0x12, AML_BYTE = 0x0A, NAME_SIZE = 4, PACKAGE_HEAD = 3 };
    uint32_t address;
    memcpy(&address, (const uint8_t *)fadt + FADT_DSDT, 4);
    const struct header *dsdt = (const void *)(uint64_t)address;
    if (!dsdt || dsdt->length > MAX_TABLE)
        return 0xFF;
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->length;
    for (const uint8_t *p = (const uint8_t *)(dsdt + 1); p + NAME_SIZE + PACKAGE_HEAD + 2 <= end; p++) {
        if (memcmp(p, "_S5_", NAME_SIZE) || p[NAME_SIZE] != AML_PACKAGE || p[NAME_SIZE + 1] >> 6)
            continue;
        const uint8_t *element = p + NAME_SIZE + PACKAGE_HEAD; /* behind the package's length and count */
        return *element == AML_BYTE ? element[1] & 7 : *element & 7;
    }
    return 0xFF;
}

const char *acpi_read(struct acpi_info *info)
{
    memset(info, 0, sizeof *info);
    const struct rsdp *rsdp = find_rsdp();
    if (!rsdp)
        return "no ACPI tables found below 1 MiB: boot by BIOS (or CSM), not UEFI";
    const struct madt *madt = (const void *)find_table(rsdp, "APIC");
    if (!madt)
        return "the firmware has no MADT: turn ACPI and the APIC on in its setup";
    const uint8_t *end = (const uint8_t *)madt + madt->header.length;
    for (const uint8_t *e = madt->entries; e + 2 <= end && e[1] >= 2 && e + e[1] <= end; e += e[1]) {
        uint32_t id, flags;
        if (e[0] == MADT_LOCAL_APIC && e[1] >= 8) {
            memcpy(&flags, e + 4, 4);
            add_cpu(info, e[3], flags);
        } else if (e[0] == MADT_LOCAL_X2APIC && e[1] >= 16) {
            memcpy(&id, e + 4, 4);
            memcpy(&flags, e + 8, 4);
            add_cpu(info, id, flags);
        }
    }
    const struct header *fadt = find_table(rsdp, "FACP");
    if (fadt && fadt->length >= FADT_PM1B_CONTROL + 4) {
        memcpy(&info->pm1a_control, (const uint8_t *)fadt + FADT_PM1A_CONTROL, 2);
        memcpy(&info->pm1b_control, (const uint8_t *)fadt + FADT_PM1B_CONTROL, 2);
        info->s5_type = find_s5(fadt);
    }
    return info->cpus ? NULL : "the MADT enables no CPU: check the firmware's setup";
}

void acpi_power_off(const struct acpi_info *info)
{
    enum { SLEEP_TYPE_SHIFT = 10, SLEEP_ENABLE = 1 << 13, NOT_FOUND = 0xFF };
    if (info->pm1a_control && info->s5_type != NOT_FOUND)
        outw(info->pm1a_control, (uint16_t)(info->s5_type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
}
