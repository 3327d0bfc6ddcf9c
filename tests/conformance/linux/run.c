/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "compare.h"

/*
 * Where the library does on purpose what the kernel does not. Everything else must be the same,
 * and what a row says must be so: it is asked of the arguments and of the kernel's tables, not
 * of the library.
 */
const char *const kc_departure_names[KC_DEPARTURES] = {
	[KC_AS_THE_KERNEL] = "as the kernel",
	/*
	 * A map over a live leaf is -EEXIST, before anything is written. The kernel rewrites it,
	 * keeps it silently or stops with a BUG, and leaves what it wrote before; that is taken back.
	 * Core mm's vmap stops, or takes a block for a table: it is not called.
	 */
	[KC_EXISTS] = "map: -EEXIST",
	/*
	 * No bytes, a range that wraps or leaves the translated region, addresses that the
	 * descriptors have no room for: -EINVAL. The kernel maps whatever that comes to, taken
	 * back. Different offsets in the page: -EINVAL, the kernel warns and does nothing either.
	 */
	[KC_INVALID_MAP] = "map: -EINVAL",
	/*
	 * No memory for a table is -ENOMEM with what was mapped kept, where the kernel stops; an add
	 * unmaps it then, as in later releases: kc_arch_add() does that.
	 */
	[KC_NO_MEMORY] = "map: -ENOMEM",
	/*
	 * An empty, reversed or user range is -EINVAL. The kernel's loops test at their end, so it
	 * would clear one entry or free one table; taken back.
	 */
	[KC_INVALID_RANGE] = "teardown: -EINVAL",
	/* A memmap outside the vmemmap region is -EINVAL, empty too. The kernel warns; taken back. */
	[KC_OUTSIDE_MEMMAP] = "memmap: -EINVAL",
	/*
	 * Populating parts of pages rounds outwards. The kernel's loop steps by pages from the
	 * unaligned start and may miss the last page: it is called with the rounded range.
	 */
	[KC_ROUNDS_OUTWARDS] = "populate: rounded",
	/*
	 * Freeing from inside a page on: 7.x rounds the flush of each leaf outwards and so invalidates
	 * two pages, the library one. The kernel is called from the page's start on; the invalidate
	 * of a table freed there is then at the address that it would have been given.
	 */
	[KC_FLUSHES_TWO_PAGES] = "free: from a page",
	/*
	 * Adding what is there, even what a failed add left, is -EEXIST at once. The kernel maps it,
	 * or stops, before it finds its sections.
	 */
	[KC_THERE] = "add: -EEXIST",
	/* Removing what is not all there is -EINVAL. The kernel's callers know what they added. */
	[KC_NOT_THERE] = "take: -EINVAL",
	/*
	 * Changing attributes where nothing is mapped is -EINVAL, before anything is written. The
	 * kernel sets bits in empty entries, or adds the tables that are missing.
	 */
	[KC_HOLE] = "protect: -EINVAL",
};

/*
 * Two more stand in the comparison itself. A leaf that is freed is invalidated at any address
 * inside it, the library's at its first (same_place()). And pages that are not one allocation
 * of that size are refused, where the kernel's page allocator would be corrupted: kc_free()
 * refuses them as the library does.
 */

/* ---- the library's side of a step ---- */

static struct pgtsim_altmap *altmap_of(struct kc_sides *s, const struct kc_step *step)
{
	return step->altmap < 0 ? NULL : &s->altmap[step->altmap];
}

static int library_map(struct kc_sides *s, const struct kc_step *step)
{
	const struct pgtsim_policy *policy = &s->machine->policy;
	const struct pgtsim_map map = {
		.va = step->a,
		.pa = step->b,
		.size = step->c,
		.attrs = policy->prot[step->prot],
		.table_attrs = step->flags & KC_EXEC ? policy->vmemmap_table : policy->linear_table,
		.blocks = step->flags & KC_BLOCKS,
		.cont = step->flags & KC_CONT,
		.region = PGTSIM_REGION_LINEAR,
	};

	return pgtsim_map(&s->machine->pgt, &map);
}

static int library_unmap(struct kc_sides *s, const struct kc_step *step)
{
	const struct pgtsim_unmap unmap = {
		.start = step->a,
		.end = step->b,
		.free_mapped = step->free,
		.altmap = altmap_of(s, step),
		.memory = s->machine->memory,
	};

	return pgtsim_unmap_range(&s->machine->pgt, &unmap);
}

static int library_altmap(struct kc_sides *s, const struct kc_step *step)
{
	s->altmap[step->altmap] = (struct pgtsim_altmap){
		.base = step->a,
		.reserve = step->b,
		.free = step->c,
	};
	s->kernel_altmap[step->altmap] = (struct kc_altmap){
		.base = step->a,
		.reserve = step->b,
		.free = step->c,
	};
	return 0;
}

static int library_add(struct kc_sides *s, const struct kc_step *step)
{
	const struct pgtsim_add add = {
		.start = step->a,
		.size = step->b,
		.device = step->device,
		.altmap = altmap_of(s, step),
	};

	return pgtsim_add_range(&s->machine->hotplug, &add);
}

/* Whether this kernel, on this CPU, splits live leaves. */
static bool splits(const struct kc_sides *s)
{
	return s->kernel->split && s->script->bbm3;
}

static int library_protect(struct kc_sides *s, const struct kc_step *step)
{
	if (!s->kernel->protect)
		return 0;
	return pgtsim_protect(&s->machine->pgt, step->a, step->b, (enum pgtsim_protect)step->prot,
			      step->noflush);
}

static int library_vmap(struct kc_sides *s, const struct kc_step *step)
{
	if (!s->kernel->vmap)
		return 0;
	return pgtsim_vmap(&s->machine->pgt, step->a, step->b, step->c, step->flags & KC_BLOCKS);
}

static int library_step(struct kc_sides *s, const struct kc_step *step)
{
	struct pgtsim_machine *machine = s->machine;

	switch (step->kind) {
	case KC_MAP:
		return library_map(s, step);
	case KC_UNMAP:
		return library_unmap(s, step);
	case KC_TABLES:
		return pgtsim_free_tables(&machine->pgt, step->a, step->b, step->c, step->d);
	case KC_REMOVE:
		return pgtsim_unmap_linear(&machine->pgt, step->a, step->b,
					   machine->layout.page_offset, machine->layout.page_end);
	case KC_POPULATE:
		return pgtsim_vmemmap_populate(&machine->vmemmap, step->a, step->b,
					       altmap_of(s, step),
					       step->pages ? PGTSIM_POPULATE_PAGES : 0);
	case KC_FREE_MEMMAP:
		return pgtsim_vmemmap_free(&machine->vmemmap, step->a, step->b, altmap_of(s, step));
	case KC_ALTMAP:
		return library_altmap(s, step);
	case KC_ADD:
		return library_add(s, step);
	case KC_TAKE:
		return pgtsim_remove_memory(&machine->hotplug, step->a, step->b);
	case KC_PROTECT:
		return library_protect(s, step);
	case KC_SPLIT:
		return splits(s) ? pgtsim_split(&machine->pgt, step->a, step->b) : 0;
	case KC_VMAP:
		return library_vmap(s, step);
	case KC_VUNMAP:
		return s->kernel->vunmap ?
			       pgtsim_vunmap(&machine->pgt, step->a, step->b - step->a) :
			       0;
	default:
		pgtsim_memory_fail(machine->memory, step->a, false);
		kc_world.fail_in = step->a;
		return 0;
	}
}

/* ---- the kernel's side ---- */

static enum kc_end kernel_step(struct kc_sides *s, const struct kc_step *step)
{
	const struct kc_kernel *k = s->kernel;
	struct kc_altmap *altmap = step->altmap < 0 ? NULL : &s->kernel_altmap[step->altmap];

	switch (step->kind) {
	case KC_MAP:
		return k->map(step->a, step->b, step->c, step->prot, step->flags);
	case KC_UNMAP:
		return k->unmap(step->a, step->b, step->free, altmap);
	case KC_TABLES:
		return k->free_tables(step->a, step->b, step->c, step->d);
	case KC_REMOVE:
		return k->remove(step->a, step->b);
	case KC_POPULATE:
		return k->populate(step->a, step->b, altmap, step->pages);
	case KC_FREE_MEMMAP:
		return k->free_memmap(step->a, step->b, altmap);
	case KC_ADD:
		return k->add(step->a, step->b, altmap, step->device, s->script->blocks);
	case KC_TAKE:
		return k->take(step->a, step->b, altmap);
	case KC_PROTECT:
		return k->protect ? k->protect(step->a, step->b, (enum kc_change)step->prot,
					       step->noflush) :
				    KC_DONE;
	case KC_SPLIT:
		return splits(s) ? k->split(step->a, step->b) : KC_DONE;
	case KC_VMAP:
		return k->vmap ? k->vmap(step->a, step->b, step->c, step->flags & KC_BLOCKS) :
				 KC_DONE;
	case KC_VUNMAP:
		return k->vunmap ? k->vunmap(step->a, step->b) : KC_DONE;
	default:
		return KC_DONE;
	}
}

/* ---- departures ---- */

static uint64_t page_size(const struct kc_sides *s)
{
	return pgtsim_page_size(&s->machine->geo);
}

static uint64_t first_va(const struct kc_sides *s)
{
	return -(UINT64_C(1) << s->script->va_actual);
}

static unsigned pa_bits(const struct kc_sides *s)
{
	if (s->kernel->page_shift != 16 && s->script->va_actual < 52)
		return 48;
	return s->kernel->pa_bits;
}

static bool map_is_invalid(const struct kc_sides *s, const struct kc_step *step)
{
	uint64_t last = step->a + step->c - 1;

	return ((step->a ^ step->b) & (page_size(s) - 1)) || !step->c || last < step->a ||
	       step->a < first_va(s) || step->b + step->c - 1 < step->b ||
	       (step->b + step->c - 1) >> pa_bits(s);
}

static bool range_is_invalid(const struct kc_sides *s, uint64_t start, uint64_t end)
{
	return start >= end || start < first_va(s);
}

static bool memmap_is_invalid(const struct kc_sides *s, const struct kc_step *step)
{
	const struct kc_layout layout = s->kernel->layout();

	return step->a >= step->b || step->a < layout.vmemmap_start || step->b > layout.vmemmap_end;
}

static bool leaf_in_map(const struct kc_sides *s, const struct kc_step *step)
{
	uint64_t at, mask = page_size(s) - 1;

	return kc_find_leaf(step->a & ~mask, (step->a + step->c - 1) | mask, &at);
}

static enum kc_departure departure_of_map(const struct kc_sides *s, const struct kc_step *step)
{
	if (map_is_invalid(s, step))
		return KC_INVALID_MAP;
	return leaf_in_map(s, step) ? KC_EXISTS : KC_AS_THE_KERNEL;
}

static enum kc_departure departure_of_memory(const struct kc_sides *s, const struct kc_step *step)
{
	uint64_t present = s->kernel->present(step->a, step->b);

	if (step->kind == KC_ADD)
		return present ? KC_THERE : KC_AS_THE_KERNEL;
	return present << PGTSIM_SUBSECTION_SHIFT < step->b ? KC_NOT_THERE : KC_AS_THE_KERNEL;
}

/* Memory that is freed leaf by leaf, from inside a page on, where a flush is rounded outwards. */
static bool flushes_two_pages(const struct kc_sides *s, const struct kc_step *step)
{
	bool frees = step->kind == KC_FREE_MEMMAP || (step->kind == KC_UNMAP && step->free);

	return frees && s->machine->policy.flush_rounds_out && step->a & (page_size(s) - 1);
}

static enum kc_departure departure_of(const struct kc_sides *s, const struct kc_step *step)
{
	uint64_t end = step->kind == KC_REMOVE ? step->a + step->b : step->b;

	switch (step->kind) {
	case KC_MAP:
		return departure_of_map(s, step);
	case KC_UNMAP:
	case KC_TABLES:
	case KC_REMOVE:
		if (range_is_invalid(s, step->a, end))
			return KC_INVALID_RANGE;
		return flushes_two_pages(s, step) ? KC_FLUSHES_TWO_PAGES : KC_AS_THE_KERNEL;
	case KC_POPULATE:
		if (memmap_is_invalid(s, step))
			return KC_OUTSIDE_MEMMAP;
		return (step->a | step->b) & (page_size(s) - 1) ? KC_ROUNDS_OUTWARDS :
								  KC_AS_THE_KERNEL;
	case KC_FREE_MEMMAP:
		if (memmap_is_invalid(s, step))
			return KC_OUTSIDE_MEMMAP;
		return flushes_two_pages(s, step) ? KC_FLUSHES_TWO_PAGES : KC_AS_THE_KERNEL;
	case KC_ADD:
	case KC_TAKE:
		return departure_of_memory(s, step);
	case KC_VMAP:
		return s->kernel->vmap ? departure_of_map(s, step) : KC_AS_THE_KERNEL;
	case KC_PROTECT:
		return s->kernel->protect && !kc_is_mapped(step->a, step->a + (step->b - 1)) ?
			       KC_HOLE :
			       KC_AS_THE_KERNEL;
	default:
		return KC_AS_THE_KERNEL;
	}
}

/* The step that the kernel does where the library does another one. */
static struct kc_step adjusted(const struct kc_sides *s, struct kc_step step)
{
	uint64_t mask = page_size(s) - 1;
	uint64_t section = (UINT64_C(1) << (s->kernel->section_bits - s->kernel->page_shift)) *
			   s->kernel->struct_page;

	/* Whether it is less than a section is asked of the range before it is rounded. */
	if (step.b - step.a < section)
		step.pages = true;
	step.a &= ~mask;
	step.b = (step.b + mask) & ~mask;
	return step;
}

/* From the start of the page on; in one table of pages as many steps as before. */
static struct kc_step from_page(const struct kc_sides *s, struct kc_step step)
{
	uint64_t offset = step.a & (page_size(s) - 1);
	uint64_t table = pgtsim_entry_size(&s->machine->geo, PGTSIM_PMD);

	if (pgtsim_root_level(&s->machine->geo) == PGTSIM_PTE ||
	    !((step.a ^ (step.b - 1)) & ~(table - 1)))
		step.b -= offset;
	step.a -= offset;
	return step;
}

/* A table's invalidate is at the address where the kernel was called: moves it there. */
static void restore_start(uint64_t called, uint64_t meant)
{
	struct kc_log *log = &kc_world.log;

	for (size_t i = 0; i < log->count; i++)
		if (log->event[i].what == KC_TLBI_WALK && log->event[i].va == called)
			log->event[i].va = meant & ~UINT64_C(0xfff);
}

/* Does, and notes, what the kernel does when it is called with other bounds than the library. */
static enum kc_end kernel_step_adjusted(struct kc_sides *s, const struct kc_step *step,
					enum kc_departure departure)
{
	const struct kc_step other =
		departure == KC_ROUNDS_OUTWARDS ? adjusted(s, *step) : from_page(s, *step);
	enum kc_end end = kernel_step(s, &other);

	if (departure == KC_FLUSHES_TWO_PAGES)
		restore_start(other.a, step->a);
	return end;
}

/* What the library must return; the kernel's end is how the step ended there. */
static int wanted(enum kc_departure departure, enum kc_end end)
{
	switch (departure) {
	case KC_EXISTS:
	case KC_THERE:
		return -EEXIST;
	case KC_INVALID_MAP:
	case KC_INVALID_RANGE:
	case KC_OUTSIDE_MEMMAP:
	case KC_NOT_THERE:
	case KC_HOLE:
		return -EINVAL;
	default:
		return end == KC_DONE ? 0 : end == KC_INVALID ? -EINVAL : -ENOMEM;
	}
}

/* Where the library refuses, nothing must have happened, whatever the kernel would do. */
static bool refuses(enum kc_departure departure)
{
	return departure != KC_AS_THE_KERNEL && departure != KC_ROUNDS_OUTWARDS &&
	       departure != KC_FLUSHES_TWO_PAGES;
}

static bool rewrote(const struct kc_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->event[i].what == KC_STORE && log->event[i].a)
			return true;
	return false;
}

/* What the kernel does where the library says -EEXIST: it is done, counted and taken back. */
static void try_over_leaf(struct kc_sides *s, const struct kc_step *step)
{
	enum kc_over_leaf what = KC_OVER_KEEP;

	kc_save();
	if (kernel_step(s, step) == KC_BUG)
		what = KC_OVER_BUG;
	else if (rewrote(&kc_world.log))
		what = KC_OVER_REWRITE;
	s->tally->over_leaf[what]++;
	kc_restore();
}

/* Up to 7.0 the kernel warns of invalid leaves that it clears: they are not marked as such. */
static bool warns_of_invalid(const struct kc_sides *s, const struct kc_step *step)
{
	return kc_world.invalid && s->machine->policy.invalid_leaf != PGTSIM_INVALID_LEAF_MARKED &&
	       (step->kind == KC_UNMAP || step->kind == KC_REMOVE || step->kind == KC_TAKE);
}

/*
 * __remove_pgd_mapping() outside the linear map, a memmap of more than a section, a block whose
 * attributes can't be changed or that is cleared as a whole.
 */
static bool warns_of_range(const struct kc_sides *s, const struct kc_step *step)
{
	const struct kc_layout layout = s->kernel->layout();

	return step->kind == KC_POPULATE || step->kind == KC_PROTECT || step->kind == KC_VUNMAP ||
	       warns_of_invalid(s, step) ||
	       (step->kind == KC_REMOVE &&
		(step->a < layout.page_offset || step->a + step->b > layout.page_end));
}

/* ---- a script ---- */

static bool run_step(struct kc_sides *s, const struct kc_step *step)
{
	enum kc_departure departure = departure_of(s, step);
	enum kc_end end = KC_DONE;
	int ret;

	kc_begin();
	if (departure == KC_ROUNDS_OUTWARDS || departure == KC_FLUSHES_TWO_PAGES)
		end = kernel_step_adjusted(s, step, departure);
	else if (!refuses(departure))
		end = kernel_step(s, step);
	else if (departure == KC_EXISTS && step->kind == KC_MAP)
		try_over_leaf(s, step);
	kc_expand_begin(&s->expander);
	ret = library_step(s, step);
	kc_expand_end(&s->expander);
	if (step->kind == KC_MAP && end == KC_BUG)
		departure = KC_NO_MEMORY;
	s->tally->departures[departure]++;
	s->tally->steps++;
	if (ret != wanted(departure, end))
		return kc_differ(s, "%s: library returns %d, not %d", kc_departure_names[departure],
				 ret, wanted(departure, end));
	return kc_compare_logs(s) && kc_compare_state(s) &&
	       kc_compare_warnings(s, step->altmap >= 0, warns_of_range(s, step));
}

const char *kc_nearest_profile(const struct kc_kernel *kernel)
{
	const char *nearest = NULL;
	unsigned fewest = UINT_MAX;

	for (const char *const *name = pgtsim_profiles(); *name; name++) {
		struct pgtsim_policy policy;
		unsigned differ = 0;

		pgtsim_policy_init(&policy, *name);
		for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++) {
			const char *value = pgtsim_policy_get(&policy, knob->name);

			differ += !value || strcmp(value, knob->value) != 0;
		}
		if (differ < fewest) {
			fewest = differ;
			nearest = *name;
		}
	}
	return nearest;
}

static bool set_knobs(struct pgtsim_policy *policy, const struct kc_kernel *kernel)
{
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++)
		if (pgtsim_policy_set(policy, knob->name, knob->value))
			return false;
	return true;
}

static bool make_machine(struct kc_sides *s)
{
	const struct pgtsim_ram ram = { s->script->ram_start, s->script->ram_start + KC_RAM_BYTES };
	struct pgtsim_machine_config config;

	if (pgtsim_machine_config_init(&config, kc_nearest_profile(s->kernel)) ||
	    !set_knobs(&config.policy, s->kernel))
		return kc_differ(s, "a knob that the library does not have");
	config.granule = 1u << s->kernel->page_shift;
	config.va_bits = s->kernel->va_bits;
	config.va_actual = s->script->va_actual;
	config.pa_bits = s->kernel->pa_bits;
	config.struct_page = s->kernel->struct_page;
	config.tlbi_range = s->script->tlbi_range;
	config.bbml2 = s->script->bbm3;
	config.blocks = config.cont = s->script->blocks;
	config.ram = &ram;
	config.ram_count = 1;
	if (pgtsim_machine_new(&s->machine, &config))
		return kc_differ(s, "no such machine");
	return true;
}

static bool start(struct kc_sides *s)
{
	if (!make_machine(s))
		return false;
	kc_running = s->kernel;
	s->kernel->start(s->script->va_actual, s->script->ram_start);
	kc_world.constructed = kc_world.destructed = 0;
	kc_world.tlbi_range = s->script->tlbi_range;
	kc_world.bbm3 = s->script->bbm3;
	kc_expand_start(&s->expander, &s->machine->tlb, s->kernel->page_shift);
	return true;
}

static bool run_steps(struct kc_sides *s)
{
	if (!kc_compare_layout(s) || !kc_compare_state(s))
		return false;
	for (unsigned i = 0; i < s->script->count; i++) {
		s->difference->step = i;
		if (!run_step(s, &s->script->step[i]))
			return false;
	}
	return kc_compare_counters(s);
}

/* The library alone, with nobody who looks: it may take shorter ways, and must count alike. */
static bool run_unobserved(const struct kc_sides *s)
{
	struct kc_sides twin = *s;
	size_t counters;
	const struct pgtsim_counter *c = pgtsim_counters(&counters);
	bool same = true;

	memset(twin.altmap, 0, sizeof(twin.altmap));
	if (!make_machine(&twin))
		return false;
	for (unsigned i = 0; i < s->script->count; i++)
		library_step(&twin, &s->script->step[i]);
	for (size_t i = 0; i < counters && same; i++) {
		uint64_t seen = pgtsim_counter_value(&s->machine->tlb.counts, &c[i]);
		uint64_t alone = pgtsim_counter_value(&twin.machine->tlb.counts, &c[i]);

		if (seen != alone && strcmp(c[i].name, "work.entries") != 0)
			same = kc_differ(&twin, "%s: %" PRIu64 ", without an observer %" PRIu64,
					 c[i].name, seen, alone);
	}
	if (same && !pgtsim_memory_equal(s->machine->memory, twin.machine->memory))
		same = kc_differ(&twin, "memory without an observer");
	pgtsim_machine_free(&twin.machine);
	return same;
}

bool kc_run(const struct kc_script *script, const struct kc_kernel *kernel, struct kc_tally *tally,
	    struct kc_difference *difference)
{
	static struct kc_sides s; /* keeps the memory of its logs */
	struct kc_tally nobody = { 0 };
	bool same;

	s = (struct kc_sides){
		.kernel = kernel,
		.script = script,
		.expander.log = s.expander.log,
		.tally = tally ? tally : &nobody,
		.difference = difference,
	};
	*difference = (struct kc_difference){ 0 };
	same = start(&s) && run_steps(&s) && (script->seed % 4 || run_unobserved(&s));
	pgtsim_machine_free(&s.machine);
	s.tally->scripts++;
	s.tally->differences += !same;
	return same;
}
