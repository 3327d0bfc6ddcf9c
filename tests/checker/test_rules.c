/* SPDX-License-Identifier: MIT */
/*
 * checker: each rule as a pair of short scenarios, one that breaks it and one that keeps it, with
 * every granule where the rule does not depend on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/runner.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- rows ---- */

/*
 * A scenario without its machine line. In it @N are the bytes of N pages, and #N is the descriptor of
 * a page of normal memory, page N from 1G on; #N^BITS is one in which these bits (hex) are the other
 * way round. Lines are separated by ';'.
 */
struct rule {
	const char *name;
	const char *found;   /* the violation that check reports; NULL: none */
	const char *machine; /* more keys */
	const char *text;
};

#define ONE "map linear+0 0x40000000 @1 cont=off blocks=off;"
#define MANY "map linear+0 0x40000000 @16 cont=off blocks=off;"
#define CLEAR "poke pte linear+0 0;"
#define SHST "barrier dsb-ishst;"
#define ISH "barrier dsb-ish;"
#define ISB "barrier isb;"
#define LEAF "tlbi leaf linear+0;"
#define DONE ISH ISB

static const struct rule rules[] = {
	/* Barriers: of the right kind, and of the CPU whose stores and invalidates they are. */
	{ "all of it, in order", NULL, "", ONE CLEAR SHST LEAF DONE },
	{ "DSB ISH and SY wait for stores, too", NULL, "",
	  ONE CLEAR ISH LEAF "barrier dsb-sy;" ISB },
	{ "DSB OSH does", NULL, "",
	  ONE CLEAR "barrier dsb-osh;tlbi leaf linear+0 os;"
		    "barrier dsb-osh;" ISB },
	{ "no invalidate", "stale-leaf", "", ONE CLEAR SHST DONE },
	{ "no DSB before the invalidate", "missing-barrier", "", ONE CLEAR LEAF DONE },
	{ "no DSB after it", "missing-barrier", "", ONE CLEAR SHST LEAF ISB },
	{ "no ISB", "missing-barrier", "", ONE CLEAR SHST LEAF ISH },
	{ "DSB LD orders no store", "missing-barrier", "",
	  ONE CLEAR "barrier dsb-ishld;" LEAF DONE },
	{ "DMB makes no store visible to walks", "missing-barrier", "",
	  ONE CLEAR "barrier dmb-ish;" LEAF DONE },
	{ "DSB ST completes no invalidate", "missing-barrier", "", ONE CLEAR SHST LEAF SHST ISB },
	{ "DSB LD completes no invalidate", "missing-barrier", "",
	  ONE CLEAR SHST LEAF "barrier dsb-ishld;" ISB },
	{ "DSB NSH is for the own CPU", "stale-leaf", "",
	  ONE CLEAR "barrier dsb-nsh;" LEAF "barrier dsb-nsh;" ISB },
	{ "a store of another CPU, and its DSB", NULL, "",
	  ONE "poke pte linear+0 0 cpu=1;barrier dsb-ishst cpu=1;" LEAF DONE },
	{ "a store of another CPU, and my DSB", "missing-barrier", "",
	  ONE "poke pte linear+0 0 cpu=1;" SHST LEAF DONE },
	{ "another CPU's DSB publishes no store of mine", "missing-barrier", "",
	  ONE CLEAR "barrier dsb-ishst cpu=1;" LEAF DONE },
	{ "another CPU's DSB completes no invalidate of mine", "missing-barrier", "",
	  ONE CLEAR SHST LEAF "barrier dsb-ish cpu=1;" ISB },
	{ "another CPU may invalidate, and complete that", NULL, "",
	  ONE CLEAR SHST "tlbi leaf linear+0 cpu=1;barrier dsb-ish cpu=1;barrier isb cpu=1;" },
	{ "another CPU's ISB is none of mine", "missing-barrier", "",
	  ONE CLEAR SHST LEAF ISH "barrier isb cpu=1;" },
	{ "no ISB, with FEAT_ETS2", NULL, "ets2=on", ONE CLEAR SHST LEAF ISH },

	/* Invalidates: what they cover, whom they reach. */
	{ "another address", "stale-leaf", "", MANY CLEAR SHST "tlbi leaf linear+@1;" DONE },
	{ "a range", NULL, "", MANY CLEAR SHST "tlbi range linear+0 @16;" DONE },
	{ "a range that ends before", "stale-leaf", "",
	  MANY "poke pte linear+@8 0;" SHST "tlbi range linear+0 @8;" DONE },
	{ "a range of all levels", NULL, "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST
	       "tlbi range-walk linear+0 @16;" DONE },
	{ "a range of the last level for a table", "wrong-invalidate", "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST
	       "tlbi range linear+0 @16;" DONE },
	{ "the last level for a table", "wrong-invalidate", "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST LEAF DONE },
	{ "all levels for a table", NULL, "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST "tlbi walk linear+0;" DONE },
	{ "a local one reaches its own CPU", "stale-leaf", "cpus=2",
	  ONE CLEAR SHST "tlbi leaf linear+0 local;" DONE },
	{ "of any number of CPUs, too", "stale-leaf", "",
	  ONE CLEAR SHST
	  "tlbi leaf linear+0 local;" DONE
	  "tlbi leaf linear+0 local cpu=1;barrier dsb-ish cpu=1;barrier isb cpu=1;" },
	{ "one on each CPU", NULL, "cpus=2",
	  ONE CLEAR SHST
	  "tlbi leaf linear+0 local;" DONE
	  "tlbi leaf linear+0 local cpu=1;barrier dsb-nsh cpu=1;barrier isb cpu=1;" },
	{ "a hint for another level", "wrong-invalidate", "",
	  ONE CLEAR SHST "tlbi leaf linear+0 ttl=2;" DONE },
	{ "a hint for the level", NULL, "", ONE CLEAR SHST "tlbi leaf linear+0 ttl=3;" DONE },
	{ "once, where twice is needed", "wrong-invalidate", "repeat-tlbi=no-workaround",
	  ONE CLEAR SHST LEAF DONE },
	{ "twice with one DSB", "wrong-invalidate", "repeat-tlbi=no-workaround",
	  ONE CLEAR SHST LEAF LEAF DONE },
	{ "twice", NULL, "repeat-tlbi=no-workaround", ONE CLEAR SHST LEAF ISH LEAF DONE },
	{ "the second of another address", NULL, "repeat-tlbi=no-workaround",
	  ONE CLEAR SHST LEAF ISH "tlbi leaf linear+@9;" DONE },
	{ "the second for one CPU alone", "wrong-invalidate", "repeat-tlbi=no-workaround cpus=2",
	  ONE CLEAR SHST LEAF ISH "tlbi leaf linear+@9 local;" DONE },
	{ "the kernel's workaround", NULL, "repeat-tlbi=on", MANY "unmap linear+0 @16;" },
	{ "an IOMMU hears no CPU", "stale-leaf", "iommu=on", ONE CLEAR SHST LEAF DONE },
	{ "an IOMMU's own", NULL, "iommu=on",
	  ONE CLEAR SHST LEAF "tlbi leaf linear+0 iommu;" DONE },
	{ "an IOMMU's own, no DSB", "missing-barrier", "iommu=on",
	  ONE CLEAR SHST LEAF DONE "tlbi leaf linear+0 iommu;" },
	{ "an IOMMU's own, another CPU's DSB", "missing-barrier", "iommu=on cpus=2",
	  ONE CLEAR SHST LEAF DONE "tlbi leaf linear+0 iommu; barrier dsb-ish cpu=1;" },
	{ "the last page of all", NULL, "",
	  "map 0xffffffffffe00000 0x40000000 2M blocks=off cont=off;"
	  "poke pte 0xfffffffffffff000 0;" SHST "tlbi leaf 0xfffffffffffff000;" DONE },
	{ "a range past the end of all addresses", NULL, "",
	  "map 0xffffffffffe00000 0x40000000 2M blocks=off cont=off;"
	  "poke pte 0xfffffffffffff000 0;" SHST "tlbi range 0xffffffffffe00000 4M;" DONE },

	/* New entries. */
	{ "nothing after a new entry", "not-visible", "", ONE "poke pte linear+@1 #1;" },
	{ "DSB without ISB", "not-visible", "", ONE "poke pte linear+@1 #1;" SHST },
	{ "DSB without ISB, with FEAT_ETS2", NULL, "ets2=on", ONE "poke pte linear+@1 #1;" SHST },
	{ "DMB ISHST, with FEAT_ETS2", NULL, "ets2=on",
	  ONE "poke pte linear+@1 #1;barrier dmb-ishst;" },
	{ "DMB ISH, with FEAT_ETS2", NULL, "ets2=on",
	  ONE "poke pte linear+@1 #1;barrier dmb-ish;" },
	{ "DMB LD, with FEAT_ETS2", "not-visible", "ets2=on",
	  ONE "poke pte linear+@1 #1;barrier dmb-ishld;" },
	{ "another CPU's DMB, with FEAT_ETS2", "not-visible", "ets2=on",
	  ONE "poke pte linear+@1 #1;barrier dmb-ish cpu=1;" },
	{ "nothing, with FEAT_ETS2", "not-visible", "ets2=on", ONE "poke pte linear+@1 #1;" },
	{ "DMB and ISB without FEAT_ETS2", "not-visible", "",
	  ONE "poke pte linear+@1 #1;barrier dmb-ish;" ISB },
	{ "ISB before DSB", "not-visible", "", ONE "poke pte linear+@1 #1;" ISB SHST },
	{ "another CPU's DSB", "not-visible", "",
	  ONE "poke pte linear+@1 #1;barrier dsb-ishst cpu=1;" ISB },
	{ "DSB LD", "not-visible", "", ONE "poke pte linear+@1 #1;barrier dsb-ishld;" ISB },
	{ "DSB NSH", "not-visible", "", ONE "poke pte linear+@1 #1;barrier dsb-nsh;" ISB },
	{ "DSB NSH and ISB, then DSB", NULL, "",
	  ONE "poke pte linear+@1 #1;barrier dsb-nsh;" ISB SHST },
	{ "DSB and ISB", NULL, "", ONE "poke pte linear+@1 #1;" SHST ISB },
	{ "cleared again", NULL, "",
	  ONE "poke pte linear+@1 #1;poke pte linear+@1 0;" SHST "tlbi leaf linear+@1;" DONE },
	{ "no ISB after the make", "not-visible", "",
	  ONE CLEAR SHST LEAF DONE "poke pte linear+0 #9;" SHST },

	/* Changes of live entries. */
	{ "another page in place", "no-break", "", ONE "poke pte linear+0 #9;" SHST LEAF DONE },
	{ "another page, broken first", NULL, "",
	  ONE CLEAR SHST LEAF ISH "poke pte linear+0 #9;" SHST ISB },
	{ "made before the DSB", "no-break", "", ONE CLEAR SHST LEAF "poke pte linear+0 #9;" DONE },
	{ "memory type in place", "no-break", "", ONE "poke pte linear+0 #0^14;" SHST LEAF DONE },
	{ "shareability in place", "no-break", "", ONE "poke pte linear+0 #0^100;" SHST LEAF DONE },
	{ "read-only, invalidated", NULL, "", ONE "poke pte linear+0 #0^80;" SHST LEAF DONE },
	{ "read-only, not invalidated", "stale-leaf", "",
	  ONE "poke pte linear+0 #0^80;" SHST DONE },
	{ "cleared, then written read-only, all invalidated", NULL, "",
	  ONE CLEAR "poke pte linear+0 #0^80;" SHST LEAF DONE },
	{ "executable at EL0, invalidated", NULL, "",
	  ONE "poke pte linear+0 #0^40000000000000;" SHST LEAF DONE },
	{ "EL0 may access, invalidated", NULL, "", ONE "poke pte linear+0 #0^40;" SHST LEAF DONE },
	{ "guarded, invalidated", NULL, "",
	  ONE "poke pte linear+0 #0^4000000000000;" SHST LEAF DONE },
	{ "guarded, not invalidated", "stale-leaf", "",
	  ONE "poke pte linear+0 #0^4000000000000;" SHST DONE },
	{ "software bits, nothing after", NULL, "", ONE "poke pte linear+0 #0^780000000000000;" },
	{ "access flag cleared, nothing after", NULL, "", ONE "poke pte linear+0 #0^400;" },
	{ "cleared while it had no access flag", NULL, "",
	  ONE "poke pte linear+@1 #1^400;" SHST ISB "poke pte linear+@1 0;" SHST ISB },
	{ "access flag cleared, invalidated, no ISB", NULL, "",
	  ONE "poke pte linear+0 #0^400;" SHST LEAF ISH },
	{ "cleared, then written without the access flag", NULL, "",
	  ONE CLEAR "poke pte linear+0 #0^400;" SHST ISB },
	{ "access flag set, nothing after", "not-visible", "",
	  ONE "poke pte linear+@1 #1^400;poke pte linear+@1 #1;" },
	{ "access flag cleared, then another page", "no-break", "",
	  ONE "poke pte linear+0 #0^400;poke pte linear+0 #9;" SHST LEAF DONE },
	{ "two CPUs clear it, the second has its barriers", NULL, "",
	  ONE CLEAR "poke pte linear+0 0 cpu=1;barrier dsb-ishst cpu=1;" LEAF DONE },
	{ "access flag cleared, then all", "stale-leaf", "",
	  ONE "poke pte linear+0 #0^400;" CLEAR SHST DONE },
	{ "global to not global in place", NULL, "",
	  ONE "poke pte linear+0 #0^800;" SHST LEAF DONE },
	{ "not global to global in place", "no-break", "",
	  ONE "poke pte linear+@1 #1^800;" SHST ISB "poke pte linear+@1 #1;" SHST
	      "tlbi leaf linear+@1;" DONE },
	{ "memory freed before it is cleared", "freed-while-mapped", "free-order=before-clear",
	  "vmemmap-populate vmemmap+0 vmemmap+2M pages;vmemmap-free vmemmap+0 vmemmap+2M;" },
	{ "a reserved pte", "illegal-descriptor", "", ONE "poke pte linear+@1 0x401;" SHST ISB },

	/* A known weakness is a remark, unless the check is strict. */
	{ "tables of the vmemmap", NULL, "vmemmap-publish=none",
	  "vmemmap-populate vmemmap+0 vmemmap+2M;" },
	{ "tables of the vmemmap, strictly", "unpublished-table", "vmemmap-publish=none",
	  "vmemmap-populate vmemmap+0 vmemmap+2M;check strict;" },
	{ "tables of the vmemmap, published", NULL, "vmemmap-publish=dsb",
	  "vmemmap-populate vmemmap+0 vmemmap+2M;check strict;" },
};

/* With the 4K granule alone: what is written of tables, blocks and groups. */
#define TABLE_0 "0x1800000040003403"
/* The second page of a memmap comes to share the frame of the first. */
#define SHARE                                                                                     \
	"vmemmap-populate vmemmap+16M vmemmap+0x1008000 pages;poke pte vmemmap+0x1001000 0;" SHST \
	"tlbi leaf vmemmap+0x1001000;" DONE                                                       \
	"poke pte vmemmap+0x1001000 0xe8000040004783;" SHST ISB
#define READ_ONLY_BELOW "0x5800000040003403"
#define OF_2M "map linear+0 0x40000000 2M blocks=off cont=off;"
#define GROUP_CLEARED                                  \
	"map linear+0 0x40000000 64K;"                 \
	"poke pte linear+0K 0;poke pte linear+4K 0;"   \
	"poke pte linear+8K 0;poke pte linear+12K 0;"  \
	"poke pte linear+16K 0;poke pte linear+20K 0;" \
	"poke pte linear+24K 0;poke pte linear+28K 0;" \
	"poke pte linear+32K 0;poke pte linear+36K 0;" \
	"poke pte linear+40K 0;poke pte linear+44K 0;" \
	"poke pte linear+48K 0;poke pte linear+52K 0;" \
	"poke pte linear+56K 0;poke pte linear+60K 0;"
static const struct rule rules_4k[] = {
	{ "any address of a block", NULL, "",
	  "map linear+0 0x40000000 2M;poke pmd linear+0 0;" SHST "tlbi leaf linear+1234567;" DONE },
	{ "PXNTable and APTable, one invalidate", "stale-leaf", "",
	  MANY "poke pmd linear+0 0x5800000040003403;" SHST "tlbi walk linear+0;" DONE },
	{ "PXNTable and APTable, all", NULL, "",
	  MANY "poke pmd linear+0 0x5800000040003403;" SHST "tlbi all;" DONE },
	{ "PXNTable of leaves that are not executable", NULL, "",
	  MANY "poke pmd linear+0 0x1000000040003403;" SHST "tlbi walk linear+0;" DONE },
	/* A walk cache may lead to an entry with what tables above restricted before. */
	{ "a new page below a table entry that was changed", "stale-leaf", "",
	  MANY "poke pmd linear+0 " READ_ONLY_BELOW ";poke pte linear+@20 #20;" SHST
	       "tlbi range-walk linear+0 @16;" DONE },
	{ "… or mapped there", "stale-leaf", "",
	  MANY "poke pmd linear+0 " READ_ONLY_BELOW ";map linear+@20 0x40100000 @1 cont=off;" SHST
	       "tlbi range-walk linear+0 @16;" DONE },
	{ "… with an invalidate of its own, too", NULL, "",
	  MANY "poke pmd linear+0 " READ_ONLY_BELOW ";poke pte linear+@20 #20;" SHST
	       "tlbi range-walk linear+0 @32;" DONE },
	{ "a table entry cleared, then written with other restrictions", "stale-leaf", "",
	  MANY "poke pmd linear+0 0;poke pmd linear+0 " READ_ONLY_BELOW ";" SHST
	       "tlbi walk linear+@3;" DONE },
	{ "… after its first page was invalidated",
	  NULL, "",
	  MANY "poke pmd linear+0 0;" SHST "tlbi walk linear+0;tlbi range-walk linear+@1 @15;" ISH
	       "poke pmd linear+0 " READ_ONLY_BELOW ";" SHST ISB },
	{ "… all invalidated", NULL, "",
	  MANY "poke pmd linear+0 0;poke pmd linear+0 " READ_ONLY_BELOW ";" SHST "tlbi all;" DONE },
	{ "a table entry changed while stores to its table are not ordered", NULL, "",
	  MANY "poke pte linear+@20 #20;poke pmd linear+0 " READ_ONLY_BELOW ";" SHST
	       "tlbi all;" DONE },
	{ "restrictions there and back, then the page goes", "stale-leaf", "",
	  MANY "poke pmd linear+0 " READ_ONLY_BELOW ";poke pte linear+0 #9^80;poke pmd linear+0 "
	       TABLE_0 ";" SHST "tlbi walk linear+@3;" DONE },
	/* A store that is not yet seen, in a table that is unlinked. */
	{ "another CPU's store in a table that goes, all invalidated", NULL, "",
	  MANY "poke pte linear+0 0 cpu=1;poke pmd linear+0 0;" SHST "tlbi all;" DONE
	       "give-back 0x40003000;" },
	{ "… and that comes back", "missing-barrier", "",
	  MANY "poke pte linear+0 0 cpu=1;poke pmd linear+0 0;" SHST
	       "poke pmd linear+0 " TABLE_0 ";" SHST "tlbi all;" DONE },
	{ "a DSB NSH between stores to a table and its link", "unpublished-table", "",
	  MANY "poke pte linear+0 0;barrier dsb-nsh;poke pmd linear+0 0;poke pmd linear+0 " TABLE_0
	       ";" SHST "tlbi all;" DONE },
	{ "a DMB ISHST between them", NULL, "",
	  MANY "poke pte linear+0 0;barrier dmb-ishst;poke pmd linear+0 0;poke pmd linear+0 "
	       TABLE_0 ";" SHST "tlbi all;" DONE },
	{ "a leaf by its level while the table above may be cached", "wrong-invalidate", "",
	  ONE "poke pmd linear+0 0;" SHST "tlbi walk linear+@1;tlbi walk linear+0 ttl=3;" DONE },
	{ "… and by none", NULL, "",
	  ONE "poke pmd linear+0 0;" SHST "tlbi walk linear+@1;tlbi walk linear+0;" DONE
	      "give-back 0x40003000;" },
	{ "a page cleared below, then a block of the same memory, level 3", "wrong-invalidate", "bbm=3",
	  OF_2M "poke pte linear+@3 0;poke pmd linear+0 0x00e8000040000705;" SHST
		"tlbi leaf linear+@3;" DONE "give-back 0x40003000;" },
	{ "AF of a table", NULL, "", MANY "poke pmd linear+0 0x1800000040003003;" },
	{ "a block for a table, level 0", "no-break", "",
	  "map linear+0 0x40000000 2M blocks=off cont=off;poke pmd linear+0 0x00e8000040000705;" SHST
	  "tlbi all;" DONE "give-back 0x40003000;" },
	{ "a block for a table, level 2", NULL, "bbm=2",
	  "map linear+0 0x40000000 2M blocks=off cont=off;poke pmd linear+0 0x00e8000040000705;" SHST
	  "tlbi all;" DONE "give-back 0x40003000;" },
	{ "a block for a table, not invalidated, level 2", "overlapping-sizes", "bbm=2",
	  "map linear+0 0x40000000 2M blocks=off cont=off;poke pmd linear+0 0x00e8000040000705;" SHST
		  DONE },
	{ "a block of other memory, level 3", "no-break", "bbm=3",
	  "map linear+0 0x40000000 2M blocks=off cont=off;poke pmd linear+0 0x00e8000048000705;" SHST
	  "tlbi all;" DONE "give-back 0x40003000;" },
	{ "a table that maps other memory, level 3", "no-break", "bbm=3",
	  "map linear+2M 0x40200000 2M blocks=off cont=off;map linear+4M 0x44400000 2M;"
	  "poke pmd linear+2M 0;" SHST "tlbi all;" DONE "poke pmd linear+4M " TABLE_0 ";" SHST
	  "tlbi all;" DONE },
	{ "a table before its block is gone, level 3", NULL, "bbm=3",
	  "map linear+4M 0x44400000 2M;poke pmd linear+4M 0;" SHST
	  "map linear+4M 0x44400000 2M blocks=off cont=off;" },
	{ "… at level 2", "overlapping-sizes", "bbm=2",
	  "map linear+4M 0x44400000 2M;poke pmd linear+4M 0;" SHST
	  "map linear+4M 0x44400000 2M blocks=off cont=off;" },
	{ "… and one of its pages goes", "stale-leaf", "bbm=3",
	  "map linear+4M 0x44400000 2M;poke pmd linear+4M 0;" SHST
	  "map linear+4M 0x44400000 2M blocks=off cont=off;poke pte linear+4M 0;" SHST DONE },
	{ "a hint on one entry of a group", "misprogrammed-group", "",
	  "map linear+1M 0x40100000 4K;poke pte linear+0 #0^10000000000000;" SHST ISB },
	{ "a group one of which goes elsewhere", "misprogrammed-group", "bbm=3",
	  "map linear+0 0x40000000 64K;poke pte linear+20K #99^10000000000000;" SHST LEAF
	  "tlbi leaf linear+20K;" DONE },
	{ "a block where there is none", "illegal-descriptor", "",
	  "poke pgd linear+0x8000000000 0x00e8008000000705;" SHST ISB },
	{ "a page read-only where a group may be cached", "overlapping-sizes", "",
	  GROUP_CLEARED "poke pte linear+0 #0^80;" SHST ISB },
	{ "… at level 3", "stale-leaf", "bbm=3",
	  GROUP_CLEARED "poke pte linear+0 #0^80;" SHST ISB },
	{ "a page elsewhere where a group may be cached", "no-break", "bbm=3",
	  GROUP_CLEARED "poke pte linear+0 #99;" SHST ISB },
	{ "an invalid leaf that bit 11 marks", NULL, "profile=linux-7.3",
	  "add 2G+128M;poke pte linear+0x40003000 0xe8000080003f06;" SHST
	  "tlbi leaf linear+0x40003000;" DONE },
	{ "an invalid leaf that bit 11 marks, with other memory", "linear-hole",
	  "profile=linux-7.3",
	  "add 2G+128M;poke pte linear+0x40003000 0xe8000080004f06;" SHST
	  "tlbi leaf linear+0x40003000;" DONE },
	{ "an invalid leaf that nothing marks", "linear-hole", "profile=linux-7.3",
	  "add 2G+128M;poke pte linear+0x40003000 0xe8000080003706;" SHST
	  "tlbi leaf linear+0x40003000;" DONE },
	{ "bit 11 before 7.1", "linear-hole", "profile=linux-6.12",
	  "add 2G+128M;poke pte linear+0x40003000 0xe8000080003f06;" SHST
	  "tlbi leaf linear+0x40003000;" DONE },
	{ "an invalid leaf that is declared", NULL, "profile=linux-6.12",
	  "add 2G+128M;declare linear+0x40003000 4K meant-invalid;"
	  "poke pte linear+0x40003000 0;" SHST "tlbi leaf linear+0x40003000;" DONE },
	{ "one beside it", "linear-hole", "profile=linux-6.12",
	  "add 2G+128M;declare linear+0x40004000 8K meant-invalid;"
	  "poke pte linear+0x40003000 0;" SHST "tlbi leaf linear+0x40003000;" DONE },
	{ "one behind it", "linear-hole", "profile=linux-6.12",
	  "add 2G+128M;declare linear+0x40000000 8K meant-invalid;"
	  "poke pte linear+0x40001000 0;poke pte linear+0x40002000 0;" SHST
	  "tlbi range linear+0x40000000 16K;" DONE },
	{ "a leaf for other memory where an invalid one is meant", "linear-hole",
	  "profile=linux-6.12",
	  "add 2G+128M;declare linear+0x40003000 4K meant-invalid;"
	  "poke pte linear+0x40003000 0;" SHST "tlbi leaf linear+0x40003000;" DONE
	  "poke pte linear+0x40003000 #9;" SHST ISB },
	{ "a frame of the memmap shared on purpose", NULL, "profile=linux-6.1",
	  SHARE "declare vmemmap+16M 8K shared-memmap;" },
	{ "a frame of the memmap shared", "backing-shared", "profile=linux-6.1", SHARE },
	{ "… with a page that is not declared", "backing-shared", "profile=linux-6.1",
	  SHARE "declare vmemmap+0x1001000 28K shared-memmap;" },
	{ "a group cut in two", "stale-leaf", "",
	  "map linear+0 0x40000000 64K;unmap-range linear+0 4K;" },
	{ "a table linked before its stores are ordered", "unpublished-table", "",
	  MANY "poke pmd linear+0 0;" SHST "tlbi all;" DONE "poke pmd linear+0 " TABLE_0 ";"
	       "poke pte linear+@20 #20;poke pmd linear+0 0;poke pmd linear+0 " TABLE_0
	       ";" SHST ISB },
	{ "a table freed too early", "table-freed-while-cached", "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST "give-back 0x40003000;"
	       "tlbi walk linear+0;" DONE },
	{ "a table given back", NULL, "",
	  MANY "unmap-range linear+0 @16;poke pmd linear+0 0;" SHST "tlbi walk linear+0;" DONE
	       "give-back 0x40003000;" },
	{ "with LPA2, a range that begins between", "misaligned-range", "va=52",
	  "map linear+0 0x40000000 64K cont=off;poke pte linear+4K 0;" SHST
	  "tlbi range linear+4K 8K;" DONE },
	{ "with LPA2, a range that begins at 64K", NULL, "va=52",
	  "map linear+0 0x40000000 64K cont=off;poke pte linear+4K 0;" SHST
	  "tlbi range linear+0 64K;" DONE },
};

/* ---- running them ---- */

struct output {
	char text[1 << 16];
	size_t length;
};

static void collect(void *ctx, const char *text)
{
	struct output *output = ctx;
	size_t length = strlen(text);

	assert_true(output->length + length < sizeof(output->text));
	memcpy(output->text + output->length, text, length + 1);
	output->length += length;
}

static const struct {
	unsigned kib, va;
} granules[] = { { 4, 48 }, { 16, 47 }, { 64, 48 } };

/* Writes what @N or #N^BITS stands for; returns where the text goes on. */
static const char *expand(const char *at, uint64_t page, char *out)
{
	char *end;
	uint64_t n = strtoull(at + 1, &end, 10), bits = 0;

	if (*at == '#' && *end == '^')
		bits = strtoull(end + 1, &end, 16);
	if (*at == '#')
		n = (UINT64_C(0x00e8000040000707) + n * page) ^ bits;
	else
		n *= page;
	sprintf(out, "0x%llx", (unsigned long long)n);
	return end;
}

/* The scenario of a rule with a granule, a check at its end. */
static void write_scenario(const struct rule *rule, size_t granule, char *out)
{
	uint64_t page = granules[granule].kib * UINT64_C(1024);
	const char *va = strstr(rule->machine, "va=") ? "" : "va=";

	out += sprintf(out, "machine granule=%uK %s ", granules[granule].kib, rule->machine);
	if (*va)
		out += sprintf(out, "va=%u", granules[granule].va);
	*out++ = '\n';
	for (const char *at = rule->text; *at;) {
		if (*at == '@' || *at == '#') {
			at = expand(at, page, out);
			out += strlen(out);
		} else {
			*out++ = *at == ';' ? '\n' : *at;
			at++;
		}
	}
	strcpy(out, "check\n");
}

static int run_scenario(const char *text, struct output *output, struct run_error *error)
{
	const struct run_options options = { .out = { collect, output } };
	struct scenario scenario;
	struct scenario_error syntax;
	struct run run;
	int status;

	output->length = 0;
	output->text[0] = '\0';
	if (scenario_parse(&scenario, text, strlen(text), &syntax))
		fail_msg("%u: %s\n%s", syntax.line, syntax.message, text);
	status = run_start(&run, &scenario, &options, error);
	if (status == RUN_OK)
		status = run_rest(&run, error);
	run_end(&run);
	scenario_free(&scenario);
	return status;
}

/* Whether a line of the output begins with this name. */
static bool reports(const struct output *output, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = output->text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == ' ')
			return true;
	}
	return false;
}

/* Whether there is a violation beside a table that was taken out by hand and not given back. */
static bool reports_any(const struct output *output)
{
	for (const char *line = output->text; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "table-leak ", 11) != 0 && strncmp(line, "remark ", 7) != 0)
			return true;
	return false;
}

static void try_rule(const struct rule *rule, size_t granule)
{
	static struct output output;
	struct run_error error = { 0 };
	char text[4096];
	int status;

	write_scenario(rule, granule, text);
	status = run_scenario(text, &output, &error);
	if (status == RUN_FAILED && !strstr(error.message, "check"))
		fail_msg("%s: line %u: %s\n%s", rule->name, error.line, error.message, text);
	if (rule->found ? !reports(&output, rule->found) : reports_any(&output))
		fail_msg("%s, %uK: expected %s\n%s%s", rule->name, granules[granule].kib,
			 rule->found ? rule->found : "nothing", text, output.text);
}

/* Each rule, with each granule: broken it is reported by its name, kept nothing is. */
static void rules_of_every_granule(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++)
		for (size_t g = 0; g < COUNT(granules); g++)
			if (g == 0 || !strstr(rules[i].text, "0xfffffffffffff000"))
				try_rule(&rules[i], g);
}

/* Each rule that is written for 4K alone. */
static void rules_of_4k(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules_4k); i++)
		try_rule(&rules_4k[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_every_granule),
		cmocka_unit_test(rules_of_4k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
