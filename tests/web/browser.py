# SPDX-License-Identifier: MIT
"""Chromium without a window, driven by Selenium and Debian's chromium-driver."""

import json
import shutil

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None


def missing():
    """What must be installed before there can be a browser."""
    needed = {"chromium": shutil.which("chromium"), "chromedriver": shutil.which("chromedriver"), "python3-selenium": webdriver}
    return [name for name, found in needed.items() if not found]


class Browser:
    """A page in Chromium."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ["headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "disable-dev-shm-usage"]:
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(300)

    def close(self):
        self.driver.quit()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def errors(self):
        """What the page has thrown, or written to its console as an error, since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def cdp(self, method, **params):
        return self.driver.execute_cdp_cmd(method, params)

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def open(self, url):
        """Opens a page anew and waits until it has loaded."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def js(self, expression):
        """The value of an expression in the page."""
        return self.driver.execute_script(f"return ({expression});")

    def run(self, statements):
        """Runs statements in the page and returns what they return."""
        return self.driver.execute_script(statements)

    def axe(self, script):
        """What axe-core, whose text this is, finds serious or worse."""
        self.run(script)
        return self.driver.execute_async_script(
            "const done = arguments[0]; axe.run({ resultTypes: ['violations'] }).then(({ violations }) => done(violations"
            ".filter((each) => ['serious', 'critical'].includes(each.impact)).map((each) => [each.id, each.nodes[0].html.slice(0, 200),"
            "each.nodes[0].failureSummary])));"
        )

    def key(self, name):
        """Presses a key: a character, or a name like ArrowRight or Control+Enter."""
        *held, last = name.split("+")
        names = {"ArrowRight": "ARROW_RIGHT", "ArrowLeft": "ARROW_LEFT", "ArrowUp": "ARROW_UP", "ArrowDown": "ARROW_DOWN"}
        code = lambda one: one if len(one) == 1 else getattr(Keys, names.get(one, one.upper()))
        chain = webdriver.ActionChains(self.driver, duration=0)
        for one in held:
            chain.key_down(code(one))
        chain.send_keys(code(last))
        for one in held:
            chain.key_up(code(one))
        chain.perform()

    def click(self, selector, share=0.5):
        """Clicks an element with the mouse, at this share of its width."""
        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.driver.execute_script("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", element)
        across = round((share - 0.5) * element.rect["width"])
        webdriver.ActionChains(self.driver, duration=0).move_to_element_with_offset(element, across, 0).click().perform()

    def type(self, text):
        self.cdp("Input.insertText", text=text)

    def choose(self, selector, value):
        """Chooses an option of a select element."""
        self.run(
            f"const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};"
            "e.dispatchEvent(new Event('change', { bubbles: true }));"
        )

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))
