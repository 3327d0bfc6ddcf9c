/* SPDX-License-Identifier: MIT */
/*
 * libpgtsim: the arm64 kernel page table and memory hotplug, simulated.
 *
 * This header includes all others but testing.h. Where to start:
 *   machine.h   create a machine that is like one kernel release on one geometry
 *   hotplug.h   add, online, offline and remove memory
 *   pgtable.h   map, translate and walk; teardown.h unmaps and frees tables
 *   tlb.h       what the CPU is told: events, barriers, invalidates, counters, violations
 *   check.h     what must hold afterwards; checker.h: what a CPU may still have cached
 *   explore.h   all interleavings of several actors
 *   testing.h   assertions for unit tests of your own, with CMocka
 * The others come from these: geometry.h, desc.h and policy.h say what a kernel and a descriptor
 * look like, memory.h is the page allocator, dump.h, trace.h, cost.h and cpu.h show things.
 */
#ifndef PGTSIM_PGTSIM_H
#define PGTSIM_PGTSIM_H

#include <pgtsim/altmap.h>
#include <pgtsim/check.h>
#include <pgtsim/checker.h>
#include <pgtsim/cost.h>
#include <pgtsim/counters.h>
#include <pgtsim/cpu.h>
#include <pgtsim/desc.h>
#include <pgtsim/dump.h>
#include <pgtsim/engine.h>
#include <pgtsim/error.h>
#include <pgtsim/explore.h>
#include <pgtsim/format.h>
#include <pgtsim/geometry.h>
#include <pgtsim/hotplug.h>
#include <pgtsim/judge.h>
#include <pgtsim/machine.h>
#include <pgtsim/memory.h>
#include <pgtsim/pgtable.h>
#include <pgtsim/policy.h>
#include <pgtsim/protect.h>
#include <pgtsim/teardown.h>
#include <pgtsim/tlb.h>
#include <pgtsim/trace.h>
#include <pgtsim/violations.h>
#include <pgtsim/vmemmap.h>

#endif
