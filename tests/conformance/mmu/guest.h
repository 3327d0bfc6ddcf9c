/* SPDX-License-Identifier: MIT */
/*
 * The machine that answers: QEMU with one CPU, its RAM a file that this process shares.
 *
 *   0x40000000  RAM begins; QEMU puts its device tree here
 *   0x40200000  payload.S
 *   0x40400000  struct guest_header, then the commands
 *   0x41000000  VAs and answers
 *   0x80000000  the tables under test
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define GUEST_RAM UINT64_C(0x40000000)
#define GUEST_RAM_SIZE (UINT64_C(64) << 30)
#define GUEST_COMMANDS UINT64_C(0x40400000) /* COMMANDS of payload.S */
#define GUEST_DATA UINT64_C(0x41000000)
#define GUEST_TABLES UINT64_C(0x80000000)
#define GUEST_RAM_END (GUEST_RAM + GUEST_RAM_SIZE)
/* From here on the machine has nothing: no RAM, no device. */
#define GUEST_VOID (UINT64_C(1) << 42)

/* The layout of these three is payload.S's, too. */
struct guest_header {
	uint64_t magic;
	uint64_t commands;
	uint64_t done; /* counted by the payload */
	uint64_t reserved[5];
};

/* One regime, and the VAs to ask about. */
struct guest_command {
	uint64_t tcr, ttbr1, mair;
	uint64_t count;
	uint64_t vas, answers; /* where they are: PAs of uint64_t and struct guest_answer */
	uint64_t execute_from; /* the lowest PA to try to execute */
	uint64_t reserved;
};

enum guest_question {
	GUEST_READ, /* AT S1E1R */
	GUEST_WRITE,
	GUEST_USER_READ, /* AT S1E0R */
	GUEST_USER_WRITE,
	GUEST_EXECUTE, /* by trying */
	GUEST_USER_EXECUTE,
	GUEST_QUESTIONS,
};

/*
 * PAR_EL1 for the ATs; ESR_EL1 with 0xe5 in the top byte if an AT ended in an exception. For the
 * others ESR_EL1, or 0 if it was not tried.
 */
struct guest_answer {
	uint64_t raw[GUEST_QUESTIONS];
};

struct guest {
	int fd;
	uint8_t *ram;
	unsigned major, minor; /* QEMU's version */
	uint64_t next_data;    /* PA of what guest_data() gives out next */
};

/* Finds out QEMU's version and creates the RAM. Returns false, said why, if there is no QEMU. */
bool guest_open(struct guest *guest, const char *qemu);
void guest_close(struct guest *guest);

/* Host memory of a PA in RAM. */
void *guest_at(const struct guest *guest, uint64_t pa);

/* The PA of `size` bytes for VAs or answers; 0 if there is no room. */
uint64_t guest_data(struct guest *guest, uint64_t size);

/*
 * Runs the payload until it switches the machine off; true if it did, with all commands done,
 * within this many seconds. What went wrong is said on stdout.
 */
bool guest_run(struct guest *guest, const char *qemu, const char *payload, unsigned seconds);

#endif
