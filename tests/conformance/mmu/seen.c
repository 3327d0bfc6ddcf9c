/* SPDX-License-Identifier: MIT */
#include "seen.h"

#include <stdio.h>

#include "limits.h"

static const char *const names[SEEN_ENDS] = {
	[SEEN_LEAF] = "leaf",
	[SEEN_CONTIGUOUS] = "contiguous leaf",
	[SEEN_RESTRICTED] = "leaf below a restricted table",
	[SEEN_TRANSLATION] = "translation fault",
	[SEEN_ADDRESS_SIZE] = "address size fault",
	[SEEN_ACCESS_FLAG] = "access flag fault",
	[SEEN_EXTERNAL] = "entry that leads nowhere",
};

static void add_leaf(struct seen *seen, const struct pgtsim_translation *t, uint8_t level)
{
	bool ro = t->desc & PGTSIM_DESC_AP2, el0 = t->desc & PGTSIM_DESC_AP1;

	seen->levels[SEEN_LEAF] |= level;
	if (t->desc & PGTSIM_DESC_CONT)
		seen->levels[SEEN_CONTIGUOUS] |= level;
	if (t->writable != !ro || t->user_readable != el0)
		seen->levels[SEEN_RESTRICTED] |= level;
}

void seen_add(struct seen *seen, const struct pgtsim_translation *t)
{
	static const enum seen_end ends[] = {
		[PGTSIM_FAULT_TRANSLATION] = SEEN_TRANSLATION,
		[PGTSIM_FAULT_ADDRESS_SIZE] = SEEN_ADDRESS_SIZE,
		[PGTSIM_FAULT_ACCESS_FLAG] = SEEN_ACCESS_FLAG,
		[PGTSIM_FAULT_EXTERNAL] = SEEN_EXTERNAL,
	};
	uint8_t level = (uint8_t)(1u << pgtsim_slot(t->level));

	if (!t->steps)
		seen->outside = true;
	else if (t->fault)
		seen->levels[ends[t->fault]] |= level;
	else
		add_leaf(seen, t, level);
}

/* Whether a walk of this regime can end so, and the guest can be asked about it. */
static bool can_end(const struct guest *guest, const struct regime *regime, enum seen_end end,
		    int level)
{
	const struct pgtsim_geometry *geo = &regime->geo;
	bool leaf = level == PGTSIM_PTE || regime_block_is_legal(geo, level);
	bool root = level == pgtsim_root_level(geo);

	switch (end) {
	case SEEN_CONTIGUOUS:
		/* Not a group that fills the root. */
		/* Blocks of the root are mapped one by one, without the hint. */
		return leaf && (level == PGTSIM_PTE || level > pgtsim_root_level(geo)) &&
		       pgtsim_cont_entries(geo, level) > 1 &&
		       pgtsim_cont_entries(geo, level) < pgtsim_entries(geo, level);
	case SEEN_RESTRICTED:
		return leaf && !root;
	case SEEN_TRANSLATION:
		return level >= 0 || !limits_old(guest);
	case SEEN_ADDRESS_SIZE:
		return (geo->pa_bits < 48 || (geo->oa == PGTSIM_OA_LPA2 && geo->pa_bits < 52)) &&
		       (level >= 0 || !limits_old(guest));
	case SEEN_EXTERNAL:
		return level < PGTSIM_PTE && geo->pa_bits > 42;
	default:
		return leaf;
	}
}

unsigned seen_missing(const struct guest *guest, const struct regime *regime,
		      const struct seen *seen)
{
	unsigned missing = !seen->outside;

	if (!seen->outside)
		printf("never asked: %s, an address outside\n", regime->name);
	for (int level = pgtsim_root_level(&regime->geo); level <= PGTSIM_PTE; level++) {
		for (enum seen_end end = 0; end < SEEN_ENDS; end++) {
			if ((seen->levels[end] & 1u << pgtsim_slot(level)) ||
			    !can_end(guest, regime, end, level))
				continue;
			printf("never asked: %s, level %d, no %s\n", regime->name, level,
			       names[end]);
			missing++;
		}
	}
	return missing;
}
