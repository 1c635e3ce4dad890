// Updates the graphs in place, so that the page does not scroll and the text in the query field stays.
"use strict";

const interval = 2000; // ms
const view = document.getElementById("view");

async function update() {
  try {
    const response = await fetch("view" + location.search, {cache: "no-store"});
    if (response.headers.get("Content-Type")?.startsWith("text/html")) view.innerHTML = await response.text();
    view.classList.remove("stale");
  } catch {
    view.classList.add("stale"); // the demo has ended, or is busy
  }
  setTimeout(update, interval);
}
setTimeout(update, interval);
