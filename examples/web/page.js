// SPDX-License-Identifier: MIT
"use strict";

const $ = (id) => document.getElementById(id);
const SCENARIOS = JSON.parse($("scenarios").textContent);
const still = matchMedia("(prefers-reduced-motion: reduce)");

/* An element: make("p", { class: "x", onclick: f }, child, "text", …). */
function make(name, attributes, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
		else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
	}
	element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
	return element;
}

/* ---- the simulator ---- */

let program;

function compile() {
	const binary = atob($("wasm").textContent.trim());
	const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
	program = new WebAssembly.Module(bytes);
}

/*
 * Stacks that are switched in the middle, for `explore`: what Emscripten's fibers want of a page. To
 * leave a stack, Asyncify unwinds it and remembers how to wind it up again; `bottom` is the call
 * that stack began with.
 */
class Fibers {
	/* Fields of emscripten_fiber_t, in bytes. */
	static BASE = 0; static LIMIT = 4; static POINTER = 8; static ENTRY = 12; static ARGUMENT = 16; static DATA = 20;
	constructor() {
		this.bottoms = new Map();
		this.imports = {
			emscripten_fiber_init: (fiber, entry, argument, stack, size, data, room) =>
				this.write(fiber, stack + size, stack, stack + size, entry, argument, data, data + room, 0),
			emscripten_fiber_init_from_current_context: (fiber, data, room) =>
				this.write(fiber, this.wasm.emscripten_stack_get_base(), this.wasm.emscripten_stack_get_end(), 0, 0, 0, data, data + room, 0),
			emscripten_fiber_swap: (from, to) => this.swap(from, to),
		};
	}
	read(at) { return new DataView(this.wasm.memory.buffer).getUint32(at, true); }
	write(at, ...values) { values.forEach((value, i) => new DataView(this.wasm.memory.buffer).setUint32(at + 4 * i, value, true)); }
	swap(from, to) {
		if (this.rewinding) {
			this.rewinding = false;
			this.wasm.asyncify_stop_rewind();
			return;
		}
		this.bottoms.set(from, this.bottom);
		this.wasm.asyncify_start_unwind(from + Fibers.DATA);
		this.write(from + Fibers.POINTER, this.wasm.stackSave());
		this.next = to;
	}
	/* Calls a function and, whenever that left its stack for another one, goes on there. */
	run(call) {
		this.bottom = call;
		let result = call();
		while (this.next) {
			const fiber = this.next, entry = this.read(fiber + Fibers.ENTRY);
			this.next = 0;
			this.wasm.asyncify_stop_unwind();
			this.wasm.emscripten_stack_set_limits(this.read(fiber + Fibers.BASE), this.read(fiber + Fibers.LIMIT));
			this.wasm.stackRestore(this.read(fiber + Fibers.POINTER));
			if (entry) {
				const argument = this.read(fiber + Fibers.ARGUMENT);
				this.write(fiber + Fibers.ENTRY, 0);
				this.bottom = () => this.wasm.__indirect_function_table.get(entry)(argument);
			} else {
				this.bottom = this.bottoms.get(fiber);
				this.rewinding = true;
				this.wasm.asyncify_start_rewind(fiber + Fibers.DATA);
			}
			result = this.bottom();
		}
		return result;
	}
}

/* One instance, with a memory of its own. The program does no input or output. */
class Engine {
	constructor() {
		this.fibers = new Fibers();
		const env = { emscripten_notify_memory_growth: () => {}, page_progress: (...counts) => this.progress?.(...counts), ...this.fibers.imports };
		this.wasm = new WebAssembly.Instance(program, { env }).exports;
		this.fibers.wasm = this.wasm;
		this.wasm._initialize();
	}
	/* Becomes what another engine was, whose memory this is. */
	become(memory) {
		const here = this.wasm.memory, pages = (memory.byteLength - here.buffer.byteLength) / 65536;
		if (pages > 0) here.grow(pages);
		new Uint8Array(here.buffer).set(new Uint8Array(memory));
	}
	call(name, ...args) {
		const held = [];
		const values = args.map((arg) => {
			if (typeof arg !== "string") return arg;
			const bytes = new TextEncoder().encode(arg + "\0");
			const at = this.wasm.malloc(bytes.length);
			new Uint8Array(this.wasm.memory.buffer).set(bytes, at);
			held.push(at);
			return at;
		});
		const answer = this.fibers.run(() => this.wasm["page_" + name](...values)) >>> 0;
		held.forEach((at) => this.wasm.free(at));
		const memory = new Uint8Array(this.wasm.memory.buffer);
		return JSON.parse(new TextDecoder().decode(memory.subarray(answer, memory.indexOf(0, answer))));
	}
}

/*
 * Loads a scenario in a worker, for those that take long: the page stays usable, and stop() ends it.
 * All that an engine knows is its memory; it is what the worker sends back.
 */
class Loading {
	constructor(text, progress) {
		const source = `"use strict"; let program; ${Fibers} ${Engine} onmessage = ({ data }) => {
			program = data.program;
			const engine = new Engine();
			engine.progress = (...counts) => postMessage({ counts });
			const loaded = engine.call("load", data.text);
			const memory = engine.wasm.memory.buffer.slice(0);
			postMessage({ loaded, memory }, [memory]);
		};`;
		this.url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
		this.worker = new Worker(this.url);
		this.done = new Promise((resolve, reject) => {
			this.worker.onmessage = ({ data }) => { if (data.counts) progress(...data.counts); else resolve(data); };
			this.worker.onerror = (event) => { event.preventDefault(); reject(event); };
			this.stop = () => resolve(null);
		}).finally(() => { this.worker.terminate(); URL.revokeObjectURL(this.url); });
		this.worker.postMessage({ program, text });
	}
}

/* ---- numbers ---- */

const hex = (value) => "0x" + BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, "0");
const short = (value) => "0x" + BigInt(value).toString(16);
const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more || one + "s"}`;

function size(bytes) {
	let value = BigInt(bytes), unit = 0;
	while (unit < 6 && value && value % 1024n === 0n) { value /= 1024n; unit++; }
	return value + ["", "K", "M", "G", "T", "P", "E"][unit];
}

function time(picoseconds) {
	const units = [["s", 1e12], ["ms", 1e9], ["µs", 1e6], ["ns", 1e3]];
	for (const [unit, length] of units) if (picoseconds >= length) return (picoseconds / length).toPrecision(3) + " " + unit;
	return picoseconds + " ps";
}

/* "linear+1G", "0xffff…" as an address of this machine; null if it is none. */
function address(word, machine) {
	const match = /^\s*(?:(linear|vmemmap)\+)?(0x[0-9a-f]+|\d+)([KMGTP]?)\s*$/i.exec(word);
	if (!match) return null;
	const base = match[1] ? BigInt(machine[match[1].toLowerCase()]) : 0n;
	const shift = 10n * BigInt("KMGTP".indexOf(match[3].toUpperCase()) + 1) * (match[3] ? 1n : 0n);
	return hex(base + (BigInt(match[2]) << shift));
}

/* ---- scenarios ---- */

/* The scenario with other keys in its machine line. */
function overridden(text, keys) {
	const lines = text.split("\n");
	const at = lines.findIndex((line) => /^\s*machine(\s|$)/.test(line));
	if (at < 0) return text;
	const words = lines[at].replace(/#.*/, "").trim().split(/\s+/).filter((word) => !(word.split("=")[0] in keys));
	lines[at] = [...words, ...Object.entries(keys).map(([key, value]) => `${key}=${value}`)].join(" ");
	return lines.join("\n");
}

/* ---- one machine on the screen ---- */

/*
 * A scenario under one kernel: its engine, the moment that is shown, and the cards that show it.
 * Views of moments nearby are kept; any other costs a run of the scenario up to there.
 */
class Side {
	constructor(root, app) {
		this.engine = new Engine();
		this.root = root;
		this.app = app;
		this.views = new Map();
		this.focus = "";
		this.moment = 0;
		this.cards = {};
		for (const name of ["say", "race", "tree", "walk", "caches", "costs"]) this.cards[name] = make("section", { class: "card " + name + "-card" });
		root.append(this.cards.say, this.cards.race, this.cards.tree, this.cards.walk,
			make("div", { class: "pair" }, this.cards.caches, this.cards.costs));
	}
	load(text) { this.take(this.engine.call("load", text)); }
	/* What a load found. */
	take(loaded) {
		this.stop();
		this.views.clear();
		this.race = null;
		this.loaded = loaded;
		this.places = [0];
		for (const part of this.loaded.parts || []) this.places.push(part.first);
		for (const command of this.loaded.commands || []) if (command.end) this.places.push(command.end - 1);
		this.places = [...new Set(this.places)].sort((a, b) => a - b);
	}
	get last() { return Math.max(0, (this.loaded.moments || 0) - 1); }
	/* The view of a moment, with some of its neighbours if they are likely to be next. */
	view(moment) {
		if (!this.views.has(moment)) {
			if (this.views.size > 400) this.views.clear();
			const near = Math.abs(moment - this.moment) <= 2;
			const first = !near ? moment : moment < this.moment ? Math.max(0, moment - 4) : moment;
			const count = near ? 5 : 1;
			for (const view of this.engine.call("views", first, count, this.focus, 40).views || []) this.views.set(view.number, view);
		}
		return this.views.get(moment);
	}
	go(moment) {
		moment = Math.min(Math.max(0, moment), this.last);
		this.stop();
		const view = this.loaded.moments ? this.view(moment) : undefined;
		this.before = this.views.get(moment - 1) || (this.moment === moment - 1 ? this.now : undefined);
		this.moment = moment;
		this.now = view;
		this.race = view ? this.raceOf(view) : null;
		this.draw();
	}
	look(focus) {
		const race = this.race;
		this.focus = focus;
		this.views.clear();
		if (race && race.row !== null) return this.goRow(race.row, race.step);
		this.go(this.moment);
	}
	place(direction) {
		if (direction > 0) return this.places.find((place) => place > this.moment) ?? this.last;
		return this.places.findLast((place) => place < this.moment) ?? 0;
	}
	/* Where another kernel's run is as far as this one: the same command, the same part, the same share of it. */
	counterpart(other) {
		const mine = this.span(this.moment), key = (span) => span.line + "/" + span.nth;
		const theirs = other.spans().find((span) => key(span) === key(mine)) || other.spans().findLast((span) => span.line <= mine.line);
		if (!theirs) return 0;
		const share = mine.end - mine.first > 1 ? (this.moment - mine.first) / (mine.end - 1 - mine.first) : 1;
		return theirs.first + Math.round(share * Math.max(0, theirs.end - 1 - theirs.first));
	}
	spans() {
		if (this.spansOf === this.loaded) return this.spanList;
		const list = [], nth = new Map();
		for (const command of this.loaded.commands || []) {
			const parts = this.loaded.parts.filter((part) => part.first >= command.first && part.end <= command.end);
			const before = parts.length ? parts[0].first : command.end;
			if (before > command.first) list.push({ line: command.line, nth: "start", first: command.first, end: before });
			for (const part of parts) {
				const name = command.line + part.op, n = nth.get(name) || 0;
				nth.set(name, n + 1);
				list.push({ line: command.line, nth: part.op + n, first: part.first, end: part.end });
			}
		}
		this.spansOf = this.loaded;
		return (this.spanList = list);
	}
	span(moment) {
		return this.spans().find((span) => moment >= span.first && moment < span.end) || { line: 0, nth: "", first: 0, end: 1 };
	}
	draw() {
		this.drawSay();
		this.drawRace();
		for (const name of ["walk", "tree", "caches", "costs"]) this.cards[name].hidden = !this.now;
		if (!this.now) return;
		this.drawWalk();
		this.drawTree();
		this.drawCaches();
		this.drawCosts();
	}
	error() {
		return this.loaded.error && (!this.now || this.moment === this.last) ? this.loaded.error : null;
	}
	drawSay() {
		const card = this.cards.say, view = this.now, error = this.error();
		const machine = this.loaded.machine;
		card.classList.toggle("bad", Boolean(error));
		if (!view) {
			card.replaceChildren(make("p", { class: "error" }, error ? `Line ${error.line}: ${error.message}` : "Nothing to show."));
			return;
		}
		const where = make("div", { class: "where" }, make("b", {}, machine.profile),
			`${size(1 << machine.page_shift)} pages, ${machine.va_bits}-bit VA`,
			make("code", {}, `line ${view.line}: ${view.command}`), view.part ? make("b", {}, view.part) : "");
		const folded = this.app.foldedInto(this.moment);
		card.replaceChildren(where, make("p", {}, view.text), this.chips(view));
		if (folded) card.append(make("p", { class: "folded" }, `${many(folded.end - folded.first, "moment")} like those before are folded into this one. `,
			make("button", { type: "button", class: "open", onclick: () => this.app.open(folded) }, "Open them")));
		if (this.app.lessonAfter(this.moment)) card.append(make("button", { type: "button", class: "primary lesson", onclick: () => this.app.nextLesson() }, "Next lesson ▶"));
		if (view.printed) card.append(make("pre", { class: "printed" }, view.printed));
		if (this.loaded.runs) card.append(make("p", { class: "quiet" }, "So much memory is stepped run by run, not entry by entry."));
	}
	chips(view) {
		const found = this.loaded.found.filter((each) => each.moment <= this.moment).length;
		const chip = (kind, words) => make("span", { class: "chip " + kind }, words);
		return make("div", { class: "chips" }, chip("", `cost so far ${time(view.cost.time)}`),
			view.ahead ? chip("", `the group is half written: a TLB may hold all of it already, ${many(view.ahead, "entry", "entries")} to come`) : "",
			view.stale_leaves ? chip("stale", `TLBs may hold ${many(view.stale_leaves, "translation")} that ${view.stale_leaves === 1 ? "is" : "are"} gone`) : "",
			view.stale_walks ? chip("stale", `walk caches may hold ${many(view.stale_walks, "table entry", "table entries")} that ${view.stale_walks === 1 ? "is" : "are"} gone`) : "",
			view.floor !== undefined && BigInt(view.floor) ? chip("wallchip", `floor ${view.floor}`) : "",
			view.ceiling !== undefined && BigInt(view.ceiling) ? chip("wallchip", `ceiling ${view.ceiling}`) : "",
			found && !(this.race && this.race.row !== null && !view.failed) ? chip("foundchip", `▲ ${many(found, "violation")}`) : "");
	}
	stop() {
		clearTimeout(this.timer);
		this.timer = 0;
		this.lit = undefined;
	}
}

/* ---- the address and its walk ---- */

Object.assign(Side.prototype, {
	drawWalk() {
		const card = this.cards.walk, walk = this.now.walk, typed = this.focus || (walk && walk.va) || "";
		const input = make("input", { type: "text", value: typed, spellcheck: "false", "aria-label": "Virtual address", placeholder: "linear+1G, 0xffff…" });
		const form = make("form", { class: "look", onsubmit: (event) => { event.preventDefault(); this.lookAt(input); } },
			make("label", {}, this.focus ? "Virtual address you chose" : "Virtual address of the event", input),
			make("button", { type: "submit" }, "Look"),
			make("button", { type: "button", class: "walkbutton", title: "Animate the walk (w)", onclick: () => this.animate() }, "Walk ▷"),
			this.focus ? make("button", { type: "button", class: "follow", onclick: () => { this.look(""); this.app.changed(); } }, "Follow the events") : null);
		card.replaceChildren(make("h2", {}, "The walk of an address"), form);
		if (walk) card.append(this.walkList(walk));
		else card.append(make("p", { class: "quiet" }, "This moment has no address of its own. Type one, or click a table below."));
	},
	lookAt(input) {
		const va = address(input.value, this.loaded.machine);
		input.setCustomValidity(va ? "" : "An address: 0xffff…, linear+1G or vmemmap+0");
		input.reportValidity();
		if (!va) return;
		this.look(va);
		this.app.changed();
	},
	fields(va) {
		const machine = this.loaded.machine, levels = machine.levels;
		const field = (name, from, width, value, title, level) => {
			const digits = Array.from({ length: width }, (_, i) => Number(va >> BigInt(from - 1 - i) & 1n)).join("");
			const lit = level !== undefined && this.lit !== undefined && levels[this.lit] && levels[this.lit].level === level;
			return make("div", { style: `flex:${width} 1 ${width > 4 ? 0 : 1.6}rem`, title, class: lit ? "lit" : "", "data-level": level },
				make("span", { class: "name" }, name), make("b", {}, value), make("span", { class: "digits" }, digits),
				make("span", { class: "name" }, `${from - 1}:${from - width}`));
		};
		const row = make("div", { class: "bits", role: "img", "aria-label": `The bits of ${hex(va)}` });
		const top = 64 - machine.va_bits;
		row.append(field("TTBR1", 64, top, "1…", "all ones: the kernel's half of the address space"));
		for (const level of levels) {
			const width = Math.min(level.bits, machine.va_bits - level.shift);
			const value = (va >> BigInt(level.shift)) & ((1n << BigInt(level.bits)) - 1n);
			row.append(field(level.name, level.shift + width, width, String(value), `index into the ${level.name} table`, level.level));
		}
		const shift = machine.page_shift;
		row.append(field("offset", shift, shift, short(va & ((1n << BigInt(shift)) - 1n)), "offset in the page"));
		return row;
	},
	walkList(walk) {
		const list = make("ol", { class: "walk" });
		walk.steps.forEach((step, i) => {
			const state = this.lit === undefined ? "" : i === this.lit ? "lit" : i > this.lit ? "later" : "";
			const what = { table: `table at PA ${short(step.address)}`, page: `page at PA ${short(step.address)}`, block: `block at PA ${short(step.address)}`,
				none: "nothing: the walk ends in a translation fault", invalid: "not valid" }[step.kind];
			const item = make("li", { class: state }, make("b", {}, `${step.name}[${step.index}]`), " = ", make("code", {}, step.desc), ` ${what} `);
			if (step.kind !== "none") item.append(make("button", { type: "button", title: "What each bit means", onclick: () => this.decode(item, step) }, "bits"));
			list.append(item);
		});
		const done = this.lit === undefined || this.lit >= walk.steps.length;
		list.append(make("li", { class: done ? (this.lit === undefined ? "" : "lit") : "later" }, this.outcome(walk)));
		return list;
	},
	outcome(walk) {
		const parts = [walk.fault ? `${walk.fault[0].toUpperCase()}${walk.fault.slice(1)}: no translation in the tables.`
			: `Translated: PA ${short(walk.pa)}, by a leaf of ${size(walk.size)}, ${walk.writable ? "writable" : "read-only"}, ${walk.executable ? "executable" : "not executable"}.`];
		if (walk.stale) parts.push(" ", make("b", { class: "error" }, `But a ${walk.stale} entry that is no longer in the tables (${walk.stale_desc}) may still be cached and used.`));
		return make("span", {}, ...parts);
	},
	decode(item, step) {
		const shown = item.querySelector("pre");
		if (shown) shown.remove();
		else item.append(make("pre", {}, this.engine.call("decode", step.level, step.desc).text));
	},
	/* Lights one level after another: its bits, its table, its entry. */
	animate() {
		const walk = this.now && this.now.walk;
		if (!walk) return;
		clearTimeout(this.timer);
		this.lit = -1;
		const step = () => {
			this.lit++;
			this.drawWalk();
			this.drawTree();
			if (this.lit < walk.steps.length) this.timer = setTimeout(step, still.matches ? 1600 : 900);
			else this.timer = setTimeout(() => { this.stop(); this.drawWalk(); this.drawTree(); }, 2500);
		};
		step();
	},
});

/* ---- the tree of tables ---- */

const STOPS = 8; /* of the Tab key, in one tree */

Object.assign(Side.prototype, {
	drawTree() {
		const view = this.now, card = this.cards.tree, target = this.focus || view.at;
		const held = card.querySelector(".strip:focus-visible")?.parentElement;
		const rows = view.rows.map((row) => this.row(row, view, target));
		const va = view.walk ? view.walk.va : view.at;
		card.replaceChildren(make("h2", {}, va ? `VA ${va}: how its bits index the tables, root to leaves` : "The tables, root to leaves"),
			va ? this.fields(BigInt(va)) : "", ...rows, this.legend(view));
		this.order();
		if (held) (card.querySelector(`.way[data-level="${held.dataset.level}"] .strip`) || card.querySelector(".strip"))?.focus();
	},
	/* Tab comes to the tables on the way to the address, and to as many others as make STOPS; up and down come to all. */
	order() {
		const strips = [...this.cards.tree.querySelectorAll(".strip")], way = strips.filter((each) => each.parentElement.matches(".way"));
		for (const strip of new Set([...way, ...strips].slice(0, Math.max(STOPS, way.length)))) strip.tabIndex = 0;
	},
	level(number) { return this.loaded.machine.levels.find((level) => level.level === number); },
	row(row, view, target) {
		const level = this.level(row.level);
		if (!row.va) return make("p", { class: "quiet", style: `--depth:${row.depth}` }, `… and ${many(row.tables, "table")} more, not shown here. Choose an address to see those around it.`);
		const entry = 1n << BigInt(level.shift), span = entry * BigInt(row.entries), va = BigInt(row.va);
		const inside = target && BigInt.asUintN(64, BigInt(target) - va) < span && row.tables === 1;
		const index = inside ? Number(BigInt.asUintN(64, BigInt(target) - va) / entry) : -1;
		const folded = row.tables > 1;
		const box = make("div", { class: `row ${inside ? "way" : ""} ${folded ? "fold" : ""}`, style: `--depth:${row.depth}`, "data-level": level.name, "data-tables": row.tables });
		box.append(this.label(row, level, span), this.strip(row, entry, index, view));
		if (inside && this.isLast(view, row, target)) box.append(this.lens(row, level, entry, index));
		return box;
	},
	label(row, level, span) {
		const folded = row.tables > 1;
		const last = BigInt.asUintN(64, BigInt(row.va) + span * BigInt(row.tables) - 1n);
		const words = make("div", { class: "label" }, make("b", {}, folded ? `${row.tables.toLocaleString("en")} × ${level.name}` : level.name),
			make("span", {}, `${row.live} of ${row.entries} entries in use${folded ? " in each" : ""}`),
			make("span", { class: "soft va" }, `${row.va} … ${hex(last).slice(-9)}`));
		if (!folded) words.append(make("span", { class: "soft" }, `at PA ${short(row.pa)}`));
		if (row.kept)
			words.append(make("span", { class: "wallword" }, row.kept < 0 ? "empty, but kept: begins below the floor" : "empty, but kept: reaches above the ceiling"));
		return words;
	},
	/* The whole table as one strip; each part where its entries are. */
	strip(row, entry, index, view) {
		const at = (i) => `left:${100 * i / row.entries}%;`, wide = (n) => `width:${100 * n / row.entries}%`;
		const strip = make("button", { class: "strip", type: "button", "aria-label": this.nameOf(row, index), tabindex: "-1",
			onclick: (event) => this.click(event, row, entry), onkeydown: (event) => this.stripKey(event, row, entry, index) });
		for (const [i, n, kind, , cont] of row.parts) {
			strip.append(make("i", { class: "k-" + kind, style: at(i) + wide(n), title: `${kind} [${i}]${n > 1 ? ` to [${i + n - 1}]` : ""}${cont ? ", contiguous hint" : ""}` }));
			if (cont) strip.append(make("i", { class: "k-cont", style: at(i) + wide(n) }));
		}
		for (const [i, n] of row.stale) strip.append(make("i", { class: "k-stale", style: at(i) + wide(n), title: `may still be cached: [${i}]${n > 1 ? ` to [${i + n - 1}]` : ""}` }));
		this.walls(strip, row, entry, view);
		if (index >= 0) strip.append(make("i", { class: "pointer", style: at(index + .5) }));
		return strip;
	},
	nameOf(row, index) {
		const name = this.level(row.level).name, part = row.parts.find(([i, n]) => index >= i && index < i + n);
		const what = row.tables > 1 ? `${row.tables} ${name} tables` : `the ${name} table`;
		return `Look into ${what} from ${row.va}${index < 0 ? "" : `, at entry ${index} of ${row.entries}: ${part ? part[2] : "nothing"}`}`;
	},
	/* Left and right, Page Up and Down, Home and End: another entry of the table. Up and down: another table. */
	stripKey(event, row, entry, index) {
		const last = row.entries - 1, by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -32, PageDown: 32, Home: -last, End: last }[event.key];
		const strips = [...this.cards.tree.querySelectorAll(".strip")], at = strips.indexOf(event.currentTarget);
		const other = { ArrowUp: strips[at - 1], ArrowDown: strips[at + 1] };
		if (event.ctrlKey || event.metaKey || event.altKey || !(by || event.key in other)) return;
		event.preventDefault();
		event.stopPropagation();
		if (!by) return other[event.key]?.focus();
		const to = index < 0 ? (event.key === "End" ? last : 0) : Math.min(last, Math.max(0, index + by));
		this.look(hex(BigInt(row.va) + BigInt(to) * entry));
		this.app.changed();
	},
	/* Floor and ceiling where they stand in a table, and what lies behind them. */
	walls(strip, row, entry, view) {
		if (view.floor === undefined) return;
		const start = BigInt(row.va), end = start + entry * BigInt(row.entries) * BigInt(row.tables);
		const share = (va) => Number((va - start) * 10000n / (end - start)) / 100;
		const floor = BigInt(view.floor), ceiling = BigInt(view.ceiling);
		if (floor > start) {
			strip.append(make("i", { class: "k-out", style: `left:0;width:${floor < end ? share(floor) : 100}%`, title: "below the floor" }));
			if (floor < end) strip.append(make("i", { class: "wall floor", style: `left:${share(floor)}%`, title: `floor ${view.floor}` }));
		}
		if (ceiling && ceiling < end) {
			const from = ceiling > start ? share(ceiling) : 0;
			strip.append(make("i", { class: "k-out", style: `left:${from}%;width:${100 - from}%`, title: "above the ceiling" }));
			if (ceiling > start) strip.append(make("i", { class: "wall ceiling", style: `left:${from}%`, title: `ceiling ${view.ceiling}` }));
		}
	},
	click(event, row, entry) {
		const box = event.currentTarget.getBoundingClientRect();
		const share = event.clientX ? Math.min(.9999, Math.max(0, (event.clientX - box.left) / box.width)) : 0;
		const span = entry * BigInt(row.entries);
		let offset = BigInt(Math.floor(share * row.entries)) * entry;
		if (row.tables > 1) offset = BigInt(Math.floor(share * row.tables)) * span;
		this.look(hex(BigInt(row.va) + offset));
		this.app.changed();
	},
	/* Whether no lower table that is shown translates the target. */
	isLast(view, row, target) {
		return !view.rows.some((other) => other.va && other.level > row.level && other.tables === 1 &&
			BigInt.asUintN(64, BigInt(target) - BigInt(other.va)) < BigInt(other.entries) << BigInt(this.level(other.level).shift));
	},
	/* Thirty-two entries, one by one. */
	lens(row, level, entry, index) {
		const count = Math.min(32, row.entries), first = Math.min(row.entries - count, Math.max(0, index - index % 8 - 8));
		const lens = make("div", { class: "lens", "aria-label": `${level.name}[${first}] to [${first + count - 1}]` });
		for (let i = first; i < first + count; i++) {
			const part = row.parts.find(([at, n]) => i >= at && i < at + n);
			const stale = row.stale.some(([at, n]) => i >= at && i < at + n);
			const words = `${level.name}[${i}]: ${part ? part[2] : "nothing"}${part && part[4] ? ", contiguous hint" : ""}${stale ? ", an old value may still be cached" : ""}`;
			const cell = make("button", { type: "button", class: i === index ? "now" : "", title: words, "aria-label": words, tabindex: "-1",
				onclick: () => { this.look(hex(BigInt(row.va) + entry * BigInt(i))); this.app.changed(); } });
			if (part) cell.append(make("i", { class: "k-" + part[2] }));
			if (part && part[4]) cell.append(make("i", { class: "k-cont" }));
			if (stale) cell.append(make("i", { class: "k-stale" }));
			cell.append(make("span", {}, String(i)));
			lens.append(cell);
		}
		return lens;
	},
	legend(view) {
		const item = (kind, words) => make("span", {}, make("i", { class: kind }), words);
		const legend = make("div", { class: "legend" }, item("k-table", "table"), item("k-page", "page"), item("k-block", "block"),
			make("span", {}, make("i", { class: "k-page", style: "position:relative" }, make("i", { class: "k-cont", style: "position:absolute;inset:0;border:0;margin:0;width:auto;height:auto" })), "contiguous hint"),
			item("k-stale", "gone, but may be cached"), item("k-invalid", "invalid"));
		if (view.floor !== undefined) legend.append(item("wall", "floor, ceiling"));
		return legend;
	},
});

/* ---- caches, counters, cost ---- */

const COUNTERS = ["tables.allocated", "tables.freed", "tables.kept", "leaves.mapped", "leaves.cleared", "pages.allocated", "pages.freed",
	"altmap.allocated", "altmap.freed", "tlbi.leaf", "tlbi.walk", "tlbi.range", "tlbi.all", "dsb", "isb", "entries.read", "entries.written"];
const COSTS = [["invalidates", "--table"], ["barriers", "--block"], ["entries", "--page"], ["lines", "--here"], ["memory", "--wall"]];

Object.assign(Side.prototype, {
	drawCaches() {
		const view = this.now, card = this.cards.caches;
		card.replaceChildren(make("h2", {}, "What TLBs and walk caches may still hold"));
		const some = view.stale.length;
		card.append(make("p", { class: "quiet" }, some ? "Any CPU may still use these, though the tables no longer say so:" : "Nothing but what is in the tables."));
		for (const [walk, title, total] of [[0, "TLB: translations", view.stale_leaves], [1, "Walk cache: table entries", view.stale_walks]]) {
			const runs = view.stale.filter((run) => run.walk === walk);
			if (!runs.length) continue;
			card.append(make("h3", {}, `${title} (${total.toLocaleString("en")})`), make("ul", { class: "stalelist" }, runs.slice(0, 8).map((run) => this.staleItem(run))));
			if (runs.length > 8) card.append(make("p", { class: "quiet" }, `… and ${many(runs.length - 8, "run")} more.`));
		}
		const found = this.loaded.found.filter((each) => each.moment <= this.moment);
		if (!found.length) return;
		card.append(make("h3", {}, `Violations so far (${found.length})`), make("ul", { class: "foundlist" }, found.slice(0, 6).map((each) => make("li", {},
			make("button", { class: "linkish find", type: "button", title: "Go to the moment at which it was found", onclick: () => this.app.go(each.moment) }, each.name, ` (moment ${each.moment.toLocaleString("en")})`), ` at ${each.level} ${each.va}: ${each.meaning}; `, this.withMoments(each.text), `. Instead: ${each.instead}.`))));
		if (found.length > 6) card.append(make("p", { class: "quiet" }, `… and ${found.length - 6} more.`));
	},
	/*
	 * The checker counts events, and the number of an event that it names is one more than how many came
	 * before, and one for the machine; moments are also the ends of commands. Its events become links to moments.
	 */
	withMoments(text) {
		return text.split(/(event \d+)/).map((part) => {
			const number = Number((/^event (\d+)$/.exec(part) || [])[1]), moment = number ? this.momentOf(number - 1) : undefined;
			return moment === undefined ? part : make("button", { class: "linkish at", type: "button", onclick: () => this.app.go(moment) }, `moment ${moment.toLocaleString("en")}`);
		});
	},
	/* The moment of the n-th event, from 1. */
	momentOf(n) {
		for (const command of this.loaded.commands) {
			const events = command.end - command.first - 1;
			if (n <= events) return command.first + n - 1;
			n -= events;
		}
		return undefined;
	},
	staleItem(run) {
		const go = make("button", { class: "linkish va", type: "button", onclick: () => { this.look(run.va); this.app.changed(); } }, run.va);
		return make("li", {}, `${run.level}${run.count > 1 ? `, ${many(run.count, "entry", "entries")} from` : ""} `, go, ` to PA ${short(run.pa)}`);
	},
	drawCosts() {
		const view = this.now, card = this.cards.costs, list = make("dl", { class: "counts" });
		const before = this.before ? this.before.counts : view.counts;
		this.app.about.counters.forEach(([name, meaning], i) => {
			if (!COUNTERS.includes(name) || !view.counts[i]) return;
			const changed = before[i] !== view.counts[i] ? "changed" : "";
			list.append(make("dt", { title: meaning, class: changed }, meaning), make("dd", { class: changed, "data-counter": name }, view.counts[i].toLocaleString("en")));
		});
		const cost = view.cost, bar = make("div", { class: "costbar" });
		for (const [name, colour] of COSTS) if (cost[name]) bar.append(make("i", { style: `width:${100 * cost[name] / cost.time}%;background:var(${colour})`, title: `${name}: ${time(cost[name])}` }));
		const shares = COSTS.filter(([name]) => cost[name]).map(([name]) => `${name} ${time(cost[name])}`).join(", ");
		card.replaceChildren(make("h2", {}, "Cost so far"), make("div", { class: "big" }, time(cost.time)), bar,
			make("p", { class: "quiet" }, shares + (cost.refills ? `. All CPUs together then lose ${time(cost.refills)} to TLB refills.` : ".")), list);
	},
});

/* ---- the page ---- */

const SPEEDS = { slow: 1600, normal: 700, fast: 150 };
const FOLD_FROM = 300, FOLD_AFTER = 24; /* moments */

class App {
	constructor() {
		this.about = new Engine().call("about");
		this.keys = {};
		this.name = SCENARIOS[0].name;
		this.text = null;
		this.sides = [];
		this.opened = new Set();
		this.notes = [];
		this.exercises = new Exercises(this);
		this.fill();
		this.listen();
		this.restore();
	}
	fill() {
		const option = (value, words) => make("option", { value }, words);
		const group = (label, list) => make("optgroup", { label }, list.map((each) => option(each.name, each.name.replace(/^(good|bad)_b0?(\d+)$/, "B$2 $1").replace(/^(\d)-.*/, "$1") + ": " + each.title.replace(/^B\d+: /, ""))));
		const gallery = SCENARIOS.filter((each) => /_b\d/.test(each.name)), titles = new Map(gallery.map((each) => [each.name, each.title]));
		for (const each of gallery) each.title = titles.get(each.name.replace("good", "bad")) || each.title;
		const lessons = SCENARIOS.filter((each) => this.isLesson(each.name));
		$("menu").append(group("Lessons", lessons), group("Stories", SCENARIOS.filter((each) => !gallery.includes(each) && !lessons.includes(each))), group("Gallery: defects of real kernels", gallery), option("", "(typed)"));
		$("profile").append(option("", "as written"), ...this.about.profiles.map((name) => option(name, name)));
		$("other").append(option("", "nothing"), ...this.about.profiles.map((name) => option(name, name)));
		$("geometry").append(option("", "as written"), ...this.about.regimes.map((each) => option(`${each.granule / 1024}K/${each.va}`, `${each.granule / 1024}K pages, ${each.va} bits`)));
		$("knobs").lastChild.append(...this.about.knobs.map((knob) => make("label", { title: knob.meaning }, knob.name,
			make("select", { "data-knob": knob.name, onchange: (event) => this.setKnob(knob.name, event.target.value) }, option("", "as the kernel"), ...knob.values.map((value) => option(value, value))))));
	}
	listen() {
		$("menu").onchange = () => this.choose($("menu").value);
		$("profile").onchange = $("geometry").onchange = $("other").onchange = () => this.chooseMachine();
		for (const button of document.querySelectorAll("[data-go]")) button.onclick = () => this.move(button.dataset.go);
		$("scrub").oninput = () => this.go(Number($("scrub").value));
		$("moment").onchange = () => this.go(Number($("moment").value));
		$("stop").onclick = () => this.loading?.stop();
		$("notice").lastElementChild.onclick = () => { $("notice").hidden = true; };
		$("edit").onclick = () => this.edit(true);
		$("cancel").onclick = () => this.edit(false);
		$("run").onclick = () => this.typed();
		$("theme").onclick = () => this.theme();
		$("link").onclick = () => this.copy();
		$("help").onclick = () => this.help();
		$("exercise").onclick = () => this.exercises.toggle();
		$("text").onkeydown = (event) => { if (event.key === "Enter" && event.ctrlKey) this.typed(); };
		addEventListener("keydown", (event) => this.key(event));
		addEventListener("hashchange", () => { if (location.hash !== this.hash) this.restore(); });
	}
	get source() { return this.text ?? (SCENARIOS.find((each) => each.name === this.name) || SCENARIOS[0]).text; }
	get main() { return this.sides[0]; }
	isLesson(name) { return /^\d-/.test(name); }
	/* True at the last moment of a lesson that another one follows. */
	lessonAfter(moment) {
		const next = SCENARIOS[SCENARIOS.findIndex((each) => each.name === this.name) + 1];
		return this.text === null && this.isLesson(this.name) && moment === this.main.last && !this.main.isRacing() && next && this.isLesson(next.name);
	}
	nextLesson() { this.choose(SCENARIOS[SCENARIOS.findIndex((each) => each.name === this.name) + 1].name); }
	/* Where a long part only writes more entries, its moments but the first ones are one, until someone opens them. */
	folds() {
		return (this.main.loaded.parts || []).filter((each) => ["begin-map", "begin-populate"].includes(each.op) &&
			each.end - each.first > FOLD_FROM && !this.opened.has(each.first)).map((each) => ({ key: each.first, first: each.first + FOLD_AFTER, end: each.end }));
	}
	foldAt(moment) { return this.folds().find((each) => moment >= each.first && moment < each.end - 1); }
	foldedInto(moment) { return this.folds().find((each) => moment === each.end - 1); }
	open(fold) { this.opened.add(fold.key); this.go(fold.first); }
	say(...words) {
		$("notice").firstElementChild.replaceChildren(...words);
		$("notice").hidden = false;
	}
	choose(name) {
		if (!name) return this.edit(true);
		this.name = name;
		this.text = null;
		this.opened.clear();
		$("notice").hidden = true;
		this.edit(false);
		this.load(0);
	}
	chooseMachine() {
		const [granule, va] = $("geometry").value.split("/");
		this.setKeys({ profile: $("profile").value, granule, va });
	}
	setKnob(name, value) { this.setKeys({ [name]: value }); }
	setKeys(keys) {
		for (const [key, value] of Object.entries(keys)) if (value) this.keys[key] = value; else delete this.keys[key];
		this.load(this.main.moment);
	}
	typed() {
		this.text = $("text").value;
		this.edit(false);
		this.load(0);
	}
	edit(on) {
		this.editing = on;
		if (on) $("text").value = this.source;
		for (const id of ["text", "run", "cancel"]) $(id).hidden = !on;
		for (const id of ["lines", "edit", "story"]) $(id).hidden = on;
		$("menu").value = this.text === null && !on ? this.name : "";
		if (on) $("text").focus();
	}
	/* Runs the scenario for every side, and shows a moment of it: at once, or if it explores when that is done. */
	load(moment, row = null) {
		const profiles = [this.keys.profile, ...($("other").value ? [$("other").value] : [])];
		const texts = profiles.map((profile) => overridden(this.source, { ...this.keys, ...(profile ? { profile } : {}) }));
		this.pause();
		this.loading?.stop();
		this.loading = null;
		while (this.sides.length > profiles.length) this.sides.pop().root.remove();
		profiles.forEach((profile, i) => {
			if (this.sides[i]) return;
			const root = make("div", { class: "side", "data-side": i });
			$("sides").append(root);
			this.sides[i] = new Side(root, this);
			if (!i) this.sides[i].focus = this.focus || "";
		});
		$("sides").classList.toggle("two", profiles.length > 1);
		if (/^\s*explore\b/m.test(this.source)) return this.loadSlowly(texts, moment, row);
		this.sides.forEach((side, i) => side.load(texts[i]));
		this.loaded(moment, row);
	}
	/* Schedules are searched in a worker; who stops that sees what a short search finds. */
	async loadSlowly(texts, moment, row) {
		const name = this.name;
		$("loading").hidden = false;
		$("sides").setAttribute("aria-busy", "true");
		for (let i = 0; i < texts.length; i++) {
			let found = null, schedules = 0;
			const loading = this.loading = new Loading(texts[i], (count, failed, estimate) => {
				schedules = count;
				$("progress").textContent = `Trying the orders of the actors' steps: ${count.toLocaleString("en")} schedules so far, ${failed.toLocaleString("en")} failed, about ${estimate.toLocaleString("en")} in all.`;
			});
			$("progress").textContent = "Trying the orders of the actors' steps…";
			try { found = await loading.done; } catch { this.say("This browser starts no worker: the search was cut short."); }
			if (this.loading !== loading) return;
			if (found) {
				this.sides[i].engine.become(found.memory);
				this.sides[i].take(found.loaded);
			} else {
				if (schedules) this.say(`Stopped after ${schedules.toLocaleString("en")} schedules. What is shown is a search of at most ${Math.min(schedules, 50)}.`);
				this.sides[i].load(texts[i].replace(/^(\s*explore)\b(.*)$/gm, (line, word, rest) => `${word} bound=${Math.min(Math.max(schedules, 1), 50)}${rest.replace(/\s(bound=\S+|random|seed=\S+|runs=\S+)/g, "")}`));
			}
		}
		this.loading = null;
		this.loaded(moment, row);
	}
	/* Everything is there: shows it. */
	loaded(moment, row) {
		$("loading").hidden = true;
		$("sides").removeAttribute("aria-busy");
		this.drawLines();
		this.drawMarks();
		$("scrub").max = $("moment").max = this.main.last;
		$("moments").textContent = this.main.last.toLocaleString("en");
		if (moment > this.main.last) this.notes.push(`there is no moment ${moment}: the last one is ${this.main.last}`);
		this.go(moment);
		if (row !== null && this.main.race) this.main.goRow(row);
		if (this.notes.length) this.say(`This link could not be restored as it was: ${this.notes.join("; ")}.`);
		this.notes = [];
		this.changed();
	}
	go(moment) {
		if (this.loading) return;
		if (!(moment >= 0)) moment = 0;
		const inside = this.foldAt(moment);
		if (inside) this.opened.add(inside.key);
		this.main.go(moment);
		for (const side of this.sides.slice(1)) side.go(this.main.counterpart(side));
		this.changed();
	}
	/* Where "next" and "back" lead: over what is folded. */
	next(moment) {
		const fold = this.foldAt(moment + 1);
		return fold ? fold.end - 1 : moment + 1;
	}
	back(moment) {
		const fold = this.foldedInto(moment) || this.foldAt(moment - 1);
		return fold ? fold.first - 1 : moment - 1;
	}
	move(how) {
		const side = this.main;
		if (this.loading) return;
		if (how === "play") return this.play();
		this.pause();
		if ((how === "next" || how === "back") && side.moveRow(how === "next" ? 1 : -1)) return this.changed();
		if (how.endsWith("finding")) return this.goFinding(how.startsWith("next") ? 1 : -1);
		const to = { first: 0, last: side.last, next: this.next(side.moment), back: this.back(side.moment) };
		this.go(Math.min(side.last, how.endsWith("place") ? side.place(how.startsWith("next") ? 1 : -1) : Math.max(0, to[how])));
		if (how === "back") side.lastRow();
	}
	findings() { return [...new Set((this.main.loaded.found || []).map((each) => each.moment))]; }
	goFinding(direction) {
		const all = this.findings(), moment = this.main.moment;
		const to = direction > 0 ? all.find((each) => each > moment) : all.findLast((each) => each < moment);
		if (to !== undefined) this.go(to);
		else this.say(all.length ? `There is no finding ${direction > 0 ? "after" : "before"} this moment.` : "Nothing was found in this scenario.");
	}
	/* Plays until the last moment or, if asked to, until something of another kind happens. */
	play() {
		if (this.playing) return this.pause();
		const button = document.querySelector("[data-go=play]");
		button.textContent = "❚❚";
		const kind = this.main.kind();
		const step = () => {
			const side = this.main;
			if (!side.moveRow(1)) {
				if (side.moment >= side.last) return this.pause();
				this.go(this.next(side.moment));
			} else this.changed();
			if ($("until").checked && side.kind() !== kind) return this.pause();
			this.playing = setTimeout(step, SPEEDS[$("speed").value]);
		};
		this.playing = setTimeout(step, Math.min(300, SPEEDS[$("speed").value]));
	}
	pause() {
		clearTimeout(this.playing);
		this.playing = 0;
		document.querySelector("[data-go=play]").textContent = "▷";
	}
	/* After any change: the controls, the current line, the link. */
	changed() {
		const side = this.main, view = side.now;
		$("scrub").value = side.moment;
		$("moment").value = side.moment;
		const line = view ? view.line : 0;
		for (const item of $("lines").children) item.classList.toggle("now", Number(item.dataset.line) === line);
		this.showLine();
		for (const button of document.querySelectorAll("[data-go$=finding]")) button.disabled = !this.findings().length;
		$("announce").textContent = view ? side.rowText() || view.text : "";
		this.hash = this.linkTo();
		try { history.replaceState(null, "", this.hash); } catch { location.hash = this.hash; }
	}
	showLine() {
		const list = $("lines"), now = list.querySelector(".now");
		if (!now || list.scrollHeight <= list.clientHeight) return;
		const top = now.offsetTop - list.offsetTop;
		if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 40) list.scrollTop = top - list.clientHeight / 2;
	}
	drawLines() {
		const loaded = this.main.loaded, commands = new Map((loaded.commands || []).map((command) => [command.line, command]));
		const lines = this.source.replace(/\n$/, "").split("\n");
		let from = 0;
		while (lines[from] !== undefined && /^#|^\s*$/.test(lines[from])) from++;
		const story = lines.slice(0, from).map((line) => line.replace(/^#\s?/, "")).join("\n").trim();
		$("story").textContent = story.replace(/([^\n])\n(?!\n|\w+: )/g, "$1 ");
		$("lines").replaceChildren(...lines.map((line, i) => this.line(line, i + 1, commands.get(i + 1), loaded.error)).slice(from > 0 && !this.errorIn(loaded, from) ? from : 0));
	}
	errorIn(loaded, until) { return loaded.error && loaded.error.line <= until; }
	line(text, number, command, error) {
		const can = command && command.end > command.first;
		const item = make("li", { "data-line": number, class: `${can ? "can" : ""} ${/^\s*#/.test(text) ? "comment" : ""}`,
			title: can ? "Go to the end of this command" : null, onclick: can ? () => this.go(command.end - 1) : () => {} },
		make("span", { class: "no" }, String(number)), make("span", {}, text));
		if (error && error.line === number) item.lastChild.append(make("span", { class: "error", role: "alert" }, `▲ ${error.message}`));
		return item;
	}
	drawMarks() {
		const side = this.main, last = Math.max(1, side.last), at = (moment) => `left:${100 * moment / last}%`;
		const places = side.places.length > 200 ? [] : side.places;
		$("marks").replaceChildren(...places.map((place) => make("i", { style: at(place) })),
			...this.findings().slice(0, 50).map((moment) => make("button", { type: "button", class: "found", tabindex: "-1", style: at(moment),
				title: `Found at moment ${moment.toLocaleString("en")}`, "aria-label": `Finding at moment ${moment}`, onclick: () => this.go(moment) })));
	}
	theme() {
		const dark = document.documentElement.dataset.theme === "dark";
		document.documentElement.dataset.theme = dark ? "light" : "dark";
	}
	async copy() {
		try { await navigator.clipboard.writeText(location.href); $("link").textContent = "Copied"; }
		catch { $("link").textContent = "It is in the address bar"; }
		setTimeout(() => { $("link").textContent = "Copy link"; }, 1500);
	}
	help() {
		const keys = [["→ ←", "one event on, back"], ["↓ ↑", "on, back to where a pass or a command begins or ends"], ["Home End", "first, last moment"], ["space", "play"], ["n p", "next, previous finding"],
			["Tab", "from table to table; there ← → Home End: another entry, ↑ ↓: another table"], ["w", "walk the address"], ["e", "exercises"], ["t", "light or dark"], ["?", "this help"]];
		$("keys").hidden = !$("keys").hidden;
		$("keys").replaceChildren(make("h2", {}, "What this is"), make("p", {}, "A scenario builds an arm64 machine, adds memory to it and takes it away again. Every store to a table, every barrier and every invalidate is a moment; " +
			"go through them one by one. Strips are tables; click one, or type an address below, to see what is below an entry. Long additions are one moment; it can be opened. Hatched entries are gone from the tables, but a TLB or a walk cache may still use them."),
		make("h2", {}, "Keys"), ...keys.map(([key, words]) => make("div", {}, make("kbd", {}, key), " ", words)));
	}
	key(event) {
		if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.id !== "scrub") return;
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const moves = { ArrowRight: "next", ArrowLeft: "back", ArrowDown: "next-place", ArrowUp: "back-place", Home: "first", End: "last" };
		const others = { w: () => this.main.now && this.main.animate(), e: () => this.exercises.toggle(), t: () => this.theme(), "?": () => this.help(),
			n: () => this.move("next-finding"), p: () => this.move("back-finding") };
		if (event.key === " " && !/^(BUTTON|SUMMARY)$/.test(event.target.tagName)) others[" "] = () => this.play();
		if (moves[event.key]) this.move(moves[event.key]);
		else if (others[event.key]) others[event.key]();
		else return;
		event.preventDefault();
	}
	/* ---- links ---- */
	linkTo() {
		const link = new URLSearchParams();
		if (this.text === null) link.set("s", this.name);
		else link.set("text", btoa(String.fromCharCode(...new TextEncoder().encode(this.text))));
		link.set("n", this.main.moment);
		for (const [key, value] of Object.entries(this.keys)) link.set("k." + key, value);
		if ($("other").value) link.set("other", $("other").value);
		if (this.main.focus) link.set("va", this.main.focus);
		if (this.main.race && this.main.race.row !== null) link.set("r", this.main.race.row);
		if (this.opened.size) link.set("open", [...this.opened].join("."));
		this.exercises.link(link);
		return "#" + link;
	}
	restore() {
		const link = new URLSearchParams(location.hash.slice(1));
		const known = SCENARIOS.some((each) => each.name === link.get("s"));
		$("notice").hidden = true;
		this.notes = [];
		const odd = (words) => { this.notes.push(words); return ""; };
		if (known) this.name = link.get("s");
		else if (link.has("s")) odd(`there is no scenario “${link.get("s")}”`);
		try { this.text = link.has("text") ? new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(link.get("text")), (c) => c.charCodeAt(0))) : null; }
		catch { this.text = null; odd("the scenario's text is damaged"); }
		this.keys = {};
		const knob = new Map(this.about.knobs.map((each) => [each.name, each.values]));
		for (const [key, value] of link) {
			if (!key.startsWith("k.")) continue;
			const name = key.slice(2), values = name === "profile" ? this.about.profiles : knob.get(name);
			if (values ? values.includes(value) : /^(granule|va)$/.test(name) && /^\w+$/.test(value)) this.keys[name] = value;
			else odd(`${name}=${value} is no choice that there is`);
		}
		$("profile").value = this.keys.profile || "";
		$("geometry").value = this.keys.granule ? `${this.keys.granule}/${this.keys.va}` : "";
		const other = link.get("other") || "";
		$("other").value = !other || this.about.profiles.includes(other) ? other : odd(`there is no kernel “${other}”`);
		for (const select of document.querySelectorAll("[data-knob]")) select.value = this.keys[select.dataset.knob] || "";
		this.opened = new Set((link.get("open") || "").split(".").map(Number).filter(Boolean));
		this.edit(false);
		if (link.has("ask") && !(link.get("ask") in KINDS)) odd(`there is no exercise “${link.get("ask")}”`);
		this.exercises.restore(link);
		const va = link.get("va") || "", focus = !va || /^0x[0-9a-f]{1,16}$/.test(va) ? va : odd(`${va} is no address`);
		this.sides.forEach((side, i) => { side.focus = i ? "" : focus; });
		if (link.has("n") && !/^\d+$/.test(link.get("n"))) odd(`${link.get("n")} is no moment`);
		const row = link.has("r") && /^\d+$/.test(link.get("r")) ? Number(link.get("r")) : null;
		this.focus = focus;
		this.load(Number(link.get("n")) || 0, row);
		this.focus = "";
	}
}
