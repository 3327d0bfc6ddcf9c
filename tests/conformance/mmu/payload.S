/* SPDX-License-Identifier: MIT */
/*
 * The bare-metal half of the MMU suite. QEMU starts it at EL1 with the MMU off; guest.h says what
 * it finds in memory. TTBR0 maps the low 512 GiB to themselves, for the payload; TTBR1 is the
 * regime under test. Assembled without a preprocessor; COMMANDS is a symbol of the link.
 *
 * Each VA is asked of the MMU by AT S1E1R, S1E1W, S1E0R and S1E0W. No AT asks whether it may be
 * executed, so that is tried, at EL1 and EL0: the fetch must end in an exception, because what is
 * asked of are only addresses where this machine has nothing at all.
 */
	.arch	armv8.2-a

	.set	SCTLR_OFF, 0x30d00980		/* RES1 bits, SPAN: exceptions leave PAN clear */
	.set	SCTLR_ON, SCTLR_OFF | 1 << 0	/* MMU on; caches off, no WXN */
	.set	SPSR_EL1H, 0x3c5		/* EL1 on its own stack pointer, all masked */
	.set	SPSR_EL0T, 0x3c0
	.set	BLOCK_DEVICE, 0x0060000000000401 /* 1 GiB: AF, EL1 only, no execution, index 0 */
	.set	BLOCK_RAM, 0x0040000000000401	/* the same, to be executed at EL1 */
	.set	ESR_MARK, 0xe5			/* in the top byte: this is ESR_EL1, not PAR_EL1 */
	.set	PSCI_SYSTEM_OFF, 0x84000008

	.text
	.globl	_start
_start:
	msr	daifset, #15
	adr	x0, vectors
	msr	vbar_el1, x0
	ldr	x19, =COMMANDS
	ldr	x0, =SCTLR_OFF
	msr	sctlr_el1, x0
	isb

	/* The identity map: 512 blocks of 1 GiB, the first a device's. */
	adrp	x0, identity
	ldr	x1, =BLOCK_DEVICE
	str	x1, [x0], #8
	ldr	x1, =BLOCK_RAM
	mov	x2, #1
1:	add	x3, x1, x2, lsl #30
	str	x3, [x0], #8
	add	x2, x2, #1
	cmp	x2, #512
	b.ne	1b
	adrp	x0, identity
	msr	ttbr0_el1, x0

	ldr	x20, [x19, #8]			/* how many commands */
	add	x21, x19, #64			/* the first one */
next_command:
	cbz	x20, done
	bl	run_command
	add	x21, x21, #64
	sub	x20, x20, #1
	ldr	x0, [x19, #16]			/* how many are done */
	add	x0, x0, #1
	str	x0, [x19, #16]
	b	next_command
done:
	ldr	x0, =PSCI_SYSTEM_OFF
	hvc	#0
	b	.

/* x21: the command. Changes the regime with the MMU off, then asks about each VA. */
run_command:
	mov	x29, x30
	ldr	x0, =SCTLR_OFF
	msr	sctlr_el1, x0
	isb
	ldp	x0, x1, [x21]			/* TCR, TTBR1 */
	ldp	x2, x22, [x21, #16]		/* MAIR, count of VAs */
	ldp	x23, x24, [x21, #32]		/* VAs, results */
	ldr	x25, [x21, #48]			/* the lowest PA that may be executed */
	msr	tcr_el1, x0
	msr	ttbr1_el1, x1
	msr	mair_el1, x2
	isb
	dsb	sy
	tlbi	vmalle1
	dsb	sy
	isb
	ldr	x0, =SCTLR_ON
	msr	sctlr_el1, x0
	isb
	cbz	x22, 2f
1:	ldr	x26, [x23], #8
	bl	ask
	sub	x22, x22, #1
	cbnz	x22, 1b
2:	ret	x29

/* Asks by one kind of AT and stores PAR_EL1, or ESR_EL1 if there was an exception. */
	.macro	ask_at operation
	mov	x1, #0
	at	\operation, x26
	isb
	mrs	x0, par_el1
	cbz	x1, 9f
	movk	x1, #ESR_MARK << 8, lsl #48
	mov	x0, x1
9:	str	x0, [x24], #8
	.endm

/* x26: the VA; x24: where the results go, moved on. */
ask:
	mov	x28, x30
	ask_at	s1e1r
	mov	x27, x0
	ask_at	s1e1w
	ask_at	s1e0r
	ask_at	s1e0w
	stp	xzr, xzr, [x24]
	tbnz	x27, #0, 1f			/* it faults */
	ubfx	x0, x27, #12, #40
	cmp	x25, x0, lsl #12
	b.hi	1f
	bic	x0, x26, #3
	mov	x1, #SPSR_EL1H
	bl	fetch
	str	x0, [x24]
	bic	x0, x26, #3
	mov	x1, #SPSR_EL0T
	bl	fetch
	str	x0, [x24, #8]
1:	add	x24, x24, #16
	ret	x28

/* Goes to x0 with the state x1. Returns ESR_EL1 of the exception that this ends in. */
fetch:
	msr	elr_el1, x0
	msr	spsr_el1, x1
	isb
	eret

/*
 * Any exception. An instruction abort comes from fetch(), whose caller goes on; whatever else
 * comes from the instruction after which it goes on, with ESR_EL1 in x1.
 */
exception:
	mrs	x0, esr_el1
	lsr	x1, x0, #27			/* classes 0x20 and 0x21 */
	cmp	x1, #0x20 >> 1
	b.ne	1f
	msr	elr_el1, x30
	mov	x1, #SPSR_EL1H
	msr	spsr_el1, x1
	eret
1:	mov	x1, x0
	mrs	x0, elr_el1
	add	x0, x0, #4
	msr	elr_el1, x0
	eret

	.balign	2048
vectors:
	.rept	16
	b	exception
	.balign	128
	.endr

	.bss
	.balign	4096
identity:
	.skip	4096
