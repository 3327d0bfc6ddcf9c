/* SPDX-License-Identifier: MIT */
/*
 * libpgtsim: the arm64 kernel page table and memory hotplug, simulated.
 *
 * This header is all of it. Each room's header may also be included by itself.
 */
#ifndef PGTSIM_PGTSIM_H
#define PGTSIM_PGTSIM_H

#include <pgtsim/altmap.h>
#include <pgtsim/check.h>
#include <pgtsim/cost.h>
#include <pgtsim/cpu.h>
#include <pgtsim/desc.h>
#include <pgtsim/dump.h>
#include <pgtsim/explore.h>
#include <pgtsim/geometry.h>
#include <pgtsim/hotplug.h>
#include <pgtsim/machine.h>
#include <pgtsim/memory.h>
#include <pgtsim/pgtable.h>
#include <pgtsim/policy.h>
#include <pgtsim/teardown.h>
#include <pgtsim/tlb.h>
#include <pgtsim/trace.h>
#include <pgtsim/vmemmap.h>

#endif
