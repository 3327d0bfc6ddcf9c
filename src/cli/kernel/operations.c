/* SPDX-License-Identifier: MIT */
/* operations: an engine whose operations are a kernel's functions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

static struct kernel_engine *engine_of(struct pgtsim_engine *engine)
{
	return (struct kernel_engine *)(void *)engine;
}

static uint64_t lowest_ram(const struct pgtsim_machine *machine)
{
	return machine->hotplug.zones[0][PGTSIM_ZONE_NORMAL].start_pfn << machine->geo.page_shift;
}

/* ---- calls ---- */

/* Makes this engine's machine the one that the kernel's functions work on. */
static void attach(struct kernel_engine *e)
{
	const struct pgtsim_tlb *tlb = &e->machine->tlb;

	kernel_catch_faults(e->plug);
	e->plug->attach(&e->host, e->machine->pgt.root->pa, tlb->range_operations, tlb->bbml2);
	e->plug->kernel->start(e->machine->geo.va_bits, lowest_ram(e->machine));
}

/* What tables at va are made for. */
static enum pgtsim_region region_of(const struct kernel_engine *e, uint64_t va)
{
	const struct pgtsim_layout *layout = &e->machine->layout;

	if (va >= layout->vmemmap_start && va - 1 < layout->vmemmap_end - 1)
		return PGTSIM_REGION_VMEMMAP;
	if (va >= layout->page_offset && va - 1 < layout->page_end - 1)
		return PGTSIM_REGION_LINEAR;
	return PGTSIM_REGION_OTHER;
}

struct kernel_call kernel_call_begin(struct kernel_engine *e, uint64_t va,
				     struct pgtsim_altmap *altmap)
{
	struct kernel_table *root = kernel_tables_add(&e->tables, e->machine->pgt.root);

	if (root) {
		root->placed = true;
		root->va = pgtsim_va_start(&e->machine->geo);
	}
	attach(e);
	return (struct kernel_call){ .altmap = altmap, .region = region_of(e, va) };
}

int kernel_fail(struct kernel_engine *e, int code, const char *before, const char *what,
		const char *after)
{
	struct pgtsim_error *error = &e->machine->error;

	error->code = code;
	snprintf(error->text, sizeof(error->text), "%s%s%s", before, what, after);
	return code;
}

static int lacks(struct kernel_engine *e, const char *function)
{
	return kernel_fail(e, -EINVAL, "the kernel was built without ", function,
		      "(): see pgtsim kernel info");
}

int kernel_call_end(struct kernel_engine *e, struct kernel_call *call, enum kc_end end)
{
	char line[16];

	kernel_locks_end(e, call, end == KC_BUG);
	e->call = NULL;
	if (pgtsim_machine_out_of_host_memory(e->machine))
		return -ENOBUFS;
	if (end == KC_DONE)
		return 0;
	if (end == KC_INVALID)
		return kernel_fail(e, -EINVAL, "the kernel's function", " returns", " -EINVAL");
	if (end == KC_FAILED || call->no_memory)
		return -ENOMEM;
	if (!call->bug_file)
		return kernel_fail(e, -EFAULT, "the kernel's code ended: ", kernel_end_reason(), "");
	snprintf(line, sizeof(line), ":%d", call->bug_line);
	return kernel_fail(e, -EFAULT, "the kernel stops with BUG() at ", call->bug_file, line);
}

/* The same, of a call that must leave nothing stale in [start, last]. */
static int finish(struct kernel_engine *e, struct kernel_call *call, enum kc_end end,
		  uint64_t start, uint64_t last)
{
	kernel_host_settle(e, call);
	pgtsim_tlb_end(&e->machine->tlb, start, last);
	return kernel_call_end(e, call, end);
}

static struct kc_altmap to_kernel(const struct pgtsim_altmap *altmap)
{
	struct kc_altmap kernel = { 0 };

	if (altmap)
		kernel = (struct kc_altmap){ altmap->base, altmap->reserve, altmap->free,
					     altmap->align, altmap->alloc };
	return kernel;
}

static void from_kernel(struct pgtsim_altmap *altmap, const struct kc_altmap *kernel)
{
	if (!altmap)
		return;
	altmap->align = kernel->align;
	altmap->alloc = kernel->alloc;
}

/* The number of these attributes in the policy, which is the kernel's number, too. */
static unsigned prot_of(const struct pgtsim_policy *policy, uint64_t attrs)
{
	unsigned prot = 0;

	while (prot < PGTSIM_PROT_COUNT && policy->prot[prot] != attrs)
		prot++;
	return prot;
}

static int map(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;
	unsigned prot = prot_of(pgt->policy, map->attrs), flags = 0;
	uint64_t last = map->va + (map->size - 1);
	enum kc_end end;

	if (!e->plug->kernel->map)
		return lacks(e, "__create_pgd_mapping");
	if (prot == PGTSIM_PROT_COUNT)
		return -EINVAL;
	flags |= map->blocks ? KC_BLOCKS : 0;
	flags |= map->cont ? KC_CONT : 0;
	flags |= map->table_attrs == pgt->policy->linear_table ? 0 : KC_EXEC;
	call = kernel_call_begin(e, map->va, NULL);
	call.region = map->region;
	pgtsim_tlb_begin(pgt->tlb, PGTSIM_OP_BEGIN_MAP, map->va, last);
	e->call = &call;
	end = e->plug->kernel->map(map->va, map->pa, map->size, prot, flags);
	return finish(e, &call, end, map->va, last);
}

static int unmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		 const struct pgtsim_unmap *unmap)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;
	struct kc_altmap altmap = to_kernel(unmap->altmap);
	enum kc_end end;

	(void)pgt;
	if (!e->plug->kernel->unmap)
		return lacks(e, "unmap_hotplug_range");
	call = kernel_call_begin(e, unmap->start, unmap->altmap);
	e->call = &call;
	end = e->plug->kernel->unmap(unmap->start, unmap->end, unmap->free_mapped,
				     unmap->altmap ? &altmap : NULL);
	from_kernel(unmap->altmap, &altmap);
	return finish(e, &call, end, unmap->start, unmap->end - 1);
}

static int free_tables(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		       uint64_t end, uint64_t floor, uint64_t ceiling)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;

	(void)pgt;
	if (!e->plug->kernel->free_tables)
		return lacks(e, "free_empty_tables");
	call = kernel_call_begin(e, start, NULL);
	e->call = &call;
	return finish(e, &call, e->plug->kernel->free_tables(start, end, floor, ceiling), start,
		      end - 1);
}

static int populate(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap, uint64_t start,
		    uint64_t end, struct pgtsim_altmap *altmap, unsigned flags)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;
	struct kc_altmap kernel = to_kernel(altmap);
	uint64_t mask = pgtsim_page_size(&e->machine->geo) - 1;
	bool pages = flags & PGTSIM_POPULATE_PAGES;
	enum kc_end ret;

	if (!e->plug->kernel->populate)
		return lacks(e, "vmemmap_populate");
	/* The kernel steps by pages from an unaligned start and may miss the last: it gets whole ones. */
	if ((start | end) & mask && end - start < vmemmap->section_pages * vmemmap->struct_page &&
	    e->machine->policy.vmemmap_partial == PGTSIM_PARTIAL_BASE_PAGES)
		pages = true;
	start &= ~mask;
	end = (end + mask) & ~mask;
	call = kernel_call_begin(e, start, altmap);
	pgtsim_tlb_begin(&e->machine->tlb, PGTSIM_OP_BEGIN_POPULATE, start, end - 1);
	e->call = &call;
	ret = e->plug->kernel->populate(start, end, altmap ? &kernel : NULL, pages);
	from_kernel(altmap, &kernel);
	return finish(e, &call, ret, start, end - 1);
}

static int free_memmap(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap, uint64_t start,
		       uint64_t end, struct pgtsim_altmap *altmap)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;
	struct kc_altmap kernel = to_kernel(altmap);
	enum kc_end ret;

	(void)vmemmap;
	if (!e->plug->kernel->free_memmap)
		return lacks(e, "vmemmap_free");
	call = kernel_call_begin(e, start, altmap);
	e->call = &call;
	ret = e->plug->kernel->free_memmap(start, end, altmap ? &kernel : NULL);
	from_kernel(altmap, &kernel);
	return finish(e, &call, ret, start, end - 1);
}

/* ---- live mappings ---- */

/* One call of set_memory_…() on a range, or of set_direct_map_…_noflush() on a page. */
static int change(struct kernel_engine *e, uint64_t va, uint64_t size, enum pgtsim_protect what,
		  bool noflush)
{
	struct kernel_call call = kernel_call_begin(e, va, NULL);
	enum kc_end end;

	e->call = &call;
	end = e->plug->kernel->protect(va, size, (enum kc_change)what, noflush);
	if (end != KC_NONE && !noflush)
		return finish(e, &call, end, va, va + (size - 1));
	kernel_host_settle(e, &call);
	if (end != KC_NONE)
		return kernel_call_end(e, &call, end);
	e->call = NULL;
	return kernel_fail(e, -EINVAL, "no function of the kernel does this ",
		    noflush ? "without" : "with", " a flush");
}

static int protect(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		   uint64_t size, enum pgtsim_protect what, bool noflush)
{
	struct kernel_engine *e = engine_of(self);
	uint64_t step = noflush ? pgtsim_page_size(&pgt->geo) : size;
	int ret = 0;

	if (!e->plug->kernel->protect)
		return lacks(e, "set_memory_valid");
	for (uint64_t at = 0; !ret && at < size; at += step)
		ret = change(e, va + at, step, what, noflush);
	return ret;
}

static int split(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		 uint64_t end)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;

	(void)pgt;
	if (!e->plug->kernel->split)
		return lacks(e, "split_kernel_leaf_mapping");
	call = kernel_call_begin(e, start, NULL);
	e->call = &call;
	return finish(e, &call, e->plug->kernel->split(start, end), start, end - 1);
}

static int vmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va, uint64_t pa,
		uint64_t size, bool huge)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;

	if (!e->plug->kernel->vmap)
		return lacks(e, "vmap_range_noflush");
	call = kernel_call_begin(e, va, NULL);
	call.region = PGTSIM_REGION_VMALLOC;
	pgtsim_tlb_begin(pgt->tlb, PGTSIM_OP_BEGIN_MAP, va, va + (size - 1));
	e->call = &call;
	return finish(e, &call, e->plug->kernel->vmap(va, pa, size, huge), va, va + (size - 1));
}

static int vunmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		  uint64_t size)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;

	(void)pgt;
	if (!e->plug->kernel->vunmap)
		return lacks(e, "vunmap_range");
	call = kernel_call_begin(e, va, NULL);
	e->call = &call;
	return finish(e, &call, e->plug->kernel->vunmap(va, va + size), va, va + (size - 1));
}

static int ptdump(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		  uint64_t end)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;

	(void)pgt;
	if (!e->plug->kernel->ptdump)
		return PGTSIM_ENGINE_OWN;
	call = kernel_call_begin(e, start, NULL);
	e->call = &call;
	return kernel_call_end(e, &call, e->plug->kernel->ptdump(start, end));
}

static const struct pgtsim_engine operations = {
	.map = map,
	.unmap = unmap,
	.free_tables = free_tables,
	.populate = populate,
	.free_memmap = free_memmap,
	.protect = protect,
	.split = split,
	.vmap = vmap,
	.vunmap = vunmap,
	.ptdump = ptdump,
};

/* True if the library has placed its regions where the kernel has them. */
static bool same_layout(struct kernel_engine *e)
{
	const struct pgtsim_layout *own = &e->machine->layout;
	struct kc_layout kernel;

	attach(e);
	kernel = e->plug->kernel->layout();
	return kernel.page_offset == own->page_offset && kernel.page_end == own->page_end &&
	       kernel.vmemmap_start == own->vmemmap_start &&
	       kernel.vmemmap_end == own->vmemmap_end && kernel.memmap == own->vmemmap &&
	       kernel.linear_0 == pgtsim_linear(own, 0);
}

int kernel_engine_new(const struct kernel *kernel, struct pgtsim_machine *machine,
		      struct kernel_engine **engine, char *reason, size_t size)
{
	struct kernel_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOBUFS;
	e->engine = operations;
	e->engine.name = kernel->plug->kernel->release;
	e->plug = kernel->plug;
	e->machine = machine;
	kernel_host_init(e);
	kernel_blocks_init(e);
	if (!same_layout(e)) {
		snprintf(reason, size, "the kernel of %.100s has other regions than this machine",
			 kernel->path);
		free(e);
		return -EINVAL;
	}
	pgtsim_engine_set(&machine->pgt, &e->engine);
	*engine = e;
	return 0;
}

void kernel_engine_free(struct kernel_engine *e)
{
	kernel_tables_free(&e->tables);
	free(e);
}
