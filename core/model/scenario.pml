/* How many CPUs there are, and what their guests and the world do, each at any moment. Set by -D (run.py). */
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
#ifndef BOOTS /* times that CPU 0's guest sends INIT, then SIPIS SIPIs, to the last CPU */
#define BOOTS 0
#endif
#ifndef SIPIS
#define SIPIS 2
#endif
#ifndef AP_WAITS /* 1: the last CPU begins in wait-for-SIPI */
#define AP_WAITS 0
#endif
#ifndef AGAIN /* calls of doorbell_ring_again, at most */
#define AGAIN 0
#endif

#ifndef BUS /* 1: an NMI that was sent takes its time on the bus */
#define BUS 0
#endif
