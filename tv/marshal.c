/*
 * Arguments into the PAL and results out of it.
 *
 * Addresses and sizes come from private copies only (layout, run.args): what the PAL writes into the
 * parameter area is data, never an instruction to us. All reads and writes of the caller's memory are as the
 * caller's own, at CPL 3.
 */
#include "log/log.h"
#include "tv/tv.h"

const enum reg register_args[REGISTER_ARGS] = {REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9};

/* The caller's memory and where a failure to reach it is to be felt. */
struct caller {
    struct vcpu *vcpu;
    struct pal *pal;
    struct guest_space *space;
};

static bool fault(struct caller *caller, uint64_t gva, const char *what)
{
    guest_warn("call of PAL %u refused: %s at 0x%lx", pal_slot(caller->pal), what, gva);
    vcpu_inject(caller->vcpu, VECTOR_GP, true, 0);
    return false;
}

/*
 * Whether the caller may do this with all of a range. Where only its tables say no, it gets the #PF that the
 * access would have given it: its kernel brings the page (swap, copy on write) and the call happens again, or
 * it gets a signal.
 *
 * A page that is written to has to be dirty by then: Linux drops a clean one whose content it may forget
 * (MADV_FREE) or has on the disk. A write of the CPU's own would set the bit (SDM vol. 3, 5.8; APM vol. 2,
 * 5.4.2); ours does not, so the kernel is asked to, by a #PF for a write that its tables allow. Linux takes
 * it for one that another CPU has dealt with meanwhile, and sets the bit. A kernel that does not gets the
 * same #PF again for as long as its program calls.
 */
static bool demand(struct caller *caller, uint64_t gva, uint64_t size, unsigned access)
{
    if (!caller_range(caller->pal->layout.is64, gva, size))
        return fault(caller, gva, "argument beyond what a user has");
    for (uint64_t at = gva; at < gva + size; at = (at & PAGE_MASK) + PAGE_SIZE) {
        struct guest_page page;
        bool mapped = guest_translate(caller->space, at, &page) == 0;
        bool allowed = mapped && (page.prot & access) == access;

        if (allowed && (view_prot(caller->space->view, page.gpa) & access) != access)
            return fault(caller, at, "argument in memory that the caller has not");
        if (!allowed || (access & ACCESS_WRITE && !(page.entry & PT_DIRTY))) {
            log_debug("call of PAL %u waits: #PF for 0x%lx", pal_slot(caller->pal), at);
            vcpu_set(caller->vcpu, REG_CR2, at);
            vcpu_inject(caller->vcpu, VECTOR_PF, true,
                        PF_USER | (mapped ? PF_PRESENT : 0) | (access & ACCESS_WRITE ? PF_WRITE : 0));
            return false;
        }
    }
    return true;
}

static bool read_word(struct caller *caller, uint64_t gva, uint64_t *word)
{
    unsigned size = pal_word(&caller->pal->layout);

    *word = 0;
    if (caller_range(caller->pal->layout.is64, gva, size) &&
        guest_copy_in(caller->space, word, gva, size) == 0)
        return true;
    return demand(caller, gva, size, ACCESS_READ) && fault(caller, gva, "stack");
}

/* Where the PAL finds a POINTER's data. */
static uint64_t data_of(const struct pal_param *param)
{
    return param->entry + sizeof(struct tv_area_entry);
}

/* Return address and argument values, from registers and the caller's stack. */
static bool read_call(struct caller *caller, struct pal_run *run)
{
    const struct pal_layout *layout = &caller->pal->layout;
    uint64_t stack = vcpu_get(caller->vcpu, REG_RSP), mask = layout->is64 ? ~0ull : UINT32_MAX;
    unsigned in_registers = layout->is64 ? REGISTER_ARGS : 0;

    stack = (stack & mask) + pal_word(layout);
    if (!read_word(caller, stack - pal_word(layout), &run->return_to))
        return false;
    if (!caller_range(layout->is64, run->return_to, 1))
        return fault(caller, run->return_to, "return address");
    run->return_stack = stack;
    for (unsigned i = 0; i < layout->param_count; i++) {
        if (i < in_registers) {
            run->args[i] = vcpu_get(caller->vcpu, register_args[i]);
        } else {
            if (!read_word(caller, stack, &run->args[i]))
                return false;
            stack += pal_word(layout);
        }
    }
    for (unsigned i = 0; i < layout->param_count; i++)
        if (layout->params[i].type == TV_POINTER &&
            !demand(caller, run->args[i], layout->params[i].size, ACCESS_READ | ACCESS_WRITE))
            return false;
    return true;
}

/* Between the caller's buffer of parameter i and its copy in the PAL, page by page of the PAL. */
static int copy_data(struct caller *caller, unsigned i, bool out)
{
    const struct pal_param *param = &caller->pal->layout.params[i];
    uint64_t there = caller->pal->run.args[i];

    for (uint64_t done = 0; done < param->size;) {
        size_t piece = param->size - done;
        void *here = pal_memory(caller->pal, data_of(param) + done, &piece);
        int error = -E_FAULT;

        if (here && out)
            error = guest_copy_out(caller->space, there + done, here, piece);
        else if (here)
            error = guest_copy_in(caller->space, here, there + done, piece);
        if (error < 0)
            return error;
        done += piece;
    }
    return 0;
}

static int write_area(struct caller *caller)
{
    const struct pal_layout *layout = &caller->pal->layout;
    uint64_t count = layout->param_count;
    int error = pal_write(caller->pal, layout->area_start, &count, sizeof(count));

    for (unsigned i = 0; i < layout->param_count && error == 0; i++) {
        const struct pal_param *param = &layout->params[i];
        struct tv_area_entry entry = {param->type, param->size, caller->pal->run.args[i]};

        error = pal_write(caller->pal, param->entry, &entry, sizeof(entry));
        if (error == 0 && param->type == TV_POINTER)
            error = copy_data(caller, i, false);
    }
    return error;
}

/* From the last argument to the sentinel, so that the PAL finds the C layout. */
static int write_stack(struct pal *pal, struct pal_start *start)
{
    unsigned word = pal_word(&pal->layout), in_registers = pal->layout.is64 ? REGISTER_ARGS : 0;
    uint64_t sentinel = TV_SENTINEL;
    int error = 0;

    start->stack = pal->layout.stack_top;
    for (unsigned i = pal->layout.param_count; i-- > in_registers && error == 0;) {
        start->stack -= word;
        error = pal_write(pal, start->stack, &start->args[i], word);
    }
    start->stack -= word;
    return error < 0 ? error : pal_write(pal, start->stack, &sentinel, word);
}

bool marshal_in(struct vcpu *vcpu, struct pal *pal, struct guest_space *space, struct pal_start *start)
{
    struct caller caller = {.vcpu = vcpu, .pal = pal, .space = space};
    const struct pal_layout *layout = &pal->layout;

    if (!read_call(&caller, &pal->run))
        return false;
    for (unsigned i = 0; i < layout->param_count; i++)
        start->args[i] =
            layout->params[i].type == TV_POINTER ? data_of(&layout->params[i]) : pal->run.args[i];
    if (write_area(&caller) < 0 || write_stack(pal, start) < 0)
        return fault(&caller, pal->run.return_to,
                     "an argument moved away while it was copied; the call returns");
    return true;
}

int marshal_out(struct vcpu *vcpu, struct pal *pal)
{
    struct guest_space space;
    struct caller caller = {.vcpu = vcpu, .pal = pal, .space = &space};

    guest_space_of(vcpu, &space);
    for (unsigned i = 0; i < pal->layout.param_count; i++) {
        if (pal->layout.params[i].type == TV_POINTER && copy_data(&caller, i, true) < 0) {
            guest_warn("PAL %u: the result at 0x%lx, parameter %u, cannot be written", pal_slot(pal),
                       pal->run.args[i], i);
            return -E_FAULT;
        }
    }
    return 0;
}
