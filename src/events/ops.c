/* SPDX-License-Identifier: MIT */
#include "ops.h"

#define LEVEL PGTSIM_HAS_LEVEL
#define VA PGTSIM_HAS_VA
#define COUNT PGTSIM_HAS_COUNT
#define SIZE PGTSIM_HAS_SIZE
#define OLD PGTSIM_HAS_OLD
#define NEW PGTSIM_HAS_NEW
#define STEP PGTSIM_HAS_STEP
#define PA PGTSIM_HAS_PA
#define SCOPE PGTSIM_HAS_SCOPE
#define TTL PGTSIM_HAS_TTL

static const struct row {
	const char *name;
	unsigned fields; /* what it uses … */
	unsigned needs;  /* … and what of that cannot be 0 */
} rows[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_TABLE_ALLOC] = { "table-alloc", LEVEL | VA | PA, VA | PA },
	[PGTSIM_OP_TABLE_FREE] = { "table-free", LEVEL | VA | PA, VA | PA },
	[PGTSIM_OP_LINK] = { "link", LEVEL | VA | SIZE | OLD | NEW, VA | SIZE | NEW },
	[PGTSIM_OP_UNLINK] = { "unlink", LEVEL | VA | SIZE | OLD | NEW, VA | SIZE | OLD },
	[PGTSIM_OP_MAP] = { "map", LEVEL | VA | COUNT | SIZE | OLD | NEW | STEP | PA,
			    VA | SIZE | NEW },
	[PGTSIM_OP_CLEAR] = { "clear", LEVEL | VA | COUNT | SIZE | OLD | NEW | STEP | PA,
			      VA | SIZE | OLD },
	[PGTSIM_OP_POKE] = { "poke", LEVEL | VA | SIZE | OLD | NEW, VA | SIZE },
	[PGTSIM_OP_PAGES_ALLOC] = { "pages-alloc", COUNT | PA, 0 },
	[PGTSIM_OP_PAGES_FREE] = { "pages-free", COUNT | PA, 0 },
	[PGTSIM_OP_ALTMAP_ALLOC] = { "altmap-alloc", COUNT | PA, 0 },
	[PGTSIM_OP_ALTMAP_FREE] = { "altmap-free", COUNT | PA, 0 },
	[PGTSIM_OP_DSB_ISHST] = { "dsb-ishst", 0, 0 },
	[PGTSIM_OP_DSB_ISH] = { "dsb-ish", 0, 0 },
	[PGTSIM_OP_ISB] = { "isb", 0, 0 },
	[PGTSIM_OP_DSB_ISHLD] = { "dsb-ishld", 0, 0 },
	[PGTSIM_OP_DSB_NSH] = { "dsb-nsh", 0, 0 },
	[PGTSIM_OP_DSB_OSH] = { "dsb-osh", 0, 0 },
	[PGTSIM_OP_DSB_SY] = { "dsb-sy", 0, 0 },
	[PGTSIM_OP_DMB_ISHST] = { "dmb-ishst", 0, 0 },
	[PGTSIM_OP_DMB_ISH] = { "dmb-ish", 0, 0 },
	[PGTSIM_OP_DMB_ISHLD] = { "dmb-ishld", 0, 0 },
	[PGTSIM_OP_TLBI_LEAF] = { "tlbi-leaf", VA | COUNT | SIZE | SCOPE | TTL, 0 },
	[PGTSIM_OP_TLBI_WALK] = { "tlbi-walk", VA | SCOPE | TTL, 0 },
	[PGTSIM_OP_TLBI_RANGE] = { "tlbi-range", VA | SIZE | SCOPE | TTL, SIZE },
	[PGTSIM_OP_TLBI_RANGE_WALK] = { "tlbi-range-walk", VA | SIZE | SCOPE | TTL, SIZE },
	[PGTSIM_OP_TLBI_ALL] = { "tlbi-all", SCOPE, 0 },
	[PGTSIM_OP_IDTE] = { "idte", 0, 0 },
	[PGTSIM_OP_STORE] = { "store", COUNT | NEW | STEP | PA, PA },
	[PGTSIM_OP_KASAN_ADD] = { "kasan-add", COUNT | PA, 0 },
	[PGTSIM_OP_KASAN_REMOVE] = { "kasan-remove", COUNT | PA, 0 },
	[PGTSIM_OP_MIGRATE] = { "migrate", COUNT | PA, 0 },
	[PGTSIM_OP_BEGIN_MAP] = { "begin-map", VA | SIZE, 0 },
	[PGTSIM_OP_BEGIN_POPULATE] = { "begin-populate", VA | SIZE, 0 },
	[PGTSIM_OP_BEGIN_PASS_1] = { "begin-pass-1", VA | SIZE, 0 },
	[PGTSIM_OP_BEGIN_PASS_2] = { "begin-pass-2", VA | SIZE, 0 },
};

static bool exists(enum pgtsim_op op)
{
	return (unsigned)op < PGTSIM_OP_COUNT;
}

const char *pgtsim_op_name(enum pgtsim_op op)
{
	return exists(op) ? rows[op].name : NULL;
}

unsigned pgtsim_op_fields(enum pgtsim_op op)
{
	return exists(op) ? rows[op].fields : 0;
}

const char *pgtsim_flag_name(unsigned i)
{
	static const char *const names[] = { "sync", "flush", "free",  "ctor",
					     "dtor", "seen",  "known", "replaced" };

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

bool pgtsim_op_is_barrier(enum pgtsim_op op)
{
	return (op >= PGTSIM_OP_DSB_ISHST && op <= PGTSIM_OP_ISB) ||
	       (op >= PGTSIM_OP_DSB_ISHLD && op <= PGTSIM_OP_DMB_ISHLD);
}

bool pgtsim_op_is_invalidate(enum pgtsim_op op)
{
	return (op >= PGTSIM_OP_TLBI_LEAF && op <= PGTSIM_OP_TLBI_ALL) ||
	       op == PGTSIM_OP_TLBI_RANGE_WALK || op == PGTSIM_OP_IDTE;
}

/* A field that is set although the operation has none; NULL if there is no such. */
static const char *superfluous(const struct pgtsim_event *event, unsigned fields)
{
	if (!(fields & SCOPE) && event->scope)
		return "scope";
	if (!(fields & TTL) && event->ttl)
		return "ttl";
	if (!pgtsim_op_is_barrier(event->op))
		return NULL;
	/* The library's own barriers say PGTSIM_PTE; 0 is what a caller leaves out. */
	if (event->level && event->level != PGTSIM_PTE)
		return "level";
	if (event->flags)
		return "flags";
	if (event->va)
		return "va";
	if (event->size)
		return "size";
	if (event->old_desc || event->new_desc)
		return "desc";
	return event->pa ? "pa" : NULL;
}

const char *pgtsim_event_lacks(const struct pgtsim_event *event, bool zero_va)
{
	unsigned needs;

	if (!exists(event->op))
		return "op";
	needs = rows[event->op].needs;
	if (!event->count)
		return "count";
	if (event->op == PGTSIM_OP_TLBI_LEAF && event->count > 1)
		needs |= SIZE;
	if (needs & VA && !event->va && !zero_va)
		return "va";
	if (needs & SIZE && !event->size)
		return "size";
	if (needs & OLD && !event->old_desc)
		return "old_desc";
	if (needs & NEW && !event->new_desc)
		return "new_desc";
	if (needs & PA && !event->pa)
		return "pa";
	if (event->scope > PGTSIM_SCOPE_IOMMU)
		return "scope";
	if (event->ttl > 15)
		return "ttl";
	return superfluous(event, rows[event->op].fields);
}
