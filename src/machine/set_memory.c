/* SPDX-License-Identifier: MIT */
/* set_memory: set_memory_*() and set_direct_map_*(), with what they ask before they change anything. */
#include <errno.h>
#include <inttypes.h>

#include <pgtsim/machine.h>

#include "arch/error.h"
#include "config.h"
#include "events/events.h"
#include "pgtable/access.h"

static const char *const names[PGTSIM_PROTECTS] = {
	[PGTSIM_PROTECT_RO] = "ro",
	[PGTSIM_PROTECT_RW] = "rw",
	[PGTSIM_PROTECT_X] = "x",
	[PGTSIM_PROTECT_NX] = "nx",
	[PGTSIM_PROTECT_INVALID] = "invalid",
	[PGTSIM_PROTECT_VALID] = "valid",
	[PGTSIM_PROTECT_DEFAULT] = "default",
};

/* An area of vmalloc: struct vm_struct. */
struct area {
	uint64_t va, last;
};

/* Finds the area that holds all of [va, last]; VM_ALLOC and VM_ALLOW_HUGE_VMAP. */
static bool find_area(const struct pgtsim_machine *machine, uint64_t va, uint64_t last,
		      enum pgtsim_meaning what, struct area *area)
{
	return pgtsim_find_declared(machine, va, what, &area->va, &area->last) &&
	       area->last >= last;
}

static int check_area(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
		      enum pgtsim_protect what, struct area *area)
{
	bool huge = find_area(machine, va, va + (size - 1), PGTSIM_VMALLOC_HUGE, area);

	if (!huge && !find_area(machine, va, va + (size - 1), PGTSIM_VMALLOC, area))
		return pgtsim_fail(
			&machine->tlb, -EINVAL,
			"set_memory_%s() takes a part of one vmalloc area, and none that "
			"was declared holds all of VA 0x%016" PRIx64 "+%s",
			names[what], va, pgtsim_amount(size).text);
	if (huge && machine->policy.huge_areas_refused)
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "set_memory_%s() takes no vmalloc area that may have huge "
				   "mappings, as that of VA 0x%016" PRIx64,
				   names[what], va);
	return 0;
}

/* The same change of each page of [va, last] where the linear map has it, with a flush each. */
static int change_alias(struct pgtsim_machine *machine, uint64_t va, uint64_t last,
			enum pgtsim_protect what)
{
	uint64_t page = pgtsim_page_size(&machine->geo);
	int ret = 0;

	for (uint64_t at = va; !ret && at >= va && at <= last; at += page) {
		struct pgtsim_translation translation;

		if (pgtsim_translate(&machine->pgt, at, &translation))
			return pgtsim_fail(
				&machine->tlb, -EINVAL,
				"VA 0x%016" PRIx64 " maps no page whose alias could change", at);
		ret = pgtsim_protect(&machine->pgt, pgtsim_linear(&machine->layout, translation.pa),
				     page, what, false);
	}
	return ret;
}

int pgtsim_set_memory(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
		      enum pgtsim_protect what)
{
	struct area area;
	int ret;

	if (!machine)
		return -EINVAL;
	ret = pgtsim_pgtable_check_arm64(&machine->pgt, "attributes change");
	if (!ret)
		ret = pgtsim_pgtable_check_pages(&machine->pgt, va, size);
	if (ret)
		return ret;
	if ((unsigned)what > PGTSIM_PROTECT_NX)
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "set_memory_*() of an area makes it ro, rw, x or nx");
	ret = check_area(machine, va, size, what, &area);
	if (machine->policy.alias_change == PGTSIM_ALIAS_CHANGE_PART)
		area = (struct area){ va, va + (size - 1) };
	if (!ret && machine->rodata == PGTSIM_RODATA_FULL && what <= PGTSIM_PROTECT_RW)
		ret = change_alias(machine, area.va, area.last, what);
	return ret ? ret : pgtsim_protect(&machine->pgt, va, size, what, false);
}

bool pgtsim_can_set_direct_map(const struct pgtsim_machine *machine)
{
	return machine && machine->rodata == PGTSIM_RODATA_FULL;
}

int pgtsim_set_direct_map(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
			  enum pgtsim_protect what)
{
	const struct pgtsim_layout *layout;
	int ret;

	if (!machine)
		return -EINVAL;
	layout = &machine->layout;
	ret = pgtsim_pgtable_check_arm64(&machine->pgt, "attributes change");
	if (!ret)
		ret = pgtsim_pgtable_check_pages(&machine->pgt, va, size);
	if (ret)
		return ret;
	if ((unsigned)what < PGTSIM_PROTECT_INVALID || (unsigned)what >= PGTSIM_PROTECTS)
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "set_direct_map_*() makes pages invalid, valid or default");
	if (va < layout->linear_start || va + (size - 1) >= layout->page_end)
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "VA 0x%016" PRIx64 "+%s is not in the linear map", va,
				   pgtsim_amount(size).text);
	if (!pgtsim_can_set_direct_map(machine))
		return 0;
	return pgtsim_protect(&machine->pgt, va, size, what, true);
}
