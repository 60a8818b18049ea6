/* Unit tests of the library and of test_args on the host, with a TrustVisor that only keeps books. Run once
 * for each width. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/tv.h"
#include "../programs/programs.h"
#include "fake_tv.h"

static int passed, failed;

#define TEST(condition)                                                                                      \
    do {                                                                                                     \
        if (condition)                                                                                       \
            passed++;                                                                                        \
        else                                                                                                 \
            failed++, printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition);                            \
    } while (0)

TV_PAL_IMAGE(sample);
TV_PAL_CODE(sample) static uintptr_t twice(uintptr_t a)
{
    return 2 * a;
}

TV_PAL_CODE(sample) static void *sample(uintptr_t a, uintptr_t *b)
{
    *b += twice(a); /* a call inside the copy */
    return TV_PAL_DATA(sample);
}

/* What create() lays out, and that the code runs from there. */
static void layout(void)
{
    struct tv_pal pal;
    TEST(tv_pal_create(&pal, TV_PAL(sample, sample), (struct tv_pages){.data = 2, .stack = 1, .param = 3}) ==
         0);
    TEST(pal.bytes == 7 * TV_PAGE);
    TEST(pal.sections.num_sections == 4);

    static const struct {
        uint32_t type, pages, first;
    } want[] = {
        {TV_SECTION_CODE, 1, 0}, {TV_SECTION_DATA, 2, 1}, {TV_SECTION_STACK, 1, 3}, {TV_SECTION_PARAM, 3, 4}};
    for (int i = 0; i < 4; i++) {
        TEST(pal.sections.sections[i].type == want[i].type);
        TEST(pal.sections.sections[i].page_num == want[i].pages);
        TEST(pal.sections.sections[i].start_addr == (uintptr_t)pal.memory + want[i].first * TV_PAGE);
        TEST(pal.sections.sections[i].start_addr % TV_PAGE == 0);
    }
    uintptr_t b = 5;
    void *data = TV_PAL_CALL(&pal, sample)(10, &b);
    TEST(b == 25);
    TEST((uintptr_t)data == pal.sections.sections[1].start_addr);
    TEST(pal.entry != (uintptr_t)sample && pal.entry - (uintptr_t)pal.memory < TV_PAGE);
    *(volatile unsigned char *)pal.memory = *pal.memory; /* TrustVisor wants code that is ours to write */

    int status = 0;
    pid_t child = fork(); /* the pages are none of a child's business */
    if (child == 0)
        _exit(pal.memory[0]);
    TEST(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    tv_pal_destroy(&pal);
    TEST(!pal.memory);
}

static void refusals(void)
{
    struct tv_pal pal;
    struct tv_image image = TV_PAL(sample, sample), empty = image, elsewhere = image;
    empty.stop = empty.start;
    elsewhere.entry = (const unsigned char *)(uintptr_t)layout;
    TEST(tv_pal_create(&pal, empty, (struct tv_pages){.stack = 1, .param = 1}) == -EINVAL);
    TEST(tv_pal_create(&pal, elsewhere, (struct tv_pages){.stack = 1, .param = 1}) == -EINVAL);
    TEST(tv_pal_create(&pal, image, (struct tv_pages){.param = 1}) == -EINVAL);
    TEST(tv_pal_create(&pal, image, (struct tv_pages){.stack = 1}) == -EINVAL);
    TEST(tv_pal_create(&pal, image, (struct tv_pages){.stack = 1, .param = 1}) == 0);
    TEST(pal.sections.num_sections == 3); /* without DATA */
    for (int i = 0; i < TV_MAX_PARAMS; i++)
        TEST(tv_pal_param(&pal, TV_PARAM_INTEGER, 0) == 0);
    TEST(tv_pal_param(&pal, TV_PARAM_INTEGER, 0) == -ENOSPC);
    TEST(pal.params.num_params == TV_MAX_PARAMS);
    tv_pal_destroy(&pal);
}

/* The bytes of PARAM that a call takes: 0x10, a count, then 24 bytes and the buffer for each. */
static void parameter_bytes(void)
{
    struct tv_params params = {0};
    TEST(sizeof(struct tv_section) == 16 && sizeof(struct tv_param) == 16);
    TEST(offsetof(struct tv_sections, sections) == 8 && offsetof(struct tv_params, params) == 8);
    TEST(tv_param_bytes(&params, 8) == 24);
    params.num_params = 10;
    TEST(tv_param_bytes(&params, 8) == 264);
    for (int i = 1; i < 10; i += 2)
        params.params[i] = (struct tv_param){TV_PARAM_POINTER, 0, 99};
    TEST(tv_param_bytes(&params, 4) == 264 + 5 * 99 * 4); /* fits a page */
    TEST(tv_param_bytes(&params, 8) == 4224);             /* does not: why test_args takes two */
}

static int test_args(char *kind)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {"test_args", kind, "50", "7", NULL};
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        status = test_args_program(4, argv);
        fflush(stdout);
        _exit(fake_registered && status == STATUS_PASS ? 99 : status);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* test_args passes when all is well, and notices when it is not. */
static void arguments(void)
{
    char *kinds[] = {"1", "2", "3", "4"};
    for (int i = 0; i < 4; i++) {
        fake_fault = FAKE_HONEST;
        TEST(test_args(kinds[i]) == STATUS_PASS);
        fake_fault = FAKE_SPOILS_CODE;
        TEST(test_args(kinds[i]) == STATUS_FAIL);
        fake_fault = FAKE_REFUSES_REG;
        TEST(test_args(kinds[i]) == STATUS_FAIL);
        fake_fault = FAKE_REFUSES_UNREG;
        TEST(test_args(kinds[i]) == STATUS_FAIL);
    }
    fake_fault = FAKE_HONEST;
    TEST(test_args("0") == STATUS_USAGE);
    TEST(test_args("5") == STATUS_USAGE);
    TEST(test_args("one") == STATUS_USAGE);
}

int main(void)
{
    layout();
    refusals();
    parameter_bytes();
    arguments();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
