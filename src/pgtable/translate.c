/* SPDX-License-Identifier: MIT */
/* translate: pgtsim_translate(), the table walk of a CPU. */
#include "translate.h"

#include <errno.h>

#include "walk.h"

/* The fault of a descriptor that should be a leaf of this level. NONE if it is a good one. */
static inline enum pgtsim_fault leaf_fault(const struct pgtsim_geometry *geo, int level,
					   uint64_t desc)
{
	bool block = level < PGTSIM_PTE;

	/* Both low bits are set in a page, only the first one in a block. */
	if ((desc & 3) != (block ? 1 : 3) || (block && !geo->block_legal[pgtsim_slot(level)]))
		return PGTSIM_FAULT_TRANSLATION;
	if (pgtsim_oa(geo, geo->shift[pgtsim_slot(level)], desc) >> geo->pa_bits)
		return PGTSIM_FAULT_ADDRESS_SIZE;
	return desc & PGTSIM_DESC_AF ? PGTSIM_FAULT_NONE : PGTSIM_FAULT_ACCESS_FLAG;
}

/*
 * Permissions of a leaf, restricted by `tables`, the bits that are set in any table entry on the way
 * (Arm ARM D8.4). EL1 may not execute what EL0 may write. EL0 may execute what it may not read.
 */
static inline void fill_access(struct pgtsim_translation *out, uint64_t desc, uint64_t tables)
{
	bool writable = !(desc & PGTSIM_DESC_AP2) && !(tables & PGTSIM_DESC_APTABLE_RO);
	bool readable = (desc & PGTSIM_DESC_AP1) && !(tables & PGTSIM_DESC_APTABLE_EL1);

	out->writable = writable;
	out->user_readable = readable;
	out->user_writable = readable && writable;
	out->user_executable = !(desc & PGTSIM_DESC_UXN) && !(tables & PGTSIM_DESC_UXNTABLE);
	out->executable = !(desc & PGTSIM_DESC_PXN) && !(tables & PGTSIM_DESC_PXNTABLE) &&
			  !(readable && writable);
}

/* Fills in what a leaf of level out->level says about va. */
static inline void fill_leaf(const struct pgtsim_geometry *geo, uint64_t va, uint64_t desc,
			     uint64_t tables, struct pgtsim_translation *out)
{
	unsigned shift = geo->shift[pgtsim_slot(out->level)];
	uint64_t size = UINT64_C(1) << shift;

	out->size = size;
	out->pa = pgtsim_oa(geo, shift, desc) + (va & (size - 1));
	out->attr_index = (desc & PGTSIM_DESC_ATTRINDX_MASK) >> 2;
	out->sh = geo->oa == PGTSIM_OA_LPA2 ? 0 : (desc & PGTSIM_DESC_SH_MASK) >> 8;
	fill_access(out, desc, tables);
}

void pgtsim_translate_leaf(const struct pgtsim_geometry *geo, uint64_t va, uint64_t tables,
			   struct pgtsim_translation *out)
{
	fill_leaf(geo, va, out->desc, tables, out);
}

/* The table that an entry of this level points to, or NULL with the fault. */
static const struct pgtsim_table *next_table(const struct pgtsim_pgtable *pgt, int level,
					     uint64_t desc, enum pgtsim_fault *fault)
{
	uint64_t pa = pgtsim_table_address(&pgt->geo, level, desc);
	const struct pgtsim_table *table;

	if (pa >> pgt->geo.pa_bits) {
		*fault = PGTSIM_FAULT_ADDRESS_SIZE;
		return NULL;
	}
	table = pgtsim_find_table(pgt, pa);
	if (table && table->level == level + 1)
		return table;
	*fault = PGTSIM_FAULT_EXTERNAL;
	return NULL;
}

int pgtsim_translate_from(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			  uint64_t va, uint64_t tables, struct pgtsim_translation *out)
{
	for (int level = table->level; table; level++) {
		unsigned index = pgtsim_index(&pgt->geo, level, va);
		uint64_t desc = pgtsim_access_read(pgt, table, index);

		out->level = level;
		out->desc = desc;
		out->step[out->steps++] = (struct pgtsim_step){ level, index, desc };
		if (!pgtsim_desc_is_table(level, desc)) {
			out->fault = leaf_fault(&pgt->geo, level, desc);
			if (out->fault)
				return -EFAULT;
			pgtsim_translate_leaf(&pgt->geo, va, tables, out);
			return 0;
		}
		tables |= desc;
		table = next_table(pgt, level, desc, &out->fault);
	}
	return -EFAULT;
}

/* Clears field by field, as the array of steps need not be cleared. */
static void start_walk(struct pgtsim_translation *out, int level)
{
	out->fault = PGTSIM_FAULT_TRANSLATION;
	out->level = level;
	out->pa = out->size = out->desc = 0;
	out->writable = out->executable = false;
	out->user_readable = out->user_writable = out->user_executable = false;
	out->attr_index = out->sh = 0;
	out->steps = 0;
}

/*
 * The fast path: a walk down the child cache to a leaf without a fault. Returns false if it is
 * another walk. It takes few instructions, because the host overlaps as many walks as fit into its
 * window. Each waits for one line of a pte table, or for none if that table is described.
 */
static inline bool translate_fast(const struct pgtsim_pgtable *pgt, uint64_t va,
				  struct pgtsim_translation *out)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	const struct pgtsim_table *table = pgt->root;
	struct pgtsim_step *step = out->step;
	int level = table->level;
	unsigned index = pgtsim_index(geo, level, va);
	uint64_t desc, tables = 0;

	while (level < PGTSIM_PTE && pgtsim_cached_child(table, index)) {
		desc = table->entries[index];
		*step++ = (struct pgtsim_step){ level++, index, desc };
		tables |= desc;
		table = pgtsim_cached_child(table, index);
		index = pgtsim_index(geo, level, va);
	}
	if (table->level != level)
		return false;
	desc = pgtsim_state(table)->described ? pgtsim_lazy_entry(table, index) :
						table->entries[index];
	if (leaf_fault(geo, level, desc))
		return false;
	*step++ = (struct pgtsim_step){ level, index, desc };
	out->fault = PGTSIM_FAULT_NONE;
	out->level = level;
	out->desc = desc;
	out->steps = (unsigned)(step - out->step);
	fill_leaf(geo, va, desc, tables, out);
	return true;
}

int pgtsim_translate(const struct pgtsim_pgtable *pgt, uint64_t va, struct pgtsim_translation *out)
{
	if (!pgt || !out || !pgt->root)
		return -EINVAL;
	if (!pgtsim_va_inside(&pgt->geo, va)) {
		start_walk(out, pgt->root->level);
		return -EINVAL;
	}
	if (pgtsim_is_private(pgt) && translate_fast(pgt, va, out))
		return 0;
	start_walk(out, pgt->root->level);
	return pgtsim_translate_from(pgt, pgt->root, va, 0, out);
}

const char *pgtsim_fault_name(enum pgtsim_fault fault)
{
	static const char *const names[] = {
		[PGTSIM_FAULT_NONE] = "no fault",
		[PGTSIM_FAULT_TRANSLATION] = "translation fault",
		[PGTSIM_FAULT_ADDRESS_SIZE] = "address size fault",
		[PGTSIM_FAULT_ACCESS_FLAG] = "access flag fault",
		[PGTSIM_FAULT_EXTERNAL] = "external abort on translation table walk",
	};

	return (unsigned)fault < sizeof(names) / sizeof(names[0]) ? names[fault] : NULL;
}
