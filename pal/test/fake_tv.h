/*
 * A TrustVisor for the host's unit tests, linked in place of lib/call.c: it keeps REG's and UNREG's books and
 * protects nothing, so a PAL's copied code runs as the ordinary code it also is.
 */
#ifndef PAL_TEST_FAKE_TV_H
#define PAL_TEST_FAKE_TV_H

enum fake_fault { FAKE_HONEST, FAKE_REFUSES_REG, FAKE_REFUSES_UNREG, FAKE_SPOILS_CODE };
extern enum fake_fault fake_fault;

/* PALs registered and not unregistered. */
extern int fake_registered;

#endif
