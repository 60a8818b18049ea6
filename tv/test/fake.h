/*
 * A core for host tests: implements core/hypapp.h on plain memory, strictly. What the real one does not allow
 * is counted in fake.misuse, what can fail there can be made to fail here.
 */
#ifndef TV_TEST_FAKE_H
#define TV_TEST_FAKE_H

#include "core/hypapp.h"

enum {
    FAKE_CPUS = 4,
    RAM_PAGES = 4096, /* guest-physical 0 .. 16 MiB */
    HOLE_PAGE = 2048, /* the hypervisor's, no RAM to the guest; whole 2 MiB, as in core */
    HOLE_PAGES = 512,
    POOL_PAGES = 2048,
    POOL_BASE = 0x20000000, /* guest-physical and on the host */
    LAPIC = 0xfee00000u,
};

struct view {
    bool used;
    uint8_t ram[RAM_PAGES], pool[POOL_PAGES];
    void *tables[(RAM_PAGES + POOL_PAGES) / 512]; /* of the pool, for 2 MiB regions that are split */
};

struct fake_event {
    bool pending;
    unsigned vector;
    uint32_t error_code;
};

struct vcpu {
    unsigned index;
    uint64_t regs[REG_CPL + 1];
    struct segment segments[SEG_GS + 1];
    void *app;
    struct view *view;
    struct fake_event event;
    bool exceptions, nmi_held, limited;
};

struct fake {
    struct vcpu vcpus[FAKE_CPUS];
    struct view views[128]; /* [0] is the main one */
    uint8_t *ram;
    bool pool_used[POOL_PAGES];
    struct vcpu *quiescer;
    unsigned quiesces, flushes;
    bool unflushed;     /* a table went back to the pool, and no views_changed since */
    bool lose_quiesce;  /* the next quiesce_begin finds another CPU first */
    bool resetting;     /* the machine is held for a reset: lines are allowed */
    bool limit_reached; /* for all lines that have one */
    int fail_in;        /* the n-th point from now on where memory can run out does so; 0: none */
    unsigned misuse;    /* calls against the rules of hypapp.h */
    char log[1 << 16];  /* all lines since fake_reset */
};
extern struct fake fake;

/* All as at boot; tv's slots are emptied too. */
void fake_reset(void);
/* The vcpu with this CPU number, NULL beyond the last. */
struct vcpu *vcpu_of(unsigned cpu);
unsigned fake_log_count(const char *part);

/* What the CPU does at an access of the vcpu: walks the tables, looks at the view, and calls the hypapp for a
 * nested fault. */
enum step {
    STEP_OK,         /* done; *host is the byte, if asked for */
    STEP_PAGE_FAULT, /* the guest's tables say no; in a PAL, hypapp.exception has been called */
    STEP_NESTED,     /* hypapp.nested_fault has been called; see fake_result */
};
extern enum hypapp_result fake_result; /* of the last callback */
enum step fake_access(struct vcpu *vcpu, uint64_t gva, enum access access, uint8_t **host);
enum step fake_load(struct vcpu *vcpu, uint64_t gva, void *to, size_t size);
enum step fake_store(struct vcpu *vcpu, uint64_t gva, const void *from, size_t size);
/* Fetches at RIP. */
enum step fake_fetch(struct vcpu *vcpu);

#endif
