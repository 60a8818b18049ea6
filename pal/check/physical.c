/* Physical memory as a guest's root sees it: where the hypervisor is, and a window on it. See check.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "check.h"

int hypervisor_range(unsigned long long *start, unsigned long long *end)
{
    char line[256];
    FILE *iomem = fopen("/proc/iomem", "r");
    if (!iomem)
        return -errno;
    int found = -ENOENT;
    while (found && fgets(line, sizeof line, iomem))
        if (sscanf(line, "%llx-%llx : Reserved", start, end) == 2 && strstr(line, ": Reserved") &&
            *start >= 0x1000000)
            found = 0;
    fclose(iomem);
    return found;
}

volatile unsigned char *map_physical(unsigned long long address)
{
    int mem = open("/dev/mem", O_RDWR | O_SYNC);
    if (mem < 0) {
        printf("    /dev/mem: %s\n", strerror(errno));
        return NULL;
    }
    void *page = mmap(NULL, TV_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, mem, (off_t)address);
    if (page == MAP_FAILED)
        printf("    /dev/mem at %#llx: %s\n", address, strerror(errno));
    close(mem);
    return page == MAP_FAILED ? NULL : page;
}
