/*
 * The stop protocol of core/, for spin: quiesce.c, doorbell.c, vcpu.c, guest/start.c, and what it meets in
 * guest/lapic.c, svm/event.c, svm/svm.c, x86/trap.c and x86/trap.asm. Names of states and steps are those of
 * the C. README.md tells what is left out, and what is checked.
 *
 * A CPU is two processes: cpu() is its normal flow, nmi() its NMI handler; cpu() stands still while nmi() runs.
 * The world outside is bus() (NMIs on their way) and outside() (a button; and, when nothing moves any more, the
 * judge). Every step is one access to a shared word (d_step: with what only its own CPU or the ghosts see).
 * Nothing polls: a wait is a guard. So what would hang ends where nothing moves, and the judge says what it is.
 */
#include "scenario.pml"

/* What a physical NMI finds. HOST: taken at once. CLOSED: held (GIF = 0). GUEST: exits. HANDLER: blocked until
 * the handler's IRET. */
mtype:mode = { HOST, CLOSED, GUEST, HANDLER };
/* Where RIP is: between cpu_wait_look and HLT, in HLT, between vmx_look and VMRESUME, elsewhere. */
mtype:at = { ELSEWHERE, LOOKED, HALTED, ENTERING };
mtype:state = { CPU_RUNNING, CPU_WAIT_SIPI };
mtype:event = { EVENT_NONE, EVENT_NMI, EVENT_OTHER };

/* The hardware. */
mtype:mode mode[CPUS] = HOST;
mtype:at at[CPUS] = ELSEWHERE;
bit latch[CPUS];   /* an NMI is pending: one, however many came */
byte flight[CPUS]; /* NMIs sent that have not reached the latch */

/* struct cpu: the mail box and the doorbell. */
mtype:state state[CPUS] = CPU_RUNNING;
byte request[CPUS], parked[CPUS];
bit halts[CPUS], guest_nmi[CPUS], guest_init[CPUS], guest_sipi[CPUS], rung[CPUS];
bit nmi_seen[CPUS]; /* 1: the counter has changed since its own CPU last read it */

/* quiesce.c and view.c */
byte owner, next, losers, released, view_generation;

/* What the guests still mean to do. */
byte powered, rounds[CPUS], nmis = NMIS, events = EVENTS, boots = (1 + SIPIS) * BOOTS, again = AGAIN;

/* Ghosts: the properties' memory. */
byte held;          /* CPU + 1 that believes that all others stand still */
bit busy[CPUS];     /* from the last look to the next boundary: in the guest, or in an exit */
bit retry[CPUS];    /* quiesce_begin said -E_AGAIN: the guest executes the instruction again */
byte loser, overtaken; /* who lost first (as `next`), and the rounds that others have begun since */
short owed[CPUS];   /* outside NMIs sent - NMIs merged in the latch - NMIs taken for the guest's */
byte rerung[CPUS];  /* calls of doorbell_ring_again */
bit due[CPUS];      /* an NMI that the guest must still get: sent by ICR, or from outside */
bit judging, injected[CPUS];

#include "variants.pml"

/* ---- The latch; doorbell.c ---- */

inline arrive(t) {
    if
    :: latch[t] -> owed[t]--; assert(owed[t] + rerung[t] >= 0) /* coalesces */
    :: else -> latch[t] = 1
    fi
}

#if BUS
#define send_nmi(t) flight[t]++
#else
#define send_nmi(t) d_step { arrive(t) }
#endif

inline doorbell_ring(t) {
    if
    :: d_step { EXCHANGE(t) }; send_nmi(t) /* A */
    :: RUNG(t)
    fi
}

/* ---- x86/trap.asm ---- */

inline cpu_wait() { /* HLT until an NMI, unless nmi_seen has changed already */
    do
    :: nmi_seen[self] -> break
    :: d_step { !nmi_seen[self] -> at[self] = LOOKED };
       if
       :: d_step { at[self] == LOOKED -> at[self] = HALTED }; at[self] == ELSEWHERE; break
       :: at[self] == ELSEWHERE /* the handler moved RIP back to cpu_wait_look */
       fi
    od
}

/* ---- quiesce.c ---- */


/* others_turn drops a claim after YIELD_TRIES tries: here, when its CPU does not try again. An attempt that
 * would change nothing is not made. */
#define OTHERS       (next != 0 && next != self + 1)
#define OTHERS_TURN  (OTHERS && retry[next - 1])
#ifndef POLLING
#define WORTH_TRYING (!OTHERS_TURN && (owner == 0 || !(losers & CLAIM) || OTHERS))
#endif

/* For i in all CPUs but self. */
#define FIRST        (self == 0)
#define NEXT         i + 1 + (i + 1 == self)
#define LAST         i >= CPUS -> i = FIRST

/* A loser rings for the owner, which may have died. */
inline ring_others() {
    t = owner;
    do
    :: d_step { i < CPUS && (t == i + 1 || state[i] != CPU_RUNNING) -> i = NEXT }
    :: i < CPUS && t != i + 1 && state[i] == CPU_RUNNING ->
       if
       :: d_step { parked[i] == round -> i = NEXT }
       :: parked[i] != round -> doorbell_ring(i); i = NEXT
       fi
    :: d_step { LAST; t = 0 }; break
    od
}

inline quiesce_park() { /* 6 */
    round = request[self];
    parked[self] = round;
    if
    :: losers & CLAIM -> ring_others()
    :: !(losers & CLAIM)
    fi;
    if
    :: d_step { RELEASED -> round = 0 } /* last_to_park: stays awake. Here any may, and none has to */
    :: halts[self] = 1; /* E */
       do
       :: nmi_seen[self] = 0; /* seen = nmi_seen */
          if
          :: d_step { RELEASED -> round = 0 }; break
          :: !RELEASED -> cpu_wait()
          fi
       od;
       halts[self] = 0
    fi
}

inline publish() { /* 2 */
    do
    :: d_step { i < CPUS -> request[i] = round; i = NEXT }
    :: d_step { LAST }; break
    od
}

inline ring_the_unstopped() { /* 3 */
    do
    :: d_step { i < CPUS && state[i] != CPU_RUNNING -> i = NEXT }
    :: i < CPUS && state[i] == CPU_RUNNING ->
       if
       :: d_step { parked[i] == round -> i = NEXT }
       :: parked[i] != round -> doorbell_ring(i); i = NEXT
       fi
    :: d_step { LAST }; break
    od
}

inline await() { /* 4 */
    do
    :: d_step { i < CPUS && STOPPED -> i = NEXT }
    :: d_step { i < CPUS && again > 0 -> RING_AGAIN }; send_nmi(i) /* deadline: doorbell_ring_again */
    :: d_step { /* mutual exclusion */
           LAST;
           do :: i < CPUS -> assert(!busy[i]); i = NEXT :: else -> break od;
           i = FIRST; held = self + 1; noted = 0
       };
       break
    od
}

inline note(condition) { /* variants: reads too early what the protocol reads late */
    do
    :: d_step { i < CPUS -> if :: condition -> noted = noted | 1 << i :: else fi; i = NEXT }
    :: d_step { LAST }; break
    od
}

inline quiesce_begin() { /* leaves retry[self]: 0: held, 1: -E_AGAIN */
    if
    :: d_step { OTHERS_TURN -> retry[self] = 1 }
    :: d_step { !OTHERS_TURN -> retry[self] = 1; if :: OTHERS -> losers = losers & ~(1 << (next - 1)); next = 0; loser = 0 :: else fi };
       if
       :: owner != 0 ->
          d_step {
              losers = losers | CLAIM;
              if :: loser == 0 -> loser = self + 1; overtaken = 0 :: else fi
          }
       :: d_step { /* 1 */
              owner == 0 -> owner = self + 1; retry[self] = 0;
              if
              :: loser != 0 && loser != self + 1 && retry[loser - 1] -> overtaken++; assert(overtaken < CPUS)
              :: else
              fi
          };
          d_step {
              losers = losers & ~(1 << self); next = 0;
              if :: loser == self + 1 -> loser = 0; overtaken = 0 :: else fi;
              round = released + 1 /* only the owner changes it */
          };
          BEGIN_ROUND NOTE_STATES
          PUBLISH_RING;
          await()
       fi
    fi
}

/* next_loser: the first one going round from us. */
#define NEXT_LOSER \
    i = (self + 1) % CPUS; next = 0; \
    do \
    :: i == self -> break \
    :: i != self && losers & (1 << i) -> next = i + 1; break \
    :: else -> i = (i + 1) % CPUS \
    od; \
    i = FIRST

inline quiesce_end() { /* with views_changed before it */
    LOG view_generation++;
    held = 0;
    NOTE_PARKED END_ROUND
    released = round; /* 7, F */
    d_step { NEXT_LOSER };
    owner = 0;
    do
    :: d_step { i < CPUS && !TO_RING -> i = NEXT }
    :: i < CPUS && TO_RING -> doorbell_ring(i); i = NEXT
    :: d_step { LAST; round = 0; noted = 0 }; break
    od
}

inline quiesce_begin_insisting() {
    do
    :: WORTH_TRYING ->
       quiesce_begin();
       if
       :: !retry[self] -> break
       :: retry[self]
       fi
    :: request[self] > released -> quiesce_park()
    od
}

/* ---- guest/start.c ---- */

inline start_take_init() {
    if
    :: quiesce_begin_insisting(); quiesce_end() /* the hypapp has something to take back */
    :: true
    fi;
    state[self] = CPU_WAIT_SIPI;
    guest_init[self] = 0;
    d_step { guest_nmi[self] = 0; due[self] = 0; blocked = 0; retry[self] = 0 } /* and the guest's instruction is gone */
}

inline start_wait_sipi() {
    do
    :: nmi_seen[self] = 0;
       d_step { guest_nmi[self] = 0; due[self] = 0 }; /* NMIs to a CPU in this state are dropped */
       ONE_WORD(guest_init[self] = 0, sipi = guest_sipi[self]; guest_sipi[self] = 0);
       if
       :: d_step { sipi -> sipi = 0 }; break
       :: !sipi -> cpu_wait()
       fi
    od;
    state[self] = CPU_RUNNING /* D */
}

inline start_sipi(t) {
    if
    :: guest_init[t] -> guest_sipi[t] = 1; doorbell_ring(t)
    :: !guest_init[t] ->
       if
       :: state[t] == CPU_WAIT_SIPI -> guest_sipi[t] = 1; doorbell_ring(t)
       :: state[t] != CPU_WAIT_SIPI
       fi
    fi
}

/* ---- vcpu.c ---- */

#define STARTING (guest_init[self] || state[self] == CPU_WAIT_SIPI)
#if BOOTS || AP_WAITS
#define START \
    if :: guest_init[self] -> start_take_init() :: !guest_init[self] fi; \
    if :: state[self] == CPU_WAIT_SIPI -> start_wait_sipi() :: state[self] != CPU_WAIT_SIPI fi;
#define LOOK_FOR_START if :: STARTING :: !STARTING -> break fi
#else /* saves states */
#define START
#define LOOK_FOR_START break
#endif
inline boundary() {
    do
    :: START
       LOOK; /* 5: LOOK and WANTED are the two loads of quiesce_wanted */
       if
       :: d_step { WANTED -> asked = 0 }; quiesce_park()
       :: d_step { !WANTED -> asked = 0 }
       fi;
       LOOK;
       if
       :: d_step { WANTED -> asked = 0 }
       :: d_step { !WANTED -> asked = 0 }; LOOK_FOR_START
       fi
    od
}

/* An NMI comes to the guest, which is owed one. */
#define DUE_NO_MORE  assert(due[self]); due[self] = 0

#include "vendor.pml"

/* The guest, its exit, open, and exit_dispatch. */
inline guest() {
    if
    :: NMI_EXIT
    IRET
    :: d_step { IN_GUEST && rounds[self] > 0 && (!retry[self] || WORTH_TRYING) -> mode[self] = HOST };
       quiesce_begin();
       if
       :: d_step { !retry[self] -> rounds[self]-- }; quiesce_end()
       :: retry[self]
       fi
    :: atomic { IN_GUEST && nmis > 0 -> nmis--; mode[self] = HOST; if :: t = 0 :: t = 1 :: t = AP fi };
       LOG d_step { guest_nmi[t] = 1; due[t] = 1 }; /* guest/lapic.c: send_nmi */
       if :: t != self -> doorbell_ring(t) :: t == self fi
#if BOOTS
    :: d_step { IN_GUEST && self == 0 && boots > 0 -> boots--; mode[self] = HOST; t = AP };
       if
       :: boots % (1 + SIPIS) == SIPIS -> /* start_init */
          ONE_WORD(guest_sipi[t] = 0, guest_init[t] = 1); doorbell_ring(t)
       :: boots % (1 + SIPIS) != SIPIS -> start_sipi(t)
       fi
#endif
    fi;
    busy[self] = 0; NEXT_ENTRY SAMPLE_EARLY
}

active [CPUS] proctype cpu() provided (mode[_pid] != HANDLER && !TAKES_NMI(_pid))
{
    byte round, asked, i, t, noted, sampled, seen_generation;
    bit sipi, blocked; /* blocked: the guest's NMI mask (SVM: vcpu->nmi_block) */
#ifdef VMX
    bit window; /* PRIMARY_NMI_WINDOW */
    mtype:event injecting = EVENT_NONE;
#endif
#ifdef CLEARED_AFTER_EXIT
    bit nmi_taken;
#endif
#ifdef NO_LAST_LOOK
    bit early;
#endif

    d_step { /* the machine as it is found */
        rounds[self] = (self < INITIATORS -> ROUNDS : 0);
        if :: AP_WAITS && self == AP -> state[self] = CPU_WAIT_SIPI :: else fi;
        i = FIRST;
        powered++
    };
    powered == CPUS;
    do /* vcpu_loop */
    :: CLOSE_AND_LAST_LOOK
       if
       :: d_step { PARK_NOW -> asked = 0 }; PARK OPEN; boundary()
       :: d_step { !PARK_NOW -> asked = 0; busy[self] = 1; assert(held == 0) }; /* mutual exclusion */
          enter()
       fi
    od
}

#define c (_pid - CPUS)
active [CPUS] proctype nmi() { /* x86/trap.c: nmi; doorbell_taken */
    do
    :: d_step { TAKES_NMI(c) -> NOTE_EXIT latch[c] = 0; mode[c] = HANDLER };
       if
       :: d_step { DOORBELL(c) } /* B */
       :: d_step { UNKNOWN(c); owed[c]--; assert(owed[c] + rerung[c] >= 0) }; d_step { guest_nmi[c] = 1; due[c] = 1 }
       fi;
       STOP_HERE
       d_step { /* only its own CPU sees these */
           nmi_seen[c] = 1;
           if
           :: at[c] == HALTED -> at[c] = ELSEWHERE
           :: at[c] == LOOKED -> REWIND
           :: at[c] == ENTERING -> REWIND_ENTRY
           :: else
           fi;
           mode[c] = HANDLER_IRET
       }
    od
}
#undef c

#if BUS
active [CPUS] proctype bus() {
    do
    :: d_step { flight[_pid - 2 * CPUS] > 0 -> flight[_pid - 2 * CPUS]--; arrive(_pid - 2 * CPUS) }
    od
}
#endif

/* All that was asked for is done, all CPUs are in the guest, nothing is left over. */
inline judge() {
    assert(owner == 0 && nmis == 0 && boots == 0);
    do
    :: i < CPUS ->
       assert(rounds[i] == 0 && flight[i] == 0 && latch[i] == 0 && rung[i] == 0);
       if
       :: state[i] == CPU_RUNNING -> assert(mode[i] == GUEST && !guest_nmi[i] && !guest_init[i])
       :: else -> assert(i == AP && AP_WAITS && BOOTS == 0 && at[i] == HALTED)
       fi;
       assert(owed[i] <= 0 && owed[i] + rerung[i] >= 0);
       assert(!due[i] || state[i] == CPU_WAIT_SIPI);
       i++
    :: else -> break
    od;
    i = 0
}

active proctype outside() {
    byte budget = BUTTONS, i;
    do
    :: d_step { budget > 0 -> budget--; owed[0]++; arrive(0) }
    :: d_step { budget > 0 -> budget--; owed[1]++; arrive(1) }
    :: d_step { budget > 0 -> budget = 0 }
    :: timeout -> break
    od;
    judging = 1;
    d_step { judge() };
    do /* and the button still works */
    :: d_step { i < CPUS -> owed[i]++; arrive(i) };
       timeout -> d_step { assert(injected[i] || state[i] == CPU_WAIT_SIPI); i++ }
    :: i == CPUS -> break
    od
}
