/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgtsim/desc.h>
#include <pgtsim/policy.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The columns of the tables below. */
static const char *const names[] = { "linux-5.7",  "linux-5.10", "linux-5.14", "linux-6.1",
				     "linux-6.12", "linux-7.3",  "latest" };

enum { PROFILES = COUNT(names) };

/* All of them, those of stable releases among the others. */
static const char *const all_names[] = {
	"linux-5.7",  "linux-5.10",    "linux-5.10.223", "linux-5.10.262",
	"linux-5.14", "linux-5.15",    "linux-6.1.170",  "linux-6.1.176",
	"linux-6.1",  "linux-6.6.139", "linux-6.6",      "linux-6.12.0",
	"linux-6.12", "linux-6.18",    "linux-7.3",      "latest",
};

static struct pgtsim_policy profile(const char *name)
{
	struct pgtsim_policy policy;

	memset(&policy, 0xa5, sizeof(policy));
	assert_int_equal(0, pgtsim_policy_init(&policy, name));
	return policy;
}

/* Profiles are listed oldest first, "latest" at the end, and know their own names. */
static void list_of_profiles(void **state)
{
	const char *const *list = pgtsim_profiles();

	(void)state;
	for (size_t i = 0; i < COUNT(all_names); i++) {
		assert_string_equal(all_names[i], list[i]);
		assert_string_equal(all_names[i], profile(list[i]).profile);
	}
	assert_null(list[COUNT(all_names)]);
}

/* Each row starts from one before it, and each of its words changes a knob of that. */
static void rows_are_what_they_change(void **state)
{
	size_t count;
	const struct pgtsim_profile *rows = pgtsim_profile_rows(&count);

	(void)state;
	assert_int_equal(COUNT(all_names), count);
	for (size_t i = 0; i < count; i++) {
		struct pgtsim_policy policy = { .profile = rows[i].name };
		char changes[512], *word;

		assert_string_equal(all_names[i], rows[i].name);
		assert_true(strlen(rows[i].release) > 0 && strlen(rows[i].summary) > 0);
		assert_true(strlen(rows[i].changes) < sizeof(changes));
		if (rows[i].base)
			policy = profile(rows[i].base);
		strcpy(changes, rows[i].changes);
		for (word = strtok(changes, " "); word; word = strtok(NULL, " ")) {
			char *value = strchr(word, '=');

			assert_non_null(value);
			*value++ = '\0';
			assert_string_not_equal(value, pgtsim_policy_get(&policy, word));
			assert_int_equal(0, pgtsim_policy_set(&policy, word, value));
		}
		for (size_t k = 0; k < i && rows[i].base; k++)
			if (!strcmp(rows[k].name, rows[i].base))
				break;
			else
				assert_true(k + 1 < i);
		policy.profile = profile(rows[i].name).profile;
		if (rows[i].base) {
			struct pgtsim_policy whole = profile(rows[i].name);

			assert_memory_equal(&whole, &policy, sizeof(whole));
		}
	}
}

/* What a stable release has and its neighbour has not, as read in both sources. */
static void stable_releases(void **state)
{
	static const struct {
		const char *name, *knob, *value;
	} rows[] = {
		{ "linux-5.10", "flush", "per-leaf" },
		{ "linux-5.10.262", "flush", "per-page-of-block" },
		{ "linux-5.10.262", "altmap-full", "fail" },
		{ "linux-5.10.223", "usage-map", "grace-period" },
		{ "linux-5.15", "usage-map", "grace-period" },
		{ "linux-5.15", "flush", "range" },
		{ "linux-5.15", "memmap-on-memory-rule", "5.14" },
		{ "linux-6.1.170", "flush", "per-leaf" },
		{ "linux-6.1.170", "vmemmap-partial", "base-pages" },
		{ "linux-6.1.170", "error-path", "altmap" },
		{ "linux-6.1.176", "flush", "per-page-of-block" },
		{ "linux-6.6.139", "flush", "per-leaf" },
		{ "linux-6.6.139", "altmap-full", "fail" },
		{ "linux-6.6", "memmap-on-memory-rule", "6.6" },
		{ "linux-6.6", "barriers", "every-leaf" },
		{ "linux-6.6", "kernel-layout", "5.14" },
		{ "linux-6.6", "vmemmap-block-attributes", "writable" },
		{ "linux-6.12.0", "flush", "per-leaf" },
		{ "linux-6.12.0", "vmemmap-partial", "clear-all" },
		{ "linux-6.12.0", "error-path", "page-allocator" },
		{ "linux-6.18", "alias-change", "area" },
		{ "linux-6.18", "huge-areas", "refused" },
		{ "linux-6.18", "vmalloc-batching", "on" },
		{ "linux-6.18", "leaf-split", "cut" },
		{ "linux-6.18", "invalid-leaf", "table" },
		{ "linux-6.18", "table-dtor", "every" },
		{ "linux-6.18", "table-af", "on" },
		{ "linux-6.18", "flush-by-range", "on" },
		{ "linux-6.18", "vmemmap-block-attributes", "writable" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_policy policy = profile(rows[i].name);

		assert_string_equal(rows[i].value, pgtsim_policy_get(&policy, rows[i].knob));
	}
}

/* Every weakness names a value of a knob, and some release has it. */
static void weaknesses_of_profiles(void **state)
{
	const struct pgtsim_weakness *all = pgtsim_weaknesses();

	(void)state;
	for (unsigned w = 0; w < PGTSIM_W_COUNT; w++) {
		struct pgtsim_policy policy = profile("latest");
		unsigned had = 0;

		assert_true(strlen(all[w].name) > 0 && strlen(all[w].releases) > 0);
		assert_true(strlen(all[w].text) > 0 && strlen(all[w].remedy) > 0);
		assert_int_equal(0, pgtsim_policy_set(&policy, all[w].knob, all[w].value));
		assert_true(pgtsim_policy_has_weakness(&policy, w));
		for (size_t i = 0; i < COUNT(all_names); i++) {
			policy = profile(all_names[i]);
			had += pgtsim_policy_has_weakness(&policy, w);
		}
		/* A release between two rows may be the only one. */
		if (w != PGTSIM_W_TABLE_NOT_DESTROYED)
			assert_true(had > 0);
	}
	assert_false(pgtsim_policy_has_weakness(&(struct pgtsim_policy){ 0 }, PGTSIM_W_COUNT));
}

/* KPTI sets nG in every leaf of the kernel and in no table. */
static void kpti_sets_ng(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_names); i++) {
		struct pgtsim_policy plain = profile(all_names[i]), kpti = plain;

		pgtsim_policy_kpti(&kpti);
		for (unsigned p = 0; p < PGTSIM_PROT_COUNT; p++)
			assert_int_equal(plain.prot[p] | PGTSIM_DESC_NG, kpti.prot[p]);
		assert_int_equal(plain.vmemmap_page | PGTSIM_DESC_NG, kpti.vmemmap_page);
		assert_int_equal(plain.vmemmap_block | PGTSIM_DESC_NG, kpti.vmemmap_block);
		assert_int_equal(plain.linear_table, kpti.linear_table);
		assert_int_equal(plain.vmemmap_table, kpti.vmemmap_table);
	}
}

/* A value for each profile, which changed once. */
#define SINCE_5_14(a, b) a, a, b, b, b, b, b
#define SINCE_6_1(a, b) a, a, a, b, b, b, b
#define SINCE_6_12(a, b) a, a, a, a, b, b, b
#define SINCE_7_3(a, b) a, a, a, a, a, b, b
#define ALWAYS(a) SINCE_7_3(a, a)

/* A knob and its value in each profile. */
static const struct {
	const char *knob, *values[PROFILES];
} knob_rows[] = {
	{ "flush", { SINCE_6_1("per-leaf", "range") } },
	{ "flush-all", { SINCE_7_3("above", "from") } },
	{ "map-failure", { ALWAYS("rollback") } },
	{ "populate-failure", { "keep", "keep", "keep", "keep", "keep", "keep", "rollback" } },
	{ "add-failure", { ALWAYS("rollback") } },
	{ "vmemmap-partial", { SINCE_6_1("clear-all", "base-pages") } },
	{ "mark-unused", { ALWAYS("exact") } },
	{ "block-failure", { SINCE_5_14("fail", "base-pages") } },
	{ "altmap-full",
	  { "ignored", "fail", "base-pages", "base-pages", "fail", "fail", "fail" } },
	{ "free-tables", { ALWAYS("floor-ceiling") } },
	{ "leaf-split", { SINCE_7_3("cut", "refuse") } },
	{ "split-check", { SINCE_7_3("request", "usable-pages") } },
	{ "free-mapped", { ALWAYS("always") } },
	{ "free-order", { ALWAYS("after-invalidate") } },
	{ "table-free-order", { ALWAYS("after-invalidate") } },
	{ "table-dtor", { SINCE_7_3("none", "every") } },
	{ "invalid-leaf", { SINCE_7_3("table", "marked") } },
	{ "block-over-table", { SINCE_7_3("skip", "fill") } },
	{ "error-path",
	  { "altmap", "altmap", "page-allocator", "altmap", "altmap", "altmap", "altmap" } },
	{ "early-memmap", { ALWAYS("shared") } },
	{ "boot-guard", { ALWAYS("on") } },
	{ "memmap-on-memory-check", { ALWAYS("full") } },
	{ "memmap-on-memory-lock", { "held", "held", "not-held", "held", "held", "held", "held" } },
	{ "memmap-on-memory-rule", { "none", "none", "5.14", "5.14", "6.8", "6.8", "6.8" } },
	{ "barriers", { SINCE_6_12("every-leaf", "deferred") } },
	{ "flush-by-range", { SINCE_7_3("off", "on") } },
	{ "flush-rounding", { SINCE_7_3("down", "out") } },
	{ "cont-rewrite", { SINCE_7_3("forbidden", "allowed") } },
	{ "cont-group", { SINCE_7_3("any", "whole") } },
	{ "hot-add-leaves", { SINCE_7_3("as-told", "bbm3-blocks") } },
	{ "live-split", { SINCE_7_3("never", "bbm3") } },
	{ "alias-change", { SINCE_7_3("area", "part") } },
	{ "huge-areas", { SINCE_7_3("taken", "refused") } },
	{ "vmalloc-batching", { SINCE_7_3("off", "on") } },
	{ "s390-bits", { ALWAYS("6.12") } },
	{ "leaf-at-zero", { ALWAYS("off") } },
	{ "half-page-tables", { ALWAYS("off") } },
	{ "vmemmap-publish", { ALWAYS("none") } },
	{ "usage-map", { SINCE_6_1("at-once", "grace-period") } },
	{ "add-outside", { SINCE_5_14("einval", "e2big") } },
	{ "kernel-layout", { "5.7", "5.7", "5.14", "5.14", "6.12", "6.12", "6.12" } },
	{ "lpa2", { SINCE_6_12("off", "on") } },
	{ "pa-bits-49-48", { SINCE_6_12("clear", "kept") } },
	{ "memory-types", { "5.7", "5.10", "5.12", "5.12", "5.12", "5.12", "5.12" } },
	{ "leaf-dirty", { ALWAYS("set") } },
	{ "vmemmap-block-attributes",
	  { "plain", "plain", "plain", "plain", "writable", "kernel", "kernel" } },
	{ "table-noexec", { SINCE_5_14("off", "on") } },
	{ "table-af", { SINCE_7_3("off", "on") } },
};

/* Every named knob has in each profile the value that the release's kernel calls for. */
static void knobs_of_profiles(void **state)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	(void)state;
	assert_int_equal(COUNT(knob_rows), count);
	for (size_t i = 0; i < COUNT(knob_rows); i++) {
		assert_string_equal(knob_rows[i].knob, knobs[i].name);
		for (size_t p = 0; p < PROFILES; p++) {
			struct pgtsim_policy policy = profile(names[p]);

			assert_string_equal(knob_rows[i].values[p],
					    pgtsim_policy_get(&policy, knob_rows[i].knob));
		}
	}
}

/* The low bits of a page with each prot. */
#define PROT(tagged, kernel, ro, rx, device)                                                     \
	0x00e8000000000000 | (tagged), 0x00e8000000000000 | (kernel), 0x00e0000000000000 | (ro), \
		0x00c0000000000000 | (rx), 0x0068000000000000 | (device)

/* Descriptors of a profile with the address 0. */
static const struct {
	uint64_t prot[PGTSIM_PROT_COUNT]; /* pages */
	uint64_t vmemmap_page, vmemmap_block;
	uint64_t linear_table, vmemmap_table;
} descriptor_rows[PROFILES] = {
	{ { PROT(0x713, 0x713, 0x793, 0x793, 0x707) },
	  0x00e8000000000713,
	  0x0060000000000711,
	  3,
	  3 },
	{ { PROT(0x703, 0x703, 0x783, 0x783, 0x717) },
	  0x00e8000000000703,
	  0x0060000000000701,
	  3,
	  3 },
	{ { PROT(0x707, 0x703, 0x783, 0x783, 0x713) },
	  0x00e8000000000703,
	  0x0060000000000701,
	  0x1800000000000003,
	  0x1000000000000003 },
	{ { PROT(0x707, 0x703, 0x783, 0x783, 0x713) },
	  0x00e8000000000703,
	  0x0060000000000701,
	  0x1800000000000003,
	  0x1000000000000003 },
	{ { PROT(0x707, 0x703, 0x783, 0x783, 0x713) },
	  0x00e8000000000703,
	  0x0068000000000701,
	  0x1800000000000003,
	  0x1000000000000003 },
	{ { PROT(0x707, 0x703, 0x783, 0x783, 0x713) },
	  0x00e8000000000703,
	  0x00e8000000000701,
	  0x1800000000000403,
	  0x1000000000000403 },
	{ { PROT(0x707, 0x703, 0x783, 0x783, 0x713) },
	  0x00e8000000000703,
	  0x00e8000000000701,
	  0x1800000000000403,
	  0x1000000000000403 },
};

/* Leaves and tables of each profile are the kernel's, bit for bit, address aside. */
static void descriptors_of_profiles(void **state)
{
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_linux(&geo, 4096, 48, 0, 0));
	for (size_t p = 0; p < PROFILES; p++) {
		struct pgtsim_policy policy = profile(names[p]);

		for (unsigned i = 0; i < PGTSIM_PROT_COUNT; i++)
			assert_int_equal(descriptor_rows[p].prot[i],
					 pgtsim_desc_leaf(&geo, PGTSIM_PTE, 0, policy.prot[i]));
		assert_int_equal(descriptor_rows[p].vmemmap_page,
				 pgtsim_desc_leaf(&geo, PGTSIM_PTE, 0, policy.vmemmap_page));
		assert_int_equal(descriptor_rows[p].vmemmap_block,
				 pgtsim_desc_leaf(&geo, PGTSIM_PMD, 0, policy.vmemmap_block));
		assert_int_equal(descriptor_rows[p].linear_table,
				 pgtsim_desc_table(&geo, 0, policy.linear_table));
		assert_int_equal(descriptor_rows[p].vmemmap_table,
				 pgtsim_desc_table(&geo, 0, policy.vmemmap_table));
	}
}

/* With LPA2 the same attributes make leaves without SH bits. */
static void descriptors_with_lpa2(void **state)
{
	struct pgtsim_policy old = profile("linux-6.12"), new = profile("linux-7.3");
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_linux(&geo, 4096, 52, 0, 0));
	assert_int_equal(0x00e8000000000407,
			 pgtsim_desc_leaf(&geo, PGTSIM_PTE, 0, old.prot[PGTSIM_PROT_TAGGED]));
	assert_int_equal(0x00e8000000000401,
			 pgtsim_desc_leaf(&geo, PGTSIM_PMD, 0, old.prot[PGTSIM_PROT_KERNEL]));
	assert_int_equal(0x0068000000000401,
			 pgtsim_desc_leaf(&geo, PGTSIM_PMD, 0, old.vmemmap_block));
	assert_int_equal(0x00e8000000000401,
			 pgtsim_desc_leaf(&geo, PGTSIM_PMD, 0, new.vmemmap_block));
}

/* The stored attributes hold neither the kind of a descriptor nor the contiguous bit. */
static void attributes_leave_room(void **state)
{
	const uint64_t taken = PGTSIM_DESC_VALID | PGTSIM_DESC_TABLE | PGTSIM_DESC_CONT;

	(void)state;
	for (size_t p = 0; p < PROFILES; p++) {
		struct pgtsim_policy policy = profile(names[p]);
		uint64_t all = policy.vmemmap_page | policy.vmemmap_block | policy.linear_table |
			       policy.vmemmap_table;

		for (unsigned i = 0; i < PGTSIM_PROT_COUNT; i++)
			all |= policy.prot[i];
		assert_int_equal(0, all & taken);
	}
}

/* "latest" equals the newest release, except for what a failed populate leaves behind. */
static void latest_is_the_newest(void **state)
{
	struct pgtsim_policy newest = profile("linux-7.3"), latest = profile("latest");

	(void)state;
	assert_string_equal("latest", latest.profile);
	assert_int_equal(PGTSIM_KEEP, newest.populate_failure);
	newest.populate_failure = PGTSIM_ROLLBACK;
	newest.profile = latest.profile;
	assert_memory_equal(&newest, &latest, sizeof(latest));
}

/* A name that is no profile is refused and changes nothing. */
static void unknown_profile(void **state)
{
	static const char *const bad[] = {
		"", "linux", "linux-6", "linux-6.13", "Latest", "latest "
	};
	struct pgtsim_policy policy, before;

	(void)state;
	memset(&policy, 0x5a, sizeof(policy));
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(-ENOENT, pgtsim_policy_init(&policy, bad[i]));
	assert_memory_equal(&before, &policy, sizeof(policy));
}

/* Each value of each knob can be set and read back, and touches no other knob. */
static void set_and_get_every_value(void **state)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(knobs[i].meaning) > 0);
		for (unsigned v = 0; knobs[i].values[v]; v++) {
			struct pgtsim_policy policy = profile("linux-6.1"), other = policy;
			uint8_t *field = (uint8_t *)&policy + knobs[i].offset;

			assert_int_equal(
				0, pgtsim_policy_set(&policy, knobs[i].name, knobs[i].values[v]));
			assert_int_equal(v, *field);
			assert_string_equal(knobs[i].values[v],
					    pgtsim_policy_get(&policy, knobs[i].name));
			/* Attribute bits follow some knobs; back again they are the same. */
			*field = ((uint8_t *)&other)[knobs[i].offset];
			assert_int_equal(
				0, pgtsim_policy_set(&policy, knobs[i].name,
						     pgtsim_policy_get(&other, knobs[i].name)));
			assert_memory_equal(&other, &policy, sizeof(policy));
		}
	}
}

/* Values of knobs by their number in the enum, the last one of each among them. */
static const struct {
	const char *knob, *value;
	unsigned number;
} last_values[] = {
	{ "flush", "at-end", PGTSIM_FLUSH_AT_END },
	{ "flush", "per-page-of-block", PGTSIM_FLUSH_PER_PAGE_OF_BLOCK },
	{ "flush-all", "from", PGTSIM_FLUSH_ALL_FROM },
	{ "map-failure", "keep", PGTSIM_KEEP },
	{ "populate-failure", "keep", PGTSIM_KEEP },
	{ "add-failure", "keep", PGTSIM_KEEP },
	{ "vmemmap-partial", "base-pages", PGTSIM_PARTIAL_BASE_PAGES },
	{ "vmemmap-partial", "track-unused", PGTSIM_PARTIAL_TRACK_UNUSED },
	{ "block-failure", "fail", PGTSIM_BLOCK_FAILURE_FAIL },
	{ "altmap-full", "fail", PGTSIM_ALTMAP_FAIL },
	{ "altmap-full", "base-pages", PGTSIM_ALTMAP_BASE_PAGES },
	{ "free-tables", "skip-when-regions-overlap", PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP },
	{ "free-tables", "never", PGTSIM_FREE_NEVER },
	{ "leaf-split", "refuse", PGTSIM_SPLIT_REFUSE },
	{ "free-order", "before-clear", PGTSIM_FREE_BEFORE_CLEAR },
	{ "table-free-order", "before-invalidate", PGTSIM_TABLE_FREE_BEFORE_INVALIDATE },
	{ "table-dtor", "called", PGTSIM_TABLE_DTOR_CALLED },
	{ "table-dtor", "every", PGTSIM_TABLE_DTOR_EVERY },
	{ "split-check", "usable-pages", PGTSIM_SPLIT_CHECK_USABLE_PAGES },
	{ "memmap-on-memory-rule", "6.8", PGTSIM_MOM_6_8 },
	{ "kernel-layout", "6.12", PGTSIM_LAYOUT_6_12 },
	{ "flush-by-range", "on", true },
	{ "flush-rounding", "out", true },
	{ "cont-rewrite", "allowed", true },
	{ "cont-group", "whole", PGTSIM_CONT_GROUP_WHOLE },
	{ "hot-add-leaves", "bbm3-blocks", PGTSIM_HOT_ADD_BBM3_BLOCKS },
	{ "live-split", "bbm3", PGTSIM_LIVE_SPLIT_BBM3 },
	{ "alias-change", "part", PGTSIM_ALIAS_CHANGE_PART },
	{ "vmemmap-publish", "dsb", PGTSIM_VMEMMAP_PUBLISH_DSB },
	{ "free-mapped", "never", PGTSIM_FREE_MAPPED_NEVER },
	{ "usage-map", "grace-period", PGTSIM_USAGE_MAP_GRACE_PERIOD },
	{ "add-outside", "e2big", PGTSIM_ADD_OUTSIDE_E2BIG },
	{ "lpa2", "on", true },
	{ "pa-bits-49-48", "kept", true },
	{ "memory-types", "5.12", PGTSIM_MEMORY_TYPES_5_12 },
	{ "vmemmap-block-attributes", "kernel", PGTSIM_VMEMMAP_BLOCK_KERNEL },
	{ "table-noexec", "on", true },
	{ "table-af", "on", true },
	{ "invalid-leaf", "marked", PGTSIM_INVALID_LEAF_MARKED },
	{ "block-over-table", "fill", PGTSIM_OVER_TABLE_FILL },
	{ "barriers", "deferred", PGTSIM_BARRIERS_DEFERRED },
};

/* Value names follow the order of the enums. */
static void names_match_the_enums(void **state)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	(void)state;
	for (size_t i = 0; i < COUNT(last_values); i++) {
		size_t k = 0;

		while (k < count && strcmp(knobs[k].name, last_values[i].knob) != 0)
			k++;
		assert_true(k < count);
		assert_string_equal(last_values[i].value, knobs[k].values[last_values[i].number]);
	}
}

/* A knob in which a format's profiles differ is of that format; what is s390's alone is a value of it. */
static void knobs_of_formats(void **state)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		bool found = !knobs[i].only_s390;

		assert_true(knobs[i].formats && knobs[i].formats < 1u << PGTSIM_FORMAT_COUNT);
		for (unsigned v = 0; !found && knobs[i].values[v]; v++)
			found = !strcmp(knobs[i].values[v], knobs[i].only_s390);
		assert_true(found);
		for (int f = 0; f < PGTSIM_FORMAT_COUNT; f++) {
			const char *const *list = pgtsim_profiles_of((enum pgtsim_format)f);
			struct pgtsim_policy first = profile(list[0]);

			for (unsigned p = 1; list[p] && !(knobs[i].formats & 1u << f); p++) {
				struct pgtsim_policy other = profile(list[p]);

				assert_string_equal(pgtsim_policy_get(&first, knobs[i].name),
						    pgtsim_policy_get(&other, knobs[i].name));
			}
		}
	}
}

/* Unknown knobs and values are told apart, and change nothing. */
static void unknown_knobs_and_values(void **state)
{
	struct pgtsim_policy policy = profile("latest"), before = policy;

	(void)state;
	assert_int_equal(-ENOENT, pgtsim_policy_set(&policy, "layout", "5.7"));
	assert_int_equal(-ENOENT, pgtsim_policy_set(&policy, "memmap-on-memory", "off"));
	assert_int_equal(-ENOENT, pgtsim_policy_set(&policy, "tlbi-range", "on"));
	assert_int_equal(-ENOENT, pgtsim_policy_set(&policy, "", "range"));
	assert_int_equal(-EINVAL, pgtsim_policy_set(&policy, "flush", "never"));
	assert_int_equal(-EINVAL, pgtsim_policy_set(&policy, "flush", ""));
	assert_null(pgtsim_policy_get(&policy, "layout"));
	assert_memory_equal(&before, &policy, sizeof(policy));
}

/* A field that holds a number without a name reads as NULL. */
static void field_out_of_range(void **state)
{
	struct pgtsim_policy policy = profile("latest");

	(void)state;
	policy.flush = PGTSIM_FLUSH_AT_END + 1;
	assert_null(pgtsim_policy_get(&policy, "flush"));
	policy.flush = UINT8_MAX;
	assert_null(pgtsim_policy_get(&policy, "flush"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_of_profiles),
		cmocka_unit_test(knobs_of_profiles),
		cmocka_unit_test(rows_are_what_they_change),
		cmocka_unit_test(stable_releases),
		cmocka_unit_test(weaknesses_of_profiles),
		cmocka_unit_test(kpti_sets_ng),
		cmocka_unit_test(descriptors_of_profiles),
		cmocka_unit_test(descriptors_with_lpa2),
		cmocka_unit_test(attributes_leave_room),
		cmocka_unit_test(latest_is_the_newest),
		cmocka_unit_test(unknown_profile),
		cmocka_unit_test(set_and_get_every_value),
		cmocka_unit_test(names_match_the_enums),
		cmocka_unit_test(knobs_of_formats),
		cmocka_unit_test(unknown_knobs_and_values),
		cmocka_unit_test(field_out_of_range),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
