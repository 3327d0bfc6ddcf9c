#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""page.py PGTSIM [FOLDER]

Builds the page in examples/web and uses it as people do, in Chromium without a window. The same
scenarios must come to the same in WebAssembly as in PGTSIM, the command. Exits with 77 if emcc,
Chromium, its driver or Debian's Selenium is missing. With FOLDER, it builds there, and leaves the
page and screenshots. Accessibility is judged by axe-core if that is in build/npm (.ci/prepare).
"""

import base64
import collections
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser import Browser, missing

ROOT = Path(__file__).resolve().parent.parent.parent
SCREENS = {"phone": (390, 844, True), "laptop": (1366, 768, False), "projector": (1920, 1080, False)}
SCREENFULS = ["", "#s=bad_b01&n=300", "#s=hot-remove&n=66340&other=linux-5.7", "#s=6-race&n=17&r=5", "#s=1-walk&ask=pass-2&seed=2", "#s=1-walk&ask=stale&sheet=3&answers=1", "#s=nonsense"]
MATTERS = ".say-card p, .walk li, .row .label, .row .label span, #lines li, .counts dt, .race td, .stalelist li, .foundlist li, .chip, .story, #exercises p, #exercises label, select, button:not(.lens button):not(.walk button)"
# Where npm puts axe-core: CONTRIBUTING says how.
AXE = [ROOT / "build/npm/node_modules/axe-core/axe.min.js", Path("/usr/share/nodejs/axe-core/axe.min.js")]
BIG = "machine granule=4K va=48 ram=0x40000000+1G\nadd 0x100000000+20G\nremove 0x100000000+20G\ncheck\n"


class Test:
    def __init__(self, browser, url, command, folder):
        self.b, self.url, self.command, self.folder = browser, url, command, folder

    def open(self, fragment=""):
        self.b.open(self.url + fragment)

    def seen(self):
        """Everything that the page shows of a moment, as text; the time of day has no part in it."""
        return self.b.js(
            "[...document.querySelectorAll('.side')].map((side) => side.innerHTML).join()"
            ".replace(/ class=\"changed\"/g, '').replace(/ class=\"\"/g, '')"
        )

    def text(self, selector):
        return self.b.js(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")

    def moment(self):
        return self.b.js("app.main.moment")

    def go(self, moment):
        self.b.run(f"app.go({moment})")

    def until(self, condition, seconds=60):
        """Waits until something is true in the page."""
        end = time.monotonic() + seconds
        while not self.b.js(condition):
            assert time.monotonic() < end, f"never: {condition}"
            time.sleep(0.05)

    # ---- tests ----

    def loads_fast_and_small(self):
        times = []
        for _ in range(3):
            self.open()
            times.append(self.b.js("document.querySelectorAll('.row').length && performance.now()"))
        size = (self.folder / "page.html").stat().st_size
        print(f"    {size} bytes, first view after {min(times):.0f} ms")
        assert size < 1 << 20
        assert 0 < min(times) < 2000
        assert "http" not in self.b.js("JSON.stringify(performance.getEntriesByType('resource'))")

    def opens_on_a_short_walk(self):
        self.open()
        assert self.text("#menu optgroup option").startswith("1: A walk")
        moments = self.b.js("app.main.loaded.moments")
        assert 10 <= moments <= 16, moments
        self.b.key("End")
        assert "0x0000000080000000" in self.text("body"), self.text("body")[:500]

    def runs_to_a_violation(self):
        self.open()
        self.b.choose("#menu", "bad_b01")
        assert self.b.js("app.name") == "bad_b01"
        assert self.text(".say-card p").startswith("A machine with the page table of linux-5.7")
        self.b.key("End")
        assert "check: 4 violations" in self.text(".say-card p"), self.text(".say-card p")
        assert "stale-leaf" in self.text(".foundlist")
        assert "check: 4 violations" in self.text("#lines .error")
        assert self.b.js("document.querySelectorAll('#marks .found').length") > 0
        # No cache holds more than the tables before the removal; after it, TLBs may.
        assert "translation" in self.text(".chip.stale")

    def steps_back_and_forth(self):
        self.open("#s=bad_b01&n=285")
        forwards = []
        for _ in range(40):
            forwards.append(self.seen())
            self.b.key("ArrowRight")
        assert self.moment() == 325
        for before in reversed(forwards):
            self.b.key("ArrowLeft")
            assert self.seen() == before, f"moment {self.moment()} differs"
        assert len(set(forwards)) == 40
        # Arrived at in one leap, from far away: the same again.
        self.b.key("End")
        self.go(300)
        assert self.seen() == forwards[15]

    def shows_each_pass(self):
        self.open("#s=hot-remove")
        parts = []
        for _ in range(20):
            self.b.key("ArrowDown")
            parts.append(self.text(".say-card .where"))
        for part in ["vmemmap, pass 1 (unmap)", "linear map, pass 1 (unmap)", "linear map, pass 2 (free tables)"]:
            assert any(part in each for each in parts), part
        self.b.key("ArrowUp")
        assert self.moment() < self.b.js("app.main.last")

    def shows_walls(self):
        self.open("#s=hot-remove")
        moment = self.b.js("app.main.loaded.parts.findLast((part) => part.op === 'begin-pass-2').first")
        self.go(f"{moment} + 5")
        assert self.b.js("document.querySelectorAll('.wall.ceiling').length") == 1
        assert "ceiling 0xffff800000000000" in self.text(".chips")
        moment = self.b.js("app.main.loaded.parts.filter((part) => part.op === 'begin-pass-2')[1].end")
        self.go(f"{moment} - 1")
        assert "begins below the floor" in self.text(".wallword")

    def folds_alike_tables(self):
        self.open("#s=hot-remove")
        self.go("app.main.loaded.commands[1].end - 1")
        rows = self.b.js("document.querySelectorAll('.row').length")
        tables = self.b.js("[...document.querySelectorAll('.row')].reduce((sum, row) => sum + Number(row.dataset.tables), 0)")
        assert rows < 12 and tables == 133, (rows, tables)
        # A click into the folded ones takes one of them out and shows its entries.
        self.b.click(".fold[data-level=pte] .strip", 0.25)
        assert self.b.js("app.main.focus").startswith("0xffff0000")
        assert self.b.js("document.querySelectorAll('.row.way .lens button').length") == 32
        assert self.b.js("document.querySelectorAll('.fold').length") >= 1
        assert "Translated: PA 0x" in self.text(".walk")

    def goes_through_tables_by_keys(self):
        """Tab goes from table to table in few stops; arrows go through the entries of one, and to tables that Tab leaves out."""
        self.open("#s=hot-remove&n=600")
        name = "document.activeElement.getAttribute('aria-label')"
        strips = self.b.js("[...document.querySelectorAll('.strip')].map((each) => each.getAttribute('aria-label'))")
        assert len(set(strips)) == len(strips) > 2, strips
        self.b.run("document.querySelector('.strip').focus()")
        reached = [self.b.js(name)]
        while len(reached) < 8 and self.b.key("Tab") is None and self.b.js("document.activeElement.matches('.strip')"):
            reached.append(self.b.js(name))
        assert len(reached) > 2 and set(self.b.js("[...document.querySelectorAll('.way .strip')].map((each) => each.getAttribute('aria-label'))")) <= set(reached), reached
        self.b.run("[...document.querySelectorAll('.way .strip')].at(-1).focus()")
        moment = self.moment()
        for key, entry in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 511), ("ArrowRight", 511)]:
            self.b.key(key)
            assert f"at entry {entry} of 512" in self.b.js(name), (key, self.b.js(name))
        assert self.moment() == moment and self.b.js("Number(BigInt(app.main.focus) >> 12n & 511n)") == 511
        before = self.b.js(name)
        self.b.key("ArrowUp")
        assert self.b.js("document.activeElement.matches('.strip')") and self.b.js(name) != before and self.moment() == moment
        # Nothing of that is in the way of the mouse: after a click, arrows are moments.
        self.b.click(".way .strip", 0.25)
        self.b.key("ArrowRight")
        assert self.moment() == moment + 1

    def switches_granule_and_kernel(self):
        self.open("#s=hot-remove")
        self.b.choose("#geometry", "16K/47")
        assert "16K pages, 47-bit VA" in self.text(".say-card .where")
        assert self.b.js("app.main.loaded.machine.levels.map((level) => level.bits).join()") == "11,11,11"
        self.b.choose("#profile", "linux-5.7")
        assert self.text(".say-card .where").startswith("linux-5.7")
        self.b.choose("#geometry", "16K/52")
        assert "machine" in self.text("#lines .error"), "5.7 has no 16K/52"
        self.b.choose("#geometry", "")
        self.b.choose("#other", "latest")
        assert self.b.js("document.querySelectorAll('.side').length") == 2
        self.b.key("End")
        costs = self.b.js("app.sides.map((side) => side.now.cost.time)")
        assert costs[0] > 10 * costs[1], costs
        self.b.choose("#knobs [data-knob=flush]", "range")
        assert self.b.js("app.sides[0].now.cost.time") < costs[0]

    def restores_from_a_link(self):
        self.open("#s=bad_b01&n=0")
        self.b.choose("#other", "latest")
        self.b.choose("#geometry", "4K/39")
        for _ in range(4):
            self.b.key("ArrowDown")
        for _ in range(30):
            self.b.key("ArrowRight")
        self.b.run("app.main.look('0xffffffc041200000'); app.changed()")
        link, before = self.b.js("location.hash"), self.seen()
        self.open(link)
        assert self.seen() == before
        assert self.b.js("location.hash") == link
        # A typed scenario travels whole.
        self.b.click("#edit")
        self.b.run("document.querySelector('#text').select()")
        self.b.type("machine va=39\nmap linear+0 0x80000000 8K\necho Größe\n")
        self.b.click("#run")
        self.b.key("End")
        link, before = self.b.js("location.hash"), self.seen()
        self.open(link)
        assert self.seen() == before and "Größe" in self.text("#lines")

    def says_what_of_a_link_is_lost(self):
        self.open("#s=bad_b01&n=300")
        assert self.b.js("document.querySelector('#notice').hidden")
        self.open("#s=nonsense&n=-7&k.flush=bogus&text=%25&va=zz&ask=nothing&other=x")
        assert self.b.js("document.querySelectorAll('.row, .error').length") > 0
        for words in ["scenario “nonsense”", "text is damaged", "flush=bogus", "kernel “x”", "exercise “nothing”", "zz is no address", "-7 is no moment"]:
            assert words in self.text("#notice"), (words, self.text("#notice"))
        self.open("#s=1-walk&n=5000")
        assert "there is no moment 5000" in self.text("#notice")

    def teaches_lessons(self):
        """Each lesson, from its first moment to its last by Next alone, and on to the next lesson by its button."""
        self.open()
        names = []
        while True:
            names.append(self.b.js("app.name"))
            self.until("app.main.loaded && !app.loading")
            steps = self.b.run(
                "let steps = 0; while (app.main.moment < app.main.last || app.main.isRacing()) { app.move('next'); steps++; }"
                "return steps;"
            )
            assert 10 <= steps <= 200, (names, steps)
            assert self.b.js("!app.main.race || app.main.race.row === app.main.race.search.rows.length - 1"), names
            if not self.b.js("document.querySelectorAll('.lesson').length"):
                break
            self.b.click(".lesson")
        assert len(names) == 6 and self.b.js("document.querySelectorAll('#menu optgroup')[0].children.length") == 6, names

    def folds_long_additions(self):
        self.open("#s=2-hot-add&n=0")
        seen = 0
        while not self.b.js("document.querySelectorAll('.folded').length"):
            self.b.key("ArrowRight")
            seen += 1
            assert seen < 60
        at = self.moment()
        assert at > 30000 and "folded into this one" in self.text(".folded")
        # Back over it, and forwards again.
        self.b.key("ArrowLeft")
        assert self.moment() == seen - 1
        self.b.key("ArrowRight")
        assert self.moment() == at
        self.b.click(".folded .open")
        assert self.moment() == seen
        self.b.key("ArrowRight")
        assert self.moment() == seen + 1 and "A leaf is written" in self.text(".say-card p")
        link = self.b.js("location.hash")
        self.open(link)
        assert self.moment() == seen + 1

    def goes_to_findings(self):
        self.open("#s=bad_b01&n=0")
        moments = self.b.js("[...new Set(app.main.loaded.found.map((each) => each.moment))]")
        for moment in moments:
            self.b.key("n")
            assert self.moment() == moment
        self.b.click("[data-go=next-finding]")
        assert "no finding after" in self.text("#notice")
        self.b.key("Home")
        self.b.click("#marks .found")
        assert self.moment() == moments[0]
        self.b.key("End")
        self.b.key("p")
        assert self.moment() == moments[-1] or len(moments) == 1
        self.b.key("End")
        self.b.click(".foundlist .find")
        assert self.moment() == moments[0]
        # What a finding says of an event leads to that event.
        for scenario in ["bad_b01", "5-stale"]:
            self.open(f"#s={scenario}")
            self.b.key("End")
            self.b.click(".foundlist .at")
            assert self.text(".say-card p").startswith("Clear: "), self.text(".say-card p")
        self.open()
        assert self.b.js("document.querySelector('[data-go=next-finding]').disabled")

    def shows_each_gallery_pair(self):
        """Of each pair the bad one ends with what is wrong, and the page leads to findings; the good one has none."""
        self.open()
        pairs = self.b.js("SCENARIOS.map((each) => each.name).filter((name) => /_b\\d/.test(name))")
        assert len(pairs) >= 76
        for name in pairs:
            self.b.run(f"app.choose({json.dumps(name)})")
            self.until("!app.loading")
            findings = self.b.js("app.findings()")
            wrong = findings or self.b.js("app.main.loaded.error")
            assert bool(wrong) == name.startswith("bad"), (name, wrong)
            self.b.run("app.move('last')")
            assert "The run ends here" in self.text(".say-card p") or name.startswith("good"), name
            self.go(0)
            if findings:
                self.b.run("app.move('next-finding')")
                assert self.b.js("app.main.now && app.main.moment") == findings[0], name
                assert self.text(".foundlist"), name

    def plays_to_a_change(self):
        self.open("#s=3-pass-1&n=0")
        self.b.choose("#speed", "fast")
        kinds = self.b.js("(() => { const kinds = []; for (let n = 0; n <= app.main.last; n++) { app.go(n); kinds.push(app.main.kind()); } app.go(0); return kinds; })()")
        start = next(n for n in range(len(kinds) - 3) if kinds[n] == kinds[n + 1] == kinds[n + 2])
        change = next(n for n in range(start, len(kinds)) if kinds[n] != kinds[start])
        self.go(start)
        self.b.click("[data-go=play]")
        self.until("!app.playing")
        assert self.moment() == change, (start, self.moment(), change)
        self.b.click("#until")
        self.go("app.main.last - 8")
        self.b.click("[data-go=play]")
        self.until("!app.playing")
        assert self.moment() == self.b.js("app.main.last")

    def does_not_call_gone_what_is_to_come(self):
        self.open("#s=5-stale&n=0")
        moment = self.b.js("(() => { let n = 0; do app.go(++n); while (!app.main.now.ahead); return n; })()")
        assert self.b.js("app.main.now.ahead") == 15
        assert self.b.js("document.querySelectorAll('.chip.stale, .stalelist li').length") == 0
        assert "half written" in self.text(".chips"), moment
        self.b.key("End")
        assert "that are gone" in self.text(".chip.stale")

    def shows_an_interleaving(self):
        """The race of lesson 6 on the tables, step by step: the reader knows where a table is that goes."""
        self.open("#s=6-race&n=0")
        self.until("app.main.loaded && !app.loading")
        self.b.key("End")
        rows = self.b.js("document.querySelectorAll('.race tbody tr').length")
        assert rows > 8 and "4 failed" in self.text(".race-card"), self.text(".race-card")
        tables, actors = [], []
        for row in range(rows):
            self.b.key("ArrowRight")
            assert self.b.js("app.main.race.row") == row
            tables.append(self.b.js("app.main.now.rows.reduce((sum, each) => sum + each.tables, 0)"))
            actors.append(self.b.js("[...document.querySelector('.race .now').children].findIndex((td) => td.className === 'acts')"))
        assert tables[0] == 3 and tables[-1] == 1 and sorted(tables, reverse=True) == tables, tables
        assert actors[0] == actors[-1] == 1 and set(actors[1:-1]) == {2}, actors
        assert "reader: reads" in self.text(".say-card p") and "failed" in self.b.js("document.querySelector('.race .now').className")
        link, before = self.b.js("location.hash"), self.seen()
        self.open(link)
        self.until("app.main.loaded && !app.loading")
        assert self.seen() == before
        # Steps that a row counts together, one at a time.
        self.b.click(".race tbody tr:nth-child(5)")
        self.b.click(".race-card .step:first-child")
        assert "many" in self.b.js("Object.keys(app.main.race.search.rows[4]).join()") and self.b.js("app.main.race.step") == 11
        assert "…" not in self.text(".say-card p") and self.b.js("app.main.now.step") == 11

    def shows_a_passing_order(self):
        """Where no order fails, one of them is shown on the tables just so: another actor comes in between if locks let it."""
        for name, turns in [("good_b38", 3), ("good_b20", 3), ("good_b35", 2), ("good_b37", 2), ("good_b05", 2)]:
            self.open(f"#s={name}")
            self.until("app.main.loaded && !app.loading")
            self.go("app.main.loaded.searches[0] && app.main.loaded.commands.find((each) => each.line === app.main.loaded.searches[0].line).end - 1")
            assert "nothing goes wrong" in self.text(".race-card h2") and "none failed" in self.text(".race-card"), (name, self.text(".race-card"))
            rows, actors = self.b.js("app.main.race.search.rows.length"), []
            assert 2 <= rows <= 256, (name, rows)
            for row in range(rows):
                self.b.key("ArrowRight")
                assert self.b.js("app.main.race.row") == row, (name, row)
                actors.append(self.b.js("app.main.now.actor"))
                assert actors[-1] == self.b.js("app.main.race.search.rows[app.main.race.row].actor") and "must not" not in self.text(".say-card p")
            changes = sum(a != b for a, b in zip(actors, actors[1:]))
            assert changes >= turns - 1, (name, actors)
            assert not self.b.js("document.querySelectorAll('.race .failed').length")

    def explores_beside_the_page(self):
        """A search of thousands of schedules leaves the page usable, and can be stopped."""
        text = "machine va=39\nmap linear+0 0x80000000 64K\n" + "".join(
            f"actor {name} protect linear+0 32K {what}\n" for name, what in [("a", "ro"), ("b", "x"), ("c", "ro")]
        ) + "explore\n"
        self.open("#text=" + base64.b64encode(text.encode()).decode())
        self.until("document.querySelector('#progress').textContent.includes('schedules so far')")
        began = time.monotonic()
        self.b.key("?")
        assert not self.b.js("document.querySelector('#keys').hidden") and time.monotonic() - began < 1
        self.b.click("#stop")
        self.until("app.main.loaded && !app.loading")
        assert "Stopped after" in self.text("#notice"), self.text("#notice")
        self.b.key("End")
        assert "(not all" in self.text(".race-card") + self.text(".printed"), self.text(".say-card")

    def shows_a_parse_error(self):
        self.open()
        self.b.click("#edit")
        self.b.run("document.querySelector('#text').select()")
        self.b.type("machine\nadd 0x80000000+128M\nfrobnicate 1\n")
        self.b.key("Control+Enter")
        error = "[...document.querySelectorAll('#lines li')].map((li) => li.querySelector('.error')?.textContent ?? '')"
        errors = self.b.js(error)
        assert errors[2] and not errors[0] and not errors[1], errors
        assert "frobnicate" in errors[2] or "command" in errors[2], errors[2]
        assert "Line 3" in self.text(".say-card .error")
        self.b.click("#edit")
        self.b.run("document.querySelector('#text').select()")
        self.b.type("machine\nadd 0x80000000+1M\n")
        self.b.click("#run")
        assert "EINVAL" in self.text("#lines .error")
        self.b.key("End")
        assert "the memory block (128M)" in self.text(".say-card p"), self.text(".say-card p")

    def walks_an_address(self):
        self.open("#s=hot-remove&n=600")
        self.b.key("w")
        assert self.b.js("document.querySelectorAll('.bits .lit').length") == 1
        assert self.text(".bits .lit .name") == "pgd"
        self.until("document.querySelectorAll('.walk .lit').length && document.querySelector('.walk .lit') !== document.querySelector('.walk li')")
        assert self.text(".bits .lit .name") in ["pud", "pmd", "pte"]
        self.b.key("ArrowRight")
        assert self.b.js("document.querySelectorAll('.bits .lit').length") == 0
        self.b.click(".walk li:last-of-type button, .walk li:nth-child(4) button")
        assert "AttrIndx" in self.text(".walk pre") or "Attr" in self.text(".walk pre"), self.text(".walk pre")

    def asks_exercises(self):
        questions = collections.defaultdict(set)
        for kind in ["s390", "translate", "pass-2", "invalidates", "stale"]:
            answers = set()
            for seed in [1, 1, 2, 3, 4]:
                self.open(f"#s=1-walk&ask={kind}&seed={seed}")
                questions[kind, seed].add(self.text("#exercises b") + self.text("#exercises pre"))
                answers.add(self.solve(kind))
            assert len(answers) > 1, (kind, answers)
        # A seed always asks the same.
        assert all(len(asked) == 1 for asked in questions.values()), questions
        self.b.click("#exercises .solution button")
        assert self.b.js("app.source").startswith("machine profile=")

    def solve(self, kind):
        """Answers the question wrongly, then as the solution says, both with the mouse and keys."""
        self.b.click("#exercises .primary")
        empty_is_right = "Right" in self.text("#exercises .verdict")
        self.b.click("#exercises .solve")
        answer = self.text("#exercises .solution b").removeprefix("Answer: ")
        assert empty_is_right == (kind == "pass-2" and answer == "none"), answer
        if kind in ["translate", "s390"]:
            self.b.click("#exercises [name=pa]")
            self.b.type(answer)
        elif kind == "invalidates":
            for name, words in zip(["tlbi.leaf", "tlbi.walk", "tlbi.all"], answer.split("), ")):
                self.b.click(f"#exercises [name='{name}']")
                self.b.type(words.split()[0].replace(",", ""))
        elif kind == "stale":
            self.b.js(f"[...document.querySelectorAll('#exercises label')].find((label) => label.textContent === {json.dumps(answer)}).click()")
        else:
            self.b.run(
                "[...document.querySelectorAll('.solution p')].forEach((p) => { const [table, why] = p.textContent.split(': ');"
                "if (why?.startsWith('freed')) [...document.querySelectorAll('#exercises label')].find((l) => l.textContent === table).click(); })"
            )
        self.b.click("#exercises .primary")
        assert "Right" in self.text("#exercises .verdict"), (kind, answer)
        return answer

    def hints_and_scores(self):
        self.open("#s=1-walk&ask=invalidates&seed=3")
        for name in ["tlbi.leaf", "tlbi.walk", "tlbi.all"]:
            self.b.click(f"#exercises [name='{name}']")
            self.b.type("0")
        hints = []
        for _ in range(3):
            self.b.click("#exercises .primary")
            hints.append(self.text("#exercises .verdict"))
        assert "there are more" in hints[0] and hints[0] != hints[1] == hints[2], hints
        assert "0 of 1 question" in self.text(".score")
        self.open("#s=1-walk&ask=translate&seed=1")
        self.b.run("document.querySelector('#exercises [name=pa]').value = app.exercises.made.answer")
        self.b.click("#exercises .primary")
        assert "1 of 1 question right, 1 of them at the first try" in self.text(".score"), self.text(".score")
        # What was shown does not count.
        self.b.run("app.exercises.set({ seed: 2 })")
        self.b.click("#exercises .solve")
        self.b.run("document.querySelector('#exercises [name=pa]').value = app.exercises.made.answer")
        self.b.click("#exercises .primary")
        assert "Right" in self.text(".verdict") and "1 of 2 questions right" in self.text(".score"), self.text(".score")

    def prints_a_sheet(self):
        """The class's sheet has no answers; the teacher's has those that the questions themselves take as right."""
        self.open("#s=1-walk&ask=pass-2&seed=5")
        self.b.click(".tosheet")
        questions = self.b.js("[...document.querySelectorAll('#exercises article h3')].map((each) => each.textContent)")
        assert len(questions) == 8 and "Answer:" not in self.text("#exercises")
        self.b.click("#exercises .answers")
        answers = self.b.js("[...document.querySelectorAll('#exercises article .solution b')].map((each) => each.textContent)")
        assert len(answers) == 8
        link = self.b.js("location.hash")
        self.open(link)
        assert answers == self.b.js("[...document.querySelectorAll('#exercises article .solution b')].map((each) => each.textContent)")
        self.open("#s=1-walk&ask=pass-2&seed=7")
        assert self.text("#exercises b") in questions[2]
        self.b.click("#exercises .solve")
        assert self.text("#exercises .solution b") == answers[2]
        self.open(link)
        self.b.cdp("Emulation.setEmulatedMedia", media="print")
        assert not self.b.js("document.querySelector('main').offsetParent") and self.b.js("document.querySelector('article').offsetHeight") > 0
        self.b.cdp("Emulation.setEmulatedMedia", media="")

    def steps_ten_thousand_tables(self):
        self.open()
        self.b.run(f"app.text = {json.dumps(BIG)}; app.load(0)")
        moments = self.b.js("app.main.loaded.moments")
        assert moments > 10_000_000
        for share in [0.3, 0.6, 0.9]:
            times = self.b.js(
                f"(() => {{ app.go(Math.floor({moments} * {share})); const times = [];"
                "for (let i = 0; i < 45; i++) { const t = performance.now(); app.move(i < 30 ? 'next' : 'back');"
                "document.body.offsetHeight; times.push(performance.now() - t); } return times; })()"
            )
            tables = self.b.js("app.main.now.counts[app.about.counters.findIndex(([name]) => name === 'tables.pte')]")
            print(f"    {tables} pte tables: a step takes {statistics.median(times):.1f} ms (median), {max(times):.1f} ms (longest)")
            # Other programs may have the CPU for most of the steps, but not for all.
            assert sorted(times)[len(times) // 4] < 50
        assert tables > 5000

    def native(self, text):
        run = subprocess.run([self.command, "run", "--quiet", "-"], input=text.encode(), capture_output=True)
        return {"printed": run.stdout.decode(), "error": run.stderr.decode(), "status": run.returncode}

    def is_the_same_as_native(self):
        self.open()
        count = 0
        paths = sorted((ROOT / "examples").glob("*.pgt")) + sorted((ROOT / "examples/gallery").glob("*.pgt"))
        for path in paths:
            # A few schedules show it as well as thousands, which take WebAssembly minutes.
            text = re.sub(r"^explore\b", "explore bound=5", path.read_text(), flags=re.MULTILINE)
            lines = text.rstrip("\n").split("\n")
            # Of many tables, the short dump is megabytes already.
            for dumps in [["dump", "dump json", "dump leaves"], ["dump leaves"]]:
                text = "\n".join(lines[:-1] + dumps + ["stats", lines[-1], "stats", ""])
                there = self.native(text)
                if len(there["printed"]) < 1 << 20:
                    break
            here = self.b.js(f"new Engine().call('run', {json.dumps(text)})")
            error = here.get("error")
            here["error"] = f"-:{error['line']}: {error['message']}\n" if error else ""
            assert here == there, f"{path.name}: WebAssembly and native differ"
            count += 1
        print(f"    {count} scenarios")
        assert count > 30

    def is_accessible(self):
        """axe-core finds nothing serious; what matters can be read from the last row; few stops of the Tab key."""
        axe = next((path for path in AXE if path.exists()), None)
        script = axe.read_text(encoding="utf-8") if axe else ""
        self.b.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        for name, (width, height, mobile) in SCREENS.items():
            self.b.size(width, height, mobile)
            for fragment in SCREENFULS if name == "laptop" else SCREENFULS[1:4]:
                self.open(fragment)
                self.until("app.main.loaded && !app.loading")
                for theme in ["light", "dark"]:
                    self.b.run(f"document.documentElement.dataset.theme = '{theme}'")
                    found = self.b.axe(script) if axe else []
                    assert not found, f"{name}, {theme}, {fragment}: {found}"
                same = self.b.js("[...document.querySelectorAll('.side')].map((side) => [...side.querySelectorAll('.strip')].map((e) => e.getAttribute('aria-label'))).filter((all) => new Set(all).size < all.length)")
                assert not same, same
                if name == "projector":
                    small = self.b.js(f"[...document.querySelectorAll({json.dumps(MATTERS)})].filter((e) => e.offsetParent && e.textContent && parseFloat(getComputedStyle(e).fontSize) < 18).map((e) => e.outerHTML.slice(0, 80))")
                    assert not small, small
        self.b.size(*SCREENS["laptop"])
        self.open("#s=bad_b01&n=300")
        stops = self.b.js("[...document.querySelectorAll('main button, main input, main select, main textarea, main [tabindex=\"0\"]')].filter((e) => e.offsetParent && e.tabIndex >= 0 && !e.disabled).length")
        assert stops <= 20, stops
        if not axe:
            print("    without axe-core, which npm has")

    def fits_screens(self):
        for name, (width, height, mobile) in SCREENS.items():
            self.b.size(width, height, mobile)
            for fragment in ["#s=bad_b01&n=300", "#s=hot-remove&n=66340&other=linux-5.7", "#s=dimm&n=0&ask=pass-2&seed=2"]:
                self.open(fragment)
                wide = self.b.js("document.documentElement.scrollWidth")
                assert wide <= width, f"{name}: {wide} wide, {fragment}"
                label = fragment[3:].split("&")[0]
                self.b.screenshot(self.folder / f"{name}-{label}.png")
            low = self.b.js("Math.min(...[...document.querySelectorAll('button')].filter((b) => b.offsetParent && !b.closest('.lens,.walk,.row') && !b.matches('.linkish')).map((b) => b.offsetHeight))")
            assert low >= 30, f"{name}: a button {low} pixels high"
        self.b.size(*SCREENS["laptop"])


TESTS = [
    "loads_fast_and_small",
    "opens_on_a_short_walk",
    "runs_to_a_violation",
    "steps_back_and_forth",
    "shows_each_pass",
    "shows_walls",
    "folds_alike_tables",
    "goes_through_tables_by_keys",
    "switches_granule_and_kernel",
    "restores_from_a_link",
    "says_what_of_a_link_is_lost",
    "teaches_lessons",
    "folds_long_additions",
    "goes_to_findings",
    "shows_each_gallery_pair",
    "plays_to_a_change",
    "does_not_call_gone_what_is_to_come",
    "shows_an_interleaving",
    "shows_a_passing_order",
    "explores_beside_the_page",
    "shows_a_parse_error",
    "walks_an_address",
    "asks_exercises",
    "hints_and_scores",
    "prints_a_sheet",
    "is_accessible",
    "steps_ten_thousand_tables",
    "is_the_same_as_native",
    "fits_screens",
]


def run(test, names):
    failed = 0
    for name in names:
        print(name.replace("_", " "), flush=True)
        began = time.monotonic()
        try:
            getattr(test, name)()
            errors = test.b.errors()
            assert not errors, errors
        except (AssertionError, RuntimeError) as error:
            failed += 1
            print(f"    FAILED: {error!r} in line {error.__traceback__.tb_next.tb_lineno if error.__traceback__.tb_next else '?'}")
        print(f"    {time.monotonic() - began:.0f} s")
    return failed


def main():
    lacking = missing() + [name for name in ["emcc"] if not shutil.which(name)]
    if lacking:
        print(f"missing: {', '.join(lacking)}")
        return 77
    command = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / "page.html"
        subprocess.run([sys.executable, ROOT / "examples/web/build.py", page, folder], check=True)
        with Browser() as browser:
            browser.size(*SCREENS["laptop"])
            test = Test(browser, page.as_uri(), command, folder)
            return 1 if run(test, sys.argv[3:] or TESTS) else 0


sys.exit(main())
