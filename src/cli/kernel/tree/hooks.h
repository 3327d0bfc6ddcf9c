/* SPDX-License-Identifier: MIT */
/*
 * Among the kernel's functions, behind those that serve an altmap: what goes through one is
 * noted from here on, and what is defined further down is declared.
 */
static void *kc_alloc_block_buf(unsigned long size, int node, struct vmem_altmap *altmap)
{
	void *memory = vmemmap_alloc_block_buf(size, node, altmap);

	if (altmap && memory)
		kc_note_pages(KC_ALTMAP_ALLOC, kc_address(memory), size >> PAGE_SHIFT);
	return memory;
}
#undef vmemmap_alloc_block_buf
#define vmemmap_alloc_block_buf kc_alloc_block_buf

/* From here on it is called for tables alone: vmemmap_alloc_block_zero(). */
static void *kc_alloc_table(unsigned long size, int node)
{
	if (size == PAGE_SIZE)
		kc_next_is_table();
	return vmemmap_alloc_block(size, node);
}
#undef vmemmap_alloc_block
#define vmemmap_alloc_block kc_alloc_table

static void kc_altmap_free(struct vmem_altmap *altmap, unsigned long pages)
{
	kc_note_pages(KC_ALTMAP_FREE, 0, pages);
	vmem_altmap_free(altmap, pages);
}
#undef vmem_altmap_free
#define vmem_altmap_free kc_altmap_free

void vmemmap_verify(pte_t *pte, int node, unsigned long start, unsigned long end);
int pud_set_huge(pud_t *pudp, phys_addr_t phys, pgprot_t prot);
int pmd_set_huge(pmd_t *pmdp, phys_addr_t phys, pgprot_t prot);
