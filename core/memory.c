/* See memory.h. */
#include "core/memory.h"
#include "core/hypapp.h"
#include "core/string.h"

struct free_page {
    struct free_page *next;
};

static uint64_t carve_next;
static struct free_page *free_list;
static unsigned free_count, least_free;

static void *carve(size_t size)
{
    if (!carve_next)
        carve_next = ((uint64_t)image_end + PAGE_SIZE - 1) & PAGE_MASK;
    size = (size + PAGE_SIZE - 1) & PAGE_MASK;
    if (size > HV_END - carve_next)
        return NULL;
    void *p = (void *)carve_next;
    carve_next += size;
    return p;
}

void *memory_carve(size_t size)
{
    void *p = carve(size);
    if (p)
        memset(p, 0, (size + PAGE_SIZE - 1) & PAGE_MASK);
    return p;
}

void memory_pool_init(void)
{
    for (void *page; (page = carve(PAGE_SIZE));)
        page_free(page);
    least_free = free_count;
}

void *page_alloc(void)
{
    struct free_page *page = free_list;
    if (!page)
        return NULL;
    free_list = page->next;
    free_count--;
    if (free_count < least_free)
        least_free = free_count;
    memset(page, 0, PAGE_SIZE);
    return page;
}

void page_free(void *page)
{
    struct free_page *p = page;
    p->next = free_list;
    free_list = p;
    free_count++;
}

unsigned pages_free(void)
{
    return free_count;
}

unsigned memory_most_kib(void)
{
    uint64_t start = (uint64_t)image_start;
    return (unsigned)((carve_next - start) / 1024 - (uint64_t)least_free * (PAGE_SIZE / 1024));
}
