/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool find_version(struct guest *guest, const char *qemu)
{
	char command[512];
	FILE *version;
	int found;

	snprintf(command, sizeof(command), "'%s' --version 2>/dev/null", qemu);
	version = popen(command, "r");
	if (!version)
		return false;
	found = fscanf(version, "QEMU emulator version %u.%u", &guest->major, &guest->minor);
	while (fgetc(version) != EOF)
		;
	pclose(version);
	return found == 2;
}

bool guest_open(struct guest *guest, const char *qemu)
{
	*guest = (struct guest){ .fd = -1, .next_data = GUEST_DATA };
	if (!find_version(guest, qemu)) {
		printf("no QEMU: '%s --version' does not say one\n", qemu);
		return false;
	}
	/* Not closed on exec: QEMU opens it by its number. */
	guest->fd = memfd_create("guest-ram", 0);
	if (guest->fd < 0 || ftruncate(guest->fd, (off_t)GUEST_RAM_SIZE)) {
		perror("memory for the guest");
		return false;
	}
	guest->ram = mmap(NULL, GUEST_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			  guest->fd, 0);
	if (guest->ram == MAP_FAILED) {
		guest->ram = NULL;
		perror("memory for the guest");
		return false;
	}
	return true;
}

void guest_close(struct guest *guest)
{
	if (guest->ram)
		munmap(guest->ram, GUEST_RAM_SIZE);
	if (guest->fd >= 0)
		close(guest->fd);
	*guest = (struct guest){ .fd = -1 };
}

void *guest_at(const struct guest *guest, uint64_t pa)
{
	return guest->ram + (pa - GUEST_RAM);
}

uint64_t guest_data(struct guest *guest, uint64_t size)
{
	uint64_t pa = guest->next_data;

	size = (size + 63) & ~UINT64_C(63);
	if (GUEST_TABLES - pa < size)
		return 0;
	guest->next_data += size;
	return pa;
}

static void start_qemu(const struct guest *guest, const char *qemu, const char *payload)
{
	char ram[160], size[32];
	const char *const arguments[] = {
		qemu,       "-machine", "virt,memory-backend=ram",
		"-cpu",     "max",      "-accel",
		"tcg",      "-m",       size,
		"-object",  ram,        "-nodefaults",
		"-display", "none",     "-serial",
		"none",     "-monitor", "none",
		"-kernel",  payload,    "-no-reboot",
		NULL,
	};

	snprintf(size, sizeof(size), "%lluM", (unsigned long long)GUEST_RAM_SIZE >> 20);
	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%s,mem-path=/proc/self/fd/%d", size,
		 guest->fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(qemu, (char *const *)(uintptr_t)arguments);
	perror(qemu);
	_exit(127);
}

/* Waits for the child, or kills it when its time is up. Returns its exit status; -1: no exit. */
static int wait_for(pid_t child, unsigned seconds)
{
	const struct timespec tick = { .tv_nsec = 5000000 };
	int status;

	for (unsigned ticks = 0; ticks < seconds * 200; ticks++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		nanosleep(&tick, NULL);
	}
	printf("QEMU is killed: it did not end within %u seconds\n", seconds);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

bool guest_run(struct guest *guest, const char *qemu, const char *payload, unsigned seconds)
{
	const struct guest_header *header = guest_at(guest, GUEST_COMMANDS);
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("fork");
		return false;
	}
	if (child == 0)
		start_qemu(guest, qemu, payload);
	status = wait_for(child, seconds);
	if (status == 0 && header->done == header->commands)
		return true;
	printf("QEMU ended with status %d (-1: by a signal), %llu of %llu commands done\n", status,
	       (unsigned long long)header->done, (unsigned long long)header->commands);
	return false;
}
