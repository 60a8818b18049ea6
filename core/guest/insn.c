/*
 * The instruction decoder. Encodings: Intel SDM vol. 2 (chapter 2 and appendix A), AMD APM vol. 3 (chapter 1
 * and appendix A). The names of fields are theirs.
 */
#include "core/guest/insn.h"

enum {
    PREFIX_OPERAND = 0x66,
    PREFIX_ADDRESS = 0x67,
    PREFIX_LOCK = 0xf0,
    PREFIX_REPNE = 0xf2,
    PREFIX_REP = 0xf3,
    REX_W = 8,
    REX_R = 4,
    NO_BASE_RM = 5, /* with mod 0, in 32- and 64-bit addressing: a displacement of 4 bytes and no base */
    SIB_RM = 4,
    MOD_REGISTER = 3,
};

/* The bytes and how far we are. Reading behind the end sets an error that sticks, so callers look once. */
struct cursor {
    const uint8_t *bytes;
    unsigned at, end;
    bool beyond;
};

struct prefixes {
    bool operand, address; /* 66, 67 */
    uint8_t rex;           /* 0 without one */
};

static uint8_t peek(struct cursor *cursor)
{
    if (cursor->at >= cursor->end) {
        cursor->beyond = true;
        return 0;
    }
    return cursor->bytes[cursor->at];
}

static uint8_t next(struct cursor *cursor)
{
    uint8_t byte = peek(cursor);
    if (!cursor->beyond)
        cursor->at++;
    return byte;
}

static uint64_t next_signed(struct cursor *cursor, unsigned size)
{
    uint64_t value = 0, sign = 1ull << (8 * size - 1);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next(cursor) << 8 * i;
    return (value ^ sign) - sign;
}

static void skip(struct cursor *cursor, unsigned count)
{
    while (count--)
        next(cursor);
}

/* Legacy prefixes in any order, then REX, which counts only directly before the opcode. */
static struct prefixes decode_prefixes(struct cursor *cursor, enum insn_mode mode, struct insn *insn)
{
    struct prefixes prefixes = {0};
    for (;; next(cursor)) {
        uint8_t byte = peek(cursor);
        if (mode == INSN_64 && (byte & 0xf0) == 0x40) {
            prefixes.rex = byte;
            continue;
        }
        switch (byte) {
        case PREFIX_OPERAND:
            prefixes.operand = true;
            break;
        case PREFIX_ADDRESS:
            prefixes.address = true;
            break;
        case PREFIX_LOCK:
            insn->lock = true;
            break;
        case PREFIX_REPNE:
        case PREFIX_REP:
        case 0x26: /* segments: ES, CS, SS, DS, FS, GS */
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
            break;
        default:
            return prefixes;
        }
        prefixes.rex = 0;
    }
}

static unsigned operand_size(enum insn_mode mode, const struct prefixes *prefixes, bool byte_form)
{
    if (byte_form)
        return 1;
    if (prefixes->rex & REX_W)
        return 8;
    return (mode == INSN_16) != prefixes->operand ? 2 : 4;
}

static unsigned address_size(enum insn_mode mode, const struct prefixes *prefixes)
{
    if (mode == INSN_64)
        return prefixes->address ? 4 : 8;
    return (mode == INSN_16) != prefixes->address ? 2 : 4;
}

/* Moves behind ModRM, SIB and displacement; returns ModRM. */
static uint8_t decode_modrm(struct cursor *cursor, unsigned address_bytes)
{
    uint8_t modrm = next(cursor);
    unsigned mod = modrm >> 6, rm = modrm & 7;
    if (mod == MOD_REGISTER)
        return modrm;
    if (address_bytes == 2) {
        skip(cursor, mod == 0 && rm == 6 ? 2 : mod);
        return modrm;
    }
    if (rm == SIB_RM)
        rm = next(cursor) & 7; /* the base has the last word on mod 0 */
    if (mod == 0)
        skip(cursor, rm == NO_BASE_RM ? 4 : 0);
    else
        skip(cursor, mod == 1 ? 1 : 4);
    return modrm;
}

/* ModRM.reg as a register: without REX the numbers 4 to 7 of the byte forms are AH, CH, DH, BH. */
static void decode_source(struct insn *insn, const struct prefixes *prefixes, unsigned number)
{
    insn->high_byte = insn->size == 1 && !prefixes->rex && number >= 4;
    if (insn->high_byte)
        number -= 4;
    insn->reg = (enum reg)(number + (prefixes->rex & REX_R ? 8 : 0));
}

static int decode_store(struct cursor *cursor, enum insn_mode mode, const struct prefixes *prefixes,
                        uint8_t opcode, struct insn *insn)
{
    insn->size = operand_size(mode, prefixes, !(opcode & 1));
    if (insn->class == INSN_STORE_ACC) {
        insn->reg = REG_RAX;
        skip(cursor, address_size(mode, prefixes));
        return 0;
    }
    uint8_t modrm = decode_modrm(cursor, address_size(mode, prefixes));
    unsigned number = modrm >> 3 & 7;
    if (modrm >> 6 == MOD_REGISTER && !cursor->beyond)
        return -E_INVAL;
    if (insn->class != INSN_STORE_IMM) {
        decode_source(insn, prefixes, number);
        return 0;
    }
    if (number != 0)
        return -E_INVAL;
    insn->immediate = next_signed(cursor, insn->size == 8 ? 4 : insn->size);
    return 0;
}

/* The group 0F 01 with a register form of ModRM: one instruction for each value. */
static int decode_0f01(uint8_t modrm, struct insn *insn)
{
    switch (modrm) {
    case 0xc1:
        insn->class = INSN_VMCALL;
        return 0;
    case 0xd1:
        insn->class = INSN_XSETBV;
        return 0;
    case 0xd9:
        insn->class = INSN_VMMCALL;
        return 0;
    case 0xc8: /* MONITOR, MWAIT */
    case 0xc9:
    case 0xd8: /* VMRUN, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA */
    case 0xda:
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf:
    case 0xf9: /* RDTSCP */
        insn->class = INSN_OTHER_SYSTEM;
        return 0;
    default:
        return -E_INVAL;
    }
}

static int decode_0f(struct cursor *cursor, struct insn *insn)
{
    switch (next(cursor)) {
    case 0x01:
        return decode_0f01(next(cursor), insn);
    case 0x08: /* INVD, WBINVD, RDTSC, RDPMC */
    case 0x09:
    case 0x31:
    case 0x33:
        insn->class = INSN_OTHER_SYSTEM;
        return 0;
    case 0x30:
        insn->class = INSN_WRMSR;
        return 0;
    case 0x32:
        insn->class = INSN_RDMSR;
        return 0;
    case 0xa2:
        insn->class = INSN_CPUID;
        return 0;
    default:
        return -E_INVAL;
    }
}

static int decode_opcode(struct cursor *cursor, enum insn_mode mode, const struct prefixes *prefixes,
                         struct insn *insn)
{
    uint8_t opcode = next(cursor);
    switch (opcode) {
    case 0x0f:
        return decode_0f(cursor, insn);
    case 0xf4:
        insn->class = INSN_HLT;
        return 0;
    case 0xcf:
        insn->class = INSN_IRET;
        return 0;
    case 0x86:
    case 0x87:
        insn->class = INSN_XCHG;
        break;
    case 0x88:
    case 0x89:
        insn->class = INSN_STORE_REG;
        break;
    case 0xa2:
    case 0xa3:
        insn->class = INSN_STORE_ACC;
        break;
    case 0xc6:
    case 0xc7:
        insn->class = INSN_STORE_IMM;
        break;
    default:
        return -E_INVAL;
    }
    return decode_store(cursor, mode, prefixes, opcode, insn);
}

int insn_decode(const uint8_t *bytes, unsigned available, enum insn_mode mode, struct insn *out)
{
    struct cursor cursor = {bytes, 0, available < INSN_MAX ? available : INSN_MAX, false};
    *out = (struct insn){0};
    struct prefixes prefixes = decode_prefixes(&cursor, mode, out);
    int error = decode_opcode(&cursor, mode, &prefixes, out);
    if (cursor.beyond) /* what was decoded from missing bytes means nothing */
        return available < INSN_MAX ? -E_FAULT : -E_INVAL;
    if (error)
        return error;
    if (out->lock && out->class != INSN_XCHG)
        return -E_INVAL;
    out->length = (uint8_t)cursor.at;
    return out->length;
}
