// Keeps the page up to date: it fetches the part that changes and updates only the differences, so that the scroll position
// and the selection stay. Without this script, the page is complete but not updated.
"use strict";

const interval = 3000; // ms
const live = document.getElementById("live");

// update makes the current node equal to the next. It changes nodes of the same name in place, and replaces others.
function update(current, next) {
  if (current.nodeName !== next.nodeName) {
    current.replaceWith(next);
    return;
  }
  if (current.nodeType === Node.TEXT_NODE) {
    if (current.data !== next.data) current.data = next.data;
    return;
  }
  if (current.nodeType !== Node.ELEMENT_NODE) return;
  for (const {name} of [...current.attributes]) {
    if (!next.hasAttribute(name)) current.removeAttribute(name);
  }
  for (const {name, value} of next.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  const before = [...current.childNodes], after = [...next.childNodes];
  after.forEach((child, i) => i < before.length ? update(before[i], child) : current.append(child));
  before.slice(after.length).forEach(child => child.remove());
}

async function refresh() {
  const response = await fetch("-/fleet/view", {cache: "no-store", signal: AbortSignal.timeout(10000)});
  if (!response.ok) throw new Error(`status ${response.status}`);
  const next = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (!next) throw new Error("the response is not this page");
  if (next.dataset.version !== main.dataset.version) location.reload(); // the script may also have changed
  update(main, next);
}

function showState(text, stale) {
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", stale);
}

async function run() {
  if (!document.hidden) {
    try {
      await refresh();
      showState(`Updated every ${interval / 1000} s.`, false);
    } catch (err) {
      const at = document.querySelector("main time").textContent;
      showState(`Not updated since ${at}: ${err.message}.`, true);
    }
  }
  setTimeout(run, interval);
}

live.setAttribute("role", "status");
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(() => {}); });
setTimeout(run, interval);
