# TrustVisor: TV_SRC goes into the hypervisor (core.mk), tv-test runs the same sources on the host against a fake core.
TV_SRC := $(wildcard tv/*.c)
