/* SPDX-License-Identifier: MIT */
/* zones: the commands that tell what is online, and the one that keeps memory from it. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "runner.h"
#include "syntax.h"

static const char *const zone_names[PGTSIM_ZONES] = {
	[PGTSIM_ZONE_NORMAL] = "normal",
	[PGTSIM_ZONE_MOVABLE] = "movable",
};

/* Prints each zone that spans anything, in pages. */
static int do_zones(struct run *run, const struct scenario_command *command)
{
	(void)command;
	for (unsigned node = 0; node < PGTSIM_NODES; node++)
		for (unsigned zone = 0; zone < PGTSIM_ZONES; zone++) {
			const struct pgtsim_zone_state state = pgtsim_zone_state(
				&run->machine->hotplug, node, (enum pgtsim_zone)zone);

			if (state.spanned)
				pgtsim_printf(&run->options->out,
					      "zone %s node=%u pfn=0x%" PRIx64 " spanned=%" PRIu64
					      " present=%" PRIu64 " managed=%" PRIu64 "\n",
					      zone_names[zone], node, state.start_pfn,
					      state.spanned, state.present, state.managed);
		}
	return 0;
}

static bool are_alike(const struct pgtsim_section_state *a, const struct pgtsim_section_state *b)
{
	return a->present == b->present && a->early == b->early && a->online == b->online &&
	       a->zone == b->zone && a->memmap_pages == b->memmap_pages;
}

/* Prints runs of sections that are alike. */
static int do_sections(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_hotplug *hotplug = &run->machine->hotplug;
	const struct pgtsim_printer *out = &run->options->out;
	uint64_t size = hotplug->config.section_size, end;

	(void)command;
	for (uint64_t pa = 0; (pa = pgtsim_next_section(hotplug, pa)) != UINT64_MAX; pa = end) {
		const struct pgtsim_section_state state = pgtsim_section_state(hotplug, pa);
		struct pgtsim_section_state next = state;

		pa &= ~(size - 1);
		for (end = pa; are_alike(&state, &next); next = pgtsim_section_state(hotplug, end))
			end += size;
		pgtsim_printf(out, "sections 0x%" PRIx64 "+0x%" PRIx64 "%s %s", pa, end - pa,
			      state.early ? " early" : "", state.online ? "online" : "offline");
		if (state.online)
			pgtsim_printf(out, " zone=%s", zone_names[state.zone]);
		if (state.memmap_pages)
			pgtsim_printf(out, " memmap-pages=%" PRIu64, state.memmap_pages);
		pgtsim_printf(out, "\n");
	}
	return 0;
}

static int do_online_page(struct run *run, const struct scenario_command *command)
{
	uint64_t pfn = command->args[0].number;
	bool online = pfn <= UINT64_MAX >> run->machine->geo.page_shift &&
		      pgtsim_pfn_is_online(&run->machine->hotplug, pfn);

	pgtsim_printf(&run->options->out, "online-page 0x%" PRIx64 " %s\n", pfn,
		      online ? "yes" : "no");
	return 0;
}

/*
 * A hibernation image saves the pages for which pfn_to_online_page() finds a struct page: prints
 * runs of them.
 */
static int do_hibernates(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	const struct pgtsim_hotplug *hotplug = &run->machine->hotplug;
	uint64_t page = pgtsim_page_size(&run->machine->geo), size = hotplug->config.section_size;
	uint64_t pa = range->base, end = pa + range->size, first = UINT64_MAX;

	if ((pa | end) & (page - 1) || end <= pa)
		return run_refuse(run, -EINVAL, "the range is empty, not of whole pages, or too long");
	for (; pa < end; pa += page) {
		bool online = pgtsim_pfn_is_online(hotplug, pa >> run->machine->geo.page_shift);

		if (online && first == UINT64_MAX)
			first = pa;
		if (first != UINT64_MAX && (!online || pa + page == end))
			pgtsim_printf(&run->options->out,
				      "hibernates 0x%" PRIx64 "+0x%" PRIx64 "\n", first,
				      pa + (online ? page : 0) - first);
		if (online)
			continue;
		first = UINT64_MAX;
		/* Where there is no section, none of its pages is online. */
		if (!(pa & (size - 1)) && !pgtsim_section_state(hotplug, pa).present) {
			pa = pgtsim_next_section(hotplug, pa);
			if (pa >= end)
				break;
			pa -= page;
		}
	}
	return 0;
}

/* ---- where struct pages lie ---- */

/* Struct pages that follow one another in memory of one kind. */
struct memmap_run {
	uint64_t va, size, pa;
	unsigned node; /* of the frames */
	enum pgtsim_owner owner;
	bool mapped;
};

/* The node of memory; boot memory is on node 0. */
static unsigned node_of(const struct run *run, uint64_t pa)
{
	return pgtsim_section_state(&run->machine->hotplug, pa).node;
}

/* What the leaf at va maps, up to `end`. */
static struct memmap_run memmap_at(const struct run *run, uint64_t va, uint64_t end)
{
	const struct pgtsim_machine *m = run->machine;
	uint64_t page = pgtsim_page_size(&m->geo);
	struct pgtsim_translation at;
	struct memmap_run found = { .va = va, .size = page };

	if (!pgtsim_translate(&m->pgt, va, &at)) {
		found.mapped = true;
		found.size = at.size - (va & (at.size - 1));
		found.pa = at.pa;
		found.node = node_of(run, at.pa);
		found.owner = pgtsim_frame_owner(&m->hotplug, at.pa >> m->geo.page_shift);
	}
	if (found.size > end - va)
		found.size = end - va;
	return found;
}

static bool continues_run(const struct memmap_run *run, const struct memmap_run *next)
{
	return run->mapped == next->mapped &&
	       (!run->mapped || (run->node == next->node && run->owner == next->owner &&
				 run->pa + run->size == next->pa));
}

/* Whose frames they are; boot memory and pages of the allocator are both RAM. */
static const char *owner_word(enum pgtsim_owner owner)
{
	return owner == PGTSIM_OWNER_BOOT || owner == PGTSIM_OWNER_PAGES ? "ram" :
									   pgtsim_owner_name(owner);
}

static void print_memmap(const struct run *run, const struct memmap_run *memmap)
{
	const struct pgtsim_printer *out = &run->options->out;

	pgtsim_printf(out, "memmap 0x%016" PRIx64 "+0x%" PRIx64, memmap->va, memmap->size);
	if (!memmap->mapped)
		pgtsim_printf(out, " not mapped\n");
	else
		pgtsim_printf(out, " 0x%" PRIx64 " node=%u %s\n", memmap->pa, memmap->node,
			      owner_word(memmap->owner));
}

/* Prints where the struct pages of a range lie, and on which node: that of the range comes first. */
static int do_memmap(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	const struct pgtsim_machine *m = run->machine;
	uint64_t mask = pgtsim_page_size(&m->geo) - 1, shift = m->geo.page_shift, va, end;
	struct memmap_run current, next;

	if ((range->base | range->size) & mask || !range->size ||
	    range->size > (UINT64_C(1) << 52) || range->base > (UINT64_C(1) << 52) - range->size)
		return run_refuse(
			run, -EINVAL,
			"the range is empty, not of whole pages, or beyond 52 bits of PA");
	va = pgtsim_page_of_pfn(&m->vmemmap, range->base >> shift) & ~mask;
	end = (pgtsim_page_of_pfn(&m->vmemmap, (range->base + range->size) >> shift) + mask) &
	      ~mask;
	if (va < m->vmemmap.start || end > m->vmemmap.end)
		return run_refuse(run, -EINVAL, "the vmemmap does not reach there");
	pgtsim_printf(&run->options->out, "memmap of 0x%" PRIx64 "+0x%" PRIx64 " node=%u\n",
		      range->base, range->size, node_of(run, range->base));
	for (current = memmap_at(run, va, end); (va = current.va + current.size) < end;) {
		next = memmap_at(run, va, end);
		if (continues_run(&current, &next)) {
			current.size += next.size;
			continue;
		}
		print_memmap(run, &current);
		current = next;
	}
	print_memmap(run, &current);
	return 0;
}

/* NOTIFY_BAD, which is -EPERM. */
static int veto(struct pgtsim_notifier *self, const struct pgtsim_memory_notify *notify)
{
	const struct run_veto *own = (const struct run_veto *)(const void *)self;

	return (own->online && notify->action == PGTSIM_GOING_ONLINE) ||
			       (own->offline && notify->action == PGTSIM_GOING_OFFLINE) ?
		       -EPERM :
		       0;
}

static int do_veto(struct run *run, const struct scenario_command *command)
{
	struct run_veto *own = &run->veto;
	bool joins = !own->notifier.notify;

	own->online = command->args[0].choice != SCENARIO_VETO_OFF &&
		      (own->online || command->args[0].choice == SCENARIO_VETO_ONLINE);
	own->offline = command->args[0].choice != SCENARIO_VETO_OFF &&
		       (own->offline || command->args[0].choice == SCENARIO_VETO_OFFLINE);
	own->notifier.notify = veto;
	return joins ? pgtsim_notifier_add(&run->machine->hotplug, &own->notifier) : 0;
}

const struct scenario_row zone_commands[] = {
	COMMAND("zones", ZONES, do_zones, NO_ARGS, .looks = true),
	COMMAND("sections", SECTIONS, do_sections, NO_ARGS, .looks = true),
	COMMAND("online-page", ONLINE_PAGE, do_online_page, ARGS(ARG("PFN", syntax_number)),
		.looks = true),
	COMMAND("hibernates", HIBERNATES, do_hibernates, ARGS(ARG_RANGE), .looks = true),
	COMMAND("memmap", MEMMAP, do_memmap, ARGS(ARG_RANGE), .looks = true),
	COMMAND("veto", VETO, do_veto, ARGS(ARG_CHOICE("WHAT", "online", "offline", "off"))),
	COMMANDS_END,
};
