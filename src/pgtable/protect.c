/* SPDX-License-Identifier: MIT */
/* protect: attributes of live leaves. */
#include <pgtsim/protect.h>

#include <errno.h>
#include <inttypes.h>

#include "arch/range.h"
#include "live.h"
#include "runs.h"

/* Bits that are cleared, then bits that are set. */
struct masks {
	uint64_t clear, set;
};

static struct masks masks_of(const struct pgtsim_pgtable *pgt, enum pgtsim_protect what)
{
	bool marks = pgt->policy->invalid_leaf == PGTSIM_INVALID_LEAF_MARKED;
	uint64_t global = pgt->policy->prot[PGTSIM_PROT_KERNEL] & PGTSIM_DESC_NG;
	uint64_t valid = PGTSIM_DESC_VALID | (marks ? global : 0);
	uint64_t mark = marks ? PGTSIM_DESC_NG : 0;

	switch (what) {
	case PGTSIM_PROTECT_RO:
		return (struct masks){ PGTSIM_DESC_DBM, PGTSIM_DESC_AP2 };
	case PGTSIM_PROTECT_RW:
		return (struct masks){ PGTSIM_DESC_AP2, PGTSIM_DESC_DBM };
	case PGTSIM_PROTECT_X:
		return (struct masks){ PGTSIM_DESC_PXN, 0 };
	case PGTSIM_PROTECT_NX:
		return (struct masks){ PGTSIM_DESC_GP, PGTSIM_DESC_PXN };
	case PGTSIM_PROTECT_INVALID:
		return (struct masks){ valid, mark };
	case PGTSIM_PROTECT_VALID:
		return (struct masks){ mark, valid };
	default:
		return (struct masks){ mark | PGTSIM_DESC_AP2, valid | PGTSIM_DESC_DBM };
	}
}

struct change {
	struct masks masks;
	uint64_t start, last;
	bool pending;
};

/* ---- what may be changed ---- */

static int look_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)arg;
	return pgtsim_run_zeros(pgt, run->table, run->index, run->count) ? -EINVAL :
	       pgtsim_run_live(pgt, run) == run->count                   ? 0 :
									   -EINVAL;
}

/* Whether every page of [va, last] has an entry that is not zero. */
static bool is_mapped(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last)
{
	static const struct pgtsim_visitor visitor = { .entries = look_entries, .strict = true };

	return !pgtsim_walk(pgt, va, last, &visitor, NULL);
}

/* Whether the kernel changes this leaf: whole ones, and up to 6.12 only pages. */
static bool may_change(const struct pgtsim_pgtable *pgt, const struct change *change, int level,
		       uint64_t va)
{
	uint64_t mask = pgtsim_entry_size(&pgt->geo, level) - 1;

	if (level == PGTSIM_PTE)
		return true;
	return pgt->policy->live_split == PGTSIM_LIVE_SPLIT_BBM3 && (va & ~mask) >= change->start &&
	       (va | mask) <= change->last;
}

static int change_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct change *change = arg;
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	for (unsigned i = 0; i < run->count; i++) {
		uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va) + i * size;
		struct pgtsim_run one;
		uint64_t desc;

		if (!may_change(pgt, change, run->level, va))
			return pgtsim_fail(pgt->tlb, -EINVAL,
					   "the %s leaf at VA 0x%016" PRIx64
					   " cannot be changed: %s",
					   pgtsim_level_name(&pgt->geo, run->level), va,
					   pgt->policy->live_split == PGTSIM_LIVE_SPLIT_BBM3 ?
						   "a part of it lies outside of the range" :
						   "this kernel changes pages only");
		pgtsim_set_run(&pgt->geo, &one, run->table, run->level, va, va);
		desc = pgtsim_access_read(pgt, run->table, one.index);
		desc = (desc & ~change->masks.clear) | change->masks.set;
		pgtsim_live_write(pgt, &one, desc, &change->pending);
	}
	return 0;
}

/* From 7.1 on leaves that only become valid again need no invalidate. */
static bool needs_flush(const struct pgtsim_pgtable *pgt, enum pgtsim_protect what)
{
	return what != PGTSIM_PROTECT_VALID ||
	       pgt->policy->invalid_leaf != PGTSIM_INVALID_LEAF_MARKED;
}

int pgtsim_protect(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size, enum pgtsim_protect what,
		   bool noflush)
{
	static const struct pgtsim_visitor visitor = { .entries = change_entries, .strict = true };
	uint64_t last = va + (size - 1);
	struct change change = { .start = va, .last = last };
	struct pgtsim_engine *engine;
	int ret = pgt ? pgtsim_pgtable_check_arm64(pgt, "attributes change") : -EINVAL;

	if (!ret)
		ret = pgtsim_pgtable_check_pages(pgt, va, size);
	if (ret)
		return ret;
	if ((unsigned)what >= PGTSIM_PROTECTS)
		return pgtsim_fail(pgt->tlb, -EINVAL, "there is no change of attributes %u",
				   (unsigned)what);
	if (!is_mapped(pgt, va, last))
		return pgtsim_fail(pgt->tlb, -EINVAL, "not all of VA 0x%016" PRIx64 "+%s is mapped",
				   va, pgtsim_amount(size).text);
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->protect ? engine->protect(engine, pgt, va, size, what, noflush) :
					  PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	ret = 0;
	change.masks = masks_of(pgt, what);
	if (pgt->policy->live_split == PGTSIM_LIVE_SPLIT_BBM3 && pgt->tlb->bbml2)
		ret = pgtsim_split_leaves(pgt, va, va + size);
	if (!ret)
		ret = pgtsim_walk(pgt, va, last, &visitor, &change);
	pgtsim_live_complete(pgt, &change.pending);
	if (noflush)
		return ret;
	if (needs_flush(pgt, what))
		pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, va, va + size);
	pgtsim_events_end(pgt->tlb, va, last);
	return ret;
}
