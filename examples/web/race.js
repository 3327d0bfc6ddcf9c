// SPDX-License-Identifier: MIT
"use strict";

/*
 * What `explore` found, on the tables: the schedule that goes wrong, or one where none does, a row for each step that another
 * actor shares, a column for each actor. `row` null: the moment itself is shown, after the search.
 */
Object.assign(Side.prototype, {
	raceOf(view) {
		const search = (this.loaded.searches || []).find((each) => each.line === view.line);
		if (!search || view.event || !search.rows.length) return null;
		return { search, row: null, step: 0 };
	},
	/* True before the last row. */
	isRacing() { return Boolean(this.race) && this.race.row !== this.race.search.rows.length - 1; },
	rowText() {
		if (!this.race || this.race.row === null) return "";
		const row = this.race.search.rows[this.race.row];
		return `${this.race.search.actors[row.actor]}: ${row.text}`;
	},
	/* True if there was a row to go to. */
	moveRow(direction) {
		if (!this.race) return false;
		const row = (this.race.row ?? -1) + direction;
		if (row >= this.race.search.rows.length || row < -1 || (row === -1 && this.race.row === null)) return false;
		if (row === -1) this.go(this.moment);
		else this.goRow(row);
		return true;
	},
	lastRow() { if (this.race) this.goRow(this.race.search.rows.length - 1); },
	/* Shows the machine after a row's last step, or after one of its steps. */
	goRow(row, step) {
		const { search } = this.race, rows = search.rows;
		row = Math.min(Math.max(0, row), rows.length - 1);
		const last = rows[row].step + Math.max(1, rows[row].count) - 1;
		step = Math.min(Math.max(rows[row].step, step ?? last), last);
		const key = `${search.line}/${step}/${rows[row].count}`;
		if (!this.views.has(key)) {
			const views = this.engine.call("story", search.line, search.schedule, step, 1, this.focus, 40).views || [];
			this.views.set(key, views[0]);
		}
		const view = this.views.get(key);
		if (!view) return;
		this.race = { search, row, step };
		this.before = null;
		this.now = { ...this.view(this.moment), ...view, printed: "", text: this.stepText(rows[row], step === last, view) };
		this.draw();
	},
	/* What a row's steps did together, or one of them. */
	stepText(row, whole, view) {
		const words = row.many && whole ? `${row.text.replace(/^\.\.\. /, "")}; the last is: ${view.text}` : view.text;
		return `${this.race.search.actors[view.actor]}: ${words.replace(/ +/g, " ")}.${row.failed ? ` That must not be: ${this.race.search.violation}.` : ""}`;
	},
	goStep(direction) {
		const { row, step, search } = this.race, rows = search.rows, to = step + direction;
		const at = rows.findIndex((each) => to >= each.step && to < each.step + Math.max(1, each.count));
		if (at >= 0) this.goRow(at, to);
		this.app.changed();
	},
	drawRace() {
		const card = this.cards.race;
		card.hidden = !this.race || !this.now;
		if (card.hidden) return;
		const { search, row, step } = this.race;
		const rows = search.rows.map((each, i) => make("tr", { class: `${i === row ? "now" : ""} ${each.failed ? "failed" : ""}`, onclick: () => { this.goRow(i); this.app.changed(); } },
			make("td", { class: "number" }, each.count > 1 ? `${each.step}–${each.step + each.count - 1}` : String(each.step)),
			search.actors.map((name, actor) => make("td", { class: actor === each.actor ? "acts" : "" }, actor === each.actor ? each.text : ""))));
		const inside = row !== null && search.rows[row].count > 1;
		const button = (words, direction) => make("button", { type: "button", class: "step", onclick: () => this.goStep(direction) }, words);
		card.classList.toggle("stepping", row !== null);
		card.replaceChildren(make("h2", {}, search.violation ? "The order that goes wrong, actor by actor" : "One order of the steps, actor by actor: nothing goes wrong"),
			row !== null ? "" : make("p", {}, `${many(search.schedules, "order")} of the actors' steps ${search.schedules === 1 ? "was" : "were"} tried${search.complete ? "" : " (not all)"}; ${search.violation ? `${search.failed.toLocaleString("en")} failed. This is the simplest: ${search.violation}.` : "none failed. This is one of them."}`),
			make("p", { class: "quiet" }, row === null ? "Next goes through its steps; the tables below show the machine after each." : `The tables below are those after step ${step.toLocaleString("en")}.`),
			inside ? make("div", { class: "tools" }, button("◀ one step", -1), button("one step ▶", 1)) : "",
			make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Steps" }, make("table", { class: "race" },
				make("thead", {}, make("tr", {}, make("th", {}, "step"), search.actors.map((name) => make("th", {}, name)))), make("tbody", {}, rows))));
		const list = card.querySelector(".scroll"), now = list.querySelector("tr.now");
		if (now) list.scrollTop = now.offsetTop - list.clientHeight / 2;
	},
	/* What play takes for the same kind: a part of a command, and there stores, tables, or barriers and invalidates. */
	kind() {
		const view = this.now;
		if (!view) return "";
		if (this.race && this.race.row !== null) return `${view.line} ${view.actor}`;
		const op = view.event ? view.event.op : "end";
		const group = /^(tlbi|dsb|isb|dmb|idte)/.test(op) ? "maintenance" : /table|link/.test(op) ? "table" : op;
		return `${view.line} ${view.part || ""} ${group}`;
	},
});
