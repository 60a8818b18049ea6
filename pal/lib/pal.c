/* A PAL's pages, sections and parameters; see tv.h. Everything here runs in the ordinary program, never
 * inside a PAL. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "tv.h"

static unsigned char *add_section(struct tv_pal *pal, uint32_t type, unsigned pages, unsigned char *at)
{
    if (pages)
        pal->sections.sections[pal->sections.num_sections++] =
            (struct tv_section){type, pages, (uintptr_t)at};
    return at + (size_t)pages * TV_PAGE;
}

int tv_pal_create(struct tv_pal *pal, struct tv_image image, struct tv_pages pages)
{
    memset(pal, 0, sizeof *pal);
    if (image.entry < image.start || image.entry >= image.stop || !pages.stack || !pages.param)
        return -EINVAL;
    unsigned code_pages = (unsigned)(((size_t)(image.stop - image.start) + TV_PAGE - 1) / TV_PAGE);
    pal->code_bytes = (size_t)code_pages * TV_PAGE;
    pal->bytes = pal->code_bytes + ((size_t)pages.data + pages.stack + pages.param) * TV_PAGE;

    unsigned char *memory =
        mmap(NULL, pal->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    /*
     * TrustVisor lends what the page tables show at registration and cannot page in: written to, so that each
     * page exists, after its permissions are set, since Linux may take write access out of the tables then
     * until the next write; locked, so that it stays; and not for children, since a fork would make the pages
     * read-only until the next write. Code must be writable, too: TrustVisor takes no page that is not ours
     * to write.
     */
    if (mprotect(memory, pal->code_bytes, PROT_READ | PROT_WRITE | PROT_EXEC) || mlock(memory, pal->bytes) ||
        madvise(memory, pal->bytes, MADV_DONTFORK)) {
        int error = -errno;
        munmap(memory, pal->bytes);
        return error;
    }
    memset(memory, 0, pal->bytes);
    memcpy(memory, image.start, (size_t)(image.stop - image.start));
    pal->memory = memory;
    pal->entry = (uintptr_t)memory + (uintptr_t)(image.entry - image.start);
    unsigned char *at = add_section(pal, TV_SECTION_CODE, code_pages, memory);
    at = add_section(pal, TV_SECTION_DATA, pages.data, at);
    at = add_section(pal, TV_SECTION_STACK, pages.stack, at);
    add_section(pal, TV_SECTION_PARAM, pages.param, at);
    return 0;
}

int tv_pal_param(struct tv_pal *pal, enum tv_param_type type, uint64_t words)
{
    if (pal->params.num_params == TV_MAX_PARAMS)
        return -ENOSPC;
    pal->params.params[pal->params.num_params++] =
        (struct tv_param){type, 0, type == TV_PARAM_POINTER ? words : 0};
    return 0;
}

uintptr_t tv_pal_register(const struct tv_pal *pal)
{
    return tv_call(TV_CALL_REG, (uintptr_t)&pal->sections, 0, (uintptr_t)&pal->params, pal->entry);
}

uintptr_t tv_pal_unregister(const struct tv_pal *pal)
{
    return tv_call(TV_CALL_UNREG, pal->entry, 0, 0, 0);
}

void tv_pal_destroy(struct tv_pal *pal)
{
    if (pal->memory)
        munmap(pal->memory, pal->bytes);
    pal->memory = NULL;
}

uint64_t tv_param_bytes(const struct tv_params *params, unsigned word)
{
    uint64_t bytes = 0x10 + 8; /* the area begins at 0x10 and opens with the number of parameters */
    for (uint32_t i = 0; i < params->num_params; i++)
        bytes += 24 + params->params[i].size * word;
    return bytes;
}
