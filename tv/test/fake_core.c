/* The fake core: vcpus, views, pool, quiesce, log. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "log/log.h"
#include "tv/pal.h"
#include "tv/test/fake.h"

struct fake fake;

static void rule(bool kept)
{
    if (!kept)
        fake.misuse++;
}

void fake_log(const char *level, const char *format, ...)
{
    size_t used = strlen(fake.log);
    va_list args;

    /* The others would stand still for it. */
    rule(!fake.quiescer || fake.resetting || (strcmp(level, "warn") && strcmp(level, "info")));
    va_start(args, format);
    if (used + 300 < sizeof(fake.log)) {
        int head = snprintf(fake.log + used, 16, "%s: ", level);

        vsnprintf(fake.log + used + head, 256, format, args);
        strcat(fake.log, "\n");
        if (getenv("TV_TEST_LOG"))
            fputs(fake.log + used, stderr);
    }
    va_end(args);
}

bool limit_pass(struct limit *limit)
{
    (void)limit;
    return !fake.limit_reached;
}

unsigned fake_log_count(const char *part)
{
    unsigned count = 0;

    for (const char *at = fake.log; (at = strstr(at, part)); at++)
        count++;
    return count;
}

void fake_reset(void)
{
    static uint8_t *ram, *pool;

    if (!ram) {
        ram = malloc(RAM_PAGES * PAGE_SIZE);
        pool = mmap((void *)(uintptr_t)POOL_BASE, POOL_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (!ram || pool != (void *)(uintptr_t)POOL_BASE) {
            fprintf(stderr, "tv-test: no memory at 0x%x for the fake pool\n", POOL_BASE);
            exit(2);
        }
    }
    for (unsigned i = 0; i < PAL_SLOTS; i++)
        memset(pal_at(i), 0, sizeof(struct pal));
    memset(&fake, 0, sizeof(fake));
    memset(ram, 0, RAM_PAGES * PAGE_SIZE);
    fake.ram = ram;
    fake.views[0].used = true;
    memset(fake.views[0].ram, ACCESS_RWX, RAM_PAGES);
    memset(fake.views[0].ram + HOLE_PAGE, 0, HOLE_PAGES);
    for (unsigned i = 0; i < FAKE_CPUS; i++) {
        fake.vcpus[i].index = i;
        fake.vcpus[i].view = view_main();
    }
}

static bool out_of_memory(void)
{
    return fake.fail_in > 0 && --fake.fail_in == 0;
}

unsigned vcpu_index(const struct vcpu *vcpu)
{
    return vcpu->index;
}
uint64_t vcpu_get(struct vcpu *vcpu, enum reg reg)
{
    return vcpu->regs[reg];
}

void vcpu_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
    rule(reg < REG_CPL);
    vcpu->regs[reg] = value;
}

void vcpu_get_all(struct vcpu *vcpu, uint64_t regs[REG_CPL])
{
    memcpy(regs, vcpu->regs, REG_CPL * sizeof(*regs));
}

void vcpu_set_all(struct vcpu *vcpu, const uint64_t regs[REG_CPL])
{
    memcpy(vcpu->regs, regs, REG_CPL * sizeof(*regs));
}

void vcpu_get_segment(struct vcpu *vcpu, enum segment_name name, struct segment *out)
{
    *out = vcpu->segments[name];
}

void *vcpu_app(const struct vcpu *vcpu)
{
    return vcpu->app;
}
void vcpu_set_app(struct vcpu *vcpu, void *state)
{
    vcpu->app = state;
}
struct vcpu *vcpu_of(unsigned cpu)
{
    return cpu < FAKE_CPUS ? &fake.vcpus[cpu] : NULL;
}

void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error, uint32_t error_code)
{
    rule(!vcpu->event.pending && has_error);
    vcpu->event = (struct fake_event){true, vector, error_code};
}

void vcpu_intercept_exceptions(struct vcpu *vcpu, bool on)
{
    vcpu->exceptions = on;
}
void vcpu_limit(struct vcpu *vcpu, bool on)
{
    vcpu->limited = on;
}
uint64_t vcpu_limit_ms(void)
{
    return 5000;
}

void vcpu_hold_nmi(struct vcpu *vcpu, bool on)
{
    vcpu->nmi_held = on;
}

void *guest_ram(uint64_t gpa)
{
    uint64_t page = gpa / PAGE_SIZE;

    if (page >= RAM_PAGES || (page >= HOLE_PAGE && page < HOLE_PAGE + HOLE_PAGES))
        return NULL;
    return fake.ram + page * PAGE_SIZE;
}

struct view *view_main(void)
{
    return &fake.views[0];
}

unsigned view_prot(const struct view *view, uint64_t gpa)
{
    uint64_t page = gpa / PAGE_SIZE;

    if (page < RAM_PAGES)
        return view->ram[page];
    if (gpa >= POOL_BASE && gpa < POOL_BASE + POOL_PAGES * PAGE_SIZE)
        return view->pool[(gpa - POOL_BASE) / PAGE_SIZE];
    return view == view_main() && page == LAPIC / PAGE_SIZE ? ACCESS_READ : 0;
}

int view_protect(struct view *view, uint64_t gpa, unsigned prot)
{
    bool in_pool = gpa >= POOL_BASE;
    uint64_t page = (in_pool ? gpa - POOL_BASE : gpa) / PAGE_SIZE;
    void **table = &view->tables[(page + (in_pool ? RAM_PAGES : 0)) / 512];

    rule(fake.quiescer && view->used && gpa % PAGE_SIZE == 0 && page < (in_pool ? POOL_PAGES : RAM_PAGES));
    if (!*table && !(*table = page_alloc()))
        return -E_NOMEM;
    if (in_pool)
        view->pool[page] = (uint8_t)prot;
    else
        view->ram[page] = (uint8_t)prot;
    return 0;
}

void view_join(struct view *view, uint64_t gpa)
{
    uint64_t first = gpa / PAGE_SIZE & ~511ull;
    void **table = &view->tables[first / 512];

    rule(fake.quiescer && view == view_main() && gpa < RAM_PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < 512; i++)
        if (view->ram[first + i] != ACCESS_RWX)
            return;
    if (*table)
        page_free(*table);
    *table = NULL;
    fake.unflushed = true;
}

struct view *view_create(void)
{
    rule(fake.quiescer);
    if (out_of_memory())
        return NULL;
    for (unsigned i = 1; i < sizeof(fake.views) / sizeof(*fake.views); i++) {
        if (!fake.views[i].used) {
            memset(&fake.views[i], 0, sizeof(fake.views[i]));
            fake.views[i].used = true;
            return &fake.views[i];
        }
    }
    return NULL;
}

void view_destroy(struct view *view)
{
    rule(fake.quiescer && view->used && view != view_main());
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        rule(fake.vcpus[i].view != view);
    for (unsigned i = 0; i < sizeof(view->tables) / sizeof(*view->tables); i++)
        if (view->tables[i])
            page_free(view->tables[i]);
    view->used = false;
}

void vcpu_set_view(struct vcpu *vcpu, struct view *view)
{
    vcpu->view = view;
}

void views_changed(void)
{
    rule(fake.quiescer);
    fake.flushes++;
    fake.unflushed = false;
}

void *page_alloc(void)
{
    rule(fake.quiescer);
    if (out_of_memory())
        return NULL;
    for (unsigned i = 0; i < POOL_PAGES; i++) {
        if (!fake.pool_used[i]) {
            fake.pool_used[i] = true;
            return memset((void *)(uintptr_t)(POOL_BASE + i * PAGE_SIZE), 0, PAGE_SIZE);
        }
    }
    return NULL;
}

void page_free(void *page)
{
    uint64_t index = ((uintptr_t)page - POOL_BASE) / PAGE_SIZE;

    rule(fake.quiescer && index < POOL_PAGES && fake.pool_used[index]);
    fake.pool_used[index] = false;
}

unsigned pages_free(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < POOL_PAGES; i++)
        count += !fake.pool_used[i];
    return count;
}

int quiesce_begin(struct vcpu *vcpu)
{
    rule(!fake.quiescer);
    if (fake.lose_quiesce) {
        fake.lose_quiesce = false;
        return -E_AGAIN;
    }
    fake.quiescer = vcpu;
    fake.quiesces++;
    return 0;
}

void quiesce_end(struct vcpu *vcpu)
{
    rule(fake.quiescer == vcpu && !fake.unflushed);
    fake.quiescer = NULL;
}
