/* SPDX-License-Identifier: MIT */
/* config: why a machine cannot be made from a configuration. */
#ifndef PGTSIM_MACHINE_CONFIG_H
#define PGTSIM_MACHINE_CONFIG_H

#include <pgtsim/machine.h>

/*
 * Checks page, VA and PA sizes, struct page and CPU features against what the profile's kernel can
 * run. Returns 0, or -EINVAL with the reason in config->error.
 */
int pgtsim_config_check(const struct pgtsim_machine_config *config);

/* Says in config->error what is wrong with the RAM, which was refused. Returns -EINVAL. */
int pgtsim_config_bad_ram(const struct pgtsim_machine_config *config);

/* pgtsim_is_declared(), and where that declaration begins. */
bool pgtsim_find_declared(const struct pgtsim_machine *machine, uint64_t va,
			  enum pgtsim_meaning what, uint64_t *start, uint64_t *last);

/*
 * Takes the pages of an image and of KFENCE's pool from the page allocator before anybody else does.
 * The image's init memory stays with the allocator. Returns 0, -EINVAL (they don't lie in RAM) or -ENOBUFS.
 */
int pgtsim_boot_reserve(struct pgtsim_machine *machine, const struct pgtsim_image *image);

/*
 * Builds what is there before anything is hot-added: the memmap of RAM, the kernel image and KFENCE's
 * pool if the configuration has them, the linear map. Returns 0, -ENOMEM or -ENOBUFS. Models
 * paging_init(), sparse_init(), mark_rodata_ro().
 */
int pgtsim_boot(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config);

#endif
