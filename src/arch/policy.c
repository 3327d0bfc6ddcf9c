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

/* ---- profiles ---- */

/*
 * A row a release: name, the row it starts from, what differs from that, the stable release that
 * it describes, what is new. Rows that were read in or run from that release's source say so by
 * their number; 5.15, 6.6 and 6.18 are told by commits and by what was backported beside them.
 * Failures that stop the kernel are a rollback here, in every release.
 */
#define PROFILES(X)                                                                                \
	X("linux-5.7", NULL, "populate-failure=keep block-failure=fail", "5.7",                    \
	  "hot-remove as it first came")                                                           \
	X("linux-5.10", "linux-5.7", "altmap-full=fail memory-types=5.10", "5.10",                 \
	  "altmaps are used")                                                                      \
	X("linux-5.10.223", "linux-5.10",                                                          \
	  "memory-types=5.10-tagged leaf-dirty=clear usage-map=grace-period", "5.10.223",          \
	  "hot-added memory is tagged; leaves lack the dirty bit")                                 \
	X("linux-5.10.262", "linux-5.10.223", "flush=per-page-of-block", "5.10.262",               \
	  "the linear map is flushed once, a vmemmap block page by page")                          \
	X("linux-5.14", "linux-5.10",                                                              \
	  "block-failure=base-pages altmap-full=base-pages kernel-layout=5.14 "                    \
	  "memmap-on-memory-rule=5.14 error-path=page-allocator "                                  \
	  "memmap-on-memory-lock=not-held table-noexec=on memory-types=5.12 "                      \
	  "add-outside=e2big",                                                                     \
	  "5.14", "memmap on memory; hot-added memory is tagged; tables forbid execution")         \
	X("linux-5.15", "linux-5.14",                                                              \
	  "flush=range error-path=altmap memmap-on-memory-lock=held usage-map=grace-period",       \
	  "5.15.y of 2026", "as 5.14, with what was backported")                                   \
	X("linux-6.1.170", "linux-5.14",                                                           \
	  "error-path=altmap memmap-on-memory-lock=held vmemmap-partial=base-pages "               \
	  "usage-map=grace-period",                                                                \
	  "6.1.170",                                                                               \
	  "less than a section of memmap in pages; a flush for each leaf")                         \
	X("linux-6.1.176", "linux-6.1.170", "flush=per-page-of-block", "6.1.176",                  \
	  "the linear map is flushed once, a vmemmap block page by page")                          \
	X("linux-6.1", "linux-6.1.170", "flush=range", "6.1.192",                                  \
	  "one flush for the linear map, one invalidate for a vmemmap block")                      \
	X("linux-6.6.139", "linux-6.1.170",                                                        \
	  "memmap-on-memory-rule=6.6 altmap-full=fail vmemmap-block-attributes=writable",          \
	  "6.6.139", "an ordinary add if memmap on memory is not possible; a flush for each leaf") \
	X("linux-6.6", "linux-6.6.139", "flush=range", "6.6.y of 2026",                            \
	  "one flush for the linear map")                                                          \
	X("linux-6.12.0", "linux-6.6.139",                                                         \
	  "vmemmap-partial=clear-all memmap-on-memory-rule=6.8 error-path=page-allocator "         \
	  "barriers=deferred kernel-layout=6.12 lpa2=on pa-bits-49-48=kept",                       \
	  "6.12", "LPA2; barriers deferred; one altmap a memory block; a flush for each leaf")     \
	X("linux-6.12", "linux-6.12.0",                                                            \
	  "flush=range vmemmap-partial=base-pages error-path=altmap", "6.12.117",                  \
	  "one flush for the linear map; less than a section of memmap in pages")                  \
	X("linux-6.18", "linux-6.12",                                                              \
	  "flush-all=from flush-by-range=on flush-rounding=out table-af=on table-dtor=every "      \
	  "hot-add-leaves=bbm3-blocks live-split=bbm3 huge-areas=refused vmalloc-batching=on",     \
	  "6.18.y of 2026", "range invalidates; tables carry AF; destructors; live splits")        \
	X("linux-7.3", "linux-6.18",                                                               \
	  "leaf-split=refuse split-check=usable-pages invalid-leaf=marked "                        \
	  "block-over-table=fill cont-group=whole cont-rewrite=allowed "                           \
	  "vmemmap-block-attributes=kernel alias-change=part",                                     \
	  "7.3.4", "offline refuses to split a leaf; invalid leaves are marked")                   \
	X("latest", "linux-7.3", "populate-failure=rollback", "7.3.4",                             \
	  "the newest, but what fails leaves nothing behind")

/*
 * Of s390's format. Only what generic code asks of a policy, and free-order, has a meaning there: the
 * rest of what arch/s390/mm/vmem.c does is no knob.
 */
#define PROFILES_S390(X)                                                                           \
	X("s390-5.9", NULL,                                                                        \
	  "flush=at-end vmemmap-partial=track-unused altmap-full=refused free-order=before-clear " \
	  "table-dtor=called vmemmap-publish=dsb add-outside=erange half-page-tables=on",          \
	  "5.10.y", "one walk adds and removes, one IDTE at the end; memory is freed before it")   \
	X("s390-6.1", "s390-5.9",                                                                  \
	  "leaf-at-zero=on add-outside=e2big usage-map=grace-period",                              \
	  "6.1.y", "large leaves at address 0, too")                                               \
	X("s390-6.12", "s390-6.1",                                                                 \
	  "altmap-full=base-pages memmap-on-memory-rule=6.8 half-page-tables=off",                 \
	  "6.12.y", "memmap from an altmap, memmap on memory; a page for each page table")         \
	X("s390-7.3", "s390-6.12", "leaf-split=split s390-bits=7.3",                               \
	  "7.3.4", "a 2G leaf that a removal cuts is split; other bits of software")

static const struct pgtsim_profile rows[] = {
#define ROW(name, base, changes, release, summary) { name, base, changes, release, summary },
	PROFILES(ROW)
};

static const struct pgtsim_profile rows_s390[] = {
	PROFILES_S390(ROW)
#undef ROW
};

static const char *const names[] = {
#define NAME(name, base, changes, release, summary) name,
	PROFILES(NAME)
		NULL,
};

static const char *const names_s390[] = {
	PROFILES_S390(NAME)
#undef NAME
		NULL,
};

/* ---- attributes ---- */

/* MAIR_EL1 indices as each release orders them; tagged is normal's before there is such a type. */
static const struct {
	uint8_t normal, tagged, device;
} memory_types[] = {
	[PGTSIM_MEMORY_TYPES_5_7] = { 4, 4, 1 },
	[PGTSIM_MEMORY_TYPES_5_10] = { 0, 0, 5 },
	[PGTSIM_MEMORY_TYPES_5_12] = { 0, 1, 4 },
	[PGTSIM_MEMORY_TYPES_5_10_TAGGED] = { 0, 1, 5 },
};

static void set_leaf_attributes(struct pgtsim_policy *policy)
{
	static const uint64_t block[] = {
		[PGTSIM_VMEMMAP_BLOCK_PLAIN] = 0,
		[PGTSIM_VMEMMAP_BLOCK_WRITABLE] = PGTSIM_DESC_DBM,
		[PGTSIM_VMEMMAP_BLOCK_KERNEL] = WRITABLE,
	};
	unsigned normal = memory_types[policy->memory_types].normal;
	unsigned tagged = memory_types[policy->memory_types].tagged;
	unsigned device = memory_types[policy->memory_types].device;
	uint64_t attrs = NORMAL | PGTSIM_DESC_ATTRINDX(normal);
	uint64_t *prot = policy->prot;

	prot[PGTSIM_PROT_TAGGED] = NORMAL | PGTSIM_DESC_ATTRINDX(tagged) | NOEXEC | WRITABLE;
	prot[PGTSIM_PROT_KERNEL] = attrs | NOEXEC | WRITABLE;
	prot[PGTSIM_PROT_RO] = attrs | NOEXEC | PGTSIM_DESC_AP2 | PGTSIM_DESC_DIRTY;
	prot[PGTSIM_PROT_RX] = attrs | PGTSIM_DESC_UXN | PGTSIM_DESC_AP2 | PGTSIM_DESC_DIRTY;
	prot[PGTSIM_PROT_DEVICE] = NORMAL | PGTSIM_DESC_ATTRINDX(device) | NOEXEC | PGTSIM_DESC_DBM;
	for (unsigned i = 0; policy->clean_leaves && i < PGTSIM_PROT_COUNT; i++)
		prot[i] &= ~(uint64_t)PGTSIM_DESC_DIRTY;
	policy->vmemmap_page = prot[PGTSIM_PROT_KERNEL];
	policy->vmemmap_block = attrs | NOEXEC | block[policy->vmemmap_block_attrs];
}

static void set_table_attributes(struct pgtsim_policy *policy)
{
	uint64_t af = policy->table_af ? PGTSIM_DESC_AF : 0;

	policy->linear_table = af;
	policy->vmemmap_table = af;
	if (policy->table_noexec) {
		policy->linear_table |= PGTSIM_DESC_UXNTABLE | PGTSIM_DESC_PXNTABLE;
		policy->vmemmap_table |= PGTSIM_DESC_UXNTABLE;
	}
}

void pgtsim_policy_kpti(struct pgtsim_policy *policy)
{
	if (!policy)
		return;
	for (unsigned i = 0; i < PGTSIM_PROT_COUNT; i++)
		policy->prot[i] |= PGTSIM_DESC_NG;
	policy->vmemmap_page |= PGTSIM_DESC_NG;
	policy->vmemmap_block |= PGTSIM_DESC_NG;
}

/* ---- knobs ---- */

#define VALUES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define OFF_ON VALUES("off", "on")
#define KNOB(field) offsetof(struct pgtsim_policy, field)

/* The rest of a row: where it is, and whose functions ask for it. */
#define OF_ARM64(field) KNOB(field), 1u << PGTSIM_FORMAT_ARM64, NULL
#define OF_S390(field) KNOB(field), 1u << PGTSIM_FORMAT_S390, NULL
#define OF_BOTH(field, s390) \
	KNOB(field), 1u << PGTSIM_FORMAT_ARM64 | 1u << PGTSIM_FORMAT_S390, s390

static_assert(sizeof(bool) == 1, "a knob of two values may be a bool");

static const struct pgtsim_knob knobs[] = {
	{ "flush", VALUES("per-leaf", "per-page-of-block", "range", "at-end"),
	  "when pass 1 invalidates the TLB", OF_ARM64(flush) },
	{ "flush-all", VALUES("above", "from"),
	  "when a flush becomes one invalidate-all: above or from PTRS_PER_PTE pages",
	  OF_ARM64(flush_all) },
	{ "map-failure", VALUES("rollback", "keep"), "what a mapping that fails leaves",
	  OF_BOTH(map_failure, NULL) },
	{ "populate-failure", VALUES("rollback", "keep"),
	  "what a vmemmap-populate that fails leaves", OF_BOTH(populate_failure, NULL) },
	{ "add-failure", VALUES("rollback", "keep"), "what an add that fails leaves",
	  OF_BOTH(add_failure, NULL) },
	{ "vmemmap-partial", VALUES("clear-all", "base-pages", "track-unused"),
	  "how vmemmap treats blocks that a range fills in part", OF_BOTH(vmemmap_partial, NULL) },
	{ "mark-unused", VALUES("exact", "misplaced"),
	  "what track-unused marks when a memmap begins inside a block",
	  OF_BOTH(mark_unused, NULL) },
	{ "block-failure", VALUES("base-pages", "fail"),
	  "what vmemmap does without memory for a block", OF_ARM64(block_failure) },
	{ "altmap-full", VALUES("ignored", "fail", "base-pages", "refused"),
	  "what vmemmap does when the altmap has no room for a block",
	  OF_BOTH(altmap_full, "refused") },
	{ "free-tables",
	  VALUES("floor-ceiling", "skip-when-regions-overlap", "never", "kasan-inverted"),
	  "which empty tables pass 2 frees", OF_ARM64(free_tables) },
	{ "leaf-split", VALUES("cut", "refuse", "split"),
	  "what happens when a range going offline ends inside a leaf or contiguous group; "
	  "split is s390's",
	  OF_BOTH(leaf_split, "split") },
	{ "split-check", VALUES("request", "block", "usable-pages"),
	  "which ends leaf-split=refuse looks at: the request's, each memory block's, or each "
	  "block's without the pages of its memmap",
	  OF_BOTH(split_check, NULL) },
	{ "free-mapped", VALUES("always", "never"),
	  "whether removing a memmap unmaps it, or leaves it for the next add to find",
	  OF_ARM64(free_mapped) },
	{ "free-order", VALUES("after-invalidate", "before-clear"),
	  "when pass 1 frees the memory behind a leaf", OF_BOTH(free_order, NULL) },
	{ "table-free-order", VALUES("after-invalidate", "before-invalidate"),
	  "when pass 2 frees a table whose entry it has cleared", OF_ARM64(table_free_order) },
	{ "table-dtor", VALUES("none", "skipped", "called", "every"),
	  "constructor and destructor of table pages: neither, the constructor alone, both, or both "
	  "and in the vmemmap the destructor alone",
	  OF_ARM64(table_dtor) },
	{ "invalid-leaf", VALUES("table", "marked"),
	  "what pass 1 takes an invalid leaf for: a table, or a leaf if bit 11 marks it",
	  OF_ARM64(invalid_leaf) },
	{ "block-over-table", VALUES("skip", "fill"),
	  "what mapping a block does where a table stands", OF_ARM64(block_over_table) },
	{ "error-path", VALUES("altmap", "page-allocator"),
	  "where an add that fails late frees a memmap that came from an altmap",
	  OF_BOTH(error_path, NULL) },
	{ "early-memmap", VALUES("shared", "freed"),
	  "the memmap of a boot section when part of that section is removed",
	  OF_BOTH(early_memmap, NULL) },
	{ "boot-guard", VALUES("on", "off"), "whether boot memory is kept from going offline",
	  OF_BOTH(boot_guard, NULL) },
	{ "memmap-on-memory-check", VALUES("full", "none"),
	  "whether memmap on memory looks at the sizes first", OF_BOTH(mom_check, NULL) },
	{ "memmap-on-memory-lock", VALUES("held", "not-held"),
	  "the hotplug lock around setting up and tearing down memmap pages",
	  OF_BOTH(mom_lock, NULL) },
	{ "memmap-on-memory-rule", VALUES("none", "5.14", "6.6", "6.8"),
	  "the rules for memmap on memory, by the release they came with",
	  OF_BOTH(memmap_on_memory, NULL) },
	{ "barriers", VALUES("every-leaf", "deferred"), "the barriers around table and leaf stores",
	  OF_ARM64(barriers) },
	{ "flush-by-range", OFF_ON,
	  "whether kernel ranges are flushed by range operations, where the CPU has them",
	  OF_ARM64(tlbi_range) },
	{ "flush-rounding", VALUES("down", "out"),
	  "how a flush makes whole pages of its range: both ends down to 4K, or outwards",
	  OF_ARM64(flush_rounds_out) },
	{ "cont-rewrite", VALUES("forbidden", "allowed"),
	  "whether a live contiguous entry may be written again as it is", OF_ARM64(cont_rewrite) },
	{ "cont-group", VALUES("any", "whole"),
	  "whether a contiguous group that holds a table gets the hint on its other entries",
	  OF_ARM64(cont_group) },
	{ "hot-add-leaves", VALUES("as-told", "bbm3-blocks"),
	  "whether a CPU with bbm=3 gets blocks and contiguous groups for hot-added memory, "
	  "whatever the machine says",
	  OF_ARM64(hot_add_leaves) },
	{ "live-split", VALUES("never", "bbm3"),
	  "whether live leaves are split, and blocks changed, when attributes change on a CPU with "
	  "bbm=3; with never, barriers follow each leaf that changes, not all of them",
	  OF_ARM64(live_split) },
	{ "alias-change", VALUES("area", "part"),
	  "which pages of the linear map set_memory_ro() and _rw() change with rodata=full: behind "
	  "the whole vmalloc area, or behind the part that changes",
	  OF_ARM64(alias_change) },
	{ "huge-areas", VALUES("taken", "refused"),
	  "what set_memory_*() does with a vmalloc area that may have huge mappings",
	  OF_ARM64(huge_areas_refused) },
	{ "vmalloc-batching", OFF_ON,
	  "whether mappings of vmalloc have their barriers once for each table of pages, not for "
	  "each page, and use contiguous groups",
	  OF_ARM64(vmalloc_batched) },
	{ "s390-bits", VALUES("6.12", "7.3"),
	  "which bits of software's s390's entries carry, by the release they came with",
	  OF_S390(s390_bits) },
	{ "leaf-at-zero", OFF_ON, "whether large leaves of s390 may map address 0",
	  OF_S390(leaf_at_zero) },
	{ "half-page-tables", OFF_ON, "whether two page tables of s390 share a page",
	  OF_S390(half_page_tables) },
	{ "vmemmap-publish", VALUES("none", "dsb"),
	  "the barrier between zeroing a new table of the vmemmap and linking it",
	  OF_BOTH(vmemmap_publish, NULL) },
	{ "usage-map", VALUES("at-once", "grace-period"),
	  "when the usage map of a section that is removed is freed: at once, or after RCU readers",
	  OF_BOTH(usage_map, NULL) },
	{ "add-outside", VALUES("einval", "e2big", "erange"),
	  "the error of adding memory outside the linear map", OF_BOTH(add_outside, "erange") },
	{ "kernel-layout", VALUES("5.7", "5.14", "6.12"),
	  "where the vmemmap lies, by the release that put it there", OF_ARM64(layout) },
	{ "lpa2", OFF_ON, "whether the kernel can have 52 bits with 4K and 16K", OF_ARM64(lpa2) },
	{ "pa-bits-49-48", VALUES("clear", "kept"),
	  "bits 49:48 of a 64K descriptor with 52 bits, beside their place in 13:12",
	  OF_ARM64(oa_keeps_49_48) },
	{ "memory-types", VALUES("5.7", "5.10", "5.12", "5.10-tagged"),
	  "the memory types' numbers in descriptors, by the release that ordered them so",
	  OF_ARM64(memory_types) },
	{ "leaf-dirty", VALUES("set", "clear"),
	  "software's dirty bit in the kernel's leaves, without which a copy of them may turn "
	  "read-only",
	  OF_ARM64(clean_leaves) },
	{ "vmemmap-block-attributes", VALUES("plain", "writable", "kernel"),
	  "DBM and dirty in a vmemmap block: neither, DBM alone, both",
	  OF_ARM64(vmemmap_block_attrs) },
	{ "table-noexec", OFF_ON, "whether new tables forbid execution", OF_ARM64(table_noexec) },
	{ "table-af", OFF_ON, "whether new tables carry AF", OF_ARM64(table_af) },
};

const struct pgtsim_knob *pgtsim_knobs(size_t *count)
{
	if (!count)
		return NULL;
	*count = COUNT(knobs);
	return knobs;
}

/* The knob whose name is the first `length` bytes. */
static const struct pgtsim_knob *find_knob(const char *name, size_t length)
{
	for (size_t i = 0; i < COUNT(knobs); i++)
		if (!strncmp(knobs[i].name, name, length) && !knobs[i].name[length])
			return &knobs[i];
	return NULL;
}

static int set_value(struct pgtsim_policy *policy, const struct pgtsim_knob *knob,
		     const char *value, size_t length)
{
	for (uint8_t i = 0; knob->values[i]; i++) {
		if (strncmp(knob->values[i], value, length) != 0 || knob->values[i][length])
			continue;
		((uint8_t *)policy)[knob->offset] = i;
		return 0;
	}
	return -EINVAL;
}

/* What follows from a knob's new value. */
static void derive(struct pgtsim_policy *policy, const struct pgtsim_knob *knob)
{
	if (knob->offset == KNOB(clean_leaves) || knob->offset == KNOB(memory_types) ||
	    knob->offset == KNOB(vmemmap_block_attrs))
		set_leaf_attributes(policy);
	if (knob->offset == KNOB(table_noexec) || knob->offset == KNOB(table_af))
		set_table_attributes(policy);
}

int pgtsim_policy_set(struct pgtsim_policy *policy, const char *knob, const char *value)
{
	if (!knob)
		return -EINVAL;

	const struct pgtsim_knob *found = find_knob(knob, strlen(knob));
	int ret;

	if (!found)
		return -ENOENT;
	ret = set_value(policy, found, value, strlen(value));
	if (!ret)
		derive(policy, found);
	return ret;
}

const char *pgtsim_policy_get(const struct pgtsim_policy *policy, const char *knob)
{
	if (!knob)
		return NULL;

	const struct pgtsim_knob *found = find_knob(knob, strlen(knob));
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

/* ---- filling a policy ---- */

const struct pgtsim_profile *pgtsim_profile_rows(size_t *count)
{
	if (!count)
		return NULL;
	*count = COUNT(rows);
	return rows;
}

const char *const *pgtsim_profiles(void)
{
	return names;
}

const char *const *pgtsim_profiles_of(enum pgtsim_format format)
{
	switch (format) {
	case PGTSIM_FORMAT_ARM64:
		return names;
	case PGTSIM_FORMAT_S390:
		return names_s390;
	default:
		return NULL;
	}
}

static const struct pgtsim_profile *find_row(const char *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	for (size_t i = 0; i < COUNT(rows_s390); i++)
		if (!strcmp(rows_s390[i].name, name))
			return &rows_s390[i];
	return NULL;
}

/*
 * Sets the knobs in "knob=value knob=value". Skips unknown knobs: a test checks that no row has
 * any.
 */
static void apply_changes(struct pgtsim_policy *policy, const char *changes)
{
	while (*changes) {
		size_t word = strcspn(changes, " "), name = strcspn(changes, "=");
		const struct pgtsim_knob *knob = find_knob(changes, name);

		if (knob)
			set_value(policy, knob, changes + name + 1, word - name - 1);
		changes += word;
		changes += strspn(changes, " ");
	}
}

static void apply_row(struct pgtsim_policy *policy, const struct pgtsim_profile *row)
{
	if (row->base)
		apply_row(policy, find_row(row->base));
	apply_changes(policy, row->changes);
}

int pgtsim_policy_init(struct pgtsim_policy *policy, const char *profile)
{
	if (!profile)
		return -EINVAL;

	const struct pgtsim_profile *row = find_row(profile);

	if (!row)
		return -ENOENT;
	*policy = (struct pgtsim_policy){ .profile = row->name };
	apply_row(policy, row);
	set_leaf_attributes(policy);
	set_table_attributes(policy);
	return 0;
}

/* ---- known weaknesses ---- */

static const struct pgtsim_weakness weaknesses[PGTSIM_W_COUNT] = {
	[PGTSIM_W_STALE_GROUP] = { "stale-group", "flush", "per-leaf",
				   "5.7 to 7.0 and their stable releases before 2026",
				   "each leaf of the linear map is invalidated as it is cleared, so one of a contiguous "
				   "group may be cached again from its neighbours",
				   "clear the whole range, then flush it once (48478b9f7913)" },
	[PGTSIM_W_PAGE_BY_PAGE] = { "page-by-page", "flush", "per-page-of-block",
				    "6.1.176, 5.10.262",
				    "a vmemmap block is invalidated page by page, 512 times where once is enough",
				    "one invalidate by any address in the block" },
	[PGTSIM_W_LEAF_CUT] = { "leaf-cut", "leaf-split", "cut", "5.7 to 7.0",
				"removing a part of a block or contiguous group clears all of it, and the neighbour "
				"loses its mapping",
				"refuse what would split a leaf (95a58852b0e5)" },
	[PGTSIM_W_SHARED_BLOCK] = { "shared-block", "vmemmap-partial", "clear-all",
				    "5.7 to 6.14 and their stable releases before the fix",
				    "two ranges of one section share a vmemmap block, and freeing one frees the other's",
				    "base pages for less than a section (d4234d131b0a)" },
	[PGTSIM_W_ALTMAP_ERROR_PATH] = { "altmap-error-path", "error-path", "page-allocator",
					 "5.14 to 6.6, 6.8 to early 2026",
					 "an add that fails late frees the memmap to the page allocator, although it came from "
					 "an altmap",
					 "pass the altmap on in the error path" },
	[PGTSIM_W_MEMMAP_LOCK] = { "memmap-lock", "memmap-on-memory-lock", "not-held",
				   "5.14 to 6.6",
				   "the memmap pages of a block are set up and torn down outside the hotplug lock",
				   "take mem_hotplug_lock around it (001002e73712)" },
	[PGTSIM_W_LONE_HINT] = { "lone-hint", "cont-group", "any", "5.7 to 6.18",
				 "a contiguous group of blocks in which a table stands gets the hint on its other "
				 "entries",
				 "no hint unless every entry of the group is a block" },
	[PGTSIM_W_TABLE_NOT_DESTROYED] = { "table-not-destroyed", "table-dtor", "skipped",
					   "6.16 and stable releases before the fix",
					   "tables of the linear map are freed without their destructor",
					   "call it before the page is freed" },
	[PGTSIM_W_TABLE_NOT_CONSTRUCTED] = { "table-not-constructed", "table-dtor", "every",
					     "6.18 and later, up to 7.3.4",
					     "tables of the vmemmap have a destructor but no constructor, so the count of page tables falls",
					     "constructor for both, or destructor for neither" },
	[PGTSIM_W_INVALID_BLOCK] = { "invalid-block", "invalid-leaf", "table",
				     "6.18 to 7.0, where blocks can be made invalid",
				     "a block whose valid bit is cleared is taken for a table, and its memory is walked",
				     "mark invalid leaves by bit 11 (15bfba1ad77f)" },
	[PGTSIM_W_UNPUBLISHED_TABLE] = { "unpublished-table", "vmemmap-publish", "none",
					 "5.7 and later, up to 7.3.4",
					 "a new table of the vmemmap is linked with no barrier after its zeroing, so a walk may "
					 "see the link before the zeroes",
					 "order the zeroing before the link, as for tables of the linear map" },
	[PGTSIM_W_MEMMAP_OFFLINE] = { "memmap-offline", "split-check", "usable-pages",
				      "7.1 and later, up to 7.3.4",
				      "a memory block that holds its own memmap can't go offline: the check looks at the block "
				      "without its memmap pages, and that start lies inside a leaf",
				      "check the range that will be removed, memmap included" },
	[PGTSIM_W_BLOCK_OFFLINE] = { "block-offline", "split-check", "usable-pages",
				     "7.1 and later, up to 7.3.4",
				     "memory mapped by a block or contiguous group larger than a memory block can't go "
				     "offline: each memory block on its own would cut the leaf",
				     "check when memory is removed, or map hot-added memory by leaves no larger than a "
				     "memory block" },
	[PGTSIM_W_USAGE_MAP] = { "usage-map", "usage-map", "at-once",
				 "5.3 to 6.7 and their stable releases before 2024",
				 "the usage map of a section is freed while pfn_to_online_page() may be "
				 "reading it",
				 "clear its pointer first, and free it after a grace period (5ec8e8ea8b77)" },
};

const struct pgtsim_weakness *pgtsim_weaknesses(void)
{
	return weaknesses;
}

bool pgtsim_policy_has_weakness(const struct pgtsim_policy *policy,
				enum pgtsim_weakness_name weakness)
{
	const char *value;

	if (!policy)
		return false;
	if ((unsigned)weakness >= PGTSIM_W_COUNT)
		return false;
	value = pgtsim_policy_get(policy, weaknesses[weakness].knob);
	return value && !strcmp(value, weaknesses[weakness].value);
}
