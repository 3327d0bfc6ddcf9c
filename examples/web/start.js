// SPDX-License-Identifier: MIT
"use strict";

function start() {
	if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark";
	compile();
	window.app = new App();
}

start();
