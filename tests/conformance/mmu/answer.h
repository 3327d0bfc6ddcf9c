/* SPDX-License-Identifier: MIT */
/* What a walk says to a question: as the MMU answers it, and as the library does. */
#ifndef ANSWER_H
#define ANSWER_H

#include "guest.h"
#include "model.h"

#define ANSWER_PA_MASK UINT64_C(0x000ffffffffff000) /* what PAR_EL1 has of a PA */

enum answer_kind {
	ANSWER_NOT_TRIED,  /* nothing may be executed there, or its address faults */
	ANSWER_PA,         /* allowed: where to, and how */
	ANSWER_NOTHING,    /* execution is allowed; then there is nothing to execute */
	ANSWER_FAULT,      /* by its status, which has the kind and the level */
	ANSWER_EXCEPTION,  /* the AT itself ended in a data abort with this status */
	ANSWER_NOT_KNOWN,  /* anything else */
};

/* Fields that the kind does not have are 0, so that two can be compared byte by byte. */
struct answer {
	uint64_t kind;
	uint64_t pa;         /* of the byte's 4K */
	uint64_t attributes; /* of MAIR_EL1 */
	uint64_t sh;
	uint64_t status; /* FST or DFSC: Arm ARM, ESR_EL1; ESR_EL1 itself if not known */
};

/* What the MMU answered. */
struct answer answer_of_mmu(const struct guest_answer *answer, enum guest_question question);

/* The library's answer; the command is what the MMU had. */
struct answer answer_of_library(const struct pgtsim_translation *t, const struct regime *regime,
				const struct guest_command *command, enum guest_question question);

bool answer_equal(const struct answer *a, const struct answer *b);
void answer_print(const struct answer *answer);
const char *answer_question(enum guest_question question);

#endif
