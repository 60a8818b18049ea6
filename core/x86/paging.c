/* See paging.h. Everything is 2 MiB pages, writable and not executable, except the hypervisor's own range,
   which has 4 KiB pages: text is read-only and executable, constants read-only. The local APIC's 2 MiB are
   uncached. */
#include "core/x86/paging.h"
#include "core/hypapp.h"
#include "core/memory.h"
#include "core/x86/apic.h"
#include "core/x86/asm.h"

enum pte { PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_PWT = 1 << 3, PTE_PCD = 1 << 4, PTE_PS = 1 << 7 };
#define PTE_NX   (1ull << 63)
#define LARGE    0x200000ull
#define GIB      0x40000000ull
#define PTE_ADDR 0x000FFFFFFFFFF000ull

static uint64_t *pml4;
static uint64_t *hv_tables; /* the page tables of [HV_BASE, HV_END), one behind the other */

static uint64_t hv_page(uint64_t address)
{
    if (address < (uint64_t)image_start)
        return 0;
    if (address < (uint64_t)text_end)
        return address | PTE_P;
    if (address < (uint64_t)rodata_end)
        return address | PTE_P | PTE_NX;
    return address | PTE_P | PTE_W | PTE_NX;
}

int paging_init(uint64_t top)
{
    if (top < 4 * GIB)
        top = 4 * GIB;
    uint64_t gibs = (top + GIB - 1) / GIB;
    if (gibs > 512)
        gibs = 512; /* one PDPT; RAM above it is hidden from the guest (boot/main.c) */
    pml4 = memory_carve(PAGE_SIZE);
    uint64_t *pdpt = memory_carve(PAGE_SIZE);
    uint64_t *pd = memory_carve(gibs * PAGE_SIZE);
    hv_tables = memory_carve((HV_END - HV_BASE) / LARGE * PAGE_SIZE);
    if (!pml4 || !pdpt || !pd || !hv_tables)
        return -E_NOMEM;
    pml4[0] = (uint64_t)pdpt | PTE_P | PTE_W;
    for (uint64_t i = 0; i < gibs; i++)
        pdpt[i] = (uint64_t)(pd + 512 * i) | PTE_P | PTE_W;
    for (uint64_t i = 0; i < gibs * 512; i++) {
        uint64_t address = i * LARGE;
        pd[i] = address | PTE_P | PTE_W | PTE_PS | PTE_NX;
        if (address <= APIC_BASE && APIC_BASE < address + LARGE)
            pd[i] |= PTE_PCD | PTE_PWT;
    }
    for (uint64_t address = HV_BASE; address < HV_END; address += PAGE_SIZE)
        hv_tables[(address - HV_BASE) / PAGE_SIZE] = hv_page(address);
    for (uint64_t address = HV_BASE; address < HV_END; address += LARGE)
        pd[address / LARGE] = (uint64_t)(hv_tables + (address - HV_BASE) / PAGE_SIZE) | PTE_P | PTE_W;
    return 0;
}

void paging_load(void)
{
    write_cr3((uint64_t)pml4);
}

void paging_unmap(uint64_t address)
{
    hv_tables[(address - HV_BASE) / PAGE_SIZE] = 0;
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}
