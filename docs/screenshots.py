"""Makes the pictures of the docs from one real run: the report, the terminal and the step summary of GitHub.

    pip install -e '.[cpu,test]' rich selenium
    python docs/screenshots.py                      # examples/mobilenet_v1; run it on a quiet machine, and look at them
    python docs/screenshots.py ARGUMENTS...         # what pytest is to run instead

Needs chromium, chromedriver and npm, which fetches Mermaid. Markdown and Mermaid are drawn by their own libraries in a
page of this script's: it is not GitHub's style. The terminal is pytest's own output in a pseudo terminal of 80 columns.
"""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MERMAID = "mermaid@12.3.0"
RUN = ("examples/mobilenet_v1", "--paddle-threads=1,2,4,8")
QUIET = ("-p", "no:cacheprovider", "-p", "no:codspeed", "-p", "no:benchmark", "--color=yes")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files")
MOST_BYTES = 150_000

SUMMARY = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ font: 14px/1.5 sans-serif; color: #1f2328; width: 860px; margin: 16px }}
table {{ border-collapse: collapse; margin: 8px 0 }} td, th {{ border: 1px solid #d1d9e0; padding: 4px 10px }}
code {{ background: #eff1f3; border-radius: 4px; padding: 1px 4px; font-size: 85% }}
.mermaid svg {{ max-width: 480px }}
</style>{body}<script src="{mermaid}"></script><script>
for (const one of document.querySelectorAll("code.language-mermaid")) {{
  one.parentElement.outerHTML = '<div class="mermaid">' + one.textContent + "</div>";
}}
mermaid.run().then(() => document.body.dataset.drawn = "yes");
</script>"""


def measured(folder: Path, arguments: tuple[str, ...]) -> bytes:
    """Run pytest in a pseudo terminal as in GitHub Actions; returns what it prints, its files go to ``folder``."""
    environ = {
        **os.environ,
        "COLUMNS": "80",
        "TERM": "xterm-256color",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_WORKSPACE": str(DOCS.parent),
    }
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *QUIET, f"--paddle-html={folder / 'report.html'}", *arguments]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environ, cwd=DOCS.parent)
    os.close(theirs)
    printed = b""
    try:
        while more := os.read(ours, 65536):
            printed += more
    except OSError:  # the other end was closed
        pass
    process.wait()
    return printed


def terminal_page(printed: bytes) -> str:
    """The section of this plugin, as a page."""
    from rich.console import Console
    from rich.text import Text

    lines = printed.decode().replace("\r\n", "\n").split("\n")
    lines = [line.rpartition("\r")[2] for line in lines]  # what a changing line ended as
    start = next(number for number, line in enumerate(lines) if "paddle thread scaling" in line)
    kept = []
    for line in lines[start:]:
        if "short test summary" in line or "= FAILURES =" in line:
            break
        if not line.startswith(("::", "paddle-mt: ")):
            kept.append(line)
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("\n".join(kept).rstrip()), soft_wrap=True)
    return console.export_html(inline_styles=True).replace("<body>", '<body style="width: max-content; margin: 16px">')


def summary_page(markdown: str, mermaid: Path) -> str:
    """The step summary as a page, its chart drawn by Mermaid, its details unfolded."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return SUMMARY.format(body=body.replace("<details>", "<details open>", 1), mermaid=mermaid.as_uri())


def shoot(browser: Any, page: Path, name: str, *, width: int, most: int = 2000, dark: bool = False) -> None:
    """Write a picture of a page, no higher than ``most``."""
    import base64

    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())
    if "mermaid.run" in page.read_text(encoding="utf-8"):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(browser, 60).until(lambda _: browser.execute_script("return document.body.dataset.drawn"))
    high = browser.execute_script("return Math.ceil(document.documentElement.getBoundingClientRect().height)")
    clip = {"x": 0, "y": 0, "width": width, "height": min(high + 16, most), "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    png = smaller(base64.b64decode(shot["data"]))
    (DOCS / name).write_bytes(png)
    if len(png) > MOST_BYTES:
        raise SystemExit(f"docs/{name} has {len(png):,} bytes; take less of the page")


def smaller(png: bytes) -> bytes:
    """The same picture with 256 colours; Paddle brings Pillow."""
    from PIL import Image

    made = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def main(arguments: tuple[str, ...]) -> None:
    """Measure once, and make all pictures."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        [packed] = folder.glob("mermaid-*.tgz")
        subprocess.run(["tar", "-xzf", packed, "package/dist/mermaid.min.js"], cwd=folder, check=True)
        printed = measured(folder, arguments)
        (folder / "terminal.html").write_text(terminal_page(printed), encoding="utf-8")
        markdown = (folder / "summary.md").read_text(encoding="utf-8")
        mermaid = folder / "package" / "dist" / "mermaid.min.js"
        (folder / "summary.html").write_text(summary_page(markdown, mermaid), encoding="utf-8")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in FLAGS:
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            shoot(browser, folder / "report.html", "report-light.png", width=1000, most=1500)
            shoot(browser, folder / "report.html", "report-phone.png", width=375, most=1500, dark=True)
            shoot(browser, folder / "terminal.html", "terminal.png", width=830)
            shoot(browser, folder / "summary.html", "step-summary.png", width=900)
        finally:
            browser.quit()


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or RUN)
