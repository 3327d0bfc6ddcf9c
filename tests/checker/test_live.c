/* SPDX-License-Identifier: MIT */
/*
 * Random scripts of attribute changes, splits, joins and huge vmaps, most on a CPU with BBM level 3:
 * none violates a rule, for the judge of its events neither, each page translates as what was done
 * to it says, and nothing is left.
 * Without that level only pages are changed, and what is joined is first taken away.
 */
#include "hotplug.h"

#include <inttypes.h>
#include <time.h>

#include <pgtsim/protect.h>
#include <pgtsim/teardown.h>

#include "judged.h"

enum { REGIONS = 3, STEPS = 8, KINDS = PGTSIM_PROTECTS };

/* What is mapped: memory that was added, a range of its own in executable tables, a huge vmap. */
enum region_kind { ADDED, MAPPED, VMAPPED };

struct region {
	enum region_kind kind;
	bool there;
	bool pages;  /* of a vmap: no blocks */
	bool joined; /* some of it, since it came */
	uint64_t va, pa, size;
};

enum step_kind { COME, GO, PROTECT, SPLIT, JOIN };

struct step {
	enum step_kind kind;
	unsigned region, what; /* what: enum pgtsim_protect */
	uint64_t start, size;  /* virtual addresses */
	uint64_t fail;         /* this allocation of it fails; 0: none */
	bool noflush;
	int result;
};

struct script {
	struct pgtsim_machine *machine;
	uint64_t seed, random;
	uint64_t page, pmd, spans[5]; /* bytes: what leaves and groups span */
	struct region region[REGIONS];
	struct step step[STEPS + 2 * REGIONS];
	size_t count;
};

/* ---- random numbers ---- */

static uint64_t below(struct script *s, uint64_t limit)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 11) % limit;
}

static bool one_in(struct script *s, uint64_t n)
{
	return below(s, n) == 0;
}

/* ---- what a step does ---- */

static struct pgtsim_map map_of(const struct script *s, const struct region *r)
{
	return (struct pgtsim_map){
		.va = r->va,
		.pa = r->pa,
		.size = r->size,
		.attrs = s->machine->policy.prot[PGTSIM_PROT_KERNEL] & ~(uint64_t)PGTSIM_DESC_PXN,
		.blocks = s->machine->tlb.bbml2,
		.cont = s->machine->tlb.bbml2,
		.region = PGTSIM_REGION_OTHER,
	};
}

static int come(struct script *s, const struct region *r)
{
	struct pgtsim_machine *m = s->machine;
	const struct pgtsim_map map = map_of(s, r);

	if (r->kind == ADDED)
		return pgtsim_add_memory(&m->hotplug, r->pa, r->size);
	if (r->kind == VMAPPED)
		return pgtsim_vmap(&m->pgt, r->va, r->pa, r->size, !r->pages);
	return pgtsim_map(&m->pgt, &map);
}

static int go(struct script *s, const struct region *r)
{
	struct pgtsim_machine *m = s->machine;

	if (r->kind == ADDED)
		return pgtsim_remove_memory(&m->hotplug, r->pa, r->size);
	if (r->kind == VMAPPED)
		return pgtsim_vunmap(&m->pgt, r->va, r->size);
	return pgtsim_unmap_linear(&m->pgt, r->va, r->size, 0, 0);
}

/* A change without a flush is flushed by its caller, as vmalloc does it later. */
static int protect(struct script *s, const struct step *step)
{
	struct pgtsim_machine *m = s->machine;
	int ret = pgtsim_protect(&m->pgt, step->start, step->size, (enum pgtsim_protect)step->what,
				 step->noflush);

	if (!ret && step->noflush)
		pgtsim_tlb_flush_range(&m->tlb, &m->geo, &m->policy, step->start,
				       step->start + step->size);
	return ret;
}

static int apply(struct script *s, const struct step *step)
{
	struct pgtsim_machine *m = s->machine;
	int ret;

	if (step->fail)
		pgtsim_memory_fail(m->memory, step->fail, false);
	if (step->kind == COME)
		ret = come(s, &s->region[step->region]);
	else if (step->kind == GO)
		ret = go(s, &s->region[step->region]);
	else if (step->kind == PROTECT)
		ret = protect(s, step);
	else if (step->kind == SPLIT)
		ret = pgtsim_split(&m->pgt, step->start, step->start + step->size);
	else
		ret = pgtsim_join(&m->pgt, step->start);
	pgtsim_memory_fail(m->memory, 0, false);
	return ret;
}

/* ---- what must be true ---- */

static void print_script(const struct script *s)
{
	static const char *const kinds[] = { "come", "go", "protect", "split", "join" };
	static const char *const whats[] = { "ro", "rw", "x", "nx", "invalid", "valid", "default" };

	print_error("%u-byte pages, %u levels, seed %" PRIu64 "\n", 1u << s->machine->geo.page_shift,
		    s->machine->geo.levels, s->seed);
	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->step[i];
		const struct region *r = &s->region[step->region];

		print_error("%2zu %s region %u of 0x%" PRIx64 "+0x%" PRIx64
			    " at +0x%" PRIx64 "+0x%" PRIx64 " %s%s fail=%" PRIu64 ": %d\n",
			    i, kinds[step->kind], step->region, r->va, r->size,
			    step->start - r->va, step->size,
			    step->kind == PROTECT ? whats[step->what] : "",
			    step->noflush ? " noflush" : "", step->fail, step->result);
	}
}

/* What the steps since its region came have made of a page. */
struct meaning {
	bool valid, writable, executable;
	bool always; /* it was executable all the time */
};

static struct meaning meaning_of(const struct script *s, unsigned region, uint64_t va)
{
	const bool exec = s->region[region].kind == MAPPED;
	struct meaning is = { true, true, exec, exec };

	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->step[i];

		if (step->region != region || step->result)
			continue;
		if (step->kind == COME)
			is = (struct meaning){ true, true, exec, exec };
		if (step->kind != PROTECT || va - step->start >= step->size)
			continue;
		if (step->what == PGTSIM_PROTECT_RO || step->what == PGTSIM_PROTECT_RW)
			is.writable = step->what == PGTSIM_PROTECT_RW;
		else if (step->what == PGTSIM_PROTECT_X || step->what == PGTSIM_PROTECT_NX)
			is.executable = step->what == PGTSIM_PROTECT_X;
		else
			is.valid = step->what != PGTSIM_PROTECT_INVALID;
		is.writable |= step->what == PGTSIM_PROTECT_DEFAULT;
		is.always &= step->what != PGTSIM_PROTECT_NX;
	}
	return is;
}

/* Returns what is wrong with the page at va, or NULL. */
static const char *wrong_page(const struct script *s, unsigned region, uint64_t va)
{
	const struct region *r = &s->region[region];
	struct pgtsim_translation at;
	int ret = pgtsim_translate(&s->machine->pgt, va, &at);
	struct meaning is = meaning_of(s, region, va);

	if (!r->there)
		return ret ? NULL : "it is mapped";
	if (ret)
		return is.valid ? "it is not mapped" : NULL;
	if (!is.valid)
		return "it is valid";
	if (at.pa != r->pa + (va - r->va))
		return "it leads elsewhere";
	if (at.writable != is.writable)
		return "it can be written, or cannot";
	if (!(at.desc & PGTSIM_DESC_PXN) != is.executable)
		return "PXN is wrong";
	/* A table that takes a PXN block's place forbids to execute all of it, for good. */
	if ((at.executable && !is.executable) || (!at.executable && is.always))
		return "its tables forbid to execute it, or do not";
	return NULL;
}

static void check_page(const struct script *s, unsigned region, uint64_t va)
{
	const char *wrong;

	va &= -s->page;
	if (va - s->region[region].va >= s->region[region].size)
		return;
	wrong = wrong_page(s, region, va);
	if (!wrong)
		return;
	print_script(s);
	fail_msg("0x%016" PRIx64 ": %s", va, wrong);
}

static void check_violations(const struct script *s)
{
	const struct pgtsim_tlb *tlb = &s->machine->tlb;

	if (!tlb->counts.violations)
		return;
	print_script(s);
	fail_msg("%s: %s", pgtsim_violation_kind(tlb->violations[0].name)->name,
		 tlb->violations[0].text);
}

/* The pages around both ends of the last step, and two anywhere. */
static void check_step(struct script *s)
{
	const struct step *step = &s->step[s->count - 1];
	const struct region *r = &s->region[step->region];

	check_violations(s);
	check_page(s, step->region, step->start);
	check_page(s, step->region, step->start - s->page);
	check_page(s, step->region, step->start + step->size - s->page);
	check_page(s, step->region, step->start + step->size);
	check_page(s, step->region, r->va + below(s, r->size));
	check_page(s, step->region, r->va + below(s, r->size));
}

/* ---- scripts ---- */

static void run_step(struct script *s, const struct step *step)
{
	struct step *own = &s->step[s->count++];
	struct region *r = &s->region[step->region];

	*own = *step;
	own->result = apply(s, step);
	if (!own->result && step->kind <= GO)
		r->there = step->kind == COME;
	r->joined = step->kind > GO && (r->joined || (step->kind == JOIN && !own->result));
	if (own->result && !(own->result == -ENOMEM && step->fail) &&
	    !(own->result == -EINVAL && step->kind == JOIN)) {
		print_script(s);
		fail_msg("the last step returned %d", own->result);
	}
	check_step(s);
}

static void turn(struct script *s, unsigned region)
{
	struct region *r = &s->region[region];
	struct step step = { .kind = r->there ? GO : COME,
			     .region = region,
			     .start = r->va,
			     .size = r->size };

	if (!r->there && r->kind == VMAPPED)
		r->pages = one_in(s, 2);
	run_step(s, &step);
}

/* A range of the region that begins or ends at, or just beside, what a leaf may span. */
static void choose_range(struct script *s, const struct region *r, struct step *step)
{
	uint64_t span = s->spans[below(s, 5)], pages = 1 + below(s, 3);
	uint64_t at = below(s, r->size) & -span;

	if (one_in(s, 3))
		at += (below(s, 3) - 1) * s->page;
	if (at >= r->size)
		at = 0;
	step->size = one_in(s, 2) ? pages * s->page : s->spans[below(s, 5)];
	if (step->size > r->size - at)
		step->size = r->size - at;
	step->start = r->va + at;
}

/* Whether a part of it can be changed: without BBM level 3, if there are pages only. */
static bool has_parts(const struct script *s, const struct region *r)
{
	return s->machine->tlb.bbml2 || (!r->joined && (r->kind != VMAPPED || r->pages));
}

static void make_step(struct script *s)
{
	struct step step = { .region = (unsigned)below(s, REGIONS) };
	const struct region *r = &s->region[step.region];

	if (!r->there || !has_parts(s, r) || one_in(s, 8)) {
		turn(s, step.region);
		return;
	}
	choose_range(s, r, &step);
	step.kind = below(s, 8) < 5 ? PROTECT : one_in(s, 2) ? SPLIT : JOIN;
	if (step.kind == SPLIT && !s->machine->tlb.bbml2)
		step.kind = JOIN;
	step.what = (unsigned)below(s, KINDS);
	step.noflush = step.kind == PROTECT && one_in(s, 3);
	if (step.kind != JOIN && one_in(s, 8))
		step.fail = 1 + below(s, 2);
	run_step(s, &step);
}

static void place_regions(struct script *s)
{
	struct pgtsim_machine *m = s->machine;
	uint64_t block = m->hotplug.config.block_size;
	bool bbm3 = m->tlb.bbml2;
	uint64_t large = s->page == 4 * KIB && bbm3 && one_in(s, 2) ? GIB : block << below(s, 2);
	uint64_t far = -(-pgtsim_va_start(&m->geo) / 2) + (one_in(s, 2) ? 0 : 0x4000 * s->page);

	s->region[0] = (struct region){ ADDED, .pa = 2 * GIB, .size = large };
	s->region[0].va = pgtsim_linear(&m->layout, s->region[0].pa);
	s->region[1] = (struct region){ MAPPED, .va = far, .pa = 4 * GIB, .size = s->spans[3] };
	if (!bbm3) {
		s->region[0].size = block;
		s->region[1].size = 2 * s->pmd;
	}
	s->region[2] = (struct region){ VMAPPED, .va = far + 8 * GIB, .pa = 6 * GIB };
	s->region[2].size = s->pmd + (one_in(s, 2) ? s->page : 0);
}

static void run_script(struct pgtsim_machine *machine, const struct judged *judged, uint64_t seed)
{
	const struct pgtsim_geometry *geo = &machine->geo;
	struct pgtsim_counts *counts = &machine->tlb.counts;
	struct script s = { .machine = machine, .seed = seed };

	s.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	s.page = pgtsim_page_size(geo);
	s.pmd = pgtsim_entry_size(geo, PGTSIM_PMD);
	s.spans[0] = s.page;
	s.spans[1] = s.page * pgtsim_cont_entries(geo, PGTSIM_PTE);
	s.spans[2] = s.pmd;
	s.spans[3] = s.page == 4 * KIB ? 16 * s.pmd : 2 * s.pmd;
	s.spans[4] = GIB;
	place_regions(&s);
	for (unsigned i = 0; i < STEPS; i++)
		make_step(&s);
	if (one_in(&s, 8))
		pgtsim_check_machine(machine);
	for (unsigned i = 0; i < REGIONS; i++)
		if (s.region[i].there)
			turn(&s, i);
	/* Those of the vmap, and what floor and ceiling have kept. */
	pgtsim_free_tables(&machine->pgt, pgtsim_va_start(geo), 0, 0, 0);
	if (one_in(&s, 8))
		pgtsim_check_machine(machine);
	check_violations(&s);
	if (!judged_alike(judged)) {
		print_script(&s);
		fail_msg("the judge of the events finds something else");
	}
	if (machine->pgt.root->live || counts->tables_allocated != counts->tables_freed + 1 ||
	    counts->tables_constructed > counts->tables_destructed) {
		print_script(&s);
		fail_msg("something is left");
	}
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/*
 * PGTSIM_LIVE_SCRIPTS: how many, at least; PGTSIM_LIVE_SECONDS: no round begins later. A round has
 * scripts of all geometries: most of 4K, because splitting takes 8192 entries with 64K, not 512.
 */
static void scripts(void **state)
{
	static const struct {
		unsigned kib, va, each;
		bool bbm3;
	} rows[] = { { 4, 39, 16, true }, { 4, 48, 16, true }, { 4, 52, 16, true },
		     { 16, 47, 1, true }, { 16, 48, 1, true }, { 16, 52, 1, true },
		     { 64, 42, 1, true }, { 64, 52, 1, true }, { 4, 48, 3, false } };
	uint64_t wanted = number_from("PGTSIM_LIVE_SCRIPTS", 150), count = 0;
	time_t end = time(NULL) + (time_t)number_from("PGTSIM_LIVE_SECONDS", INT32_MAX);
	struct pgtsim_machine *machine[COUNT(rows)];
	static struct judged judged[COUNT(rows)];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pgtsim_checker_cpu cpu = { .bbm = rows[i].bbm3 ? 3 : 0 };
		struct pgtsim_machine_config config =
			config_of("linux-7.3", rows[i].kib, rows[i].va);

		config.bbml2 = rows[i].bbm3;
		config.tlbi_range = i % 2;
		machine[i] = machine_of(&config);
		assert_int_equal(judged_start(&judged[i], &machine[i]->tlb, &machine[i]->geo,
					      &machine[i]->policy, &cpu),
				 0);
	}
	while (count < wanted && time(NULL) < end)
		for (size_t i = 0; i < COUNT(rows); i++)
			for (unsigned n = 0; n < rows[i].each; n++)
				run_script(machine[i], &judged[i], 1000000 * i + count++);
	print_message("%" PRIu64 " scripts\n", count);
	for (size_t i = 0; i < COUNT(rows); i++) {
		judged_stop(&judged[i]);
		pgtsim_machine_free(&machine[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
