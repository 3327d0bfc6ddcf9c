/* SPDX-License-Identifier: MIT */
/* What a caller's own allocator of tables does wrong is noticed, named, and does no harm. */
#include "page_table.h"

enum { TABLES = 32, PAGE = 4096, ENTRIES = PAGE / 8, NEVER = -1 };

/* Too large for a stack. An allocator of pages from 0x40000000 on. Its nth table, from 0 on, has a mistake. */
struct own {
	struct pgtsim_table table[TABLES];
	uint64_t memory[TABLES][ENTRIES];
	unsigned given, freed;
	int nth;
	void (*mistake)(struct own *own, struct pgtsim_table *table);
	bool lost;      /* find() finds nothing of the nth */
	bool too_many;  /* says that it gave one more than it did */
	unsigned again; /* 1 + the table that it gives instead of the nth */
};

static uint64_t own_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct own *own = ctx;
	uint64_t got = 0;

	for (; got < count && own->given < TABLES; got++) {
		unsigned n = own->given++;
		struct pgtsim_table *table = &own->table[n];

		table->entries = own->memory[n];
		table->pa = RAM_START + (uint64_t)n * PAGE;
		if ((int)n == own->nth && own->mistake)
			own->mistake(own, table);
		if ((int)n == own->nth && own->again)
			table = &own->table[own->again - 1];
		**tail = table;
		*tail = &table->next;
	}
	return got + own->too_many;
}

static void own_free(void *ctx, struct pgtsim_table *table)
{
	struct own *own = ctx;

	(void)table;
	own->freed++;
}

static struct pgtsim_table *own_find(const void *ctx, uint64_t pa)
{
	const struct own *own = ctx;

	for (unsigned n = 0; n < own->given; n++)
		if (own->table[n].pa == pa && !(own->lost && (int)n == own->nth))
			return (struct pgtsim_table *)(uintptr_t)&own->table[n];
	return NULL;
}

/* A page table whose tables come from `own`, and where its reasons go. */
struct bare {
	struct own own;
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_error why;
	struct pgtsim_pgtable pgt;
};

static int begin(struct bare *b, const struct own *own)
{
	const struct pgtsim_table_ops ops = { own_alloc, own_free, own_find, &b->own };

	memset(b, 0, sizeof(*b));
	memset(b->own.table, 0xa5, sizeof(b->own.table));
	b->own.nth = own->nth;
	b->own.mistake = own->mistake;
	b->own.lost = own->lost;
	b->own.again = own->again;
	b->geo = linux_geometry(4, 48, 0, 48);
	b->policy = profile("latest");
	pgtsim_tlb_init(&b->tlb);
	b->tlb.error = &b->why;
	return pgtsim_pgtable_init(&b->pgt, &b->geo, &b->policy, &b->tlb, ops,
				   PGTSIM_ACCESS_PRIVATE);
}

static int map(struct bare *b, uint64_t va, uint64_t size)
{
	const struct pgtsim_map map = { .va = va,
					.pa = 0,
					.size = size,
					.attrs = b->policy.prot[PGTSIM_PROT_TAGGED],
					.table_attrs = b->policy.linear_table };

	return pgtsim_map(&b->pgt, &map);
}

static void no_memory(struct own *own, struct pgtsim_table *table)
{
	(void)own;
	table->entries = NULL;
}

static void crooked_memory(struct own *own, struct pgtsim_table *table)
{
	(void)own;
	table->entries = (uint64_t *)(void *)((char *)table->entries + 1);
}

static void misaligned(struct own *own, struct pgtsim_table *table)
{
	(void)own;
	table->pa += 64;
}

static void out_of_range(struct own *own, struct pgtsim_table *table)
{
	(void)own;
	table->pa = UINT64_C(1) << 48;
}

static void dirty(struct own *own, struct pgtsim_table *table)
{
	(void)own;
	table->entries[ENTRIES - 1] = 1;
}

static void page_of_root(struct own *own, struct pgtsim_table *table)
{
	table->pa = own->table[0].pa;
}

static const struct {
	struct own own;
	const char *says;
} mistakes[] = {
	{ { .mistake = no_memory }, "has no host memory" },
	{ { .mistake = crooked_memory }, "not aligned to 8 bytes" },
	{ { .mistake = misaligned }, "is not aligned to a page" },
	{ { .mistake = out_of_range }, "goes beyond the physical address bits" },
	{ { .mistake = dirty }, "is not zero" },
	{ { .lost = true }, "is not what its find() finds there" },
};

/* Each mistake in the root and in each table of a mapping: -EINVAL, the reason, and no change. */
static void each_mistake(void **state)
{
	static struct bare b;

	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		for (int nth = 0; nth < 4; nth++) {
			static struct own own;
			int ret;

			own = mistakes[i].own;
			own.nth = nth;
			ret = begin(&b, &own);
			if (!ret)
				ret = map(&b, VA, PAGE);
			assert_int_equal(ret, -EINVAL);
			assert_int_equal(b.why.code, -EINVAL);
			assert_non_null(strstr(b.why.text, "the allocator of tables gave"));
			assert_non_null(strstr(b.why.text, mistakes[i].says));
			if (nth) {
				assert_int_equal(b.pgt.root->live, 0);
				/* What is wrong, and all after it, stays with the allocator. */
				assert_int_equal(b.own.freed, nth - 1);
				b.own.mistake = NULL;
				b.own.lost = false;
				assert_int_equal(map(&b, VA, PAGE), 0);
			}
			pgtsim_pgtable_fini(&b.pgt);
			pgtsim_tlb_fini(&b.tlb);
		}
	}
}

/* A table given twice: of one list, the root, one that is linked, an empty one that is linked. */
static void repeated(void **state)
{
	static const struct {
		int nth;
		unsigned again;
		const char *says;
	} rows[] = {
		{ 2, 2, "is in its list twice" },
		{ 3, 2, "is in its list twice" },
		{ 2, 1, "is in use already" },
		{ 4, 3, "is in use already" },
	};
	static struct bare b;
	static struct own own;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int ret;

		own.nth = rows[i].nth;
		own.again = rows[i].again;
		assert_int_equal(begin(&b, &own), 0);
		ret = map(&b, VA, PAGE);
		if (!ret)
			ret = map(&b, VA + GIB, PAGE);
		assert_int_equal(ret, -EINVAL);
		assert_non_null(strstr(b.why.text, rows[i].says));
		b.own.again = 0;
		pgtsim_pgtable_fini(&b.pgt);
		pgtsim_tlb_fini(&b.tlb);
	}
}

/* A second record of the root's page; and more tables than it gave. */
static void other_records(void **state)
{
	static struct bare b;
	static const struct own second = { .nth = 1, .mistake = page_of_root }, none = { .nth = NEVER };

	(void)state;
	assert_int_equal(begin(&b, &second), 0);
	assert_int_equal(map(&b, VA, PAGE), -EINVAL);
	assert_non_null(strstr(b.why.text, "is in use already"));
	pgtsim_pgtable_fini(&b.pgt);
	assert_int_equal(begin(&b, &none), 0);
	b.own.too_many = true;
	assert_int_equal(map(&b, VA, PAGE), -EINVAL);
	assert_non_null(strstr(b.why.text, "nobody asked for"));
	b.own.too_many = false;
	assert_int_equal(map(&b, VA, PAGE), 0);
	pgtsim_pgtable_fini(&b.pgt);
}

/* Fewer tables than asked for are no mistake: -ENOMEM, and a later success. */
static void runs_out(void **state)
{
	static struct bare b;
	static const struct own none = { .nth = NEVER };

	(void)state;
	assert_int_equal(begin(&b, &none), 0);
	assert_int_equal(map(&b, VA, 64 * MIB), -ENOMEM);
	assert_non_null(strstr(b.why.text, "no memory for table"));
	b.own.given = 1;
	assert_int_equal(map(&b, VA, 8 * MIB), 0);
	pgtsim_pgtable_fini(&b.pgt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake),
		cmocka_unit_test(repeated),
		cmocka_unit_test(other_records),
		cmocka_unit_test(runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
