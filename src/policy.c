/* SPDX-License-Identifier: MIT */
#include <pgtsim/policy.h>

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <pgtsim/desc.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NORMAL (PGTSIM_DESC_AF | PGTSIM_DESC_SH_INNER)
#define NOEXEC (PGTSIM_DESC_PXN | PGTSIM_DESC_UXN)
#define WRITABLE (PGTSIM_DESC_DIRTY | PGTSIM_DESC_DBM)

/* MAIR_EL1 indices as the release orders them; tagged is normal's before there is such a type. */
static void set_memory_types(struct pgtsim_policy *policy, unsigned normal, unsigned tagged,
			     unsigned device)
{
	uint64_t attrs = NORMAL | PGTSIM_DESC_ATTRINDX(normal);
	uint64_t *prot = policy->prot;

	prot[PGTSIM_PROT_TAGGED] = NORMAL | PGTSIM_DESC_ATTRINDX(tagged) | NOEXEC | WRITABLE;
	prot[PGTSIM_PROT_KERNEL] = attrs | NOEXEC | WRITABLE;
	prot[PGTSIM_PROT_RO] = attrs | NOEXEC | PGTSIM_DESC_AP2 | PGTSIM_DESC_DIRTY;
	prot[PGTSIM_PROT_RX] = attrs | PGTSIM_DESC_UXN | PGTSIM_DESC_AP2 | PGTSIM_DESC_DIRTY;
	prot[PGTSIM_PROT_DEVICE] = NORMAL | PGTSIM_DESC_ATTRINDX(device) | NOEXEC | PGTSIM_DESC_DBM;
	policy->vmemmap_page = prot[PGTSIM_PROT_KERNEL];
	policy->vmemmap_block = attrs | NOEXEC;
}

/* Memory hot-remove as it first came. */
static void linux_5_7(struct pgtsim_policy *policy)
{
	*policy = (struct pgtsim_policy){
		.flush = PGTSIM_FLUSH_PER_LEAF,
		.flush_all = PGTSIM_FLUSH_ALL_ABOVE,
		.map_failure = PGTSIM_ROLLBACK, /* the kernel stops the machine instead */
		.populate_failure = PGTSIM_KEEP,
		.add_failure = PGTSIM_ROLLBACK,
		.vmemmap_partial = PGTSIM_PARTIAL_CLEAR_ALL,
		.block_failure = PGTSIM_BLOCK_FAILURE_FAIL,
		.altmap_full = PGTSIM_ALTMAP_IGNORED,
		.free_tables = PGTSIM_FREE_FLOOR_CEILING,
		.leaf_split = PGTSIM_SPLIT_CUT,
		.free_order = PGTSIM_FREE_AFTER_INVALIDATE,
		.block_over_table = PGTSIM_OVER_TABLE_SKIP,
		.barriers = PGTSIM_BARRIERS_EVERY_LEAF,
		.layout = PGTSIM_LAYOUT_5_7,
		.memmap_on_memory = PGTSIM_MOM_NONE,
	};
	set_memory_types(policy, 4, 4, 1);
}

/* The altmap. */
static void linux_5_10(struct pgtsim_policy *policy)
{
	policy->altmap_full = PGTSIM_ALTMAP_FAIL;
	set_memory_types(policy, 0, 0, 5);
}

/* Memmap on memory; tagged memory (5.12); no execution through tables (5.13). */
static void linux_5_14(struct pgtsim_policy *policy)
{
	policy->block_failure = PGTSIM_BLOCK_FAILURE_BASE_PAGES;
	policy->altmap_full = PGTSIM_ALTMAP_BASE_PAGES;
	policy->layout = PGTSIM_LAYOUT_5_14;
	policy->memmap_on_memory = PGTSIM_MOM_5_14;
	policy->error_path = PGTSIM_ERROR_PATH_PAGE_ALLOCATOR;
	policy->mom_lock = PGTSIM_MOM_LOCK_NOT_HELD;
	policy->linear_table = PGTSIM_DESC_UXNTABLE | PGTSIM_DESC_PXNTABLE;
	policy->vmemmap_table = PGTSIM_DESC_UXNTABLE;
	set_memory_types(policy, 0, 1, 4);
}

/* As of 6.1.192: all these changes were backported. */
static void linux_6_1(struct pgtsim_policy *policy)
{
	policy->error_path = PGTSIM_ERROR_PATH_ALTMAP;
	policy->mom_lock = PGTSIM_MOM_LOCK_HELD;
	policy->flush = PGTSIM_FLUSH_RANGE;
	policy->vmemmap_partial = PGTSIM_PARTIAL_BASE_PAGES;
}

/* LPA2, with the descriptor helpers and the layout that came along. */
static void linux_6_12(struct pgtsim_policy *policy)
{
	policy->altmap_full = PGTSIM_ALTMAP_FAIL;
	policy->barriers = PGTSIM_BARRIERS_DEFERRED;
	policy->layout = PGTSIM_LAYOUT_6_12;
	policy->memmap_on_memory = PGTSIM_MOM_6_8;
	policy->lpa2 = true;
	policy->oa_keeps_49_48 = true;
	policy->vmemmap_block |= PGTSIM_DESC_DBM;
}

/* Refuses to split a leaf (7.1); the library's choice where 7.3 could do either is to roll back. */
static void linux_7_3(struct pgtsim_policy *policy)
{
	policy->flush_all = PGTSIM_FLUSH_ALL_FROM;
	policy->populate_failure = PGTSIM_ROLLBACK;
	policy->leaf_split = PGTSIM_SPLIT_REFUSE;
	policy->block_over_table = PGTSIM_OVER_TABLE_FILL;
	policy->tlbi_range = true;
	policy->flush_rounds_out = true;
	policy->cont_rewrite = true;
	policy->table_dtor = PGTSIM_TABLE_DTOR_CALLED;
	policy->invalid_leaf = PGTSIM_INVALID_LEAF_MARKED;
	policy->vmemmap_block |= PGTSIM_DESC_DIRTY;
	policy->linear_table |= PGTSIM_DESC_AF;
	policy->vmemmap_table |= PGTSIM_DESC_AF;
}

/* What each release changes of the one before it. */
static void (*const releases[])(struct pgtsim_policy *) = {
	linux_5_7, linux_5_10, linux_5_14, linux_6_1, linux_6_12, linux_7_3,
};

static const char *const profiles[] = {
	"linux-5.7",  "linux-5.10", "linux-5.14", "linux-6.1",
	"linux-6.12", "linux-7.3",  "latest",     NULL,
};

static_assert(COUNT(profiles) == COUNT(releases) + 2, "each release, \"latest\" and the NULL");

#define VALUES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define KNOB(field) offsetof(struct pgtsim_policy, field)

static const struct pgtsim_knob knobs[] = {
	{ "flush", VALUES("per-leaf", "per-page-of-block", "range", "at-end"),
	  "when pass 1 invalidates the TLB", KNOB(flush) },
	{ "flush-all", VALUES("above", "from"),
	  "when a flush becomes one invalidate-all: above or from PTRS_PER_PTE pages",
	  KNOB(flush_all) },
	{ "map-failure", VALUES("rollback", "keep"), "what a mapping that fails leaves",
	  KNOB(map_failure) },
	{ "populate-failure", VALUES("rollback", "keep"),
	  "what a vmemmap-populate that fails leaves", KNOB(populate_failure) },
	{ "add-failure", VALUES("rollback", "keep"), "what an add that fails leaves",
	  KNOB(add_failure) },
	{ "vmemmap-partial", VALUES("clear-all", "base-pages", "track-unused"),
	  "how vmemmap treats blocks that a range fills in part", KNOB(vmemmap_partial) },
	{ "mark-unused", VALUES("exact", "misplaced"),
	  "what track-unused marks when a memmap begins inside a block", KNOB(mark_unused) },
	{ "block-failure", VALUES("base-pages", "fail"),
	  "what vmemmap does without memory for a block", KNOB(block_failure) },
	{ "altmap-full", VALUES("ignored", "fail", "base-pages"),
	  "what vmemmap does when the altmap has no room for a block", KNOB(altmap_full) },
	{ "free-tables",
	  VALUES("floor-ceiling", "skip-when-regions-overlap", "never", "kasan-inverted"),
	  "which empty tables pass 2 frees", KNOB(free_tables) },
	{ "leaf-split", VALUES("cut", "refuse"),
	  "what happens when a range going offline ends inside a leaf or contiguous group",
	  KNOB(leaf_split) },
	{ "free-order", VALUES("after-invalidate", "before-clear"),
	  "when pass 1 frees the memory behind a leaf", KNOB(free_order) },
	{ "table-free-order", VALUES("after-invalidate", "before-invalidate"),
	  "when pass 2 frees a table whose entry it has cleared", KNOB(table_free_order) },
	{ "table-dtor", VALUES("none", "skipped", "called"),
	  "constructor and destructor of table pages: neither, the constructor alone, both",
	  KNOB(table_dtor) },
	{ "invalid-leaf", VALUES("table", "marked"),
	  "what pass 1 takes an invalid leaf for: a table, or a leaf if bit 11 marks it",
	  KNOB(invalid_leaf) },
	{ "block-over-table", VALUES("skip", "fill"),
	  "what mapping a block does where a table stands", KNOB(block_over_table) },
	{ "error-path", VALUES("altmap", "page-allocator"),
	  "where an add that fails late frees a memmap that came from an altmap",
	  KNOB(error_path) },
	{ "early-memmap", VALUES("shared", "freed"),
	  "the memmap of a boot section when part of that section is removed", KNOB(early_memmap) },
	{ "boot-guard", VALUES("on", "off"), "whether boot memory is kept from going offline",
	  KNOB(boot_guard) },
	{ "memmap-on-memory-check", VALUES("full", "none"),
	  "whether memmap on memory looks at the sizes first", KNOB(mom_check) },
	{ "memmap-on-memory-lock", VALUES("held", "not-held"),
	  "the hotplug lock around setting up and tearing down memmap pages", KNOB(mom_lock) },
	{ "barriers", VALUES("every-leaf", "deferred"), "the barriers around table and leaf stores",
	  KNOB(barriers) },
};

const struct pgtsim_knob *pgtsim_knobs(size_t *count)
{
	*count = COUNT(knobs);
	return knobs;
}

const char *const *pgtsim_profiles(void)
{
	return profiles;
}

int pgtsim_policy_init(struct pgtsim_policy *policy, const char *profile)
{
	size_t row = 0;

	while (profiles[row] && strcmp(profiles[row], profile) != 0)
		row++;
	if (!profiles[row])
		return -ENOENT;
	for (size_t i = 0; i <= row && i < COUNT(releases); i++)
		releases[i](policy);
	policy->profile = profiles[row];
	return 0;
}

static const struct pgtsim_knob *find_knob(const char *name)
{
	for (size_t i = 0; i < COUNT(knobs); i++)
		if (strcmp(knobs[i].name, name) == 0)
			return &knobs[i];
	return NULL;
}

int pgtsim_policy_set(struct pgtsim_policy *policy, const char *knob, const char *value)
{
	const struct pgtsim_knob *found = find_knob(knob);

	if (!found)
		return -ENOENT;
	for (uint8_t i = 0; found->values[i]; i++) {
		if (strcmp(found->values[i], value) == 0) {
			((uint8_t *)policy)[found->offset] = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *pgtsim_policy_get(const struct pgtsim_policy *policy, const char *knob)
{
	const struct pgtsim_knob *found = find_knob(knob);
	uint8_t value;

	if (!found)
		return NULL;
	value = ((const uint8_t *)policy)[found->offset];
	/* A field written directly may hold a number that has no name. */
	for (uint8_t i = 0; found->values[i]; i++)
		if (i == value)
			return found->values[i];
	return NULL;
}
