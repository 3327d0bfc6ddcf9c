/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <inttypes.h>
#include <string.h>

#include <pgtsim/format.h>

typedef unsigned long long ull;

const char *words_level(const struct pgtsim_geometry *geo, int level)
{
	const char *name = level == PGTSIM_PGD ? "pgd" : pgtsim_level_name(geo, level);

	return name ? name : "-";
}

/* What the say_…() functions need. */
struct telling {
	const struct pgtsim_printer *out;
	const struct run *run;
	const struct pgtsim_geometry *geo;
	const struct pgtsim_event *event;
};

#define SAY(t, ...) pgtsim_printf((t)->out, __VA_ARGS__)

/* "2M", "128K", "512 bytes". */
static void say_size(const struct telling *t, uint64_t size)
{
	unsigned unit = 0;

	while (unit < 6 && size && !(size & 1023)) {
		size >>= 10;
		unit++;
	}
	SAY(t, "%llu%.*s", (ull)size, unit ? 1 : 6,
	    &" bytes\0K\0M\0G\0T\0P\0E"[unit ? 5 + 2 * unit : 0]);
}

/* "pmd[3]", or "pmd[3] to [7]". */
static void say_entries(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;
	unsigned index = pgtsim_index(t->geo, e->level, e->va);

	SAY(t, "%s[%u]", words_level(t->geo, e->level), index);
	if (e->count > 1)
		SAY(t, " to [%u]", index + (unsigned)e->count - 1);
}

static const char *leaf_word(const struct telling *t, uint64_t desc)
{
	bool cont = desc & PGTSIM_DESC_CONT;

	if (t->event->level == PGTSIM_PTE)
		return cont ? "page with the contiguous hint" : "page";
	return cont ? "block with the contiguous hint" : "block";
}

/* ---- stores ---- */

static void say_map(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;

	SAY(t, "A leaf is written: ");
	say_entries(t);
	SAY(t, " is now a %s, and VA 0x%016llx (", leaf_word(t, e->new_desc), (ull)e->va);
	say_size(t, e->count * e->size);
	SAY(t, ") maps to PA 0x%llx.", (ull)pgtsim_desc_address(t->geo, e->level, e->new_desc));
}

static void say_clear(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;

	SAY(t, "Clear: ");
	say_entries(t);
	SAY(t,
	    " was a %s to PA 0x%llx and is none now. The store takes nothing out of a TLB: until "
	    "it is invalidated, VA 0x%016llx may still be translated as before.",
	    leaf_word(t, e->old_desc), (ull)pgtsim_desc_address(t->geo, e->level, e->old_desc),
	    (ull)e->va);
}

static void say_link(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;

	SAY(t, "Populate: ");
	say_entries(t);
	SAY(t, " now points to the %s table at PA 0x%llx, for the ",
	    words_level(t->geo, e->level + 1),
	    (ull)pgtsim_desc_address(t->geo, e->level, e->new_desc));
	say_size(t, e->size);
	SAY(t, " from VA 0x%016llx.", (ull)pgtsim_entry_base(t->geo, e->level, e->va));
}

static void say_unlink(const struct telling *t)
{
	SAY(t, "The %s table is empty: ", words_level(t->geo, t->event->level + 1));
	say_entries(t);
	SAY(t, ", which pointed to it, is cleared. A walk cache may still hold the entry, and walk "
	       "into the table.");
}

static void say_poke(const struct telling *t)
{
	say_entries(t);
	SAY(t, " is overwritten by hand: 0x%016llx becomes 0x%016llx.", 
	    (ull)pgtsim_desc_to_raw(t->geo, t->event->level, t->event->old_desc),
	    (ull)pgtsim_desc_to_raw(t->geo, t->event->level, t->event->new_desc));
}

/* ---- memory ---- */

static void say_tables(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;
	bool alloc = e->op == PGTSIM_OP_TABLE_ALLOC;
	bool s390 = t->geo->format == PGTSIM_FORMAT_S390;

	if (e->count > 1)
		SAY(t, "%llu table pages are %s.", (ull)e->count,
		    alloc ? "allocated, all that the mapping needs, before anything is written" :
			    "freed");
	else
		SAY(t, "A table page at PA 0x%llx is %s.", (ull)e->pa,
		    !alloc ? "freed: nobody may walk it any more" :
		    s390   ? "allocated, and all its entries are empty" :
			     "allocated, and holds zeroes");
}

static void say_pages(const struct telling *t)
{
	static const struct {
		enum pgtsim_op op;
		const char *what;
	} words[] = {
		{ PGTSIM_OP_PAGES_ALLOC, "come from the page allocator, to hold struct pages" },
		{ PGTSIM_OP_PAGES_FREE, "go back to the page allocator: no TLB may hold a "
					"translation to them any more" },
		{ PGTSIM_OP_ALTMAP_ALLOC, "come from the altmap, the device's own memory" },
		{ PGTSIM_OP_ALTMAP_FREE, "go back to the altmap" },
		{ PGTSIM_OP_KASAN_ADD, "get their KASAN zero shadow" },
		{ PGTSIM_OP_KASAN_REMOVE, "lose their KASAN zero shadow" },
		{ PGTSIM_OP_MIGRATE, "in use move here" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].op == t->event->op)
			SAY(t, "%llu page%s at PA 0x%llx %s.", (ull)t->event->count,
			    t->event->count == 1 ? "" : "s", (ull)t->event->pa, words[i].what);
}

/* ---- barriers and invalidates ---- */

static void say_invalidate(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;

	if (e->op == PGTSIM_OP_TLBI_ALL) {
		SAY(t,
		    "TLBI VMALLE1IS: every CPU drops all it has cached of this page table. Above "
		    "so many pages that is cheaper than one invalidate for each.");
		return;
	}
	if (e->op == PGTSIM_OP_TLBI_WALK)
		SAY(t,
		    "TLBI VAAE1IS: every CPU drops what it has cached for VA 0x%016llx, of all "
		    "levels: the table entries in its walk cache, too.",
		    (ull)e->va);
	else if (e->op == PGTSIM_OP_TLBI_RANGE_WALK)
		SAY(t,
		    "TLBI RVAAE1IS: every CPU drops what it has cached of the range from VA "
		    "0x%016llx, of all levels.",
		    (ull)e->va);
	else if (e->op == PGTSIM_OP_TLBI_RANGE)
		SAY(t,
		    "TLBI RVAALE1IS: every CPU drops its translations of the range from VA "
		    "0x%016llx.",
		    (ull)e->va);
	else if (e->count > 1)
		SAY(t,
		    "%llu TLBI VAALE1IS, one a page from VA 0x%016llx on: every CPU drops its "
		    "translations there, last level only.",
		    (ull)e->count, (ull)e->va);
	else
		SAY(t,
		    "TLBI VAALE1IS: every CPU drops its translation of VA 0x%016llx, last level "
		    "only.",
		    (ull)e->va);
}

static void say_idte(const struct telling *t)
{
	SAY(t, "IDTE: every CPU drops all it has cached of the kernel's address space, and has done so "
	       "before this CPU goes on.");
}

static void say_barrier(const struct telling *t)
{
	if (t->event->op == PGTSIM_OP_DSB_ISHST)
		SAY(t, "DSB ISHST: from here on every table walk sees the stores before it.");
	else if (t->event->op == PGTSIM_OP_DSB_ISH)
		SAY(t,
		    "DSB ISH: waits until every CPU has done the invalidates before it. Now they "
		    "count.");
	else
		SAY(t, "ISB: this CPU itself goes on with what it has just been told.");
}

static void say_other_barrier(const struct telling *t)
{
	static const char *const sentences[PGTSIM_OP_COUNT] = {
		[PGTSIM_OP_DSB_ISHLD] = "DSB ISHLD: waits for the loads of this CPU, for no store and no "
					"invalidate.",
		[PGTSIM_OP_DSB_NSH] = "DSB NSH: waits like DSB ISH, but only for this CPU.",
		[PGTSIM_OP_DSB_OSH] = "DSB OSH: waits as DSB ISH does, and for the outer domain, too.",
		[PGTSIM_OP_DSB_SY] = "DSB SY: waits as DSB ISH does, and for all of the system.",
		[PGTSIM_OP_DMB_ISHST] = "DMB ISHST: stores after it are seen after those before it. It "
					"waits for nothing.",
		[PGTSIM_OP_DMB_ISH] = "DMB ISH: what comes after it is seen after what came before it. It "
				      "waits for nothing.",
		[PGTSIM_OP_DMB_ISHLD] = "DMB ISHLD: what comes after it is seen after the loads before it. "
					"It waits for nothing.",
	};

	SAY(t, "%s", sentences[t->event->op]);
}

static void say_store(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;

	if (e->count > 1)
		SAY(t, "%llu entries from 0x%016llx on are stored from PA 0x%llx on, in a table that "
		       "nothing points to yet.",
		    (ull)e->count, (ull)e->new_desc, (ull)e->pa);
	else
		SAY(t, "0x%016llx is stored at PA 0x%llx, in a table that nothing points to yet.",
		    (ull)e->new_desc, (ull)e->pa);
}

/* ---- operations ---- */

static const char *region_of(const struct run *run, uint64_t va)
{
	const struct pgtsim_layout *layout = &run->machine->layout;

	if (va >= layout->vmemmap_start && va < layout->vmemmap_end)
		return "vmemmap";
	return va >= layout->linear_start && va < layout->page_end ? "linear map" : "other";
}

static const char *part_of(enum pgtsim_op op)
{
	switch (op) {
	case PGTSIM_OP_BEGIN_MAP:
		return "map";
	case PGTSIM_OP_BEGIN_POPULATE:
		return "populate";
	case PGTSIM_OP_BEGIN_PASS_1:
		return "pass 1 (unmap)";
	default:
		return "pass 2 (free tables)";
	}
}

void words_part(const struct pgtsim_printer *out, const struct run *run,
		const struct steps_place *part)
{
	pgtsim_printf(out, "%s, %s", region_of(run, part->begin.va), part_of(part->begin.op));
}

/* Sets floor and ceiling of the pass 2 that this event began. */
static void bounds(const struct run *run, const struct scenario_command *command,
		   const struct pgtsim_event *begin, struct tree_pass *pass)
{
	bool takes_bounds =
		command->kind == SCENARIO_UNMAP || command->kind == SCENARIO_FREE_TABLES;

	pass->floor = run->floor;
	pass->ceiling = run->ceiling;
	if (!run->bounds_set || !takes_bounds)
		pgtsim_machine_bounds(run->machine, begin->va, begin->va + begin->size,
				      &pass->floor, &pass->ceiling);
}

struct tree_pass words_pass(const struct run *run, const struct step *step,
			    const struct steps_place *part)
{
	struct tree_pass pass = { .under_way = false };

	if (!step->event || !part || part->begin.op != PGTSIM_OP_BEGIN_PASS_2)
		return pass;
	pass.under_way = true;
	pass.va = part->begin.va;
	pass.last = part->begin.va + (part->begin.size - 1);
	bounds(run, part->command, &part->begin, &pass);
	return pass;
}

static void say_pass_2(const struct telling *t)
{
	struct tree_pass pass;

	bounds(t->run, &t->run->scenario->commands[t->run->next - 1], t->event, &pass);
	if (!pass.floor && !pass.ceiling) {
		SAY(t,
		    ": every table that is empty now is freed; there is no floor and no ceiling.");
		return;
	}
	SAY(t,
	    ": every table that is empty now is freed, if the floor 0x%016llx and the ceiling "
	    "0x%016llx leave all of it to this region.",
	    (ull)pass.floor, (ull)pass.ceiling);
}

static void say_begin(const struct telling *t)
{
	const struct pgtsim_event *e = t->event;
	const char *part = part_of(e->op);

	SAY(t, "%c%s over the ", part[0] - 'a' + 'A', part + 1);
	say_size(t, e->size);
	SAY(t, " from VA 0x%016llx (%s) begins", (ull)e->va, region_of(t->run, e->va));
	if (e->op == PGTSIM_OP_BEGIN_PASS_2)
		say_pass_2(t);
	else if (e->op == PGTSIM_OP_BEGIN_PASS_1)
		SAY(t, ": leaves are cleared and invalidated; tables stay.");
	else
		SAY(t, ".");
}

typedef void say_fn(const struct telling *t);

static say_fn *const sayings[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_TABLE_ALLOC] = say_tables,
	[PGTSIM_OP_TABLE_FREE] = say_tables,
	[PGTSIM_OP_LINK] = say_link,
	[PGTSIM_OP_UNLINK] = say_unlink,
	[PGTSIM_OP_MAP] = say_map,
	[PGTSIM_OP_CLEAR] = say_clear,
	[PGTSIM_OP_POKE] = say_poke,
	[PGTSIM_OP_PAGES_ALLOC] = say_pages,
	[PGTSIM_OP_PAGES_FREE] = say_pages,
	[PGTSIM_OP_ALTMAP_ALLOC] = say_pages,
	[PGTSIM_OP_ALTMAP_FREE] = say_pages,
	[PGTSIM_OP_DSB_ISHST] = say_barrier,
	[PGTSIM_OP_DSB_ISH] = say_barrier,
	[PGTSIM_OP_ISB] = say_barrier,
	[PGTSIM_OP_STORE] = say_store,
	[PGTSIM_OP_DSB_ISHLD] = say_other_barrier,
	[PGTSIM_OP_DSB_NSH] = say_other_barrier,
	[PGTSIM_OP_DSB_OSH] = say_other_barrier,
	[PGTSIM_OP_DSB_SY] = say_other_barrier,
	[PGTSIM_OP_DMB_ISHST] = say_other_barrier,
	[PGTSIM_OP_DMB_ISH] = say_other_barrier,
	[PGTSIM_OP_DMB_ISHLD] = say_other_barrier,
	[PGTSIM_OP_TLBI_LEAF] = say_invalidate,
	[PGTSIM_OP_TLBI_WALK] = say_invalidate,
	[PGTSIM_OP_TLBI_RANGE] = say_invalidate,
	[PGTSIM_OP_TLBI_RANGE_WALK] = say_invalidate,
	[PGTSIM_OP_TLBI_ALL] = say_invalidate,
	[PGTSIM_OP_IDTE] = say_idte,
	[PGTSIM_OP_KASAN_ADD] = say_pages,
	[PGTSIM_OP_KASAN_REMOVE] = say_pages,
	[PGTSIM_OP_MIGRATE] = say_pages,
	[PGTSIM_OP_BEGIN_MAP] = say_begin,
	[PGTSIM_OP_BEGIN_POPULATE] = say_begin,
	[PGTSIM_OP_BEGIN_PASS_1] = say_begin,
	[PGTSIM_OP_BEGIN_PASS_2] = say_begin,
};

/* ---- the end of a command ---- */

static void say_machine(const struct telling *t)
{
	SAY(t,
	    "A machine with the page table of %s: %uK pages, %u-bit addresses, %u levels. The root "
	    "table is empty.",
	    t->run->machine->policy.profile, 1u << (t->geo->page_shift - 10), t->geo->va_bits,
	    t->geo->levels);
}

static void say_ended(const struct telling *t, const struct step *step,
		      const struct steps_index *index)
{
	const struct scenario_command *command = step->command;
	bool last = step->number + 1 == index->end.count && index->end.status != RUN_OK;
	const char *name = scenario_errno_name(step->result);

	if (last)
		SAY(t, "The run ends here: %s.", index->end.error.message);
	else if (command->kind == SCENARIO_MACHINE)
		say_machine(t);
	else if (command->kind == SCENARIO_NOTE || command->kind == SCENARIO_ECHO)
		SAY(t, "%s", command->text);
	else if (command->kind == SCENARIO_ACTOR)
		SAY(t, "%s is an actor: it does nothing before 'explore'.", command->args[0].word);
	else if (command->kind == SCENARIO_CHECK || command->kind == SCENARIO_EXPECT)
		SAY(t, "%s: it holds.", command->source);
	else if (step->result)
		SAY(t, "%s ends with -%s%s: %s.", command->name, name ? name : "error",
		    command->expected == step->result ? ", as expected" : "", t->run->reason);
	else
		SAY(t, "%s is done.", command->name);
}

void words_moment(const struct pgtsim_printer *out, const struct run *run, const struct step *step,
		  const struct steps_index *index)
{
	const struct telling t = {
		.out = out,
		.run = run,
		.geo = &run->machine->geo,
		.event = step->event,
	};

	if (!step->event)
		say_ended(&t, step, index);
	else if (sayings[step->event->op])
		sayings[step->event->op](&t);
}
