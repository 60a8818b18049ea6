/*
 * Where the variants differ from the protocol: each is a fault that was made once, here or in a system before,
 * or that the protocol's comments warn of. run.py gives one by -D and expects that spin finds its harm.
 */

#ifdef RESUME_FLAG /* one flag to stop and one to resume, for all rounds */
bit stop, resume;
#define LOOK         asked = 0
#define WANTED       stop
#define RELEASED     resume
#define BEGIN_ROUND  resume = 0; stop = 1;
#define END_ROUND    resume = 1; stop = 0;
#else
#ifdef RELEASED_FIRST /* no fault: the other order of quiesce_wanted's two loads, which C leaves open */
#define LOOK         asked = released
#define WANTED       (request[self] > asked)
#else
#define LOOK         asked = request[self]
#define WANTED       (asked > released)
#endif
#define RELEASED     (released >= round)
#define BEGIN_ROUND
#define END_ROUND
#endif

#ifdef COUNTING /* as many NMIs as were rung are doorbells, the others are the guest's */
byte counted[CPUS];
#define EXCHANGE(t)  counted[t]++
#define RUNG(t)      false
#define DOORBELL(t)  counted[t] > 0 -> counted[t]--
#define UNKNOWN(t)   counted[t] == 0
#else
#define EXCHANGE(t)  rung[t] == 0 -> rung[t] = 1
#define RUNG(t)      rung[t] == 1
#ifdef GLOBAL_FLAG /* an NMI during a quiesce is a doorbell, any other is the guest's */
#define DOORBELL(t)  owner != 0 -> rung[t] = 0
#define UNKNOWN(t)   owner == 0 -> rung[t] = 0
#else
#define DOORBELL(t)  rung[t] == 1 -> rung[t] = 0
#define UNKNOWN(t)   rung[t] == 0
#endif
#endif

#ifdef SLOPPY_TIMEOUT /* a doorbell that is late was merged with another NMI */
#define RING_AGAIN   again--; rung[i] = 0
#else
#define RING_AGAIN   again--; rerung[i]++; rung[i] = 1
#endif

#ifdef LOG_LOCK /* the log has a lock, and the NMI handler stops its CPU where it is */
bit log_lock, stands[CPUS];
#define LOG          d_step { log_lock == 0 -> log_lock = 1 }; log_lock = 0;
#define STOP_HERE \
    if \
    :: request[c] > released -> d_step { stands[c] = busy[c]; busy[c] = 0; parked[c] = request[c] }; \
       d_step { released >= request[c] -> busy[c] = stands[c] } \
    :: request[c] <= released \
    fi;
#else
#define LOG
#define STOP_HERE
#endif

#ifdef NO_REWIND /* an NMI between cpu_wait's look and its HLT returns to the HLT */
#define REWIND       skip
#else
#define REWIND       at[c] = ELSEWHERE
#endif

#ifdef POLLING /* no fault: tries that change nothing are made; the search for endless runs finds them */
#define WORTH_TRYING true
#endif

#ifdef NO_NEXT /* losers are not remembered */
#define CLAIM        0
#else
#define CLAIM        (1 << self)
#endif

#ifdef SIPI_EARLY /* wait-for-SIPI is looked at before the request is published */
#define NOTE_STATES  note(state[i] != CPU_RUNNING);
#define STOPPED      (noted & (1 << i) || parked[i] == round)
#else
#define NOTE_STATES
#define STOPPED      (state[i] != CPU_RUNNING || parked[i] == round)
#endif

#ifdef RING_FIRST /* the doorbell is rung before the request is published */
#define PUBLISH_RING ring_the_unstopped(); publish()
#else
#define PUBLISH_RING publish(); ring_the_unstopped()
#endif

#ifdef END_READS_EARLY /* quiesce_end reads who halts before it releases */
#define NOTE_PARKED  note(halts[i]);
#define TO_RING      (noted & (1 << i))
#else
#define NOTE_PARKED
#define TO_RING      halts[i]
#endif

#ifdef TWO_WORDS /* guest_init and guest_sipi are two words: a waiting CPU can take a SIPI without its INIT */
#define ONE_WORD(a, b) a; d_step { b }
#else
#define ONE_WORD(a, b) d_step { a; b }
#endif

#ifdef SAMPLED_EARLY /* the view generation is sampled when the guest exits */
#define SAMPLE_EARLY sampled = view_generation;
#define SAMPLE
#else
#define SAMPLE_EARLY
#define SAMPLE       sampled = view_generation;
#endif

#ifdef NO_LAST_LOOK /* no look behind CLGI, but one before it */
#define CLOSE_AND_LAST_LOOK LOOK; d_step { early = WANTED || STARTING }; CLOSE;
#define PARK_NOW     early
#else
#ifdef CLOSE_LATE /* VMX: the NMIs taken are sampled behind the last look */
#define CLOSE_AND_LAST_LOOK LOOK; CLOSE;
#else
#define CLOSE_AND_LAST_LOOK CLOSE; LOOK;
#endif
#define PARK_NOW     (WANTED || STARTING)
#endif

#ifdef PARK_CLOSED /* parks with GIF = 0, so with the NMI that stopped it still in the latch */
#define PARK         quiesce_park();
#else
#define PARK
#endif

#ifdef NO_IRET_EXIT /* the guest's NMI handler ends without an exit: the NMI that waits is forgotten */
#define IRET_EXIT    blocked = 0 }; d_step { latch[self] -> mode[self] = HOST
#else
#define IRET_EXIT    blocked = 0; mode[self] = HOST
#endif

#ifdef CLEARED_AFTER_EXIT /* SVM: guest_nmi is read, the NMI injected, and guest_nmi cleared when the guest exits */
#define EXCHANGE_NMI nmi_taken = 1
#define CLEARED_LATE if :: d_step { nmi_taken -> nmi_taken = 0; guest_nmi[self] = 0 } :: else fi;
#else
#define EXCHANGE_NMI guest_nmi[self] = 0
#define CLEARED_LATE
#endif

#ifdef NO_ENTRY_REWIND /* VMX: an NMI between vmx_look and VMRESUME returns to the VMRESUME */
#define REWIND_ENTRY skip
#else
#define REWIND_ENTRY at[c] = ELSEWHERE
#endif

#ifdef NO_WINDOW /* VMX: no NMI window */
#define WINDOW       0
#else
#define WINDOW       1
#endif

#ifdef NO_TAKE_BACK /* VMX: an entry that an NMI forestalled has used up what it would have injected */
#define TAKE_BACK    skip
#else
#define TAKE_BACK    guest_nmi[self] = 1
#endif

#ifdef NO_EXIT_IRET /* VMX: no IRET after an NMI exit, so NMIs are blocked while the CPU parks */
bit exited[CPUS];
#define NOTE_EXIT    exited[c] = (mode[c] == GUEST);
#define HANDLER_IRET (exited[c] -> CLOSED : HOST)
#define NMI_EXIT_DONE (mode[self] == CLOSED)
#else
#define NOTE_EXIT
#define HANDLER_IRET HOST
#define NMI_EXIT_DONE (mode[self] == HOST)
#endif
