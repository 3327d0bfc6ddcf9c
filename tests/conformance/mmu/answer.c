/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAR_FAULT UINT64_C(1)
#define ESR_MARK UINT64_C(0xe5)
#define DATA_ABORT 0x25
#define INSTRUCTION_ABORT_EL0 0x20
#define INSTRUCTION_ABORT_EL1 0x21
#define STATUS_EXTERNAL 0x10 /* not on a table walk */

static unsigned class_of(uint64_t esr)
{
	return esr >> 26 & 0x3f;
}

/*
 * Memory that is no normal cacheable one is outer shareable whatever SH says; an MMU may report
 * either (Arm ARM, PAR_EL1.SH).
 */
static uint64_t shareability(uint64_t attributes, uint64_t sh)
{
	return (attributes & 0xf0) == 0 || attributes == 0x44 ? 2 : sh;
}

static struct answer answer_of_at(uint64_t par)
{
	if (par >> 56 == ESR_MARK) {
		if (class_of(par) != DATA_ABORT)
			return (struct answer){ .kind = ANSWER_NOT_KNOWN, .status = par };
		return (struct answer){ .kind = ANSWER_EXCEPTION, .status = par & 0x3f };
	}
	if (par & PAR_FAULT)
		return (struct answer){ .kind = ANSWER_FAULT, .status = par >> 1 & 0x3f };
	return (struct answer){
		.kind = ANSWER_PA,
		.pa = par & ANSWER_PA_MASK,
		.attributes = par >> 56,
		.sh = shareability(par >> 56, par >> 7 & 3),
	};
}

static struct answer answer_of_fetch(uint64_t esr, unsigned class)
{
	if (!esr)
		return (struct answer){ .kind = ANSWER_NOT_TRIED };
	if (class_of(esr) != class)
		return (struct answer){ .kind = ANSWER_NOT_KNOWN, .status = esr };
	if ((esr & 0x3f) == STATUS_EXTERNAL)
		return (struct answer){ .kind = ANSWER_NOTHING };
	return (struct answer){ .kind = ANSWER_FAULT, .status = esr & 0x3f };
}

struct answer answer_of_mmu(const struct guest_answer *answer, enum guest_question question)
{
	uint64_t raw = answer->raw[question];

	if (question == GUEST_EXECUTE)
		return answer_of_fetch(raw, INSTRUCTION_ABORT_EL1);
	if (question == GUEST_USER_EXECUTE)
		return answer_of_fetch(raw, INSTRUCTION_ABORT_EL0);
	return answer_of_at(raw);
}

/* Status codes without a level, and with that of -1. */
static uint64_t status(uint64_t base, uint64_t minus_one, int level)
{
	return level < 0 ? minus_one : base + (unsigned)level;
}

static struct answer fault_of_library(const struct pgtsim_translation *t)
{
	switch (t->fault) {
	case PGTSIM_FAULT_TRANSLATION:
		/* Outside the region there is no walk, and the level is 0. */
		return (struct answer){ .kind = ANSWER_FAULT,
					.status = status(0x04, 0x2b, t->steps ? t->level : 0) };
	case PGTSIM_FAULT_ADDRESS_SIZE:
		return (struct answer){ .kind = ANSWER_FAULT,
					.status = status(0x00, 0x29, t->level) };
	case PGTSIM_FAULT_ACCESS_FLAG:
		return (struct answer){ .kind = ANSWER_FAULT, .status = status(0x08, 0, t->level) };
	case PGTSIM_FAULT_EXTERNAL:
		/* The level is the entry's; the status has that of the table it leads to. */
		return (struct answer){ .kind = ANSWER_EXCEPTION,
					.status = status(0x15, 0x14, t->level) };
	default:
		return (struct answer){ .kind = ANSWER_NOT_KNOWN };
	}
}

static bool may(const struct pgtsim_translation *t, enum guest_question question)
{
	const bool allowed[GUEST_QUESTIONS] = {
		[GUEST_READ] = true,
		[GUEST_WRITE] = t->writable,
		[GUEST_USER_READ] = t->user_readable,
		[GUEST_USER_WRITE] = t->user_writable,
		[GUEST_EXECUTE] = t->executable,
		[GUEST_USER_EXECUTE] = t->user_executable,
	};

	return allowed[question];
}

/* With LPA2 descriptors have no SH; TCR_EL1 has it. */
static uint64_t sh_of(const struct pgtsim_translation *t, const struct regime *regime, uint64_t tcr)
{
	return regime->geo.oa == PGTSIM_OA_LPA2 ? tcr >> 28 & 3 : t->sh;
}

struct answer answer_of_library(const struct pgtsim_translation *t, const struct regime *regime,
				const struct guest_command *command, enum guest_question question)
{
	bool fetch = question == GUEST_EXECUTE || question == GUEST_USER_EXECUTE;
	struct answer answer = { .kind = ANSWER_PA };

	if (fetch && (t->fault || (t->pa & ANSWER_PA_MASK) < command->execute_from))
		return (struct answer){ .kind = ANSWER_NOT_TRIED };
	if (t->fault)
		return fault_of_library(t);
	if (!may(t, question))
		return (struct answer){ .kind = ANSWER_FAULT, .status = status(0x0c, 0, t->level) };
	if (fetch)
		return (struct answer){ .kind = ANSWER_NOTHING };
	answer.pa = t->pa & ANSWER_PA_MASK;
	answer.attributes = command->mair >> t->attr_index * 8 & 0xff;
	answer.sh = shareability(answer.attributes, sh_of(t, regime, command->tcr));
	return answer;
}

bool answer_equal(const struct answer *a, const struct answer *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void print_status(uint64_t code)
{
	static const char *const names[] = { "address size", "translation", "access flag",
					     "permission" };

	if (code == 0x2b || code == 0x29)
		printf("%s fault, level -1", code == 0x2b ? "translation" : "address size");
	else if (code < 0x10)
		printf("%s fault, level %u", names[code / 4], (unsigned)code % 4);
	else if (code >= 0x13 && code < 0x18)
		printf("external abort on a table walk, level %d", (int)code - 0x14);
	else
		printf("status 0x%" PRIx64, code);
}

void answer_print(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_NOT_TRIED:
		printf("not tried");
		break;
	case ANSWER_PA:
		printf("PA 0x%013" PRIx64 ", attributes 0x%02" PRIx64 ", SH %" PRIu64, answer->pa,
		       answer->attributes, answer->sh);
		break;
	case ANSWER_NOTHING:
		printf("allowed");
		break;
	case ANSWER_EXCEPTION:
		printf("data abort: ");
		print_status(answer->status);
		break;
	case ANSWER_FAULT:
		print_status(answer->status);
		break;
	default:
		printf("unexpected 0x%016" PRIx64, answer->status);
	}
}

const char *answer_question(enum guest_question question)
{
	static const char *const names[] = { "EL1 reads",  "EL1 writes",   "EL0 reads",
					     "EL0 writes", "EL1 executes", "EL0 executes" };

	return names[question];
}
