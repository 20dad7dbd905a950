/* Forms that are calls of the public API: <form data-api="POST /v1/campaigns/{campaign}/actions">.
 *
 * A field whose name is a JSON Pointer is sent: name="/budget/films" is {"budget": {"films": ...}}. Any other field fills
 * the braces of the address. data-as says of what kind a field is: number, integer, percent, boolean, json, time, list or
 * text; an empty field is left out, and with data-changed one that was not changed. data-whole names the field that is
 * the whole body, data-base what it begins with. data-etag is the address whose ETag is sent as If-Match. After success data-done is said, data-next is
 * gone to (braces filled from the answer), else the page's parts are fetched anew and the dialog is closed. data-refused
 * is said to whoever is not known.
 */
import { faultsOf, spoken } from "./said.js";

const keys = new WeakMap();
const etags = new WeakMap();

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  if (field.type === "radio" && !field.checked) return undefined;
  const text = field.value.trim();
  if (text === "") return undefined;
  switch (field.dataset.as) {
    case "number": case "integer": return Number(text);
    case "percent": return Number((Number(text) / 100).toPrecision(15));
    case "list": return text.split(/[\s,]+/);
    case "boolean": return text === "true";
    case "json": return JSON.parse(text);
    case "time": return new Date(text).toISOString();
    default: return text;
  }
}

function isChanged(field) {
  return field.type === "select-one" ? !field.selectedOptions[0]?.defaultSelected : field.value !== field.defaultValue;
}

export function bodyOf(form) {
  const body = JSON.parse(form.dataset.base ?? "{}");
  for (const field of form.elements) {
    if (!field.name?.startsWith("/") || field.disabled) continue;
    if ("changed" in field.dataset && !isChanged(field)) continue;
    const value = valueOf(field);
    if (value === undefined) continue;
    const path = field.name.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    let here = body;
    for (const step of path.slice(0, -1)) here = here[step] ??= {};
    here[path.at(-1)] = value;
  }
  return body;
}

async function showErrors(form, problem, otherwise) {
  const list = form.querySelector(".errors");
  const faults = faultsOf(problem, otherwise).slice(0, 50);
  const said = await spoken(faults);
  list.replaceChildren();
  for (const [k, error] of faults.entries()) {
    const item = document.createElement("li");
    if (error.pointer || error.row !== null && error.row !== undefined) {
      const where = document.createElement("code");
      where.textContent = error.pointer || `#${error.row}`;
      item.append(where, " ");
    }
    item.append(said[k]);
    list.append(item);
    for (const field of form.elements) if (error.pointer && field.name === error.pointer) field.setAttribute("aria-invalid", "true");
  }
  list.setAttribute("tabindex", "-1");
  list.focus();
}

export async function send(method, address, body, key, headers = {}) {
  return fetch(address, {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": key, ...headers },
    body: JSON.stringify(body),
  });
}

async function submitted(form, say, words) {
  const [method, pattern] = form.dataset.api.split(" ");
  const address = pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(form.elements[name].value));
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  let body;
  try { body = form.dataset.whole ? valueOf(form.elements[form.dataset.whole]) : bodyOf(form); }
  catch (error) { await showErrors(form, {}, error.message); return; }
  const said = address + JSON.stringify(body);
  const kept = keys.get(form);
  const key = kept?.said === said ? kept.key : newKey();  // a repeated click is the same request
  keys.set(form, { said, key });
  const button = form.querySelector("[type=submit]");
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await send(method, address, body, key, etags.has(form) ? { "If-Match": etags.get(form) } : {});
    const told = answer.status === 204 ? {} : await answer.json();
    if (answer.status === 401 && location.pathname !== "/login") {  // the session is over
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    if (!answer.ok) {
      keys.delete(form);
      const unknown = answer.status === 401 && form.dataset.refused;
      await showErrors(form, unknown ? {} : told, unknown || words.lost);
      return;
    }
    keys.delete(form);
    form.querySelector(".errors")?.replaceChildren();
    form.dispatchEvent(new CustomEvent("api-done", { bubbles: true, detail: told }));
    if (form.dataset.next) { location.assign(own(form.dataset.next.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(told[name])))); return; }
    if (form.dataset.done) say(form.dataset.done);
    form.closest("dialog")?.close();
    document.body.dispatchEvent(new CustomEvent("campaign-changed"));
  } catch { await showErrors(form, {}, words.lost); }
  finally { button?.removeAttribute("aria-busy"); }
}

/* An address of our own, or the first page, whatever the braces were filled with. */
function own(address) {
  return address.startsWith("/") && !/^[/\\]{2}/.test(address) ? address : "/";
}

/* What is about to be changed is what was there when the page came: its name is asked for once. */
async function tag(form) {
  const answer = await fetch(form.dataset.etag);
  if (answer.ok) etags.set(form, answer.headers.get("ETag"));
}

function sum(form) {
  for (const place of form.querySelectorAll("[data-sum]")) {
    const fields = [...form.elements].filter((f) => f.name?.startsWith(place.dataset.sum));
    const total = fields.reduce((all, f) => all + (Number(f.value) || 0), 0);
    place.textContent = `${Number(total.toFixed(4))} %`;
    place.classList.toggle("bad", Math.abs(total - 100) > 1e-4);
  }
}

export function listen(say, words) {
  for (const form of document.querySelectorAll("form[data-etag]")) tag(form);
  document.addEventListener("input", (event) => { if (event.target.form) sum(event.target.form); });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-api]")) return;
    event.preventDefault();
    submitted(event.target, say, words);
  });
}
