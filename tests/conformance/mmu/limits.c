/* SPDX-License-Identifier: MIT */
#include "limits.h"

bool limits_old(const struct guest *guest)
{
	return guest->major < 10;
}

/*
 * A fault at level -1: an old QEMU ends in an assertion. Not so if the entry leads nowhere: that
 * is a fault of level 0.
 */
static bool faults_at_minus_one(const struct pgtsim_translation *t)
{
	return t->steps == 1 && t->level == PGTSIM_PGD && t->fault != PGTSIM_FAULT_EXTERNAL;
}

/* A block where no CPU allows one: an old QEMU translates it. */
static bool is_illegal_block(const struct pgtsim_geometry *geo, const struct pgtsim_translation *t)
{
	return pgtsim_desc_kind(t->level, t->desc) == PGTSIM_BLOCK &&
	       !regime_block_is_legal(geo, t->level);
}

/*
 * A block of 4T with 64K. Legal on CPUs with 52-bit PAs, like QEMU's, whatever TCR_EL1 says. A
 * geometry of the library's with narrower PAs stands for a CPU without.
 */
static bool is_block_of_another_cpu(const struct pgtsim_geometry *geo,
				    const struct pgtsim_translation *t)
{
	return pgtsim_desc_kind(t->level, t->desc) == PGTSIM_BLOCK && t->level == 1 &&
	       geo->page_shift == 16 && geo->pa_bits < 52;
}

/*
 * LPA2 with PAs of 48 bits, and PA[51:50] set in a descriptor on the way: an address size fault
 * (Arm ARM, AArch64.OAOutOfRange), but QEMU (seen with 7.2) does not look at these bits then.
 */
static bool has_bits_not_looked_at(const struct pgtsim_geometry *geo,
				   const struct pgtsim_translation *t)
{
	return geo->oa == PGTSIM_OA_LPA2 && geo->pa_bits <= 48 && (t->desc & PGTSIM_DESC_SH_MASK) &&
	       (t->desc & PGTSIM_DESC_VALID);
}

bool limits_leave_out(const struct guest *guest, const struct model *model, uint64_t va)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct pgtsim_translation t;

	if (pgtsim_translate(&model->pgt, va, &t) && !t.steps)
		return false;
	if (limits_old(guest) && (faults_at_minus_one(&t) || is_illegal_block(geo, &t)))
		return true;
	return is_block_of_another_cpu(geo, &t) || has_bits_not_looked_at(geo, &t);
}
