/* SPDX-License-Identifier: MIT */
/*
 * starve: what the command is linked with for tests/starved.py, which makes the host's memory run
 * out. The linker hands every allocation of the command and the library to these (--wrap).
 *
 * PGTSIM_STARVE_AT=N      the Nth allocation fails, the first is 1
 * PGTSIM_STARVE_ON=1      and all after it
 * PGTSIM_STARVE_COUNT=F   at the end the number of allocations is written to the file F, and behind it
 *                         how many bytes of the heap are still in use
 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned long made, fail_at;
static bool known, fail_on;

/* Whether the allocation that is asked for fails. */
static bool starves(void)
{
	if (!known) {
		const char *at = getenv("PGTSIM_STARVE_AT");

		known = true;
		fail_at = at ? strtoul(at, NULL, 10) : 0;
		fail_on = getenv("PGTSIM_STARVE_ON");
	}
	made++;
	if (!fail_at || made < fail_at || (made > fail_at && !fail_on))
		return false;
	errno = ENOMEM;
	return true;
}

/* 0 where the C library does not say. */
static size_t bytes_in_use(void)
{
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 33)
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#endif
#endif
	return 0;
}

__attribute__((destructor)) static void write_count(void)
{
	const char *path = getenv("PGTSIM_STARVE_COUNT");
	size_t left = bytes_in_use();
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	fprintf(file, "%lu %zu\n", made, left);
	fclose(file);
}

/* The names are the linker's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return starves() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return starves() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return starves() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return starves() ? NULL : __real_aligned_alloc(align, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
	return starves() ? MAP_FAILED : __real_mmap(at, size, protection, flags, file, offset);
}

char *__wrap_strdup(const char *text)
{
	return starves() ? NULL : __real_strdup(text);
}
