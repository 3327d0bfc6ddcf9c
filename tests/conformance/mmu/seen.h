/* SPDX-License-Identifier: MIT */
/*
 * Which ends of a walk a regime's questions have met. Random maps could by chance, or by a change,
 * no longer ask what this suite is there to ask.
 */
#ifndef SEEN_H
#define SEEN_H

#include "guest.h"
#include "model.h"

enum seen_end {
	SEEN_LEAF,
	SEEN_CONTIGUOUS,
	SEEN_RESTRICTED, /* a leaf that tables on the way take a permission from */
	SEEN_TRANSLATION,
	SEEN_ADDRESS_SIZE,
	SEEN_ACCESS_FLAG,
	SEEN_EXTERNAL,
	SEEN_ENDS,
};

/* A bit for each level, as in pgtsim_slot(). */
struct seen {
	uint8_t levels[SEEN_ENDS];
	bool outside; /* an address outside the region */
};

/* Notes the end of a walk. */
void seen_add(struct seen *seen, const struct pgtsim_translation *t);

/* Prints which ends the regime can have and were not met; returns how many. */
unsigned seen_missing(const struct guest *guest, const struct regime *regime,
		      const struct seen *seen);

#endif
