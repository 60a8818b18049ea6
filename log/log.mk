# log/: the shipped sources for core/, and the tests on the host.
LOG_SRC := log/area.c log/banner.c log/frame.c log/log.c log/owner.c log/record.c log/ring.c log/send.c log/uart.c
