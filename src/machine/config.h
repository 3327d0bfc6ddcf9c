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

#endif
