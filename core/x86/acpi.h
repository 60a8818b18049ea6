/* The ACPI tables that Braid reads: the MADT for the CPUs, the FADT for the power-off port (ACPI
 * specification 6.4, 5.2). */
#ifndef CORE_X86_ACPI_H
#define CORE_X86_ACPI_H

#include <stdint.h>

struct acpi_info {
    unsigned cpus; /* enabled in the MADT; may exceed the size of apic_ids */
    uint32_t apic_ids[64];
    uint16_t pm1a_control, pm1b_control; /* I/O ports; 0: none */
    uint8_t s5_type;                     /* SLP_TYP that powers off; 0xFF: not found */
};

/* NULL, or the line that names what is missing. Boot; reads physical memory. */
const char *acpi_read(struct acpi_info *info);

/* Switches the machine off, where the tables tell how; else returns. */
void acpi_power_off(const struct acpi_info *info);

#endif
