// SPDX-License-Identifier: MIT
"use strict";

/* ---- exercises ---- */

/* Numbers from a seed, the same in every browser (mulberry32). */
class Dice {
	constructor(seed) { this.state = seed >>> 0; }
	next() {
		this.state = (this.state + 0x6d2b79f5) >>> 0;
		let t = this.state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	}
	below(n) { return Math.floor(this.next() * n); }
	of(list) { return list[this.below(list.length)]; }
}

const KINDS = { translate: "Translate an address", "pass-2": "Which tables does pass 2 free?", invalidates: "How many invalidates?", stale: "Is anything stale?", s390: "Translate an address on s390" };

const SHEET_MAX = 30;

/* Each makes a question from a seed; what is right is what the simulator says. */
class Exercises {
	constructor(app) {
		this.app = app;
		this.kind = "translate";
		this.seed = 1;
		this.tries = new Map(); /* of each question that was answered: how often, and whether rightly */
		this.sheet = 0;         /* questions on the sheet; 0: one question is asked, to be answered here */
		this.answers = false;
	}
	get open() { return !$("exercises").hidden; }
	toggle() {
		$("exercises").hidden = this.open;
		document.body.classList.toggle("sheet", this.open && this.sheet > 0);
		if (this.open) { this.ask(); $("exercises").scrollIntoView({ block: "nearest" }); }
		this.app.changed();
	}
	link(link) {
		if (!this.open) return;
		link.set("ask", this.kind);
		link.set("seed", this.seed);
		if (this.sheet) link.set("sheet", this.sheet);
		if (this.sheet && this.answers) link.set("answers", 1);
	}
	restore(link) {
		$("exercises").hidden = !(link.get("ask") in KINDS);
		document.body.classList.remove("sheet");
		if (!this.open) return;
		this.kind = link.get("ask");
		this.seed = Number(link.get("seed")) >>> 0;
		this.sheet = Math.min(SHEET_MAX, Number(link.get("sheet")) >>> 0);
		this.answers = link.has("answers");
		this.ask();
	}
	/* The question of this kind and number, with its answer. */
	question(seed) {
		this.engine ??= new Engine();
		return ASK[this.kind](this.engine, new Dice(seed * 4 + Object.keys(KINDS).indexOf(this.kind)));
	}
	set(values) {
		Object.assign(this, values);
		this.ask();
		this.app.changed();
	}
	ask() {
		document.body.classList.toggle("sheet", this.sheet > 0);
		$("exercises").replaceChildren(this.bar(), ...(this.sheet ? this.paper() : this.one()));
	}
	bar() {
		const number = (label, value, most, name) => make("label", { class: "beside" }, label, make("input", { type: "number", min: 0, max: most, value, style: "width:5.5rem",
			onchange: (event) => this.set({ [name]: Math.min(most ?? Infinity, Number(event.target.value) >>> 0) }) }));
		const kind = make("select", { "aria-label": "Kind of exercise", onchange: (event) => this.set({ kind: event.target.value }) },
			Object.entries(KINDS).map(([value, words]) => make("option", { value, selected: value === this.kind ? "" : null }, words)));
		const close = make("button", { type: "button", onclick: () => this.toggle() }, "Close");
		const bar = make("div", { class: "tools bar" }, kind, number("Number", this.seed, null, "seed"));
		if (!this.sheet) bar.append(make("button", { type: "button", class: "tosheet", onclick: () => this.set({ sheet: 8 }) }, "Sheet for a class"), close);
		else bar.append(number("Questions", this.sheet, SHEET_MAX, "sheet"),
			make("label", { class: "beside" }, make("input", { type: "checkbox", class: "answers", checked: this.answers ? "" : null, onchange: (event) => this.set({ answers: event.target.checked }) }), "with answers, for the teacher"),
			make("button", { type: "button", class: "primary", onclick: () => print() }, "Print"), make("button", { type: "button", onclick: () => this.set({ sheet: 0 }) }, "One by one"), close);
		return bar;
	}
	/* One question, to be answered here. */
	one() {
		const made = this.made = this.question(this.seed);
		const verdict = make("p", { class: "verdict", role: "status" }), solution = make("div", { class: "solution" });
		const form = make("form", { class: "answer", onsubmit: (event) => { event.preventDefault(); this.check(form, verdict); } }, made.inputs,
			make("span", { class: "tools" }, make("button", { class: "primary", type: "submit" }, "Check"),
				make("button", { type: "button", class: "solve", onclick: () => this.solve(solution) }, "Show and explain"),
				make("button", { type: "button", onclick: () => this.set({ seed: this.seed + 1 }) }, "Next question")));
		return [make("p", {}, make("b", {}, made.question)), make("pre", {}, made.text), made.given || "", form, verdict, make("p", { class: "quiet score" }, this.score()), solution];
	}
	/* Many questions on paper: without the answers for a class, with them for the teacher. */
	paper() {
		const asked = Array.from({ length: this.sheet }, (_, i) => {
			const made = this.question(this.seed + i), choices = [...made.inputs.querySelectorAll("label")].filter((label) => label.querySelector("[type=checkbox],[type=radio]"));
			const room = choices.length ? make("ul", { class: "boxes" }, choices.map((label) => make("li", {}, label.textContent))) : make("p", { class: "blank" }, "Answer:");
			return make("article", {}, make("h3", {}, `${i + 1}. (number ${this.seed + i}) ${made.question}`), make("pre", {}, made.text), made.given || "",
				this.answers ? make("div", { class: "solution" }, make("p", {}, make("b", {}, `Answer: ${made.answer}`)), made.explain.map((words) => make("p", {}, words))) : room);
		});
		return [make("h2", {}, `${KINDS[this.kind]}${this.answers ? ": answers" : ""}`), ...asked];
	}
	score() {
		const all = [...this.tries.values()], right = all.filter((each) => each.right);
		return all.length ? `Score: ${right.length} of ${many(all.length, "question")} right, ${right.filter((each) => each.count === 1).length} of them at the first try.` : "";
	}
	check(form, verdict) {
		const key = `${this.kind}/${this.seed}`, tries = this.tries.get(key) || { count: 0, right: false };
		const given = new FormData(form), right = this.made.check(given);
		if (!tries.right && !tries.told) { tries.count++; tries.right = right; }
		this.tries.set(key, tries);
		const hints = this.made.hints(given), hint = hints[Math.min(tries.count, hints.length) - 1];
		verdict.textContent = right ? "✓ Right." : `✗ Not so. ${hint || "Try again, or have it explained."}`;
		$("exercises").querySelector(".score").textContent = this.score();
	}
	solve(solution) {
		const key = `${this.kind}/${this.seed}`;
		/* What is answered after this counts no more. */
		this.tries.set(key, { count: 0, right: false, ...this.tries.get(key), told: true });
		const open = make("button", { type: "button", onclick: () => this.show() }, "Step through it");
		solution.replaceChildren(make("p", {}, make("b", {}, `Answer: ${this.made.answer}`)), ...this.made.explain.map((words) => make("p", {}, words)), open);
	}
	show() {
		this.app.keys = {};
		this.app.text = this.made.text;
		$("profile").value = $("geometry").value = "";
		this.app.edit(false);
		this.app.load(this.made.moment);
		if (this.made.va) { this.app.main.look(this.made.va); this.app.changed(); }
		$("transport").scrollIntoView();
	}
}

const mebi = (count) => count === 0 ? "0" : count >= 1024 && count % 1024 === 0 ? `${count / 1024}G` : `${count}M`;
const lastView = (engine, moments, focus = "") => engine.call("views", moments - 1, 1, focus, 500).views[0];

function askTranslate(engine, dice) {
	const [granule, va, unit] = dice.of([["4K", 48, 2], ["4K", 39, 2], ["16K", 47, 32], ["64K", 42, 512], ["4K", 48, 2]]);
	const base = 0x80000000 + dice.below(16) * 0x20000000, blocks = dice.of(["on", "off"]);
	const offset = dice.below(8) * unit, length = unit * (1 + dice.below(3));
	const text = `machine granule=${granule} va=${va}\nmap linear+${mebi(offset || unit)} 0x${(base + (offset || unit) * 1048576).toString(16)} ${mebi(length)} blocks=${blocks} cont=off\n`;
	const loaded = engine.call("load", text), start = BigInt(loaded.machine.linear) + BigInt((offset || unit) * 1048576);
	const inside = dice.below(5) > 0;
	const target = hex(start + BigInt(Math.floor(dice.next() * length * 1048576)) + (inside ? 0n : BigInt(length * 1048576)));
	const view = lastView(engine, loaded.moments, target), walk = view.walk;
	const rows = walk.steps.map((step) => make("tr", {}, make("td", {}, `${step.name}[${step.index}]`), make("td", {}, make("code", {}, step.desc))));
	const fault = Boolean(walk.fault);
	return {
		text, moment: loaded.moments - 1, va: target,
		question: `What does VA ${target} translate to? Give the physical address, or “fault”. The entries that the walk meets:`,
		given: make("div", { class: "scroll" }, make("table", {}, rows)),
		inputs: make("label", {}, "Physical address", make("input", { type: "text", name: "pa", autocomplete: "off", spellcheck: "false" })),
		check: (form) => { const said = String(form.get("pa")).trim().toLowerCase(); try { return fault ? said === "fault" : BigInt(said) === BigInt(walk.pa); } catch { return false; } },
		hints: () => ["The last entry in the list decides: is its valid bit, bit 0, set?", fault ? "It is not set. What does a CPU do with an address that has no translation?"
			: `It is a leaf of ${size(walk.size)}: take its address bits, and the low ${Math.log2(walk.size)} bits of the VA as the offset.`],
		answer: fault ? "fault" : short(walk.pa),
		explain: [...walk.steps.map((step) => `The ${step.name} index of the address is ${step.index}. That entry, ${step.desc}, is ${{ table: `a table: the walk goes on at PA ${short(step.address)}`, page: `a page at PA ${short(step.address)}`, block: `a block at PA ${short(step.address)}`, none: "zero", invalid: "not valid" }[step.kind]}.`),
			fault ? "Its valid bit is 0, so the walk ends in a translation fault." : `The leaf maps ${size(walk.size)}; the low ${Math.log2(walk.size)} bits of the address, ${short(BigInt(target) & (BigInt(walk.size) - 1n))}, are the offset in it: ${short(walk.pa)}.`],
	};
}

function askPass2(engine, dice) {
	const pieces = 2 + dice.below(3), from = dice.below(4), length = 2 * (pieces + 1);
	const floorAt = dice.of([0, 2 * from, 2 * from + 2, 2 * from + 1]), ceilingAt = 2 * from + length + dice.of([0, 0, 2, -1, -2, 1024]);
	const text = `machine profile=latest granule=4K va=48\nmap linear+${mebi(2 * from)} 0x80000000 ${mebi(length)} blocks=off cont=off\nunmap-range linear+${mebi(2 * from)} ${mebi(length)}\n` +
		`bounds linear+${mebi(floorAt)} linear+${mebi(ceilingAt)}\nfree-tables linear+${mebi(2 * from)} ${mebi(length)}\n`;
	const loaded = engine.call("load", text), free = loaded.commands.find((command) => command.kind === "free-tables");
	const name = (row) => `${row.level}/${row.va}`, unfold = (view) => view.rows.flatMap((row) => Array.from({ length: row.tables }, (_, i) => {
		const level = loaded.machine.levels.find((each) => each.level === row.level), span = BigInt(row.entries) << BigInt(level.shift);
		return { ...row, va: hex(BigInt(row.va) + span * BigInt(i)), span, name: level.name };
	})).filter((row) => row.depth);
	const before = unfold(engine.call("views", free.first - 1, 1, "", 500).views[0]), after = new Set(unfold(lastView(engine, loaded.moments)).map(name));
	const linear = BigInt(loaded.machine.linear), floor = linear + BigInt(floorAt * 1048576), ceiling = linear + BigInt(ceilingAt * 1048576);
	const words = (row) => `${row.name} table for ${row.va} … ${hex(BigInt(row.va) + row.span - 1n)}`;
	const why = (row) => !after.has(name(row)) ? "freed: it is empty, and all of its span lies between floor and ceiling"
		: BigInt(row.va) < floor ? "kept: its span begins below the floor" : BigInt(row.va) + row.span > ceiling ? "kept: its span reaches above the ceiling" : "kept: a table below it is still there, so it is not empty";
	return {
		text, moment: free.first,
		question: `Pass 1 is done. Which of these tables does pass 2 (line 5) free, with floor ${hex(floor)} and ceiling ${hex(ceiling)}?`,
		inputs: make("fieldset", {}, before.map((row) => make("label", {}, make("input", { type: "checkbox", name: "freed", value: name(row) }), words(row)))),
		check: (form) => { const said = new Set(form.getAll("freed")); return before.every((row) => said.has(name(row)) === !after.has(name(row))); },
		hints: (form) => {
			const said = new Set(form.getAll("freed")), wrong = before.find((row) => said.has(name(row)) === after.has(name(row)));
			return wrong ? [`Look again at the ${words(wrong)}: is all of that between floor and ceiling?`, "A table goes only if it is empty: one above others only if all of those are freed. And all that it serves must lie between the walls."] : [];
		},
		answer: before.some((row) => !after.has(name(row))) ? `${before.filter((row) => !after.has(name(row))).length} of ${before.length}` : "none",
		explain: before.map((row) => `${words(row)}: ${why(row)}.`),
	};
}

function askInvalidates(engine, dice) {
	const [granule, va, section] = dice.of([["4K", 48, 128], ["16K", 47, 128], ["64K", 48, 512], ["4K", 39, 128]]);
	const profile = dice.of(["linux-5.7", "linux-6.1", "linux-6.12", "linux-7.3"]), sections = 1 + dice.below(2), blocks = dice.of(["on", "off", "off"]);
	const range = `0x80000000+${mebi(section * sections)}`;
	const text = `machine profile=${profile} granule=${granule} va=${va} blocks=${blocks}\nadd ${range}\nreset-stats\nremove ${range}\n`;
	const loaded = engine.call("load", text), view = lastView(engine, loaded.moments), names = engine.call("about").counters.map(([name]) => name);
	const asked = [["tlbi.leaf", "by VA, last level (VAALE1IS)"], ["tlbi.walk", "by VA, all levels (VAAE1IS)"], ["tlbi.all", "of everything (VMALLE1IS)"]];
	const value = (name) => view.counts[names.indexOf(name)];
	const remove = loaded.commands.find((command) => command.kind === "remove"), pass = loaded.parts.findLast((part) => part.op === "begin-pass-1");
	return {
		text, moment: pass ? pass.first : remove.first,
		question: "How many invalidates does the removal (line 4) issue, the vmemmap's included?",
		inputs: make("fieldset", {}, asked.map(([name, words]) => make("label", {}, words, make("input", { type: "number", name, min: 0, style: "width:7rem" })))),
		check: (form) => asked.every(([name]) => form.get(name) !== "" && Number(form.get(name)) === value(name)),
		hints: (form) => asked.filter(([name]) => Number(form.get(name)) !== value(name) || form.get(name) === "").slice(0, 1).flatMap(([name, words]) =>
			[`Look again at those ${words}: ${form.get(name) === "" ? "a number is missing" : Number(form.get(name)) > value(name) ? "there are fewer" : "there are more"}.`,
				{ "tlbi.leaf": "Count the leaves of the linear map and those of the vmemmap. Does this kernel invalidate each, or the range at once?",
					"tlbi.walk": "One for each table that pass 2 frees.", "tlbi.all": "One in place of so many single ones that a table has no more entries." }[name]]),
		answer: asked.map(([name, words]) => `${value(name).toLocaleString("en")} ${words}`).join(", "),
		explain: [`${value("leaves.cleared").toLocaleString("en")} leaves are cleared in all, and ${value("tables.freed").toLocaleString("en")} tables freed.`,
			profile === "linux-5.7" ? "linux-5.7 invalidates after each leaf of the linear map that it clears: one VAALE1IS for each."
				: "This kernel clears the whole linear map of the range first, then flushes once: one VAALE1IS for each base page of the range, or, if there are more pages than a table has entries (in 7.3: as many), one VMALLE1IS instead.",
			"The vmemmap's memory is freed, so each of its leaves is invalidated before its memory goes: one VAALE1IS a leaf.",
			"Pass 2 issues one VAAE1IS for each table that it frees, because a walk cache may hold the entry that pointed to it."],
	};
}

function askStale(engine, dice) {
	const profile = dice.of(["linux-5.7", "latest", "linux-6.1"]), cont = dice.of(["on", "off"]);
	const text = `machine profile=${profile} granule=4K va=48\nmap linear+0 0x80000000 128K blocks=off cont=${cont}\nunmap linear+0 128K\n`;
	const loaded = engine.call("load", text), unmap = loaded.commands[2];
	const moment = unmap.first + 3 + dice.below(unmap.end - unmap.first - 4), page = dice.below(32);
	const va = hex(BigInt(loaded.machine.linear) + BigInt(page * 4096));
	const view = engine.call("views", moment, 1, va, 40).views[0], walk = view.walk, stale = Boolean(walk.stale), mapped = !walk.fault;
	const answer = mapped ? "mapped" : stale ? "stale" : "gone";
	const choices = [["mapped", "Yes: the tables still map it"], ["stale", "Yes, though the tables no longer map it"], ["gone", "No, no cache can hold anything of it"]];
	const events = engine.call("views", Math.max(unmap.first, moment - 5), moment - Math.max(unmap.first, moment - 5) + 1, "", 8).views;
	return {
		text, moment, va,
		question: `In line 3, ${moment - unmap.first + 1} events have happened. The last of them are below. May a TLB or walk cache still hold something for VA ${va}, page ${page} of the range?`,
		given: make("ol", { start: moment - unmap.first + 1 - events.length + 1 }, events.map((each) => make("li", {}, each.text))),
		inputs: make("fieldset", {}, choices.map(([value, words]) => make("label", {}, make("input", { type: "radio", name: "answer", value }), words))),
		check: (form) => form.get("answer") === answer,
		hints: () => ["First look whether the page's own entry is cleared among these events or before.", "A cleared entry is gone from all caches only after DSB ISHST, an invalidate that covers it, and DSB ISH, in this order; and no neighbour with the contiguous hint may bring it back."],
		answer: choices.find(([value]) => value === answer)[1],
		explain: [mapped ? "Its entry is not cleared yet; whatever can be walked may be cached at any time." : stale
			? `Its entry in the ${walk.stale} table was ${walk.stale_desc} and is cleared. ` + (cont === "on" && profile === "linux-5.7"
				? "It was invalidated, but while another member of its contiguous group could still be walked, which may have loaded the translation again (B1 in the gallery)."
				: "No invalidate that covers it is complete yet: that takes the invalidate, issued after a DSB ISHST, and the DSB ISH after it.")
			: "Its entry is cleared, the store was made visible (DSB ISHST), an invalidate covered it when nothing could load it again, and a DSB ISH waited for that."],
	};
}

/* s390's own entries: an address of the memmap, as memory is mapped to itself; or one behind it. */
function askS390(engine, dice) {
	const profile = dice.of(["s390-6.1", "s390-6.12", "s390-7.3"]), edat = dice.of([0, 1, 1, 2]);
	const base = 0x100000000 + dice.below(16) * 0x10000000, inside = dice.below(4) > 0;
	const text = `machine format=s390 profile=${profile} edat=${edat}\nadd 0x${base.toString(16)}+256M\n`;
	const loaded = engine.call("load", text), memmap = BigInt(loaded.machine.vmemmap) + BigInt(base / 64);
	const target = hex(memmap + BigInt(Math.floor(dice.next() * 4194304)) + (inside ? 0n : 0x400000n));
	const view = lastView(engine, loaded.moments, target), walk = view.walk, fault = Boolean(walk.fault), last = walk.steps.at(-1);
	const rows = walk.steps.map((step) => make("tr", {}, make("td", {}, `${step.name}[${step.index}]`), make("td", {}, make("code", {}, step.desc))));
	const bit = (step) => step.name === "pte" ? "bit 10 (0x400)" : "bit 5 (0x20)";
	const kinds = (step) => ({ table: `it is valid and bit 10, “large”, is 0, so it points to the table at PA ${short(step.address)}`, page: `it is valid: a page at PA ${short(step.address)}`,
		block: `it is valid and bit 10, “large”, is 1: a leaf at PA ${short(step.address)}` })[step.kind] || `${bit(step)}, “invalid”, is 1`;
	return {
		text, moment: loaded.moments - 1, va: target,
		question: `What does VA ${target} translate to on this s390? Give the physical address, or “fault”. The entries that the walk meets:`,
		given: make("div", { class: "scroll" }, make("table", {}, rows)),
		inputs: make("label", {}, "Physical address", make("input", { type: "text", name: "pa", autocomplete: "off", spellcheck: "false" })),
		check: (form) => { const said = String(form.get("pa")).trim().toLowerCase(); try { return fault ? said === "fault" : BigInt(said) === BigInt(walk.pa); } catch { return false; } },
		hints: () => [`The last entry in the list decides. On s390 a bit says that an entry is invalid: in this one it is ${bit(last)}.`, fault ? "It is set. What does a CPU do with an address that has no translation?"
			: `It is a leaf of ${size(walk.size)}: take its address bits, and the low ${Math.log2(walk.size)} bits of the VA as the offset.`],
		answer: fault ? "fault" : short(walk.pa),
		explain: [...walk.steps.map((step) => `The ${step.name} index of the address is ${step.index}. That entry is ${step.desc}: ${kinds(step)}.`),
			fault ? "So the walk ends in a translation fault. An empty entry of s390 is not zero." : `The leaf maps ${size(walk.size)}; the low ${Math.log2(walk.size)} bits of the address, ${short(BigInt(target) & (BigInt(walk.size) - 1n))}, are the offset in it: ${short(walk.pa)}.`],
	};
}

const ASK = { translate: askTranslate, "pass-2": askPass2, invalidates: askInvalidates, stale: askStale, s390: askS390 };
