/* Forms that are calls of the public API: <form data-api="POST /v1/campaigns/{id}/actions">.
 *
 * Fields become JSON: name="budget.films" is {"budget": {"films": ...}}. data-as says of what kind a field is: number,
 * integer, boolean, json or text; an empty field is left out. Names in braces of the address are filled from fields
 * and not sent. After success: data-done is said, data-next is gone to (braces filled from the answer), else the page's
 * parts are fetched anew and the dialog is closed.
 */
const keys = new WeakMap();

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  if (field.type === "radio" && !field.checked) return undefined;
  const text = field.value.trim();
  if (text === "") return undefined;
  switch (field.dataset.as) {
    case "number": case "integer": return Number(text);
    case "boolean": return text === "true";
    case "json": return JSON.parse(text);
    case "time": return new Date(text).toISOString();
    default: return text;
  }
}

export function bodyOf(form, without = new Set()) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || without.has(field.name)) continue;
    const value = valueOf(field);
    if (value === undefined) continue;
    const path = field.name.split(".");
    let here = body;
    for (const step of path.slice(0, -1)) here = here[step] ??= {};
    here[path.at(-1)] = value;
  }
  return body;
}

function showErrors(form, problem, words) {
  const list = form.querySelector(".errors");
  list.replaceChildren();
  const said = problem.errors?.length ? problem.errors : [{ message: problem.detail ?? words.lost }];
  for (const error of said.slice(0, 50)) {
    const item = document.createElement("li");
    if (error.pointer || error.row !== null && error.row !== undefined) {
      const where = document.createElement("code");
      where.textContent = error.pointer || `#${error.row}`;
      item.append(where, " ");
    }
    item.append(error.message);
    list.append(item);
    const name = (error.pointer ?? "").slice(1).replaceAll("/", ".");
    for (const field of form.elements) if (name && field.name === name) field.setAttribute("aria-invalid", "true");
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
  const filled = new Set();
  const address = pattern.replace(/\{(\w+)\}/g, (_, name) => { filled.add(name); return encodeURIComponent(form.elements[name].value); });
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  let body;
  try { body = form.dataset.whole ? valueOf(form.elements[form.dataset.whole]) : bodyOf(form, filled); }
  catch (error) { showErrors(form, { detail: error.message }, words); return; }
  const said = address + JSON.stringify(body);
  const kept = keys.get(form);
  const key = kept?.said === said ? kept.key : newKey();  // a repeated click is the same request
  keys.set(form, { said, key });
  const button = form.querySelector("[type=submit]");
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await send(method, address, body, key, form.dataset.match ? { "If-Match": form.dataset.match } : {});
    const told = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) { keys.delete(form); showErrors(form, told, words); return; }
    keys.delete(form);
    form.querySelector(".errors")?.replaceChildren();
    form.dispatchEvent(new CustomEvent("api-done", { bubbles: true, detail: told }));
    if (form.dataset.next) { location.assign(form.dataset.next.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(told[name]))); return; }
    if (form.dataset.done) say(form.dataset.done);
    form.closest("dialog")?.close();
    document.body.dispatchEvent(new CustomEvent("campaign-changed"));
  } catch { showErrors(form, { detail: words.lost }, words); }
  finally { button?.removeAttribute("aria-busy"); }
}

export function listen(say, words) {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-api]")) return;
    event.preventDefault();
    submitted(event.target, say, words);
  });
}
