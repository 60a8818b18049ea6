/* The fake core: walks of guest page tables, copies, and accesses as a CPU makes them. */
#include <string.h>
#include "tv/caller.h"
#include "tv/test/fake.h"

enum { P = 1, W = 2, U = 4, PS = 1 << 7 };
#define NX (1ull << 63)

enum hypapp_result fake_result;

/* A table where the hardware finds it: guest RAM, or for a PAL the pool. */
static const uint8_t *table_at(struct guest_space *space, uint64_t gpa, bool hardware)
{
    if (!hardware)
        return view_prot(space->view, gpa) & ACCESS_READ ? guest_ram(gpa) : NULL;
    if ((view_prot(space->view, gpa) & (ACCESS_READ | ACCESS_WRITE)) != (ACCESS_READ | ACCESS_WRITE))
        return NULL;
    return gpa >= POOL_BASE && gpa < LAPIC ? (const uint8_t *)(uintptr_t)gpa : guest_ram(gpa);
}

static int walk(struct guest_space *space, uint64_t gva, struct guest_page *page, bool hardware)
{
    unsigned levels = space->long_mode ? 4 : space->pae ? 3 : 2, bits = space->pae ? 9 : 10;
    uint64_t gpa = space->cr3 & (space->pae && !space->long_mode ? 0xffffffe0 : 0xffffffffff000), entry = 0;
    bool user = true, write = true, exec = true;

    if (!space->paging) {
        *page = (struct guest_page){gva, 0, PAGE_SIZE, ACCESS_RWX, true};
        return 0;
    }
    if (!space->long_mode && gva >> 32)
        return -E_FAULT;
    for (unsigned level = levels; level-- > 0;) {
        unsigned index = gva >> (12 + bits * level) & ((1u << bits) - 1);
        const uint8_t *table = table_at(space, gpa & PAGE_MASK, hardware);
        uint64_t span = PAGE_SIZE << bits * level;

        if (!table)
            return -E_FAULT;
        entry = 0;
        memcpy(&entry, table + gpa % PAGE_SIZE + index * (space->pae ? 8 : 4), space->pae ? 8 : 4);
        if (!(entry & P))
            return -E_FAULT;
        if (level == 2 && levels == 3) {
            if (entry & 0x1e6) /* reserved in a PAE root */
                return -E_FAULT;
        } else {
            user &= !!(entry & U);
            write &= !!(entry & W);
            exec &= !(space->nx && entry & NX);
        }
        gpa = entry & 0xffffffffff000;
        if (level == 0 || (level == 1 && entry & PS)) {
            unsigned prot = ACCESS_READ | (write ? ACCESS_WRITE : 0) | (exec ? ACCESS_EXEC : 0);

            *page = (struct guest_page){(gpa & ~(span - 1)) | (gva & (span - 1)), entry, span,
                                        user ? prot : 0, user};
            return 0;
        }
    }
    return -E_FAULT;
}

void guest_space_of(struct vcpu *vcpu, struct guest_space *space)
{
    *space = (struct guest_space){
        .view = vcpu->view,
        .cr3 = vcpu->regs[REG_CR3],
        .paging = vcpu->regs[REG_CR0] & CR0_PG,
        .pae = vcpu->regs[REG_CR4] & CR4_PAE,
        .long_mode = vcpu->regs[REG_EFER] & EFER_LMA,
        .la57 = vcpu->regs[REG_CR4] & CR4_LA57,
        .nx = vcpu->regs[REG_EFER] >> 11 & 1,
    };
}

int guest_translate(struct guest_space *space, uint64_t gva, struct guest_page *page)
{
    return walk(space, gva, page, false);
}

static int copy(struct guest_space *space, uint64_t gva, uint8_t *bytes, size_t size, bool out, bool really)
{
    unsigned access = out ? ACCESS_WRITE : ACCESS_READ;

    for (size_t done = 0; done < size;) {
        size_t piece = PAGE_SIZE - (gva + done) % PAGE_SIZE;
        struct guest_page page;
        uint8_t *host;

        piece = piece < size - done ? piece : size - done;
        if (walk(space, gva + done, &page, false) < 0 || !page.user || !(page.prot & access) ||
            !(view_prot(space->view, page.gpa) & access) || !(host = guest_ram(page.gpa)))
            return -E_FAULT;
        host += page.gpa % PAGE_SIZE;
        if (really)
            memcpy(out ? host : bytes + done, out ? bytes + done : host, piece);
        done += piece;
    }
    return 0;
}

int guest_copy_in(struct guest_space *space, void *to, uint64_t from_gva, size_t size)
{
    return copy(space, from_gva, to, size, false, true);
}

int guest_copy_out(struct guest_space *space, uint64_t to_gva, const void *from, size_t size)
{
    int error = copy(space, to_gva, (uint8_t *)(uintptr_t)from, size, true, false);

    return error < 0 ? error : copy(space, to_gva, (uint8_t *)(uintptr_t)from, size, true, true);
}

enum step fake_access(struct vcpu *vcpu, uint64_t gva, enum access access, uint8_t **host)
{
    struct guest_space space;
    struct guest_page page;

    guest_space_of(vcpu, &space);
    if (walk(&space, gva, &page, true) < 0 ||
        (vcpu->regs[REG_CPL] == 3 && !(page.user && page.prot & access))) {
        vcpu->regs[REG_CR2] = gva;
        if (vcpu->exceptions)
            fake_result = hypapp.exception(vcpu, VECTOR_PF, PF_USER);
        return STEP_PAGE_FAULT;
    }
    if (!(view_prot(vcpu->view, page.gpa) & access)) {
        struct nested_fault fault = {.gpa = page.gpa, .access = access};

        fake_result = hypapp.nested_fault(vcpu, &fault);
        return STEP_NESTED;
    }
    if (host)
        *host = (uint8_t *)guest_ram(page.gpa) + page.gpa % PAGE_SIZE;
    return STEP_OK;
}

static enum step transfer(struct vcpu *vcpu, uint64_t gva, uint8_t *bytes, size_t size, enum access access)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t *host;
        enum step step = fake_access(vcpu, gva + i, access, &host);

        if (step != STEP_OK)
            return step;
        if (access == ACCESS_WRITE)
            *host = bytes[i];
        else
            bytes[i] = *host;
    }
    return STEP_OK;
}

enum step fake_load(struct vcpu *vcpu, uint64_t gva, void *to, size_t size)
{
    return transfer(vcpu, gva, to, size, ACCESS_READ);
}

enum step fake_store(struct vcpu *vcpu, uint64_t gva, const void *from, size_t size)
{
    return transfer(vcpu, gva, (uint8_t *)(uintptr_t)from, size, ACCESS_WRITE);
}

enum step fake_fetch(struct vcpu *vcpu)
{
    return fake_access(vcpu, vcpu->regs[REG_RIP], ACCESS_EXEC, NULL);
}
