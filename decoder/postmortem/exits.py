"""Exit codes by name, with what their information fields say: SVM (APM vol. 2, appendix C and 15.7 to 15.25)
and VMX (SDM vol. 3, appendix C and 28.2). Pure functions of numbers.
"""
from __future__ import annotations

EXCEPTIONS = {0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF",
              10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC",
              19: "#XF", 21: "#CP", 28: "#HV", 29: "#VC", 30: "#SX"}
SVM_FIRST = 0x60
SVM = ("INTR NMI SMI INIT VINTR CR0_SEL_WRITE IDTR_READ GDTR_READ LDTR_READ TR_READ IDTR_WRITE GDTR_WRITE "
       "LDTR_WRITE TR_WRITE RDTSC RDPMC PUSHF POPF CPUID RSM IRET SWINT INVD PAUSE HLT INVLPG INVLPGA IOIO "
       "MSR TASK_SWITCH FERR_FREEZE SHUTDOWN VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT RDTSCP ICEBP "
       "WBINVD MONITOR MWAIT MWAIT_CONDITIONAL XSETBV RDPRU EFER_WRITE_TRAP").split()
SVM_NPF, SVM_AVIC_INCOMPLETE, SVM_AVIC_NOACCEL = 0x400, 0x401, 0x402
SVM_REGISTERS = ("CR{}_READ", "CR{}_WRITE", "DR{}_READ", "DR{}_WRITE")  # 16 codes each, from 0 on
SVM_INVALID = 0xFFFF_FFFF
VMX = {0: "EXCEPTION_OR_NMI", 1: "EXTERNAL_INTERRUPT", 2: "TRIPLE_FAULT", 3: "INIT", 4: "SIPI", 5: "IO_SMI",
       6: "OTHER_SMI", 7: "INTERRUPT_WINDOW", 8: "NMI_WINDOW", 9: "TASK_SWITCH", 10: "CPUID", 11: "GETSEC",
       12: "HLT", 13: "INVD", 14: "INVLPG", 15: "RDPMC", 16: "RDTSC", 17: "RSM", 18: "VMCALL",
       19: "VMCLEAR", 20: "VMLAUNCH", 21: "VMPTRLD", 22: "VMPTRST", 23: "VMREAD", 24: "VMRESUME",
       25: "VMWRITE", 26: "VMXOFF", 27: "VMXON", 28: "CR_ACCESS", 29: "DR_ACCESS", 30: "IO", 31: "RDMSR",
       32: "WRMSR", 33: "ENTRY_FAILED_GUEST_STATE", 34: "ENTRY_FAILED_MSR_LOADING", 36: "MWAIT",
       37: "MONITOR_TRAP", 39: "MONITOR", 40: "PAUSE", 41: "ENTRY_FAILED_MACHINE_CHECK", 43: "TPR",
       44: "APIC_ACCESS", 45: "VIRTUALISED_EOI", 46: "GDTR_OR_IDTR", 47: "LDTR_OR_TR", 48: "EPT_VIOLATION",
       49: "EPT_MISCONFIGURATION", 50: "INVEPT", 51: "RDTSCP", 52: "PREEMPTION_TIMER", 53: "INVVPID",
       54: "WBINVD", 55: "XSETBV", 56: "APIC_WRITE", 57: "RDRAND", 58: "INVPCID", 59: "VMFUNC", 60: "ENCLS",
       61: "RDSEED", 62: "PAGE_MODIFICATION_LOG_FULL", 63: "XSAVES", 64: "XRSTORS"}
VMX_ENTRY_FAILED = 1 << 31


def name(vendor: str, code: int, info1: int, info2: int) -> str:
    """`vendor`: SVM or VMX; the numbers are those of the hypervisor's struct exit."""
    return _svm(code, info1, info2) if vendor == "SVM" else _vmx(code, info1, info2)


def _svm(code: int, info1: int, info2: int) -> str:
    if code & SVM_INVALID == SVM_INVALID:
        return "INVALID (VMRUN refused the guest's state)"
    if code < 0x40:
        text = SVM_REGISTERS[code >> 4].format(code & 15)
    elif code < SVM_FIRST:
        text = EXCEPTIONS.get(code - 0x40, f"exception {code - 0x40}")
        text += f" at address {info2:#x}, error {info1:#x}" if code == 0x4E else ""
    elif code < SVM_FIRST + len(SVM):
        text = SVM[code - SVM_FIRST]
    else:
        text = {SVM_NPF: "NPF", SVM_AVIC_INCOMPLETE: "AVIC_INCOMPLETE_IPI",
                SVM_AVIC_NOACCEL: "AVIC_NOACCEL"}.get(code, "unknown")
    if text == "IOIO":
        text += _io(info1 >> 16 & 0xFFFF, info1 >> 4 & 7, bool(info1 & 1))
    elif text == "MSR":
        text = "WRMSR" if info1 & 1 else "RDMSR"
    elif text == "NPF":
        what = "fetch" if info1 & 16 else "write" if info1 & 2 else "read"
        walk = ", in a walk of the guest's tables" if info1 >> 33 & 1 else ""
        text += f" {what} of {info2:#x}, {'forbidden' if info1 & 1 else 'not present'}{walk}"
    return f"{text} ({code:#x})"


def _vmx(code: int, info1: int, info2: int) -> str:
    reason = code & 0xFFFF
    text = VMX.get(reason, "unknown")
    if code & VMX_ENTRY_FAILED:
        text += ", VM entry failed"
    elif text == "IO":
        text += _io(info1 >> 16 & 0xFFFF, (info1 & 7) + 1, bool(info1 & 8))
    elif text == "EPT_VIOLATION":
        what = "fetch" if info1 & 4 else "write" if info1 & 2 else "read"
        text += f" {what} of {info2:#x}, {'forbidden' if info1 & 0x38 else 'not present'}"
    elif text == "EPT_MISCONFIGURATION":
        text += f" at {info2:#x}"
    elif text == "EXCEPTION_OR_NMI" and info2 >> 31 & 1:
        text = EXCEPTIONS.get(info2 & 0xFF, f"exception {info2 & 0xFF}")
    elif text == "CR_ACCESS":
        how = ("MOV to CR{}", "MOV from CR{}", "CLTS", "LMSW")[info1 >> 4 & 3]
        text = how.format(info1 & 15)
    return f"{text} ({reason})"


def _io(port: int, size: int, reads: bool) -> str:
    return f" {'in from' if reads else 'out to'} port {port:#x}, {size} byte{'s' if size != 1 else ''}"
