/* A guest process on the fake core: page tables in guest RAM, memory to make a PAL of, and the calls it
 * makes. */
#ifndef TV_TEST_PROCESS_H
#define TV_TEST_PROCESS_H

#include "tv/abi.h"
#include "tv/caller.h"
#include "tv/test/fake.h"

/* The four kinds of caller. */
enum mode { MODE_64, MODE_COMPAT, MODE_PAE, MODE_32, MODES };

struct process {
    enum mode mode;
    uint64_t cr3, base; /* guest virtual; what it has is at these offsets from base: */
};
enum {
    AT_CODE = 0x0, /* 1 page; the entry is AT_ENTRY */
    AT_ENTRY = 0x6,
    AT_DATA = 0x1000,    /* 2 pages */
    AT_STACK = 0x10000,  /* 1 page */
    AT_PARAM = 0x20000,  /* 2 pages */
    AT_SHARED = 0x28000, /* 1 page */
    AT_SPARE = 0x30000,  /* 3 pages */
    AT_HEAP = 0x40000,   /* 4 pages */
    AT_WISH = 0x50000,   /* 1 page: REG's arrays */
    AT_USTACK = 0x60000, /* 2 pages */
    AT_USTACK_TOP = 0x61f00,
    AT_KERNEL = 0x80000,   /* 1 page, not the user's */
    AT_READONLY = 0x81000, /* 1 page */
    AT_NX = 0x82000,       /* 1 page, where the mode has NX */
    AT_HOLE = 0x90000,     /* 1 page of the hypervisor's memory */
    AT_LAPIC = 0x91000,
    AT_BEYOND = 0x92000, /* past the end of RAM */
    AT_GPA0 = 0x93000,
    AT_ALIAS = 0x94000, /* the page of AT_DATA again */
    AT_NOTHING = 0xa0000,
    AT_BIG = 0x400000, /* 2 MiB (4 MiB in 32-bit paging) in one large page */
};

enum map_flags {
    MAP_USER = 1,
    MAP_WRITE = 2,
    MAP_NX = 4,
    MAP_LARGE = 8,
    MAP_UC = 16,
    MAP_PAT_LARGE = 32,
    MAP_CLEAN = 64
};

/* A fresh process, its memory filled with 0x90. Its pages are new RAM. */
void process_create(struct process *process, enum mode mode);
/* The vcpu now runs it, at CPL 3. */
void process_run(const struct process *process, struct vcpu *vcpu);
void process_map(const struct process *process, uint64_t gva, uint64_t gpa, unsigned flags);
void process_unmap(const struct process *process, uint64_t gva);
unsigned process_word(const struct process *process);
/* Guest-physical address of an offset, by the process's tables. */
uint64_t process_gpa(const struct process *process, uint64_t offset);

/* What REG is asked for. Elements are taken as they are, counts may be anything. */
struct wish {
    uint32_t section_count, param_count;
    struct tv_section sections[TV_MAX_SECTIONS + 1];
    struct tv_param params[TV_MAX_PARAMS + 1];
    uint64_t sections_at, params_at, entry;
};
/* CODE, DATA, STACK, PARAM as pal_demo has them, and one INTEGER. */
void wish_default(const struct process *process, struct wish *wish);

enum { ANSWER_RETRY = 0xdead, ANSWER_PASS = 0xbeef };
/* Each returns RAX, or one of the above. */
uint64_t hypercall(struct vcpu *vcpu, uint32_t number, uint64_t rcx);
uint64_t reg(struct vcpu *vcpu, const struct process *process, const struct wish *wish);
uint64_t unreg(struct vcpu *vcpu, const struct process *process);

/* `call entry` with these arguments by the C ABI, up to the nested fault. */
void call(struct vcpu *vcpu, const struct process *process, const uint64_t *args, unsigned count);
/* Where call() comes back to. */
uint64_t return_address(const struct process *process);
/* Argument i as the function that was called sees it. Changes nothing. */
uint64_t callee_arg(struct vcpu *vcpu, const struct process *process, unsigned i);
/* `ret` in the vcpu's context. */
enum step ret(struct vcpu *vcpu, const struct process *process);

#endif
