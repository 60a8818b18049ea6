/*
 * The stop protocol of core/, for spin: quiesce.c, doorbell.c, vcpu.c, guest/start.c, and what it meets in guest/lapic.c, svm/event.c, svm/svm.c,
 * x86/trap.c and x86/trap.asm. Names of states and steps are those of the C. README.md tells what is left out, and what is checked.
 *
 * A CPU is two processes: cpu() is its normal flow, nmi() its NMI handler; cpu() stands still while nmi() runs. The world outside is bus() (NMIs on
 * their way) and outside() (a button; and, when nothing moves any more, the judge). Every statement is one access to a shared word.
 * Nothing polls: a wait is a guard. So whatever would hang ends where nothing moves, and there the judge says what is wrong.
 */

/* The scenario. */
#ifndef CPUS
#define CPUS 2
#endif
#define AP (CPUS - 1)
#define self _pid /* in cpu(): its CPU's number */
#ifndef INITIATORS /* the first INITIATORS CPUs each ask for ROUNDS quiesces */
#define INITIATORS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef NMIS /* NMIs that guest CPUs send by the ICR, any to any, in all */
#define NMIS 0
#endif
#ifndef BUTTONS /* NMIs from outside, at most */
#define BUTTONS 0
#endif
#ifndef EVENTS /* entries at which another event goes before a waiting NMI, at most */
#define EVENTS 0
#endif
#ifndef BOOTS /* times that CPU 0's guest sends INIT, then one SIPI, to the last CPU */
#define BOOTS 0
#endif
#ifndef AP_WAITS /* 1: the last CPU begins in wait-for-SIPI */
#define AP_WAITS 0
#endif
#ifndef AGAIN /* calls of doorbell_ring_again, at most */
#define AGAIN 0
#endif

/* What a physical NMI finds. HOST: GIF = 1, taken at once. CLOSED: GIF = 0, held. GUEST: exits. HANDLER: blocked until the handler's IRET. */
mtype:mode = { HOST, CLOSED, GUEST, HANDLER };
/* Where RIP is: between cpu_wait_look and HLT, in HLT, elsewhere. */
mtype:at = { ELSEWHERE, LOOKED, HALTED };
mtype:state = { CPU_RUNNING, CPU_WAIT_SIPI };
mtype:exit = { EXIT_NONE, EXIT_QUIESCE, EXIT_ICR_NMI, EXIT_ICR_INIT, EXIT_ICR_SIPI };

/* The hardware. */
mtype:mode mode[CPUS] = HOST;
mtype:at at[CPUS] = ELSEWHERE;
bit latch[CPUS];   /* an NMI is pending: one, however many came */
byte flight[CPUS]; /* NMIs sent that have not reached the latch */

/* struct cpu: the mail box and the doorbell. */
mtype:state state[CPUS] = CPU_RUNNING;
byte request[CPUS], parked[CPUS];
bit guest_nmi[CPUS], guest_init[CPUS], guest_sipi[CPUS], rung[CPUS];
bit nmi_seen[CPUS]; /* 1: the counter has changed since its own CPU last read it */

/* quiesce.c and view.c */
byte owner, next, released, view_generation;

/* What the guests still mean to do. */
byte rounds[CPUS], nmis = NMIS, events = EVENTS, boots = 2 * BOOTS, again = AGAIN;
byte powered;

/* Ghosts: the properties' memory. */
byte held;          /* CPU + 1 that believes that all others stand still */
bit busy[CPUS];     /* from the last look to the next boundary: in the guest, or in the hypervisor on its behalf */
bit retry[CPUS];    /* quiesce_begin said -E_AGAIN: the guest executes the instruction again */
byte overtaken;     /* rounds of others begun since `next` names a CPU that tries again */
short owed[CPUS];   /* outside NMIs sent - NMIs merged in the latch - NMIs taken for the guest's */
byte rerung[CPUS];  /* calls of doorbell_ring_again */
bit judging, injected[CPUS];
#ifdef LOG_LOCK
bit stands[CPUS];
#endif

/* ---- The variants that must be condemned: what they do instead ---- */

#ifdef RESUME_FLAG /* one flag to stop and one to resume, for all rounds */
bit stop, resume;
#define WANTED      stop
#define RELEASED    resume
#else
#define WANTED      (asked > released)
#define RELEASED    (released >= round)
#endif

#ifdef COUNTING /* as many NMIs as were rung are doorbells, the others are the guest's */
byte counted[CPUS];
#define EXCHANGE(t)     counted[t]++
#define RINGS_ALREADY(t) false
#define DOORBELL(t)     counted[t] > 0 -> counted[t]--
#define UNKNOWN(t)      counted[t] == 0
#elif defined(GLOBAL_FLAG) /* an NMI during a quiesce is a doorbell, any other is the guest's */
#define EXCHANGE(t)     rung[t] == 0 -> rung[t] = 1
#define RINGS_ALREADY(t) rung[t] == 1
#define DOORBELL(t)     owner != 0 -> rung[t] = 0
#define UNKNOWN(t)      owner == 0 -> rung[t] = 0
#else
#define EXCHANGE(t)     rung[t] == 0 -> rung[t] = 1
#define RINGS_ALREADY(t) rung[t] == 1
#define DOORBELL(t)     rung[t] == 1 -> rung[t] = 0
#define UNKNOWN(t)      rung[t] == 0
#endif

#ifdef LOG_LOCK /* the log has a lock, and the NMI handler stops its CPU where it is */
bit log_lock;
#define LOG atomic { log_lock == 0 -> log_lock = 1 }; log_lock = 0
#else
#define LOG skip
#endif

/* ---- The latch; doorbell.c ---- */

inline arrive(t) {
    if
    :: latch[t] -> owed[t]--; assert(owed[t] + rerung[t] >= 0) /* coalesces */
    :: else -> latch[t] = 1
    fi
}

inline doorbell_ring(t) {
    if
    :: atomic { EXCHANGE(t) }; flight[t]++ /* A; then send_nmi */
    :: RINGS_ALREADY(t)
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

inline quiesce_park() { /* 6 */
    round = request[self];
    parked[self] = round; /* E */
    do
    :: nmi_seen[self] = 0; /* seen = nmi_seen */
       if
       :: RELEASED -> break
       :: else -> cpu_wait()
       fi
    od;
    round = 0
}

/* others_turn drops a claim after YIELD_TRIES tries: here, when its CPU does not try again. An attempt that would change nothing is not made. */
#define STALE         (next != 0 && next != self + 1 && !retry[next - 1])
#define OTHERS_TURN   (next != 0 && next != self + 1 && retry[next - 1])
#define WORTH_TRYING  (!OTHERS_TURN && (owner == 0 || next == 0 || STALE))
#ifdef NO_NEXT
#define CLAIM         0
#else
#define CLAIM         self + 1
#endif

/* Statements, for each i of all CPUs but self. */
#define EACH_OTHER(statements) \
    i = 0; \
    do \
    :: i < CPUS && i != self -> statements; i++ \
    :: i < CPUS && i == self -> i++ \
    :: i == CPUS -> break \
    od; \
    i = 0

inline publish(i) { request[i] = round } /* 2 */

inline ring_unless_stopped(i) { /* 3 */
    if
    :: state[i] != CPU_RUNNING
    :: else ->
       if
       :: parked[i] == round
       :: else -> doorbell_ring(i)
       fi
    fi
}

#ifdef SIPI_EARLY
#define STOPPED(i) (skipped & (1 << i) || parked[i] == round)
#else
#define STOPPED(i) (state[i] != CPU_RUNNING || parked[i] == round) /* C */
#endif

inline await(i) { /* 4 */
    do
    :: STOPPED(i) -> break
    :: again > 0 && !STOPPED(i) -> d_step { again--; rerung[i]++; rung[i] = 1 }; flight[i]++ /* its deadline passed: doorbell_ring_again */
    od
}

/* To succeed at 1, with the ghosts: who was passed over, and how often. */
inline win() {
    owner = self + 1;
    retry[self] = 0;
    if
    :: next != 0 && next != self + 1 && retry[next - 1] -> overtaken++; assert(overtaken < CPUS)
    :: else
    fi
}

inline quiesce_begin() { /* leaves retry[self]: 0: held, 1: -E_AGAIN */
    retry[self] = 1;
    if
    :: OTHERS_TURN
    :: else ->
       if
       :: STALE -> d_step { if :: STALE -> next = 0; overtaken = 0 :: else fi }
       :: !STALE
       fi;
       if
       :: owner != 0 -> d_step { if :: next == 0 -> next = CLAIM; overtaken = 0 :: else fi }
       :: d_step { owner == 0 -> win() }; /* 1 */
          d_step { if :: next == self + 1 -> next = 0; overtaken = 0 :: else fi; round = released + 1 }; /* only the owner writes released */
#ifdef RESUME_FLAG
          resume = 0; stop = 1;
#endif
#ifdef SIPI_EARLY
          EACH_OTHER(d_step { if :: state[i] != CPU_RUNNING -> skipped = skipped | 1 << i :: else fi });
#endif
#ifdef RING_FIRST
          EACH_OTHER(if :: atomic { EXCHANGE(i) }; publish(i); flight[i]++ :: RINGS_ALREADY(i) -> publish(i) fi);
#else
          EACH_OTHER(publish(i));
          EACH_OTHER(ring_unless_stopped(i));
#endif
          EACH_OTHER(await(i));
          d_step { /* mutual exclusion */
              held = self + 1;
              EACH_OTHER(assert(!busy[i]))
          }
       fi
    fi
}

inline quiesce_end() {
    held = 0;
#ifdef END_READS_EARLY
    EACH_OTHER(d_step { if :: parked[i] == round -> skipped = skipped | 1 << i :: else fi });
#endif
#ifdef RESUME_FLAG
    resume = 1; stop = 0;
#endif
    released = round; /* 7, F */
    owner = 0;
#ifdef END_READS_EARLY
    EACH_OTHER(if :: skipped & 1 << i -> doorbell_ring(i) :: else fi);
#else
    EACH_OTHER(if :: parked[i] == round -> doorbell_ring(i) :: else fi);
#endif
    d_step { round = 0; skipped = 0 }
}

inline change_views() { /* what the machine is stopped for */
    LOG;
    view_generation++
}

inline quiesce_begin_insisting() {
    do
    :: WORTH_TRYING ->
       quiesce_begin();
       if
       :: !retry[self] -> break
       :: else
       fi
    :: request[self] > released -> quiesce_park()
    od
}

/* ---- guest/start.c ---- */

inline start_take_init() {
    if
    :: quiesce_begin_insisting(); change_views(); quiesce_end() /* the hypapp has something to take back */
    :: skip
    fi;
#ifdef INIT_CLEARED_FIRST
    guest_init[self] = 0;
    state[self] = CPU_WAIT_SIPI;
#else
    state[self] = CPU_WAIT_SIPI;
    guest_init[self] = 0;
#endif
    d_step { guest_nmi[self] = 0; blocked = 0; retry[self] = 0 } /* also the guest's instruction is gone */
}

inline start_wait_sipi() {
    do
    :: nmi_seen[self] = 0;
       guest_init[self] = 0;
       if
       :: d_step { guest_sipi[self] -> guest_sipi[self] = 0 }; break
       :: !guest_sipi[self] -> cpu_wait()
       fi
    od;
    state[self] = CPU_RUNNING /* D */
}

/* ---- vcpu.c ---- */

inline quiesce_wanted() { /* 5; leaves wanted. C leaves the order of its two loads open */
#ifdef LOADS_SWAPPED
    asked = released;
    d_step { wanted = request[self] > asked; asked = 0 }
#else
    asked = request[self];
    d_step { wanted = WANTED; asked = 0 }
#endif
}

inline look() { /* wanted() */
    quiesce_wanted();
    wanted = wanted || guest_init[self] || state[self] == CPU_WAIT_SIPI
}

inline boundary() {
    do
    :: if :: guest_init[self] -> start_take_init() :: else fi;
       if :: state[self] == CPU_WAIT_SIPI -> start_wait_sipi() :: else fi;
       quiesce_wanted();
       if :: wanted -> quiesce_park() :: else fi;
       look();
       if :: wanted :: else -> break fi
    od
}

/* svm/event.c. An IRET of the guest's handler unblocks (there it is noted, stepped over, then it unblocks). */
inline prepare_nmi() {
    if
    :: guest_nmi[self] && !blocked ->
       if
       :: events > 0 -> events--; doorbell_ring(self) /* another event goes first; GIF = 0, so this one is pending at VMRUN */
       :: d_step { guest_nmi[self] = 0; blocked = 1; injected[self] = judging } /* the exchange */
       fi
    :: else
    fi
}

inline enter() { /* svm/svm.c; leaves reason, and t */
    prepare_nmi();
#ifndef SAMPLED_EARLY
    sampled = view_generation;
#endif
    d_step { /* VMRUN */
        mode[self] = GUEST;
        assert(sampled != seen_generation || seen_generation == view_generation); /* flushes, or need not */
        seen_generation = sampled;
        sampled = 0
    };
end_guest:
    if
    :: latch[self] -> reason = EXIT_NONE
    :: !latch[self] && blocked -> blocked = 0; reason = EXIT_NONE
    :: !latch[self] && rounds[self] > 0 && (!retry[self] || WORTH_TRYING) -> reason = EXIT_QUIESCE
    :: d_step { !latch[self] && nmis > 0 -> nmis--; reason = EXIT_ICR_NMI }; if :: t = 0 :: t = 1 :: t = AP fi
    :: !latch[self] && self == 0 && boots > 0 -> boots--; t = AP; if :: boots % 2 -> reason = EXIT_ICR_INIT :: else -> reason = EXIT_ICR_SIPI fi
    fi;
    mode[self] = HOST /* #VMEXIT, open: what is pending is taken here */
}

inline exit_dispatch() {
    if
    :: reason == EXIT_NONE
    :: reason == EXIT_QUIESCE ->
       quiesce_begin();
       if
       :: !retry[self] -> rounds[self]--; change_views(); quiesce_end()
       :: else
       fi
    :: reason == EXIT_ICR_NMI -> /* guest/lapic.c: send_nmi */
       LOG;
       guest_nmi[t] = 1;
       if :: t != self -> doorbell_ring(t) :: else fi
    :: reason == EXIT_ICR_INIT -> guest_sipi[t] = 0; guest_init[t] = 1; doorbell_ring(t) /* start_init */
    :: reason == EXIT_ICR_SIPI -> /* start_sipi */
       if
       :: guest_init[t] -> guest_sipi[t] = 1; doorbell_ring(t)
       :: else ->
          if
          :: state[t] == CPU_WAIT_SIPI -> guest_sipi[t] = 1; doorbell_ring(t)
          :: else
          fi
       fi
    fi;
    d_step { reason = EXIT_NONE; t = 0; busy[self] = 0 }
}

active [CPUS] proctype cpu() provided (mode[_pid] != HANDLER && !(mode[_pid] == HOST && latch[_pid]))
{
    byte round, asked, i, t, skipped, sampled, seen_generation;
    bit wanted, blocked;
    mtype:exit reason = EXIT_NONE;

    d_step { /* the machine as it is found */
        rounds[self] = (self < INITIATORS -> ROUNDS : 0);
        if :: AP_WAITS && self == AP -> state[self] = CPU_WAIT_SIPI :: else fi;
        powered++
    };
    powered == CPUS;
    do /* vcpu_loop */
    ::
#ifdef SAMPLED_EARLY
       sampled = view_generation;
#endif
       boundary();
       mode[self] = CLOSED; /* close */
#ifndef NO_LAST_LOOK
       look();
       if
       :: wanted ->
#ifdef PARK_CLOSED
          quiesce_park();
#endif
          mode[self] = HOST
       :: else ->
#endif
          d_step { busy[self] = 1; assert(held == 0) }; /* mutual exclusion */
          enter();
          exit_dispatch()
#ifndef NO_LAST_LOOK
       fi
#endif
    od
}

#define c (_pid - CPUS)
active [CPUS] proctype nmi() /* x86/trap.c: nmi; doorbell_taken */
{
end:
    do
    :: d_step { mode[c] == HOST && latch[c] -> latch[c] = 0; mode[c] = HANDLER };
       if
       :: atomic { DOORBELL(c) } /* B */
       :: d_step { UNKNOWN(c); owed[c]--; assert(owed[c] + rerung[c] >= 0) }; guest_nmi[c] = 1
       fi;
#ifdef LOG_LOCK
       if
       :: request[c] > released -> parked[c] = request[c]; d_step { stands[c] = busy[c]; busy[c] = 0 }; released >= request[c]; busy[c] = stands[c]
       :: else
       fi;
#endif
       d_step { /* only its own CPU sees these */
           nmi_seen[c] = 1;
           if
           :: at[c] == HALTED -> at[c] = ELSEWHERE
#ifndef NO_REWIND
           :: at[c] == LOOKED -> at[c] = ELSEWHERE
#endif
           :: else
           fi;
           mode[c] = HOST /* IRET */
       }
    od
}
#undef c

active proctype bus()
{
end:
    do
    :: d_step { flight[0] > 0 -> flight[0]--; arrive(0) }
    :: d_step { flight[1] > 0 -> flight[1]--; arrive(1) }
#if CPUS > 2
    :: d_step { flight[2] > 0 -> flight[2]--; arrive(2) }
#endif
    od
}

inline press(t) {
    d_step { owed[t]++; arrive(t) }
}

/* All that was asked for is done, all CPUs are in the guest, nothing is left over. */
inline judge(i) {
    assert(owner == 0 && nmis == 0 && boots == 0);
    i = 0;
    do
    :: i < CPUS ->
       assert(rounds[i] == 0 && flight[i] == 0 && latch[i] == 0 && rung[i] == 0);
       if
       :: state[i] == CPU_RUNNING -> assert(mode[i] == GUEST && !guest_nmi[i] && !guest_init[i])
       :: else -> assert(i == AP && AP_WAITS && BOOTS == 0 && at[i] == HALTED)
       fi;
       assert(owed[i] <= 0 && owed[i] + rerung[i] >= 0);
       i++
    :: else -> break
    od;
    i = 0
}

active proctype outside()
{
    byte budget = BUTTONS, i;
    do
    :: budget > 0 -> budget--; if :: press(0) :: press(1) :: press(AP) fi
    :: budget > 0 -> budget = 0
    :: timeout -> break
    od;
    judging = 1;
    d_step { judge(i) };
    do /* the button still works after the storm */
    :: i < CPUS ->
       press(i);
       timeout -> assert(injected[i] || state[i] == CPU_WAIT_SIPI);
       i++
    :: else -> break
    od
}
