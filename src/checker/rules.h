/* SPDX-License-Identifier: MIT */
/*
 * rules: what makes an entry stale, and what makes it stale no more.
 *
 *   a store         makes the old value stale; walks may cache it again until a DSB of the CPU that
 *                   stored, of a kind that waits for stores
 *   an invalidate   that reaches a CPU, names the entry's level or none, and is of the entry's kind,
 *                   at a time when nothing can cache the value again, …
 *   a DSB           … of the CPU that issued it, of a kind that waits for invalidates: that CPU, or
 *                   every CPU, has nothing stale any more
 *
 * What can cache a value again: a store that is not yet seen; a member of the contiguous group with
 * the hint that can still be walked (Arm ARM D8.7.1: the hint lets a TLB hold the group, computed
 * from any member); a table that is gone from the tables but not from walk caches.
 */
#ifndef PGTSIM_RULES_H
#define PGTSIM_RULES_H

#include "stale_set.h"
#include "visible.h"

/* What a walk uses of a leaf beside its address and its size; AF, the hint and software bits not. */
uint64_t pgtsim_rules_attributes(const struct checker *c, uint64_t desc, uint64_t above);

/* Whether the TLB or a walk cache may hold an entry: what faults in a walk is never cached. */
static inline bool pgtsim_rules_cacheable(const struct checker *c, int level, uint64_t desc)
{
	uint64_t pa = pgtsim_address(c->geo, level, desc);

	if (!(desc & PGTSIM_DESC_VALID) || pa >> c->geo->pa_bits)
		return false;
	if (pgtsim_desc_is_table(level, desc))
		return true;
	/* A leaf without the access flag faults. */
	return desc & PGTSIM_DESC_AF &&
	       (desc & PGTSIM_DESC_TABLE ||
		(level < PGTSIM_PTE && c->geo->block_legal[pgtsim_slot(level)]));
}

/* Whether it is a leaf that may be cached as part of its contiguous group. */
static inline bool checker_is_hinted(const struct checker *c, int level, uint64_t desc)
{
	return desc & PGTSIM_DESC_CONT && pgtsim_cont_entries(c->geo, level) > 1 &&
	       !pgtsim_desc_is_table(level, desc) && pgtsim_rules_cacheable(c, level, desc);
}

/* Whether it is a valid entry of a form that its level does not have: the MMU takes it for invalid. */
static inline bool checker_is_illegal(const struct checker *c, int level, uint64_t desc)
{
	return desc & PGTSIM_DESC_VALID && pgtsim_desc_kind(level, desc) != PGTSIM_TABLE &&
	       (level == PGTSIM_PTE ? !(desc & PGTSIM_DESC_TABLE) :
				      !c->geo->block_legal[pgtsim_slot(level)]);
}

/* Whether a live member of a group differs from a descriptor at va in the access flag alone. */
bool pgtsim_rules_young_member(const struct checker *c, int level, uint64_t va, uint64_t desc);

/* The contiguous groups that a range touches. */
static inline uint64_t checker_group_mask(const struct checker *c, int level)
{
	return checker_entry_size(c, level) * pgtsim_cont_entries(c->geo, level) - 1;
}

/* The event's old values go from the tables. */
void pgtsim_rules_store(struct checker *c, const struct pgtsim_event *event);

/* Each leaf: a store, DSB ISHST, a last-level invalidate by VA, DSB ISH, ISB. */
void pgtsim_rules_flush_each(struct checker *c, const struct pgtsim_event *event);

/* The BARRIER_ effects of each operation. */
extern const uint8_t pgtsim_rules_effects[PGTSIM_OP_COUNT];

/* A barrier of a CPU while runs are open. */
void pgtsim_rules_settle(struct checker *c, unsigned does, unsigned cpu);

/* A barrier of any kind. */
static inline void pgtsim_rules_barrier(struct checker *c, enum pgtsim_op op, unsigned cpu)
{
	unsigned does = pgtsim_rules_effects[op];

	pgtsim_visible_barrier(c, does, cpu);
	if (does & BARRIER_SYNCS)
		c->issuers[cpu].context = false;
	else if (c->open)
		pgtsim_rules_settle(c, does, cpu);
}

/* An invalidate of any kind. */
void pgtsim_rules_invalidate(struct checker *c, const struct pgtsim_event *event);

/* Entries below a table that goes from the tables, as the event says; walk caches lead to them. */
void pgtsim_rules_unreachable(struct checker *c, const struct pgtsim_event *event, bool attrs);

/* pgtsim_rules_not_alike() where some stale runs are harmless. */
void pgtsim_rules_compare(struct checker *c, const struct pgtsim_event *event);

/* The event's old entries, which go or change, translate no address as a stale run did any more. */
static inline void pgtsim_rules_not_alike(struct checker *c, const struct pgtsim_event *event)
{
	if (c->harmless || c->partial)
		pgtsim_rules_compare(c, event);
}

/* What tables above the event's entries restrict, if the event says so; else `unknown`. */
static inline uint64_t checker_above(const struct pgtsim_event *event, uint64_t unknown)
{
	return event->op == PGTSIM_OP_POKE ? event->pa : unknown;
}

/* The event's new leaves have the hint, or the same ones are written once more. */
void pgtsim_rules_add_hinted(struct checker *c, const struct pgtsim_event *event);

/* Leaves with the hint, the event's old ones, give values to entries of their groups without it. */
void pgtsim_rules_gaps(struct checker *c, const struct pgtsim_event *event);

/* What live leaves with the hint give to the event's entries, which have none. */
void pgtsim_rules_filled(struct checker *c, const struct pgtsim_event *event);

/* A table entry is stale no more: what is below [va, last] is cached again by others only. */
void pgtsim_rules_shed(struct checker *c, int level, uint64_t va, uint64_t last);

/*
 * The first stale table entry above part of a run, which walk caches may hold and which may lead to
 * its values; `unseen`: that they may cache again. NULL if there is none.
 */
const struct pgtsim_range *pgtsim_rules_table_above(const struct checker *c,
						    const struct stale *run, bool unseen);

#endif
