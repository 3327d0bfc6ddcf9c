/* SPDX-License-Identifier: MIT */
/* A machine that has booted: its kernel image, the image's alias in the linear map, KFENCE's pool. */
#include <errno.h>

#include "hotplug.h"

static const struct pgtsim_ram ram = { RAM_START, RAM_START + 1024 * MIB };

/* A head of 64K, then parts that are multiples of neither a block nor a group. */
static const struct pgtsim_image image = {
	.start = RAM_START + 2 * MIB,
	.text = 14 * MIB + 0x30000,
	.rodata = 8 * MIB,
	.init = 3 * MIB + 0x10000,
	.data = 6 * MIB + 0x90000,
};

static const struct {
	const char *profile;
	unsigned kib, va;
	bool bbml2, blocks;
} kernels[] = {
	{ "linux-6.12", 4, 48, false, false }, { "linux-6.12", 16, 47, false, true },
	{ "linux-6.18", 64, 52, true, false }, { "linux-7.3", 4, 48, false, false },
	{ "linux-7.3", 4, 39, true, false },   { "linux-7.3", 16, 36, true, false },
	{ "linux-7.3", 4, 52, false, true },   { "latest", 64, 42, true, true },
};

/* With a pool of 512 pages, as the kernel's usual configuration has. */
static struct pgtsim_machine_config booted(size_t i, struct pgtsim_image *own)
{
	struct pgtsim_machine_config config =
		config_of(kernels[i].profile, kernels[i].kib, kernels[i].va);

	*own = image;
	own->kfence.start = RAM_START + 256 * MIB;
	own->kfence.end = own->kfence.start + 512 * config.granule;
	config.ram = &ram;
	config.bbml2 = kernels[i].bbml2;
	config.blocks = config.cont = kernels[i].blocks;
	config.boot = true;
	config.image = own;
	return config;
}

enum { RO = 1, RW = 2, EXEC = 4, GONE = 8, INVALID = 16 };

/* What a page at va that maps pa allows; GONE if nothing is there, INVALID with it if a leaf is. */
static unsigned rights(struct pgtsim_machine *m, uint64_t va, uint64_t pa)
{
	struct pgtsim_translation at;

	if (pgtsim_translate(&m->pgt, va, &at))
		return at.desc ? INVALID : GONE;
	assert_int_equal(at.pa, pa);
	return (at.desc & PGTSIM_DESC_AP2 ? RO : RW) | (at.desc & PGTSIM_DESC_PXN ? 0 : EXEC);
}

/* Every 64K of [start, end), in the image and in its alias. */
static void expect_part(struct pgtsim_machine *m, uint64_t start, uint64_t end, unsigned in_image,
			unsigned in_alias)
{
	for (uint64_t pa = start; pa < end; pa += 0x10000) {
		assert_int_equal(rights(m, pgtsim_image_va(m, &image, pa), pa), in_image);
		assert_int_equal(rights(m, pgtsim_linear(&m->layout, pa), pa), in_alias);
	}
}

/*
 * Text can't be written anywhere and runs only at its own place; data can't run, and from 7.1 on has no
 * valid alias; init memory is RAM again. All of RAM is in the linear map, half of KFENCE's pool invalid.
 */
static void parts_have_their_rights(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct pgtsim_image own;
		struct pgtsim_machine_config config = booted(i, &own);
		struct pgtsim_machine *m = machine_of(&config);
		uint64_t text = image.start + 0x10000, rodata = text + image.text;
		uint64_t init = rodata + image.rodata, data = init + image.init;
		bool marks = m->policy.invalid_leaf == PGTSIM_INVALID_LEAF_MARKED;
		unsigned guards = 0;

		expect_part(m, ram.start, image.start, GONE, RW);
		expect_part(m, image.start, text, RO, RO);
		expect_part(m, text, rodata, RO | EXEC, RO);
		expect_part(m, rodata, init, RO, RO);
		expect_part(m, init, data, GONE, RW);
		expect_part(m, data, data + image.data, RW, marks ? INVALID : RW);
		expect_part(m, data + image.data, own.kfence.start, GONE, RW);
		for (uint64_t pa = own.kfence.start; pa < own.kfence.end; pa += config.granule)
			guards += rights(m, pgtsim_linear(&m->layout, pa), pa) == INVALID;
		assert_int_equal(guards, 257);
		assert_int_equal(
			rights(m, pgtsim_linear(&m->layout, own.kfence.end), own.kfence.end), RW);
		assert_int_equal(m->tlb.counts.leaves_mapped, 0);
		assert_int_equal(pgtsim_check_machine(m), 0);
		pgtsim_machine_free(&m);
	}
}

/* Nobody is given a page of the image or of the pool; those of init memory may be. */
static void image_is_reserved(void **state)
{
	struct pgtsim_image own;
	struct pgtsim_machine_config config = booted(3, &own);
	struct pgtsim_machine *m = machine_of(&config);
	uint64_t init = image.start + 0x10000 + image.text + image.rodata, end = init + image.init;
	uint64_t pfn, from_init = 0;

	(void)state;
	while (!pgtsim_memory_alloc(m->memory, 0, &pfn)) {
		uint64_t pa = pfn << 12;

		assert_false(pa >= image.start && pa < init);
		assert_false(pa >= end && pa < end + image.data);
		assert_false(pa >= own.kfence.start && pa < own.kfence.end);
		from_init += pa >= init && pa < end;
	}
	assert_true(from_init > 0 && from_init <= image.init >> 12);
	pgtsim_machine_free(&m);
}

/*
 * The memmap of boot memory lies as high as it can beside an image and a pool, as memblock has it: below
 * them where they end RAM, in a lower range if they leave no room; init memory is not free yet. In the
 * last row the root table lies below the pool, too.
 */
static void memmap_beside_what_is_reserved(void **state)
{
	static const struct pgtsim_ram two[] = {
		{ RAM_START + 2048 * MIB, RAM_START + 2048 * MIB + 32 * MIB },
		{ RAM_START, RAM_START + 1024 * MIB },
	};
	static const struct {
		const struct pgtsim_ram *ram;
		size_t count;
		uint64_t image, init, pool, pool_size, last;
	} rows[] = {
		{ &ram, 1, 512, 1, 1022, 2, 1022 },   { &ram, 1, 512, 1, 1008, 2, 1008 },
		{ &ram, 1, 512, 1, 1000, 2, 1024 },   { &ram, 1, 985, 20, 2, 2, 985 },
		{ &ram, 1, 1002, 20, 1000, 2, 1000 }, { two, 2, 512, 1, 2050, 28, 1024 },
		{ two, 2, 512, 1, 2, 2, 2080 },       { &ram, 1, 0, 0, 1022, 2, 1020 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of("latest", 4, 48);
		const uint64_t pool = RAM_START + rows[i].pool * MIB;
		const struct pgtsim_image own = { .start = RAM_START + rows[i].image * MIB,
						  .text = rows[i].init ? MIB : 0,
						  .init = rows[i].init * MIB,
						  .kfence = { pool,
							      pool + rows[i].pool_size * MIB } };
		struct pgtsim_machine *m;
		uint64_t pfn = (RAM_START + rows[i].last * MIB) >> 12;

		config.ram = rows[i].ram;
		config.ram_count = rows[i].count;
		config.boot = true;
		config.image = &own;
		m = machine_of(&config);
		assert_int_equal(pgtsim_memory_owner(m->memory, pfn - 1), PGTSIM_OWNER_BOOT);
		assert_int_equal(pgtsim_memory_owner(m->memory, pfn - (16 * MIB >> 12)),
				 PGTSIM_OWNER_BOOT);
		assert_int_equal(pgtsim_check_machine(m), 0);
		pgtsim_machine_free(&m);
	}
}

/* RAM that is reserved but for less than the memmap is refused with a reason. */
static void no_room_for_the_memmap(void **state)
{
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	const struct pgtsim_image own = { .kfence = { RAM_START + 8 * MIB, ram.end - 8 * MIB } };
	struct pgtsim_error error;
	struct pgtsim_machine *m;

	(void)state;
	config.ram = &ram;
	config.boot = true;
	config.image = &own;
	config.error = &error;
	assert_int_equal(pgtsim_machine_new(&m, &config), -ENOMEM);
	assert_non_null(strstr(error.text, "room for the memmap"));
}

/* An image that a machine cannot have is refused with a reason, and no machine is made. */
static void refused(void **state)
{
	static const struct {
		uint64_t image, text, pool, pool_end;
		bool no_boot;
		const char *profile, *reason;
	} rows[] = {
		{ RAM_START, 0x10000, 0, 0, true, "linux-7.3", "boot=on" },
		{ RAM_START, 0x10000, 0, 0, false, "linux-6.1", "layout" },
		{ RAM_START + 4096, 0x10000, 0, 0, false, "linux-7.3", "64K" },
		{ RAM_START, 0x8000, 0, 0, false, "linux-7.3", "64K" },
		{ RAM_START, UINT64_C(1) << 40, 0, 0, false, "linux-7.3", "2G" },
		{ UINT64_C(1) << 52, 0x10000, 0, 0, false, "linux-7.3", "52 bits" },
		{ RAM_START + 1024 * MIB - 0x10000, 0x10000, 0, 0, false, "linux-7.3",
		  "range of RAM" },
		{ 0, 0x10000, 0, 0, false, "linux-7.3", "range of RAM" },
		{ RAM_START, 0x100000, RAM_START + 4096, RAM_START + 8192, false, "linux-7.3",
		  "KFENCE's pool" },
		{ RAM_START, 0x100000, RAM_START + 100, RAM_START + 200, false, "linux-7.3",
		  "pages" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of(rows[i].profile, 4, 48);
		const struct pgtsim_image own = { .start = rows[i].image,
						  .text = rows[i].text,
						  .kfence = { rows[i].pool, rows[i].pool_end } };
		struct pgtsim_error error;
		struct pgtsim_machine *m;

		config.ram = &ram;
		config.boot = !rows[i].no_boot;
		config.image = &own;
		config.error = &error;
		assert_int_equal(pgtsim_machine_new(&m, &config), -EINVAL);
		assert_null(m);
		if (!strstr(error.text, rows[i].reason))
			fail_msg("%zu: %s", i, error.text);
	}
}

/* The head and the parts together have less than 2G, however they are divided. */
static void size_of_the_whole(void **state)
{
	static const struct pgtsim_ram large = { RAM_START, RAM_START + 4096 * MIB };
	static const struct {
		uint64_t text, rodata, init, data;
		bool fits;
	} rows[] = {
		{ 0x20000000, 0x20000000, 0x20000000, 0x1ffe0000, true },
		{ 0x20000000, 0x20000000, 0x20000000, 0x1fff0000, false },
		{ 0, 0, 0, 0x7ffe0000, true },
		{ 0, 0, 0, 0x7fff0000, false },
		{ 0x3fff0000, 0x3fff0000, 0x3fff0000, 0x3fff0000, false },
		{ 0x8000000000000000, 0x8000000000000000, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of("latest", 64, 48);
		const struct pgtsim_image own = { RAM_START,    rows[i].text, rows[i].rodata,
						  rows[i].init, rows[i].data, { 0, 0 } };
		struct pgtsim_error error;
		struct pgtsim_machine *m;

		config.ram = &large;
		config.boot = true;
		config.blocks = true;
		config.image = &own;
		config.error = &error;
		assert_int_equal(pgtsim_machine_new(&m, &config), rows[i].fits ? 0 : -EINVAL);
		if (!rows[i].fits)
			assert_non_null(strstr(error.text, "less than 2G"));
		pgtsim_machine_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_have_their_rights),
		cmocka_unit_test(image_is_reserved),
		cmocka_unit_test(memmap_beside_what_is_reserved),
		cmocka_unit_test(no_room_for_the_memmap),
		cmocka_unit_test(refused),
		cmocka_unit_test(size_of_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
