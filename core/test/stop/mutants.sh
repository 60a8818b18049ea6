#!/bin/sh
# Negative controls: the shipped sources with one old or feared fault put in must be caught by the explorer, in the scenario named and by the
# property named. Usage: mutants.sh BASE OUT: BASE is where the explorer was built, OUT where the mutants are.
base=$1 out=$2
passed=0 failed=0

# mutant NAME SCENARIO PROPERTY FILE SED
mutant() {
    dir=$out/$1
    rm -rf "$dir"
    mkdir -p "$dir/core/$(dirname "$4")"
    cp "$base"/*.o "$dir"
    object=core/$4
    [ "$4" != quiesce.c ] || object=core/test/stop/shipped.c # which includes it
    rm -f "$dir/$(echo "${object%.c}" | tr / -).o"
    sed "$5" "core/$4" >"$dir/core/$4"
    verdict=caught
    if cmp -s "core/$4" "$dir/core/$4"; then
        verdict="its sed changes nothing in core/$4 any more"
    elif ! core/test/stop/build.sh "$dir" "$dir"; then
        verdict="it does not compile"
    else
        said=$("$dir/explore" "$2")
        case $said in
        *"FAIL $2"*decisions:\ "$3":*) ;;
        *FAIL\ "$2"*) verdict="caught by another property than $3: $said" ;;
        *) verdict="the explorer does not see it" ;;
        esac
    fi
    rm -f "$dir"/*.o
    if [ "$verdict" = caught ]; then
        passed=$((passed + 1))
        echo "ok   mutant $1: $(printf '%s\n' "$said" | sed -n 's/^FAIL [^:]*: .*decisions: \(.*\); schedule:.*/\1/p' | head -n 1)"
    else
        failed=$((failed + 1))
        echo "FAIL mutant $1: $verdict"
    fi
}

# Those with names in capitals are variants of the model, too (core/model/variants.pml). Of the model's faults, LOG_LOCK alone is not here: nothing of
# the log runs. CLEARED_AFTER_EXIT's exchange leaves the word as it was, and is still where the explorer sees the NMI taken.
mutant stale-acknowledgement two-initiators exclusion quiesce.c 's/memory_order_acquire) == round/memory_order_acquire) != 0 * round/'
mutant never-released two-initiators hang quiesce.c 's/atomic_store(&released, round);/;/'
mutant RESUME_FLAG two-initiators hang quiesce.c 's/^static _Atomic uint64_t released;/static _Atomic bool stop, resume;\n&/
    s/return atomic_load(&cpu->request) > atomic_load(&released);/(void)cpu; return atomic_load(\&stop);/
    s/if (atomic_load(&released) >= round)/if (atomic_load(\&resume))/
    s/^    uint32_t nmis\[MAX_CPUS\];/    atomic_store(\&resume, false);\n    atomic_store(\&stop, true);\n&/
    s/^    atomic_store(&released, round); /    atomic_store(\&resume, true);\n    atomic_store(\&stop, false);\n&/'
mutant RING_FIRST three hang quiesce.c '/step 3/,/hang_check_sipi/s/ doorbell_ring(&cpus\[i\]);/ (void)0;/
    s/^ *atomic_store(&cpus\[i\].request, round);/doorbell_ring(\&cpus[i]), &/'
mutant SIPI_EARLY sipi-waits exclusion quiesce.c 's/^static _Atomic uint64_t released;/&static uint32_t early[MAX_CPUS];/
    s/uint32_t nmis\[MAX_CPUS\];/&for (unsigned i = 0; i < cpu_count; i++) early[i] = atomic_load(\&cpus[i].state);/
    s/return state != CPU_RUNNING ||/(void)state; return early[cpu->index] != CPU_RUNNING ||/'
# shellcheck disable=SC2016 # sed's $
mutant no-release-ring three hang quiesce.c '/step 7/,$s/ doorbell_ring(&cpus\[i\]);/ (void)0;/'
mutant END_READS_EARLY three hang quiesce.c 's/^    atomic_store(&released, round); /    uint32_t early[MAX_CPUS];\n    for (unsigned i = 0; i < cpu_count; i++) early[i] = atomic_load(\&cpus[i].halts);\n&/
    s/ && atomic_load(&cpus\[i\].halts))/ \&\& early[i])/'
mutant no-pump-parked three log quiesce.c 's/!log_pump(cpu->index, PUMP_RECORDS)/PUMP_RECORDS/'
mutant halts-with-backlog three log quiesce.c 's/!log_pump(cpu->index, PUMP_RECORDS)/(log_pump(cpu->index, PUMP_RECORDS), true)/'
mutant NO_NEXT turns turn quiesce.c 's/next_loser(self));/0 \& next_loser(self));/'
mutant claims-wear-out turns turn quiesce.c 's/^        mine->to = 0;.*//'
mutant COUNTING three-nmi nmi doorbell.c 's/if (atomic_exchange(&target->rung, 1) == 0)/atomic_fetch_add(\&target->rung, 1);/
    s/atomic_exchange(&cpu->rung, 0) == 0/(atomic_load(\&cpu->rung) ? atomic_fetch_sub(\&cpu->rung, 1) : 0) == 0/'
mutant GLOBAL_FLAG two-initiators nmi doorbell.c 's,^#include "core/doorbell.h",&\n#include "core/quiesce.h",
    s/atomic_exchange(&cpu->rung, 0) == 0/(atomic_exchange(\&cpu->rung, 0), !quiesce_wanted(cpu))/'
mutant SLOPPY_TIMEOUT ring-again nmi doorbell.c 's/^    atomic_store(&target->rung, 1);/    atomic_store(\&target->rung, 0);/'
mutant NO_LAST_LOOK two-initiators hang vcpu.c 's/^        backend->close();/        bool early = wanted(cpu);\n&/
    s/^        if (wanted(cpu)) {/        if (early) {/'
mutant PARK_CLOSED three hang vcpu.c 's/^        if (wanted(cpu)) {/&\n            quiesce_park(cpu);/'
mutant NO_REWIND three hang x86/trap.c 's/frame->rip = (uint64_t)cpu_wait_look;/(void)0;/'
mutant NO_ENTRY_REWIND vmx hang x86/trap.c 's/frame->rip = (uint64_t)backend->look;/(void)0;/'
mutant init-forgotten sipi hang guest/start.c 's/^    atomic_store(&cpu->state, CPU_WAIT_SIPI);$//
    s/^    atomic_fetch_and(&cpu->guest_start, ~(uint32_t)START_INIT);$/&\n    atomic_store(\&cpu->state, CPU_WAIT_SIPI);/'
mutant TWO_WORDS sipi-waits hang guest/start.c 's/word = atomic_exchange(&cpu->guest_start, 0);/atomic_fetch_and(\&cpu->guest_start, ~(uint32_t)START_INIT);\n        word = atomic_fetch_and(\&cpu->guest_start, START_INIT);/'
mutant no-pump-waiting sipi-waits log guest/start.c 's/!log_pump(cpu->index, PUMP_RECORDS)/PUMP_RECORDS/'
mutant NO_IRET_EXIT guest-nmi hang svm/event.c 's/vcpu->nmi_block == NMI_IN_HANDLER ? INTERCEPT_IRET : 0/0/'
mutant no-mask guest-nmi nmi svm/event.c 's/ || vcpu->nmi_block == NMI_IN_HANDLER)/)/'
mutant shadow-ignored shadow nmi svm/event.c 's/ || vmcb->interrupt_shadow & SVM_SHADOW//'
mutant fault-drops fault hang svm/event.c 's/^        requeue(vcpu, vmcb->exit_interrupt_info);/        (void)requeue;/'
mutant CLEARED_AFTER_EXIT guest-nmi icr svm/event.c 's/atomic_exchange(&vcpu->cpu->guest_nmi, 0)/atomic_exchange(\&vcpu->cpu->guest_nmi, 1)/
    s/^    vmcb->event_injection = 0;/    if ((vmcb->event_injection >> SVM_EVENT_TYPE_SHIFT \& 7) == SVM_EVENT_NMI)\n        atomic_store(\&vcpu->cpu->guest_nmi, 0);\n&/'
mutant no-flush two-initiators flush svm/svm.c 's/vcpu->flush || generation != vcpu->seen_generation/vcpu->flush/'
mutant SAMPLED_EARLY two-initiators flush svm/svm.c 's/^static void enter(/static uint64_t early[MAX_CPUS];\n&/
    s/uint64_t generation = atomic_load(&view_generation);/uint64_t generation = early[vcpu->cpu->index];/
    s/^    svm_decode_exit(vcpu, exit);/&\n    early[vcpu->cpu->index] = atomic_load(\&view_generation);/'
mutant NO_WINDOW vmx hang vmx/event.c 's/return PRIMARY_NMI_WINDOW;/return 0;/'
mutant nmi-window-in-shadow vmx-shadow window vmx/event.c 's/return PRIMARY_INTERRUPT_WINDOW;/return PRIMARY_NMI_WINDOW;/'
mutant NO_TAKE_BACK vmx icr vmx/event.c 's/^        atomic_store(&vcpu->cpu->guest_nmi, 1);//'
mutant fault-keeps-blocking vmx-fault nmi vmx/event.c 's/ & ~(uint64_t)BLOCKED_NMI);/);/'
mutant fault-not-taken-back vmx-fault icr vmx/event.c 's/^        \*vmx->from = vmx->injected;/        (void)0;/'
mutant CLOSE_LATE vmx hang vmx/vmx.c 's/\.close = close_nmis/.close = open_nmis/; s/^    vmx_prepare_events(vcpu);/    close_nmis();\n&/'
mutant NO_EXIT_IRET vmx hang vmx/exit.c 's,^#include "core/x86/asm.h",&\n#include "core/x86/trap.h",
    s/int_nmi();/trap_handle(\&(struct trap_frame){.vector = VEC_NMI});/'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
