/* SPDX-License-Identifier: MIT */
/*
 * allocator: where table pages come from. What a caller's own allocator gives is looked at before it
 * is used, and while such an allocator is called nobody may change the page table.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "arch/range.h"
#include "live.h"
#include "runs.h"
#include "walk.h"

/* ---- where tables come from ---- */

uint64_t pgtsim_memory_alloc_op(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	return pgtsim_memory_alloc_tables(ctx, count, tail);
}

void pgtsim_memory_free_op(void *ctx, struct pgtsim_table *table)
{
	pgtsim_memory_free_table(ctx, table);
}

struct pgtsim_table *pgtsim_memory_find_op(const void *memory, uint64_t pa)
{
	return pgtsim_directory_find(memory, pa);
}

struct pgtsim_table_ops pgtsim_memory_table_ops(struct pgtsim_memory *memory)
{
	return (struct pgtsim_table_ops){
		.alloc = pgtsim_memory_alloc_op,
		.free = pgtsim_memory_free_op,
		.find = pgtsim_memory_find_op,
		.ctx = memory,
	};
}

int pgtsim_pgtable_result(const struct pgtsim_pgtable *pgt, int result)
{
	if (pgt->ops.find != pgtsim_memory_find_op)
		return result;
	return pgtsim_memory_result(pgt->ops.ctx, result);
}

int pgtsim_fail_table(struct pgtsim_pgtable *pgt, const char *format, ...)
{
	int ret = pgtsim_pgtable_result(pgt, -ENOMEM);
	va_list args;

	if (pgtsim_pgtable_state(pgt)->refused)
		return -EINVAL;
	va_start(args, format);
	pgtsim_fail_list(pgt->tlb, ret, format, args);
	va_end(args);
	return ret;
}

int pgtsim_pgtable_fail_busy(const struct pgtsim_pgtable *pgt)
{
	static const char *const callers[] = {
		[PGTSIM_BUSY_ALLOCATOR] = "the allocator of tables",
		[PGTSIM_BUSY_VISITOR] = "a visitor or observer",
		[PGTSIM_BUSY_HOOK] = "the access hook",
	};

	return pgtsim_fail(pgt->tlb, -EBUSY,
			   "%s calls back what changes the page table that it is called for",
			   callers[pgtsim_pgtable_state(pgt)->busy]);
}

/* ---- what a caller's own allocator gives ---- */

/* Of a visitor: is there an entry that points to this table, or to another record of its page? */
static int is_linked_here(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			  struct pgtsim_table *child, void *arg)
{
	const struct pgtsim_table *table = arg;

	(void)pgt;
	(void)run;
	return child == table || child->pa == table->pa ? -EEXIST : 0;
}

/* The flag may be anything in a record that the allocator has just made, so the tables decide. */
static bool is_in_use(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	static const struct pgtsim_visitor visitor = { .table = is_linked_here };
	unsigned char linked;
	bool quiet = pgt->tlb->quiet, found;
	struct pgtsim_access_hook *hook = pgt->hook;

	memcpy(&linked, &table->linked, sizeof(linked));
	if (!pgt->root || table == pgt->root || table->pa == pgt->root->pa)
		return pgt->root;
	if (!linked || pgtsim_is_shared(pgt))
		return false;
	pgt->tlb->quiet = true;
	pgt->hook = NULL;
	found = pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), pgtsim_va_last(&pgt->geo), &visitor,
			    table) == -EEXIST;
	pgt->tlb->quiet = quiet;
	pgt->hook = hook;
	return found;
}

/* The level that it is for is not known yet, so it has entries for the largest. */
static bool is_dirty(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	uint32_t last = 0;

	for (int level = pgtsim_root_level(&pgt->geo); level <= PGTSIM_PTE; level++)
		if (last < pgt->geo.last_index[pgtsim_slot(level)])
			last = pgt->geo.last_index[pgtsim_slot(level)];
	for (uint32_t i = 0; i <= last; i++)
		if (table->entries[i])
			return true;
	return false;
}

/* What is wrong with a table that an allocator gave; NULL: nothing. */
static const char *wrong_with(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	if (!table->entries)
		return "has no host memory";
	if ((uintptr_t)table->entries % sizeof(uint64_t))
		return "has host memory that is not aligned to 8 bytes";
	if (table->pa & (pgtsim_page_size(&pgt->geo) - 1))
		return "is not aligned to a page";
	if (!pgtsim_pa_fits(&pgt->geo, table->pa, pgtsim_page_size(&pgt->geo)))
		return "goes beyond the physical address bits";
	if (is_dirty(pgt, table))
		return "is not zero";
	if (pgt->ops.find(pgt->ops.ctx, table->pa) != table)
		return "is not what its find() finds there";
	return NULL;
}

static void refuse(struct pgtsim_pgtable *pgt, uint64_t pa, const char *wrong)
{
	pgtsim_fail(pgt->tlb, -EINVAL,
		    "the allocator of tables gave a page at PA 0x%" PRIx64 " that %s", pa, wrong);
	pgtsim_pgtable_state(pgt)->refused = true;
}

/* How many tables of a list, at most `got`, come before one that is in use or missing. */
static uint64_t not_in_use(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t got)
{
	uint64_t good = 0;

	for (; good < got && table && !is_in_use(pgt, table); table = table->next)
		good++;
	if (good < got && table)
		refuse(pgt, table->pa, "is in use already");
	return good;
}

/*
 * How many of the `got` tables of a list may be used: those before the first that is wrong. A record
 * that is in the list twice makes a circle of it, or cuts it short: the level says which were met.
 */
static uint64_t usable(struct pgtsim_pgtable *pgt, struct pgtsim_table *list, uint64_t got)
{
	enum { NOT_MET = 0, MET = 1 };
	struct pgtsim_table *table = list;
	uint64_t fresh = not_in_use(pgt, list, got), good = 0;
	const char *wrong = NULL;

	for (uint64_t i = 0; i < fresh; i++, table = table->next)
		table->level = NOT_MET;
	for (table = list; good < fresh && !wrong; table = table->next) {
		wrong = table->level == MET ? "is in its list twice" : wrong_with(pgt, table);
		if (wrong)
			refuse(pgt, table->pa, wrong);
		else
			good++;
		table->level = MET;
	}
	if (!wrong && !table && good < got)
		refuse(pgt, list->pa, "is in its list twice");
	return good;
}

/* Tables of an allocator that is not the library's. What is wrong, and all after it, stays with it. */
static uint64_t reserve_elsewhere(struct pgtsim_pgtable *pgt, uint64_t count,
				  struct pgtsim_table **list)
{
	struct pgtsim_pgtable_state *state = pgtsim_pgtable_state(pgt);
	struct pgtsim_table **tail = list;
	uint8_t busy = pgtsim_busy_begin(pgt, PGTSIM_BUSY_ALLOCATOR);
	uint64_t got = pgt->ops.alloc(pgt->ops.ctx, count, &tail), good;

	pgtsim_busy_end(pgt, busy);
	if (state->refused)
		state->refused = false;
	if (tail)
		*tail = NULL;
	if (got > count || !tail || (got && !*list)) {
		refuse(pgt, 0, got > count ? "nobody asked for" : "is not in its list");
		got = 0;
	}
	good = got ? usable(pgt, *list, got) : 0;
	for (uint64_t i = 0; i < good; i++)
		list = &(*list)->next;
	*list = NULL;
	return good;
}

/* ---- reserving and giving back ---- */

/* A `free` of the caller's own gets a table with its host memory, as it once came. */
static void return_elsewhere(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	uint8_t busy = pgtsim_busy_begin(pgt, PGTSIM_BUSY_ALLOCATOR);

	if (pgt->ops.find == pgtsim_memory_find_op)
		pgtsim_table_materialize(table);
	pgt->ops.free(pgt->ops.ctx, table);
	pgtsim_busy_end(pgt, busy);
}

void pgtsim_table_return(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	bool freeing = pgtsim_freeing_begin(pgt->tlb);

	if (pgt->ops.free == pgtsim_memory_free_op)
		pgtsim_memory_free_table(pgt->ops.ctx, table);
	else
		return_elsewhere(pgt, table);
	pgtsim_freeing_end(pgt->tlb, freeing);
}

uint64_t pgtsim_tables_reserve(struct pgtsim_pgtable *pgt, uint64_t count,
			       struct pgtsim_table **list)
{
	struct pgtsim_table **tail = list;
	uint64_t got;

	if (!pgt || !list)
		return 0;
	*list = NULL;
	if (!count)
		got = 0;
	else if (pgt->ops.alloc != pgtsim_memory_alloc_op)
		return reserve_elsewhere(pgt, count, list);
	else if (pgtsim_uses_lazy_tables(pgt))
		got = pgtsim_memory_alloc_lazy_tables(pgt->ops.ctx, count, &tail);
	else
		got = pgtsim_memory_alloc_tables(pgt->ops.ctx, count, &tail);
	*tail = NULL;
	return got;
}

void pgtsim_tables_release(struct pgtsim_pgtable *pgt, struct pgtsim_table **list)
{
	if (!pgt || !list)
		return;
	while (*list) {
		struct pgtsim_table *table = *list;

		*list = table->next;
		pgtsim_table_return(pgt, table);
	}
}
