/*
 * The end of a PAL that nobody unregisters.
 *
 * Pages move only in quiesce, so a kill that does not get the machine is retried: the same instruction faults
 * again.
 */
#include <stdatomic.h>
#include "log/log.h"
#include "tv/tv.h"

static unsigned kills; /* changed in quiesce only */

static const char *access_name(enum access access)
{
    return access == ACCESS_READ ? "read" : access == ACCESS_WRITE ? "write" : "fetch";
}

/* Of a PAL that died running. What is said of it is said when the others run again, and is gone by then. */
struct scene {
    uint64_t rip, cpl, cr2, return_to;
};

static void report_crime(const struct pal_crime *crime, const struct scene *scene)
{
    log_warn("at RIP 0x%lx, CPL %u", scene->rip, (unsigned)scene->cpl);
    if (crime->is_overrun)
        log_warn("it did not return in %u ms (boot option isolated=)", (unsigned)vcpu_limit_ms());
    else if (crime->is_exception)
        log_warn("exception %u, error code 0x%x, CR2 0x%lx", crime->vector, crime->error_code, scene->cr2);
    else
        log_warn("%s of guest-physical 0x%lx, which the PAL has not%s", access_name(crime->fault.access),
                 crime->fault.gpa, crime->fault.table_walk ? " (table walk)" : "");
}

static bool is_condemned(const struct pal *pal)
{
    return atomic_load_explicit(&pal->state, memory_order_relaxed) == PAL_CONDEMNED;
}

/* In quiesce; no vcpu runs it any more. If it was condemned, its pages are back and it was counted. */
static void end(struct pal *pal)
{
    kills += !is_condemned(pal);
    release_pages(pal, RELEASE_DEAD);
    release_slot(pal);
    views_changed();
}

enum hypapp_result kill_running(struct vcpu *vcpu, struct pal *pal, const struct pal_crime *crime)
{
    struct scene scene;
    bool condemned;
    unsigned count;

    if (quiesce_begin(vcpu) < 0)
        return HYPAPP_RETRY;
    condemned = is_condemned(pal);
    scene = (struct scene){vcpu_get(vcpu, REG_RIP), vcpu_get(vcpu, REG_CPL), vcpu_get(vcpu, REG_CR2),
                           pal->run.return_to};
    leave_context(vcpu, pal, 0);
    end(pal);
    count = kills;
    quiesce_end(vcpu);
    if (condemned) {
        log_warn("PAL %u ends: the guest took its pages while it ran", pal_slot(pal));
    } else {
        log_warn("PAL %u killed, %u so far; caller goes on at 0x%lx with #GP", pal_slot(pal), count,
                 scene.return_to);
        report_crime(crime, &scene);
    }
    vcpu_inject(vcpu, VECTOR_GP, true, 0);
    return HYPAPP_DONE;
}

/* In quiesce. What the CPU inside fetches next is not there any more: it ends up in kill_running. */
static void condemn(struct pal *pal)
{
    for (unsigned i = 0; i < pal->lent; i++)
        if (view_protect(pal->view, pal->pages[i] & RECORD_GPA, 0) < 0)
            log_error("page 0x%lx stays in the view of PAL %u", page_number(pal->pages[i]), pal_slot(pal));
    atomic_store_explicit(&pal->state, PAL_CONDEMNED, memory_order_relaxed); /* quiesce_end publishes it */
    release_pages(pal, RELEASE_DEAD);
}

enum hypapp_result kill_for_guest(struct vcpu *vcpu, struct pal *pal, const struct nested_fault *fault)
{
    unsigned count;

    if (quiesce_begin(vcpu) < 0)
        return HYPAPP_RETRY;
    if (atomic_load_explicit(&pal->state, memory_order_relaxed) == PAL_RUNNING) {
        condemn(pal);
        kills++;
        views_changed();
    } else {
        end(pal);
    }
    count = kills;
    quiesce_end(vcpu);
    log_warn("PAL %u killed, %u so far: %s of page 0x%lx by the guest's kernel", pal_slot(pal), count,
             access_name(fault->access), page_number(fault->gpa));
    return HYPAPP_DONE; /* the access happens again, and is allowed now */
}

void kill_on_reset(struct vcpu *vcpu)
{
    struct pal *pal = pal_of(vcpu);

    if (!pal)
        return;
    if (!is_condemned(pal))
        log_warn("PAL %u killed, %u so far: its CPU is reset", pal_slot(pal), kills + 1);
    leave_context(vcpu, pal, 0);
    end(pal);
}

void kill_idle(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < PAL_SLOTS; i++) {
        struct pal *pal = pal_at(i);

        if (atomic_load_explicit(&pal->state, memory_order_relaxed) != PAL_IDLE)
            continue;
        end(pal);
        count++;
    }
    if (count)
        log_warn("%u idle PALs killed, %u so far: the machine is reset", count, kills);
}
