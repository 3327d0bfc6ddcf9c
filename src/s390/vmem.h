/* SPDX-License-Identifier: MIT */
/* vmem: how an s390 kernel adds and removes its identity mapping and its vmemmap. */
#ifndef PGTSIM_VMEM_H
#define PGTSIM_VMEM_H

#include <pgtsim/engine.h>

/* The engine of every page table of s390's format. It has no state, so all may share it. */
struct pgtsim_engine *pgtsim_vmem_engine(void);

#endif
