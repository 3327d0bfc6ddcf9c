/* SPDX-License-Identifier: MIT */
/*
 * One kernel with one geometry: its own page-table code from KC_SOURCE, compiled for the host,
 * behind a struct kc_kernel. The build sets KC_SOURCE, KC_SYMBOL, KC_PAGE_SHIFT, KC_VA_BITS,
 * KC_PA_BITS, KC_STRUCT_PAGE and KC_SECTION_BITS.
 */
#define KC_NAME_(name, symbol) name##_##symbol
#define KC_NAME(name, symbol) KC_NAME_(name, symbol)
/* The same functions are in every kernel of this program. */
#define KC_LOCAL(name) KC_NAME(name, KC_SYMBOL)

#include "shim.h"

#define kc_root KC_LOCAL(kc_root)

#define KC_HEADERS
#include KC_SOURCE
#undef KC_HEADERS

pgd_t (*kc_root)[PTRS_PER_PGD];
void __sync_icache_dcache(pte_t pte);
void __sync_icache_dcache(pte_t pte)
{
	(void)pte;
}
static bool rodata_is_rw __attribute__((unused)) = true;

#undef __va
#define __va(pa) kc_memory(pa)
#define KC_FUNCTIONS
#include KC_SOURCE

/* Up to 5.12 no table forbids execution. */
#ifndef NO_EXEC_MAPPINGS
#define NO_EXEC_MAPPINGS 0
#endif

static enum kc_end done(enum kc_end end)
{
	kc_call_ends();
	return end;
}

static enum kc_end failed(int error)
{
	kc_call_ends();
	return error ? KC_FAILED : KC_DONE;
}

/* Begins a call of the kernel's code, which ends when the kernel says BUG(). */
#define KC_CATCH_BUG()                    \
	struct kc_task kc_own = { 0 };    \
	kc_task = &kc_own;                \
	if (setjmp(kc_own.bug))           \
	return done(KC_BUG)

static int kc_root_level(void)
{
	return 4 - (CONFIG_PGTABLE_LEVELS -
		    (KC_VA_BITS == 52 && KC_PAGE_SHIFT != 16 && kc_va_actual < 52));
}

static void kc_start(unsigned va_actual, uint64_t ram_start)
{
	uint64_t align = UINT64_C(1) << (PAGE_SHIFT == 16 ? 29 : 30);
	int root_level;
	uint64_t root_va;

	kc_va_actual = va_actual;
	kc_lpa2 = IS_ENABLED(CONFIG_ARM64_LPA2) && va_actual == 52;
	root_level = kc_root_level();
	/* What the root would translate if all of its entries were in use. */
	root_va = -(
		UINT64_C(1) << (root_level + CONFIG_PGTABLE_LEVELS == 4 ? KC_VA_BITS : va_actual));
	/* arm64_memblock_init() */
	memstart_addr = (s64)(ram_start & -align);
	if (va_actual < KC_VA_BITS)
		memstart_addr -= (s64)(_PAGE_OFFSET(va_actual) - _PAGE_OFFSET(KC_VA_BITS));
	kc_world_start(PAGE_SHIFT, ram_start, root_level, root_va);
	kc_root = kc_memory(kc_world.root);
#if !KC_ENGINE
	kc_first_section = pfn_to_section_nr(__phys_to_pfn(ram_start));
	memset(kc_section, 0, sizeof(kc_section));
#endif
	init_mm.pgd = kc_root;
}

static struct kc_layout kc_layout(void)
{
	return (struct kc_layout){
		.page_offset = PAGE_OFFSET,
		.page_end = PAGE_END,
		.vmemmap_start = VMEMMAP_START,
		.vmemmap_end = VMEMMAP_END,
		.memmap = (uint64_t)vmemmap,
		.linear_0 = (uint64_t)(0 - (uint64_t)memstart_addr) + PAGE_OFFSET,
		.cont_pte = CONT_PTES,
		.cont_pmd = CONT_PMDS,
	};
}

static pgprot_t kc_prot(unsigned prot)
{
	const pgprot_t all[] = {
		pgprot_mhp(PAGE_KERNEL),     PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_KERNEL_ROX,
		__pgprot(PROT_DEVICE_nGnRE),
	};

	return all[prot];
}

#if KC_HAS_MAP
static enum kc_end kc_map(uint64_t va, uint64_t pa, uint64_t size, unsigned prot, unsigned flags)
{
	int kernel_flags = 0;

	if (!(flags & KC_BLOCKS))
		kernel_flags |= NO_BLOCK_MAPPINGS;
	if (!(flags & KC_CONT))
		kernel_flags |= NO_CONT_MAPPINGS;
	if (!(flags & KC_EXEC))
		kernel_flags |= NO_EXEC_MAPPINGS;
	KC_CATCH_BUG();
	return failed(KC_CREATE(swapper_pg_dir, pa, va, size, kc_prot(prot), kernel_flags));
}
#endif

/* The caller's altmap as the kernel has it. */
static struct vmem_altmap kc_altmap_in(const struct kc_altmap *altmap)
{
	return (struct vmem_altmap){
		.base_pfn = altmap->base,
		.reserve = altmap->reserve,
		.free = altmap->free,
		.align = altmap->align,
		.alloc = altmap->alloc,
	};
}

static void kc_altmap_out(struct kc_altmap *altmap, const struct vmem_altmap *kernel)
{
	altmap->align = kernel->align;
	altmap->alloc = kernel->alloc;
}

#if KC_HAS_UNMAP
static enum kc_end kc_unmap(uint64_t start, uint64_t end, bool free, struct kc_altmap *altmap)
{
	struct vmem_altmap kernel = altmap ? kc_altmap_in(altmap) : (struct vmem_altmap){ 0 };

	KC_CATCH_BUG();
	unmap_hotplug_range(start, end, free, altmap ? &kernel : NULL);
	if (altmap)
		kc_altmap_out(altmap, &kernel);
	return done(KC_DONE);
}
#endif

#if KC_HAS_FREE_TABLES
static enum kc_end kc_free_tables(uint64_t start, uint64_t end, uint64_t floor, uint64_t ceiling)
{
	KC_CATCH_BUG();
	free_empty_tables(start, end, floor, ceiling);
	return done(KC_DONE);
}
#endif

#if KC_HAS_POPULATE
static enum kc_end kc_populate(uint64_t start, uint64_t end, struct kc_altmap *altmap, bool pages)
{
	struct vmem_altmap kernel = altmap ? kc_altmap_in(altmap) : (struct vmem_altmap){ 0 };
	int ret;

	KC_CATCH_BUG();
	if (pages)
		ret = vmemmap_populate_basepages(start, end, 0, altmap ? &kernel : NULL);
	else
		ret = vmemmap_populate(start, end, 0, altmap ? &kernel : NULL);
	if (altmap)
		kc_altmap_out(altmap, &kernel);
	return failed(ret);
}
#endif

#if KC_HAS_FREE_MEMMAP
static enum kc_end kc_free_memmap(uint64_t start, uint64_t end, struct kc_altmap *altmap)
{
	struct vmem_altmap kernel = altmap ? kc_altmap_in(altmap) : (struct vmem_altmap){ 0 };

	KC_CATCH_BUG();
	vmemmap_free(start, end, altmap ? &kernel : NULL);
	if (altmap)
		kc_altmap_out(altmap, &kernel);
	return done(KC_DONE);
}
#endif

#if !KC_ENGINE
static enum kc_end kc_remove(uint64_t start, uint64_t size)
{
	KC_CATCH_BUG();
	__remove_pgd_mapping(swapper_pg_dir, start, size);
	return done(KC_DONE);
}

static int kc_arch_add(uint64_t start, uint64_t size, struct mhp_params *params)
{
	struct kc_task own = { 0 };

	kc_task = &own;
	/* Where the kernel stops for want of a table, its later releases unmap what they mapped. */
	if (setjmp(own.bug)) {
		__remove_pgd_mapping(swapper_pg_dir, __phys_to_virt(start), size);
		return -ENOMEM;
	}
	return arch_add_memory(0, start, size, params);
}

/* How many sub-sections of the range this kernel has. */
static uint64_t kc_present(uint64_t start, uint64_t size)
{
	uint64_t n = 0;

	for (uint64_t pa = start; pa < start + size; pa += UINT64_C(1) << SUBSECTION_SHIFT) {
		unsigned long pfn = __phys_to_pfn(pa);
		const struct mem_section *section = __pfn_to_section(pfn);
		int bit = subsection_map_index(pfn);

		n += section->usage && section->usage->subsection_map[bit / 64] >> bit % 64 & 1;
	}
	return n;
}

static enum kc_end kc_add(uint64_t start, uint64_t size, struct kc_altmap *altmap, bool device,
			  bool blocks)
{
	struct vmem_altmap kernel = altmap ? kc_altmap_in(altmap) : (struct vmem_altmap){ 0 };
	struct mhp_params params = {
		.altmap = altmap ? &kernel : NULL,
		.pgprot = device ? PAGE_KERNEL : pgprot_mhp(PAGE_KERNEL),
	};
	int ret;

	kc_blocks = blocks;
	ret = kc_arch_add(start, size, &params);
	/* create_memory_block_devices(), for one block */
	if (!ret && !device && !kc_alloc_small()) {
		KC_ARCH_REMOVE(start, size, NULL);
		ret = -ENOMEM;
	}
	if (altmap)
		kc_altmap_out(altmap, &kernel);
	return failed(ret);
}

static enum kc_end kc_take(uint64_t start, uint64_t size, struct kc_altmap *altmap)
{
	struct vmem_altmap kernel = altmap ? kc_altmap_in(altmap) : (struct vmem_altmap){ 0 };

	KC_CATCH_BUG();
	KC_ARCH_REMOVE(start, size, altmap ? &kernel : NULL);
	if (altmap)
		kc_altmap_out(altmap, &kernel);
	return done(KC_DONE);
}

#endif /* !KC_ENGINE */

static __attribute__((unused)) enum kc_end kc_ended(int error)
{
	kc_call_ends();
	if (error == -ENOSYS)
		return KC_NONE;
	return error == -EINVAL ? KC_INVALID : error ? KC_FAILED : KC_DONE;
}

#if KC_HAS_PROTECT
static int kc_set_memory(unsigned long va, int pages, enum kc_change what)
{
	switch (what) {
	case KC_CHANGE_RO:
		return set_memory_ro(va, pages);
	case KC_CHANGE_RW:
		return set_memory_rw(va, pages);
	case KC_CHANGE_X:
		return set_memory_x(va, pages);
	case KC_CHANGE_NX:
		return set_memory_nx(va, pages);
	case KC_CHANGE_INVALID:
	case KC_CHANGE_VALID:
		return set_memory_valid(va, pages, what == KC_CHANGE_VALID);
	default:
		return -ENOSYS;
	}
}

/* Linear memory may be changed page by page, as with rodata=full: boot then decides about splits. */
static void kc_may_change(void)
{
	kc_blocks = false;
#if KC_HAS_SPLIT
	linear_map_requires_bbml3 = !force_pte_mapping() && can_set_direct_map();
#endif
}

static enum kc_end kc_protect(uint64_t va, uint64_t size, enum kc_change what, bool noflush)
{
	KC_CATCH_BUG();
	kc_may_change();
	if (noflush && what == KC_CHANGE_INVALID)
		return kc_ended(set_direct_map_invalid_noflush((struct page *)va));
	if (noflush)
		return kc_ended(what == KC_CHANGE_DEFAULT ?
					set_direct_map_default_noflush((struct page *)va) :
					-ENOSYS);
	return kc_ended(kc_set_memory(va, (int)(size >> PAGE_SHIFT), what));
}
#endif

#if KC_HAS_SPLIT
static enum kc_end kc_split(uint64_t start, uint64_t end)
{
	KC_CATCH_BUG();
	kc_may_change();
	return kc_ended(split_kernel_leaf_mapping(start, end));
}
#endif

#if KC_HAS_VMAP
static enum kc_end kc_vmap(uint64_t va, uint64_t pa, uint64_t size, bool huge)
{
	KC_CATCH_BUG();
	return kc_ended(vmap_range_noflush(va, va + size, pa, PAGE_KERNEL,
					   huge ? PUD_SHIFT : PAGE_SHIFT));
}
#endif

#if KC_HAS_VUNMAP
static enum kc_end kc_vunmap(uint64_t start, uint64_t end)
{
	KC_CATCH_BUG();
	vunmap_range(start, end);
	return kc_ended(0);
}
#endif

#if KC_HAS_OFFLINE
static enum kc_end kc_change_block(const struct kc_block *block)
{
	struct vmem_altmap altmap = { .base_pfn = block->start, .free = block->memmap_pages };
	struct memory_block kernel = {
		.start_section_nr = block->start >> (SECTION_SIZE_BITS - PAGE_SHIFT),
		.zone = block->online ? NULL : KC_ZONE,
		.altmap = block->memmap_pages ? &altmap : NULL,
		.nr_vmemmap_pages = block->memmap_pages,
	};
	int ret;

	KC_CATCH_BUG();
	sections_per_block = block->pages >> (SECTION_SIZE_BITS - PAGE_SHIFT);
	kc_task->asks = block->ask;
	ret = block->online ? memory_block_online(&kernel) : memory_block_offline(&kernel);
	kc_call_ends();
	if (!ret || (ret == -EAGAIN && block->ask))
		return KC_DONE;
	return ret == -EPERM ? KC_REFUSED : KC_FAILED;
}
#endif

#if KC_HAS_PTDUMP
static enum kc_end kc_ptdump(uint64_t start, uint64_t end)
{
	const struct ptdump_range ranges[] = { { start, end }, { 0, 0 } };
	struct ptdump_state state = KC_PTDUMP_STATE(ranges);

	KC_CATCH_BUG();
	ptdump_walk_pgd(&state, &init_mm, NULL);
	return kc_ended(0);
}
#endif

static struct kc_entry kc_decode(int level, uint64_t desc)
{
	if (level == 3 || (desc & PMD_TYPE_MASK) != PMD_TYPE_TABLE)
		return (struct kc_entry){ 0 };
	return (struct kc_entry){ true, __pte_to_phys(__pte(desc)) };
}

static const struct kc_knob knobs[] = { KC_KNOBS{ NULL, NULL } };

extern const struct kc_kernel KC_LOCAL(kc_kernel);
const struct kc_kernel KC_LOCAL(kc_kernel) = {
	.release = KC_RELEASE,
	.knobs = knobs,
	.page_shift = KC_PAGE_SHIFT,
	.va_bits = KC_VA_BITS,
	.pa_bits = KC_PA_BITS,
	.struct_page = KC_STRUCT_PAGE,
	.section_bits = KC_SECTION_BITS,
	.start = kc_start,
	.layout = kc_layout,
#if KC_HAS_MAP
	.map = kc_map,
#endif
#if KC_HAS_UNMAP
	.unmap = kc_unmap,
#endif
#if KC_HAS_FREE_TABLES
	.free_tables = kc_free_tables,
#endif
#if KC_HAS_POPULATE
	.populate = kc_populate,
#endif
#if KC_HAS_FREE_MEMMAP
	.free_memmap = kc_free_memmap,
#endif
#if !KC_ENGINE
	.remove = kc_remove,
	.add = kc_add,
	.take = kc_take,
	.present = kc_present,
#endif
#if KC_HAS_PROTECT
	.protect = kc_protect,
#endif
#if KC_HAS_SPLIT
	.split = kc_split,
#endif
#if KC_HAS_VMAP
	.vmap = kc_vmap,
#endif
#if KC_HAS_VUNMAP
	.vunmap = kc_vunmap,
#endif
#if KC_HAS_OFFLINE
	.block = kc_change_block,
#endif
#if KC_HAS_PTDUMP
	.ptdump = kc_ptdump,
#endif
	.decode = kc_decode,
};
