/* SPDX-License-Identifier: MIT */
/* below: what the checker is told of the entries below a table entry that comes, goes or changes. */
#include "live.h"
#include "runs.h"

struct subtree {
	int level; /* of the entry above it */
	enum pgtsim_below_change change;
	bool quiet;   /* what the checker finds is not to be kept */
	unsigned cpu; /* which changes it */
	/* The bits of table entries above those of a level, ORed, from that entry down: as they
	 * were, and as they are. */
	uint64_t before[PGTSIM_MAX_LEVELS], after[PGTSIM_MAX_LEVELS];
};

static void emit_run(struct pgtsim_pgtable *pgt, const struct subtree *subtree,
		     struct pgtsim_event *event)
{
	struct pgtsim_checker *checker = pgt->tlb->checker;
	unsigned slot = pgtsim_slot(event->level);

	event->cpu = subtree->cpu;
	event->pa = subtree->after[slot];
	event->step = subtree->before[slot];
	pgt->tlb->quiet = subtree->quiet;
	if (subtree->change == PGTSIM_BELOW_COMES)
		checker->reachable(checker, event);
	else if (subtree->change == PGTSIM_BELOW_GOES)
		checker->unreachable(checker, event);
	else if (event->pa != event->step)
		checker->attributes(checker, event);
	pgt->tlb->quiet = true;
}

static int emit_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	const struct subtree *subtree = arg;
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	struct pgtsim_event event = { .op = PGTSIM_OP_POKE, .level = run->level, .size = size };
	unsigned index = run->index, end = run->index + run->count;

	while (run->level > subtree->level && index < end) {
		uint64_t desc = pgtsim_entry(pgt, run->table, index);

		event.va = run->va + (index - run->index) * size;
		event.count = pgtsim_run_uniform(pgt, run->table, index, end - index, size);
		event.old_desc = event.new_desc = desc;
		emit_run(pgt, subtree, &event);
		index += (unsigned)event.count;
	}
	return 0;
}

static int emit_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	struct subtree *subtree = arg;
	uint64_t bits = pgtsim_entry(pgt, run->table, run->index) & PGTSIM_DESC_RESTRICTIONS;
	unsigned slot = pgtsim_slot(run->level);

	(void)child;
	if (run->level > subtree->level) {
		subtree->before[slot + 1] = subtree->before[slot] | bits;
		subtree->after[slot + 1] = subtree->after[slot] | bits;
	}
	return emit_entries(pgt, run, arg);
}

void pgtsim_emit_below(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       enum pgtsim_below_change change, uint64_t before, uint64_t after, unsigned cpu)
{
	static const struct pgtsim_visitor visitor = { .entries = emit_entries,
						       .table = emit_table };
	struct subtree subtree = {
		.level = run->level,
		.change = change,
		.quiet = pgt->tlb->quiet,
		.cpu = cpu,
	};
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	struct pgtsim_access_hook *hook = pgt->hook;
	bool quiet = pgt->tlb->quiet;

	if (!pgt->tlb->checker)
		return;
	subtree.before[pgtsim_slot(run->level) + 1] = before & PGTSIM_DESC_RESTRICTIONS;
	subtree.after[pgtsim_slot(run->level) + 1] = after & PGTSIM_DESC_RESTRICTIONS;
	pgt->hook = NULL;
	pgt->tlb->quiet = true;
	pgtsim_walk(pgt, va, va + (pgtsim_entry_size(&pgt->geo, run->level) - 1), &visitor,
		    &subtree);
	pgt->tlb->quiet = quiet;
	pgt->hook = hook;
}
