// Updates the graphs in place, so that the page does not jump and the query box keeps what is being typed.
"use strict";

const pause = 2000;
const view = document.getElementById("view");

async function update() {
  try {
    const answer = await fetch("view" + location.search, {cache: "no-store"});
    if (answer.headers.get("Content-Type")?.startsWith("text/html")) view.innerHTML = await answer.text();
    view.classList.remove("stale");
  } catch {
    view.classList.add("stale"); // the demo has ended, or is busy
  }
  setTimeout(update, pause);
}
setTimeout(update, pause);
