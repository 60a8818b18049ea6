/*
 * What differs between the vendors, by the names of svm/ and vmx/: who holds an NMI between the last look and
 * the entry, who keeps the guest's NMI mask, and how an NMI ends the guest. -DVMX chooses; SVM otherwise.
 *
 *          close to entry              in the guest                    the guest's mask
 *     SVM  GIF = 0 holds it, VMRUN     exits, stays in the latch;      kept here; the IRET exits
 *          exits at once               open: the handler takes it
 *     VMX  the handler takes it, and   exits, has left the latch; the  the CPU's (virtual NMIs); the NMI
 *          moves RIP back to vmx_look  handler (int $2) runs, NMIs     window exits when it opens
 *                                      blocked until its IRET
 */
#ifdef VMX

#define TAKES_NMI(c) (latch[c] && (mode[c] == HOST || mode[c] == GUEST))
#define IN_GUEST     (mode[self] == GUEST)
#define NMI_EXIT     NMI_EXIT_DONE /* int $2 is through */
#define CLOSE        nmi_seen[self] = 0 /* nmis_at_close */
#define OPEN         skip
#define NEXT_ENTRY   window = 0;

inline prepare_nmi() { /* vmx/event.c */
    if
    :: guest_nmi[self] && blocked -> window = WINDOW
    :: guest_nmi[self] && !blocked ->
       if
       :: d_step { events > 0 -> events--; injecting = EVENT_OTHER; window = WINDOW }
       :: d_step { guest_nmi[self] = 0; DUE_NO_MORE; injecting = EVENT_NMI } /* the exchange */
       fi
    :: !guest_nmi[self]
    fi
}

inline vmx_take_back() {
    if
    :: d_step { injecting == EVENT_NMI -> due[self] = 1; TAKE_BACK }
    :: injecting == EVENT_OTHER -> events++
    :: else
    fi;
    d_step { injecting = EVENT_NONE; window = 0; busy[self] = 0 }
}

inline enter() {
    prepare_nmi();
    SAMPLE
    d_step { seen_generation = sampled; sampled = 0 }; /* load: INVEPT where they differ */
    do /* vmx_look */
    :: nmi_seen[self] -> vmx_take_back(); break /* VMX_NMI_FIRST */
    :: d_step { !nmi_seen[self] -> at[self] = ENTERING };
       if
       :: d_step { /* VMRESUME */
              at[self] == ENTERING -> at[self] = ELSEWHERE;
              assert(seen_generation == view_generation);
              if
              :: injecting == EVENT_NMI -> blocked = 1; injected[self] = judging
              :: else
              fi;
              injecting = EVENT_NONE; t = 0; mode[self] = GUEST
          };
in_guest: guest();
          break
       :: at[self] == ELSEWHERE /* the handler moved RIP back to vmx_look */
       fi
    od
}

/* The guest's IRET opens the mask; the NMI window exits when the mask is open. */
#define IRET \
    :: d_step { IN_GUEST && blocked -> blocked = 0 }; goto in_guest \
    :: d_step { IN_GUEST && window && !blocked -> mode[self] = HOST }

#else /* SVM */

#define TAKES_NMI(c) (latch[c] && mode[c] == HOST)
#define IN_GUEST     (!latch[self])
#define NMI_EXIT     d_step { latch[self] -> mode[self] = HOST } /* exit, open */
#define CLOSE        mode[self] = CLOSED /* CLGI */
#define OPEN         mode[self] = HOST /* STGI */
#define NEXT_ENTRY   CLEARED_LATE

inline prepare_nmi() { /* svm/event.c */
    if
    :: guest_nmi[self] && !blocked ->
       if
       :: d_step { events > 0 -> events-- }; doorbell_ring(self) /* another event goes first; this pends till VMRUN */
       :: d_step { EXCHANGE_NMI; DUE_NO_MORE; blocked = 1; injected[self] = judging }
       fi
    :: !guest_nmi[self] || blocked
    fi
}

inline enter() {
    prepare_nmi();
    SAMPLE /* svm/svm.c */
    d_step { /* VMRUN: flushes, or need not */
        assert(sampled != seen_generation || seen_generation == view_generation);
        seen_generation = sampled; sampled = 0; t = 0; mode[self] = GUEST
    };
    guest()
}

/* The guest's IRET exits; the step over it is left out. */
#define IRET \
    :: d_step { IN_GUEST && blocked -> IRET_EXIT }

#endif
