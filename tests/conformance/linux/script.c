/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <inttypes.h>

/* What the making of one script knows. */
struct maker {
	struct kc_script *script;
	const struct kc_kernel *kernel;
	struct kc_layout layout;
	uint64_t random;
	uint64_t page, cont, pmd, contpmd, pud; /* bytes: what leaves and groups span */
	uint64_t memory;                        /* where memory is added: address */
	uint64_t anchor[4];                     /* virtual addresses that wild steps keep near */
	uint64_t va_start;
};

/* ---- random numbers ---- */

static uint64_t next(struct maker *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static uint64_t below(struct maker *m, uint64_t limit)
{
	return (next(m) >> 11) % limit;
}

static bool one_in(struct maker *m, uint64_t n)
{
	return below(m, n) == 0;
}

static uint64_t pick(struct maker *m, const uint64_t *values, size_t count)
{
	return values[below(m, count)];
}

#define PICK(m, ...)                               \
	pick(m, (const uint64_t[]){ __VA_ARGS__ }, \
	     sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* ---- steps ---- */

static struct kc_step *add(struct maker *m, enum kc_step_kind kind)
{
	static struct kc_step spare;
	struct kc_script *script = m->script;
	struct kc_step *step =
		script->count < KC_MAX_STEPS ? &script->step[script->count++] : &spare;

	*step = (struct kc_step){ .kind = kind, .altmap = -1 };
	return step;
}

static uint64_t linear(const struct maker *m, uint64_t pa)
{
	return m->layout.linear_0 + pa;
}

static uint64_t memmap(const struct maker *m, uint64_t pa)
{
	return m->layout.memmap + (pa >> m->kernel->page_shift) * m->kernel->struct_page;
}

static void add_altmap(struct maker *m, uint64_t pa, uint64_t reserve, uint64_t pages, int slot)
{
	struct kc_step *step = add(m, KC_ALTMAP);

	step->a = pa >> m->kernel->page_shift;
	step->b = reserve;
	step->c = pages;
	step->altmap = slot;
}

/* ---- what a correct caller does ---- */

enum { SLOTS = 6 };

/* Memory that comes and goes as one. */
struct piece {
	uint64_t pa, size;
	bool there, device;
	int altmap;
};

/*
 * The least that may come: 2 MiB for a device, a section for others. Where memory is added as a
 * whole, what has whole pages of struct pages: of others the kernel leaves out the last page.
 */
static uint64_t least(struct maker *m)
{
	uint64_t mib2 = UINT64_C(1) << 21, whole = m->page / 64 * m->page;

	if (one_in(m, 4))
		return UINT64_C(1) << m->kernel->section_bits;
	return m->script->family == KC_HOTPLUG && whole > mib2 ? whole : mib2;
}

/* Pieces follow one another without a gap or with one. */
static void lay_out(struct maker *m, struct piece *piece)
{
	uint64_t section = UINT64_C(1) << m->kernel->section_bits;
	uint64_t unit = least(m);
	uint64_t pa = m->memory & -unit;

	for (int i = 0; i < SLOTS; i++) {
		pa += unit * PICK(m, 0, 0, 0, 1, 3, section / unit);
		piece[i] = (struct piece){ .pa = pa, .size = unit, .altmap = -1 };
		piece[i].device = unit < section || one_in(m, 2);
		if (unit < section)
			piece[i].size *= 1 + below(m, 6);
		pa += piece[i].size;
	}
}

static uint64_t part_of_section(const struct maker *m, const struct piece *piece, uint64_t pa)
{
	uint64_t section = UINT64_C(1) << m->kernel->section_bits;
	uint64_t end = (pa | (section - 1)) + 1;

	return end < piece->pa + piece->size ? end : piece->pa + piece->size;
}

/* What is done to the memmap of each section, or part of one. */
static void each_memmap(struct maker *m, const struct piece *piece, enum kc_step_kind kind)
{
	for (uint64_t pa = piece->pa, end; pa < piece->pa + piece->size; pa = end) {
		struct kc_step *step = add(m, kind);

		end = part_of_section(m, piece, pa);
		step->a = memmap(m, pa);
		step->b = memmap(m, end);
		step->altmap = piece->altmap;
	}
}

static void add_piece(struct maker *m, struct piece *piece, unsigned flags)
{
	uint64_t pages = piece->size >> m->kernel->page_shift;
	struct kc_step *step;

	if (one_in(m, 12))
		add(m, KC_FAIL)->a = 1 + below(m, 6);
	if (one_in(m, 4)) {
		piece->altmap = (int)below(m, KC_ALTMAPS);
		add_altmap(m, piece->pa, PICK(m, 0, 0, 2, 512), pages / PICK(m, 1, 8, 64, 100),
			   piece->altmap);
	}
	step = add(m, KC_MAP);
	step->a = linear(m, piece->pa);
	step->b = piece->pa;
	step->c = piece->size;
	step->flags = flags;
	each_memmap(m, piece, KC_POPULATE);
	piece->there = true;
}

static void remove_piece(struct maker *m, struct piece *piece)
{
	struct kc_step *step;

	each_memmap(m, piece, KC_FREE_MEMMAP);
	step = add(m, KC_REMOVE);
	step->a = linear(m, piece->pa);
	step->b = piece->size;
	piece->there = false;
	piece->altmap = -1;
}

/* An altmap serves one device at a time: the first two pieces have one each. */
static void add_whole(struct maker *m, struct piece *piece, int number)
{
	uint64_t pages = piece->size >> m->kernel->page_shift;
	struct kc_step *step;

	/*
	 * The memmap of 56 bytes shares its blocks, and a failure frees the neighbour's: none is
	 * injected, and no altmap is too small.
	 */
	if (one_in(m, 5) && m->kernel->struct_page == 64)
		add(m, KC_FAIL)->a = 1 + below(m, 10);
	if (piece->device && number < KC_ALTMAPS && one_in(m, 2)) {
		piece->altmap = number;
		add_altmap(m, piece->pa, PICK(m, 0, 0, 2),
			   pages / (m->kernel->struct_page == 64 ? PICK(m, 2, 8, 64, 100) :
								   PICK(m, 2, 2, 8, 8)),
			   number);
	}
	step = add(m, KC_ADD);
	step->a = piece->pa;
	step->b = piece->size;
	step->device = piece->device;
	step->altmap = piece->altmap;
	piece->there = true;
}

static void take_whole(struct maker *m, struct piece *piece)
{
	struct kc_step *step = add(m, KC_TAKE);

	step->a = piece->pa;
	step->b = piece->size;
	step->device = piece->device;
	step->altmap = piece->altmap;
	piece->there = false;
	piece->altmap = -1;
}

static void turn(struct maker *m, struct piece *piece, int number, unsigned flags)
{
	bool whole = m->script->family == KC_HOTPLUG;

	if (piece->there && whole)
		take_whole(m, piece);
	else if (piece->there)
		remove_piece(m, piece);
	else if (whole)
		add_whole(m, piece, number);
	else
		add_piece(m, piece, flags);
}

static void make_correct(struct maker *m)
{
	unsigned flags = (unsigned)PICK(m, 0, 0, KC_BLOCKS, KC_BLOCKS | KC_CONT, KC_CONT);
	struct piece piece[SLOTS];

	m->script->blocks = one_in(m, 2);
	lay_out(m, piece);
	for (unsigned turns = 4 + (unsigned)below(m, 8); turns; turns--) {
		int number = (int)below(m, SLOTS);

		turn(m, &piece[number], number, flags);
	}
	for (int i = 0; i < SLOTS; i++)
		if (piece[i].there && !one_in(m, 3))
			turn(m, &piece[i], i, flags);
}

/* ---- changes of live mappings ---- */

/* [va, va + size): page-aligned, and mapped unless a step took a part of it away. */
struct area {
	uint64_t va, size;
};

/* A part of the area from an address that matters on, now and then from a few pages beside it. */
static struct area part_of(struct maker *m, struct area area)
{
	uint64_t unit = PICK(m, m->page, m->page, m->cont, m->cont, m->pmd, m->pmd, m->contpmd);
	struct area part = { .size = (1 + below(m, 4)) * unit };
	uint64_t offset = below(m, area.size) & -unit;

	if (one_in(m, 3))
		offset = (offset + below(m, 5) * m->page) % area.size;
	if (one_in(m, 3))
		part.size = m->page * (1 + below(m, 40));
	part.va = area.va + offset;
	if (part.size > area.size - offset)
		part.size = area.size - offset;
	return part;
}

static void add_protect(struct maker *m, struct area area)
{
	struct kc_step *step = add(m, KC_PROTECT);

	step->a = area.va;
	step->b = area.size;
	step->prot = (unsigned)below(m, KC_CHANGE_DEFAULT);
	if (!one_in(m, 5))
		return;
	step->b = m->page;
	step->noflush = true;
	step->prot = one_in(m, 2) ? KC_CHANGE_INVALID : KC_CHANGE_DEFAULT;
}

static void add_split(struct maker *m, struct area area)
{
	struct kc_step *step = add(m, KC_SPLIT);

	step->a = area.va;
	step->b = area.va + area.size;
	if (one_in(m, 12))
		step->a += 1 + below(m, m->page - 1);
}

static void live_step(struct maker *m, struct area area)
{
	struct area part = part_of(m, area);

	if (one_in(m, 5))
		add(m, KC_FAIL)->a = 1 + below(m, 4);
	if (one_in(m, 3))
		add_split(m, part);
	else
		add_protect(m, part);
}

/* Core mm maps memory there, mostly as aligned as the addresses are. */
static void add_vmap(struct maker *m, struct area area)
{
	struct kc_step *step = add(m, KC_VMAP);

	step->a = area.va;
	step->b = area.va - linear(m, 0);
	if (one_in(m, 4))
		step->b = (m->memory & -m->page) + below(m, 8) * PICK(m, m->page, m->cont, m->pmd);
	step->c = area.size;
	step->flags = one_in(m, 4) ? 0 : KC_BLOCKS;
}

/* A part is unmapped, or tables are freed, as pass 1 and pass 2 do, or it is the end of a vmap. */
static void take_down(struct maker *m, struct area area)
{
	struct kc_step *step =
		add(m, (enum kc_step_kind)PICK(m, KC_TABLES, KC_UNMAP, KC_UNMAP, KC_VUNMAP));

	step->a = area.va;
	step->b = area.va + area.size;
	step->c = m->layout.page_offset;
	step->d = m->layout.page_end;
}

/* With large leaves up to a whole pud; of pages no more than are soon compared. */
static struct area map_area(struct maker *m, uint64_t pa, unsigned flags)
{
	uint64_t most = flags & KC_BLOCKS ? m->pud > m->contpmd ? m->pud : m->contpmd : m->pmd;
	uint64_t unit = PICK(m, m->cont, m->pmd, most, most);
	struct kc_step *step = add(m, KC_MAP);

	if (unit > most)
		unit = most;
	step->a = linear(m, pa);
	step->b = pa;
	step->c = unit;
	step->flags = flags;
	step->prot = one_in(m, 4) ? (unsigned)below(m, 5) : 0;
	return (struct area){ step->a, step->c };
}

/* Where nothing was mapped before: maps pages, clears them, and maps anew, where tables stand now. */
static void make_vmaps(struct maker *m, struct area area)
{
	area.va += m->pud;
	for (unsigned times = 1 + (unsigned)below(m, 3); times; times--) {
		struct kc_step *step;

		if (one_in(m, 4))
			add(m, KC_FAIL)->a = 1 + below(m, 4);
		add_vmap(m, one_in(m, 2) ? area : part_of(m, area));
		step = add(m, KC_VUNMAP);
		step->a = area.va;
		step->b = area.va + area.size;
	}
	add_vmap(m, area);
}

static void make_live(struct maker *m)
{
	uint64_t unit = PICK(m, m->pmd, m->contpmd, m->pud);
	uint64_t pa = (m->memory + unit - 1) & -unit;
	unsigned flags = (unsigned)PICK(m, 0, KC_CONT, KC_BLOCKS, KC_BLOCKS | KC_CONT,
					KC_BLOCKS | KC_CONT);
	struct area area = map_area(m, pa, flags);

	for (unsigned steps = 4 + (unsigned)below(m, 14); steps; steps--) {
		struct area part = part_of(m, area);

		if (one_in(m, 8)) {
			take_down(m, part);
			if (one_in(m, 2))
				add_vmap(m, part);
		} else {
			live_step(m, area);
		}
	}
	if (one_in(m, 3))
		take_down(m, area);
	if (one_in(m, 6))
		make_vmaps(m, area);
}

/* ---- anything at all ---- */

/* A size that matters somewhere. */
static uint64_t span(struct maker *m)
{
	return PICK(m, m->page, m->page, m->cont, m->cont, m->pmd, m->pmd, m->contpmd, m->pud);
}

/* Now and then a few pages or bytes more or less. */
static uint64_t off_by_some(struct maker *m, uint64_t value)
{
	if (one_in(m, 4))
		value += (below(m, 7) - 3) * m->page;
	if (one_in(m, 12))
		value += below(m, 2 * m->page) - m->page;
	return value;
}

static uint64_t wild_va(struct maker *m)
{
	uint64_t va = m->anchor[below(m, 4)];

	if (!one_in(m, 3))
		va += (below(m, 9) - 4) * span(m);
	return off_by_some(m, va);
}

static uint64_t wild_size(struct maker *m, uint64_t limit)
{
	uint64_t size = (1 + below(m, 4)) * span(m);

	while (size > limit)
		size = limit > m->page ? 1 + below(m, limit) : limit;
	return off_by_some(m, size);
}

/* Memory for va: mostly as aligned as it is, mostly somewhere that nobody else uses. */
static uint64_t wild_pa(struct maker *m, uint64_t va)
{
	uint64_t unit = PICK(m, m->pmd, m->pmd, m->pud, m->contpmd, m->cont, m->page);
	uint64_t pa = (m->memory & -unit) + below(m, 8) * unit + (va & (unit - 1));

	if (one_in(m, 24))
		pa ^= below(m, m->page);
	if (one_in(m, 40))
		pa += UINT64_C(1) << (m->kernel->pa_bits - 1 + below(m, 2));
	return pa;
}

/* Pages of RAM: free ones, tables, anybody's. */
static void map_ram_pages(struct maker *m, struct kc_step *step)
{
	step->b = m->script->ram_start + below(m, 600) * m->page + (step->a & (m->page - 1));
	step->c = (1 + below(m, 20)) * m->page;
	step->flags &= ~(unsigned)KC_BLOCKS;
}

static void wild_map(struct maker *m)
{
	struct kc_step *step = add(m, KC_MAP);
	uint64_t pages = 2 * m->pmd;

	step->flags = (unsigned)PICK(m, 0, KC_BLOCKS, KC_BLOCKS | KC_CONT, KC_CONT) |
		      (one_in(m, 5) ? KC_EXEC : 0);
	step->prot = (unsigned)below(m, 5);
	step->a = wild_va(m);
	step->b = wild_pa(m, step->a);
	if ((step->flags & KC_BLOCKS) && !((step->a ^ step->b) & (m->pmd - 1)))
		pages = UINT64_MAX;
	step->c = wild_size(m, pages);
	if (one_in(m, 30))
		map_ram_pages(m, step);
}

static void wild_range(struct maker *m, struct kc_step *step)
{
	step->a = wild_va(m);
	step->b = step->a + wild_size(m, UINT64_MAX);
	if (one_in(m, 6))
		step->b = wild_va(m);
	/* The kernel's loops cannot end at the end of the address space. */
	if (!step->b)
		step->b = -m->page;
}

static void wild_unmap(struct maker *m)
{
	struct kc_step *step = add(m, KC_UNMAP);

	wild_range(m, step);
	step->free = one_in(m, 3);
	step->altmap = one_in(m, 5) ? (int)below(m, KC_ALTMAPS) : -1;
}

static void wild_tables(struct maker *m)
{
	struct kc_step *step = add(m, KC_TABLES);

	wild_range(m, step);
	step->c = PICK(m, m->layout.page_offset, m->layout.vmemmap_start, 0, step->a,
		       step->a & -m->pmd, step->a & -m->pud, wild_va(m));
	step->d = PICK(m, m->layout.page_end, m->layout.vmemmap_end, 0, 0, step->b,
		       (step->b + m->pmd - 1) & -m->pmd, (step->b + m->pud - 1) & -m->pud,
		       wild_va(m), 1 + below(m, m->pud));
}

static void wild_remove(struct maker *m)
{
	struct kc_step *step = add(m, KC_REMOVE);

	wild_range(m, step);
	step->b -= step->a;
}

/* A part of the memmap near the anchors that lie in it, or that of a few sections. */
static void wild_memmap(struct maker *m, struct kc_step *step)
{
	uint64_t section = UINT64_C(1) << m->kernel->section_bits;

	step->altmap = one_in(m, 4) ? (int)below(m, KC_ALTMAPS) : -1;
	if (one_in(m, 2)) {
		uint64_t pa = (m->memory & -section) + below(m, 4) * section;

		step->a = memmap(m, pa);
		step->b = memmap(m, pa + section);
	} else {
		step->a = m->anchor[2 + below(m, 2)] + (below(m, 5) - 2) * span(m);
		step->b = step->a + wild_size(m, 3 * (memmap(m, section) - memmap(m, 0)));
	}
	if (one_in(m, 4))
		step->a = off_by_some(m, step->a);
	if (one_in(m, 4))
		step->b = off_by_some(m, step->b);
}

static void wild_populate(struct maker *m)
{
	struct kc_step *step = add(m, KC_POPULATE);

	wild_memmap(m, step);
	step->pages = one_in(m, 4);
}

static void wild_altmap(struct maker *m)
{
	uint64_t unit = PICK(m, m->page, m->cont, m->pmd);

	add_altmap(m, (m->memory & -m->pmd) + below(m, 16) * unit, PICK(m, 0, 0, 1, 512),
		   PICK(m, 0, 1, 100, 512, 600, 1024, 2000), (int)below(m, KC_ALTMAPS));
}

static void wild_step(struct maker *m)
{
	static void (*const make[])(struct maker *) = {
		wild_map,    wild_map,    wild_map,    wild_map,      wild_unmap,    wild_unmap,
		wild_tables, wild_tables, wild_remove, wild_populate, wild_populate, wild_populate,
	};

	if (one_in(m, 10)) {
		add(m, KC_FAIL)->a = 1 + below(m, 8);
	} else if (one_in(m, 10)) {
		wild_altmap(m);
	} else if (one_in(m, 6)) {
		wild_memmap(m, add(m, KC_FREE_MEMMAP));
	} else {
		make[below(m, sizeof(make) / sizeof(make[0]))](m);
	}
}

/* Two anchors anywhere or at the linear map's ends, two in the memmap or at its ends. */
static void drop_anchors(struct maker *m)
{
	const struct kc_layout *l = &m->layout;
	uint64_t size = PICK(m, m->pmd, m->pud, m->contpmd, m->page);

	m->anchor[0] = linear(m, m->memory) & -size;
	m->anchor[1] = PICK(m, l->page_offset, l->page_end, m->va_start,
			    m->va_start + below(m, 0 - m->va_start), linear(m, m->memory));
	m->anchor[1] &= -PICK(m, m->page, m->pmd, m->pud);
	m->anchor[2] = memmap(m, m->memory) & -PICK(m, m->page, m->pmd, m->pud);
	m->anchor[3] = PICK(m, l->vmemmap_start, l->vmemmap_end - m->pmd, memmap(m, m->memory),
			    l->vmemmap_start + below(m, l->vmemmap_end - l->vmemmap_start));
	m->anchor[3] &= -m->page;
}

static void make_wild(struct maker *m)
{
	drop_anchors(m);
	for (unsigned steps = 6 + (unsigned)below(m, 16); steps; steps--)
		wild_step(m);
}

/* ---- scripts ---- */

static void measure(struct maker *m)
{
	unsigned bits = m->kernel->page_shift - 3, pmd = m->kernel->page_shift + bits;

	m->page = UINT64_C(1) << m->kernel->page_shift;
	m->pmd = UINT64_C(1) << pmd;
	m->cont = m->page * m->layout.cont_pte;
	m->contpmd = m->pmd * m->layout.cont_pmd;
	m->pud = pmd + bits < m->script->va_actual ? UINT64_C(1) << (pmd + bits) : m->pmd;
	m->va_start = -(UINT64_C(1) << m->script->va_actual);
}

static unsigned pa_bits(const struct maker *m)
{
	if (m->kernel->page_shift != 16 && m->script->va_actual < 52)
		return 48;
	return m->kernel->pa_bits;
}

/* RAM and added memory low or, where addresses are long enough, high. */
static void place_memory(struct maker *m)
{
	const uint64_t gib = UINT64_C(1) << 30;
	uint64_t high = next(m) & ((UINT64_C(1) << pa_bits(m)) - 1) & -(64 * gib);

	m->script->ram_start = gib + below(m, 16) * KC_RAM_BYTES + (one_in(m, 2) ? 0 : high);
	m->memory = m->script->ram_start + PICK(m, 1, 2, 3, 5) * gib + below(m, 32) * (gib >> 9);
}

/* Added memory around an address whose upper bits a descriptor keeps elsewhere. */
static void place_memory_at_boundary(struct maker *m)
{
	const uint64_t gib = UINT64_C(1) << 30;
	uint64_t boundary = (1 + below(m, 3)) << (m->kernel->page_shift == 16 ? 48 : 50);

	m->script->ram_start = boundary - 4 * gib;
	m->memory = boundary - below(m, 64) * (gib >> 9);
}

void kc_script_make(struct kc_script *script, const struct kc_kernel *kernel, unsigned va_actual,
		    uint64_t seed, enum kc_family family)
{
	struct maker m = { .script = script, .kernel = kernel };

	*script = (struct kc_script){ .seed = seed, .va_actual = va_actual, .family = family };
	script->tlbi_range = seed / 5 % 2;
	script->bbm3 = seed / 10 % 3 == 0;
	m.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < 4; i++)
		next(&m);
	if (pa_bits(&m) == 52 && one_in(&m, 4))
		place_memory_at_boundary(&m);
	else
		place_memory(&m);
	kernel->start(va_actual, script->ram_start);
	m.layout = kernel->layout();
	measure(&m);
	if (family == KC_WILD)
		make_wild(&m);
	else if (family == KC_LIVE)
		make_live(&m);
	else
		make_correct(&m);
}

void kc_step_print(FILE *out, const struct kc_step *step)
{
	static const char *const names[KC_STEP_KINDS] = {
		[KC_MAP] = "map",
		[KC_UNMAP] = "unmap",
		[KC_TABLES] = "free-tables",
		[KC_REMOVE] = "remove",
		[KC_POPULATE] = "populate",
		[KC_FREE_MEMMAP] = "free-memmap",
		[KC_ADD] = "add",
		[KC_TAKE] = "take",
		[KC_FAIL] = "fail",
		[KC_ALTMAP] = "altmap",
		[KC_PROTECT] = "protect",
		[KC_SPLIT] = "split",
		[KC_VMAP] = "vmap",
		[KC_VUNMAP] = "vunmap",
	};

	fprintf(out, "%-11s a=0x%016" PRIx64 " b=0x%016" PRIx64 " c=0x%" PRIx64 " d=0x%" PRIx64,
		names[step->kind], step->a, step->b, step->c, step->d);
	fprintf(out, " prot=%u%s%s%s%s%s%s%s altmap=%d\n", step->prot,
		step->noflush ? " noflush" : "", step->device ? " device" : "",
		step->flags & KC_BLOCKS ? " blocks" : "", step->flags & KC_CONT ? " cont" : "",
		step->flags & KC_EXEC ? " exec" : "", step->free ? " free" : "",
		step->pages ? " pages" : "", step->altmap);
}
