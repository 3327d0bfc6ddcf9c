/* SPDX-License-Identifier: MIT */
/*
 * Hears each event before the machine's checker does, and makes a step of it, so that other actors can
 * run between a store, its invalidate and its barriers. The event of a store is no step of its own: it
 * belongs to the write of the entry. Each actor is a CPU: its barriers publish and complete only what
 * it did itself.
 */
#include <errno.h>
#include <stdlib.h>

#include "explore.h"

static bool is_store(enum pgtsim_op op)
{
	return op == PGTSIM_OP_LINK || op == PGTSIM_OP_UNLINK || op == PGTSIM_OP_MAP ||
	       op == PGTSIM_OP_CLEAR || op == PGTSIM_OP_POKE || op == PGTSIM_OP_STORE;
}

/* Returns the kind of step that an event is; PGTSIM_STEP_MANY if it is no step. */
static enum pgtsim_explore_op step_of(enum pgtsim_op op)
{
	switch (op) {
	case PGTSIM_OP_DSB_ISHST:
	case PGTSIM_OP_DSB_ISH:
	case PGTSIM_OP_DSB_ISHLD:
	case PGTSIM_OP_DSB_NSH:
	case PGTSIM_OP_DSB_OSH:
	case PGTSIM_OP_DSB_SY:
	case PGTSIM_OP_DMB_ISHST:
	case PGTSIM_OP_DMB_ISH:
	case PGTSIM_OP_DMB_ISHLD:
	case PGTSIM_OP_ISB:
		return PGTSIM_STEP_BARRIER;
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_RANGE_WALK:
	case PGTSIM_OP_TLBI_ALL:
	case PGTSIM_OP_IDTE:
		return PGTSIM_STEP_INVALIDATE;
	case PGTSIM_OP_TABLE_FREE:
	case PGTSIM_OP_PAGES_FREE:
	case PGTSIM_OP_ALTMAP_FREE:
		return PGTSIM_STEP_GIVE_BACK;
	default:
		return is_store(op) ? PGTSIM_STEP_STORE : PGTSIM_STEP_MANY;
	}
}

/* ---- walks of CPUs ---- */

/* True if the actor `cpu` accesses an address below the entry that `actor` unlinked last. */
static bool walks_there(const struct pgtsim_actor *cpu, const struct pgtsim_actor *actor)
{
	for (size_t i = 0; cpu->accesses && i < cpu->accesses->count; i++)
		if (cpu->accesses->va[i] - actor->unlinked_va < actor->unlinked_size)
			return true;
	return false;
}

/*
 * A DSB ISH after an unlink waits until walks that may use the unlinked entry have ended (Arm ARM
 * D8.16); so does an IDTE.
 */
static void wait_for_walks(struct pgtsim_exploring *x, const struct pgtsim_event *event)
{
	struct pgtsim_actor *actor = &x->actor[x->current];

	if (event->op == PGTSIM_OP_UNLINK) {
		actor->unlinked_va = event->va;
		actor->unlinked_size = event->size;
	}
	if (event->op != PGTSIM_OP_DSB_ISH && event->op != PGTSIM_OP_IDTE)
		return;
	for (unsigned i = 0; i < x->actor_count && !x->draining; i++)
		if (i != actor->id && walks_there(&x->actor[i], actor))
			pgtsim_take_step(x, &(struct pgtsim_next){ .op = PGTSIM_STEP_DSB,
								   .lock = PGTSIM_LOCKS + i });
	actor->unlinked_size = 0;
}

/* ---- events ---- */

/* True if the event describes the store that the current step has just made. */
static bool belongs_to_step(const struct pgtsim_exploring *x, enum pgtsim_op op)
{
	return is_store(op) && x->step && !x->ordered && x->doer == x->current &&
	       x->doing.op == PGTSIM_STEP_WRITE && x->doing.reach.kind == PGTSIM_REACH_NONE;
}

/*
 * Actors may share a CPU. Which one a store is on is known when its event comes, too late for sleep
 * sets: once an event names another CPU than the actor's own, a store still to come may be on any.
 * The first run has no sleep sets; if it is a later one, orders may have been left out before.
 */
static void note_cpu(struct pgtsim_exploring *x, const struct pgtsim_event *event)
{
	if (x->names_cpus || pgtsim_reach_cpu(x->current, event) == x->current)
		return;
	x->names_cpus = true;
	x->named_late = x->runs || x->config->shards > 1;
}

/* Takes the step of an event, or adds the event to the current step if it is that step's store. */
static void before_event(struct pgtsim_exploring *x, const struct pgtsim_event *event)
{
	struct pgtsim_next next = { .op = step_of(event->op), .event = event->op };

	wait_for_walks(x, event);
	if (x->draining || next.op == PGTSIM_STEP_MANY)
		return;
	if (x->checker) {
		next.hears = event;
		note_cpu(x, event);
	}
	if (belongs_to_step(x, event->op)) {
		if (x->checker)
			x->doing.reach = pgtsim_reach_of(&x->reach, x->current, event);
		x->doing.event = event->op;
		return;
	}
	next.uncounted = next.op == PGTSIM_STEP_STORE || event->op == PGTSIM_OP_TABLE_FREE;
	pgtsim_take_step(x, &next);
}

/* False while actors only run to their end, and while the machine emits no events. */
static bool is_listening(const struct pgtsim_exploring *x)
{
	return !x->draining && !x->machine->tlb.quiet;
}

static struct pgtsim_exploring *listener_of(const struct pgtsim_checker *self)
{
	return self->listener;
}

/* Sends the delayed events of the current actor to the checker. */
static void send_delayed(struct pgtsim_exploring *x)
{
	struct pgtsim_actor *a = &x->actor[x->current];

	for (size_t i = 0; i < a->below_count; i++)
		a->below[i].hear(x->checker, &a->below[i].event);
	a->below_count = 0;
}

/* In place of the checker's `event`. Names the actor's CPU in events that name none. */
static void hear_event(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x = listener_of(self);
	struct pgtsim_event on_cpu = *event;

	if (is_listening(x))
		before_event(x, event);
	if (is_store(event->op))
		send_delayed(x);
	on_cpu.cpu = pgtsim_reach_cpu(x->current, event);
	x->checker_calls.event(self, &on_cpu);
}

/*
 * Delays an event about entries below one that is about to be stored. They are emitted before the
 * store, but other actors may run in between, and for them nothing has changed yet: the checker
 * hears of them together with the store.
 */
static void delay_event(struct pgtsim_exploring *x, const struct pgtsim_event *event,
			void (*hear)(struct pgtsim_checker *, const struct pgtsim_event *))
{
	struct pgtsim_actor *a = &x->actor[x->current];
	size_t room = a->below_room ? 2 * a->below_room : 64;
	struct pgtsim_below *grown;

	if (a->below_count == a->below_room) {
		grown = realloc(a->below, room * sizeof(*grown));
		if (!grown) {
			x->error = -ENOBUFS;
			return;
		}
		a->below = grown;
		a->below_room = room;
	}
	a->below[a->below_count] = (struct pgtsim_below){ *event, hear };
	a->below[a->below_count++].event.cpu = pgtsim_reach_cpu(a->id, event);
}

static void hear_poke(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x = listener_of(self);

	delay_event(x, event, x->checker_calls.poke);
}

static void hear_unreachable(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x = listener_of(self);

	delay_event(x, event, x->checker_calls.unreachable);
}

static void hear_reachable(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x = listener_of(self);

	delay_event(x, event, x->checker_calls.reachable);
}

static void hear_attributes(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x = listener_of(self);

	delay_event(x, event, x->checker_calls.attributes);
}

/* The operation is one of the actor's CPU: others are under way. */
static void hear_end(struct pgtsim_checker *self, uint64_t va, uint64_t last, unsigned cpu)
{
	struct pgtsim_exploring *x = listener_of(self);
	unsigned on = cpu == PGTSIM_ANY_CPU ? pgtsim_reach_cpu(x->current, NULL) : cpu;

	if (is_listening(x))
		pgtsim_take_step(x, &(struct pgtsim_next){
					    .op = PGTSIM_STEP_END,
					    .uncounted = true,
					    .reach = pgtsim_reach_of_end(on, va, last),
				    });
	x->checker_calls.end(self, va, last, on);
}

/*
 * Without a checker the same steps are taken, so that a schedule's text means the same with and
 * without one.
 */
static void observe_event(struct pgtsim_observer *observer, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x =
		(struct pgtsim_exploring *)(void *)((char *)observer -
						    offsetof(struct pgtsim_exploring, observer));

	if (!x->checker && is_listening(x))
		before_event(x, event);
}

/* ---- start and end ---- */

int pgtsim_listen_start(struct pgtsim_exploring *x)
{
	struct pgtsim_tlb *tlb = &x->machine->tlb;

	x->checker = tlb->checker;
	for (unsigned i = 0; i < x->actor_count; i++)
		x->actor[i].below_count = x->actor[i].log.count = 0;
	x->observer.event = observe_event;
	pgtsim_observe(tlb, &x->observer);
	x->was_single = tlb->single;
	tlb->single = true;
	if (!pgtsim_reach_start(&x->reach, &x->machine->pgt, tlb))
		return -ENOBUFS;
	if (!x->checker)
		return 0;
	x->checker_calls = *x->checker;
	x->checker->event = hear_event;
	x->checker->poke = hear_poke;
	x->checker->unreachable = hear_unreachable;
	x->checker->reachable = hear_reachable;
	x->checker->attributes = hear_attributes;
	x->checker->end = hear_end;
	x->checker->listener = x;
	return 0;
}

void pgtsim_listen_end(struct pgtsim_exploring *x)
{
	struct pgtsim_tlb *tlb = &x->machine->tlb;

	pgtsim_unobserve(tlb, &x->observer);
	tlb->single = x->was_single;
	if (!x->checker || tlb->checker != x->checker)
		return;
	x->checker->event = x->checker_calls.event;
	x->checker->poke = x->checker_calls.poke;
	x->checker->unreachable = x->checker_calls.unreachable;
	x->checker->reachable = x->checker_calls.reachable;
	x->checker->attributes = x->checker_calls.attributes;
	x->checker->end = x->checker_calls.end;
	x->checker->listener = NULL;
}

void pgtsim_listen_fini(struct pgtsim_exploring *x)
{
	pgtsim_reach_fini(&x->reach);
	for (unsigned i = 0; i < x->actor_count; i++) {
		pgtsim_reach_log_fini(&x->actor[i].log);
		free(x->actor[i].below);
	}
}
