/* What every page does: times in the reader's zone, dialogs, live parts, charts, messages. */
import { drawAll } from "./charts.js";
import { listen } from "./forms.js";
import { say } from "./messages.js";

const page = document.documentElement;
const words = JSON.parse(document.getElementById("words").textContent);
const relative = new Intl.RelativeTimeFormat(page.lang, { numeric: "always", style: "short" });
const absolute = new Intl.DateTimeFormat(page.lang, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(page.lang, { timeStyle: "medium" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function age(seconds) {
  const [unit, size] = STEPS.find(([, s]) => Math.abs(seconds) >= s) ?? STEPS.at(-1);
  return relative.format(Math.round(seconds / size), unit);
}

function tell(root = document) {
  for (const element of root.querySelectorAll("time[data-time]")) {
    const when = new Date(element.dateTime);
    const kind = element.dataset.time;
    element.textContent = kind === "age" ? age((when - Date.now()) / 1000) : (kind === "time" ? clock : absolute).format(when);
    if (!element.title) element.title = absolute.format(when);
  }
}

/* One stream per campaign page; a burst of events is one refresh of its parts, and nobody refreshes what is not seen. */
const SOON_MS = 300;
const APART_MS = 1000;
const AGAIN_MS = [2000, 60000];  // first and longest pause before a stream that was refused is asked for again

function follow(root) {
  const mark = document.getElementById("live");
  let waiting = null;
  let last = 0;
  const changed = () => {
    waiting = null;
    if (document.hidden) { last = -1; return; }
    last = Date.now();
    document.body.dispatchEvent(new CustomEvent("campaign-changed"));
  };
  let stream;
  let after = root.dataset.after;
  let pause = AGAIN_MS[0];
  const show = (on) => { if (mark) { mark.className = `live ${on ? "on" : "off"}`; mark.textContent = on ? words.live : words.lost; } };
  const told = (message) => {
    after = message.lastEventId || after;
    document.body.dispatchEvent(new CustomEvent("campaign-event", { detail: JSON.parse(message.data) }));
    waiting ??= setTimeout(changed, Math.max(SOON_MS, last + APART_MS - Date.now()));
  };
  const open = () => {
    stream = new EventSource(`/v1/campaigns/${root.dataset.live}/events?after=${after}`);
    stream.onopen = () => { show(true); pause = AGAIN_MS[0]; };
    stream.onerror = () => {
      show(false);
      if (stream.readyState !== EventSource.CLOSED) return;  // the browser tries by itself, but not after a refusal
      setTimeout(open, pause * (1 + Math.random()) / 2);
      pause = Math.min(2 * pause, AGAIN_MS[1]);
    };
    stream.onmessage = told;
  };
  open();
  document.addEventListener("visibilitychange", () => { if (!document.hidden && last === -1) changed(); });
  addEventListener("pagehide", () => stream.close());
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    for (const [name, value] of Object.entries(JSON.parse(opener.dataset.fill ?? "{}"))) {
      for (const field of dialog.querySelectorAll(`[name="${name}"]`)) field.value = value;
      for (const place of dialog.querySelectorAll(`[data-shows="${name}"]`)) place.textContent = value;
    }
    dialog.showModal();
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  if (event.target.closest("[data-prints]")) print();
});

document.addEventListener("htmx:load", (event) => { tell(event.target); drawAll(event.target); });
document.addEventListener("htmx:responseError", () => say(words.lost, "bad"));
document.addEventListener("htmx:sendError", () => say(words.lost, "bad"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
setInterval(() => tell(), 1000 * 10);

tell();
drawAll(document);
listen(say, words);
const live = document.querySelector("[data-live]");
if (live) follow(live);
