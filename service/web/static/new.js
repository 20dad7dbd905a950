/* A new campaign: the form and the JSON say the same; whatever the form does not know stays as it is in the JSON. */
import { newKey, send, valueOf } from "./forms.js";
import { faultsOf, spoken } from "./said.js";

const form = document.getElementById("new");
const text = document.getElementById("json");
const faults = document.getElementById("faults");
const verdict = document.getElementById("verdict");
const words = JSON.parse(document.getElementById("new-words").textContent);
let draft = JSON.parse(document.getElementById("draft").textContent);
let waiting = null;
let asked = 0;
let key = newKey();

const percent = (share) => Number((100 * share).toPrecision(12));
const share = (value) => Number((Number(value) / 100).toPrecision(12));
const steps = (pointer) => pointer.slice(1).split("/");
const at = (pointer) => steps(pointer).reduce((here, step) => here?.[step], draft);

function put(pointer, value) {
  const path = steps(pointer);
  const last = path.pop();
  let here = draft;
  for (const step of path) here = here[step] ??= {};
  if (value === undefined) delete here[last]; else here[last] = value;
}

/* Lists: what a row shows of an item, and what an item becomes when its row was changed. */
const LISTS = {
  elements: {
    read: () => draft.problem.space.elements.map((element) => {
      const bound = draft.problem.space.bounds?.find((b) => b.element === element) ?? {};
      return { element, lower: percent(bound.lower ?? 0), upper: percent(bound.upper ?? 1) };
    }),
    write: (rows) => {
      const space = draft.problem.space;
      const old = space.bounds ?? [];
      space.elements = rows.map((row) => row.element.trim());
      space.bounds = rows.map((row) => {
        const kept = old.find((b) => b.element === row.element.trim()) ?? {};
        return { ...kept, element: row.element.trim(), lower: row.lower === "" ? 0 : share(row.lower), upper: row.upper === "" ? 1 : share(row.upper) };
      }).filter((b) => b.lower > 0 || b.upper < 1 || b.absent_or_at_least !== undefined);
      if (!space.bounds.length) delete space.bounds;
    },
  },
  process: {
    read: () => (draft.problem.space.process ?? []).map((v) => ({ name: v.name, unit: v.unit ?? "", range: v.choices ? v.choices.join(", ") : `${v.lower} … ${v.upper}` })),
    write: (rows) => {
      const old = draft.problem.space.process ?? [];
      const made = rows.map((row) => {
        const range = row.range.match(/^\s*([-+\d.eE]+)\s*(?:…|\.\.\.?|to|~|–)\s*([-+\d.eE]+)\s*$/);
        if (!range) return { kind: "categorical", name: row.name.trim(), choices: row.range.split(",").map((c) => c.trim()).filter(Boolean) };
        const kept = old.find((v) => v.name === row.name.trim() && v.kind !== "categorical");
        return { ...(kept?.step ? { step: kept.step } : {}), kind: "continuous", name: row.name.trim(), unit: row.unit.trim(), lower: Number(range[1]), upper: Number(range[2]) };
      });
      if (made.length) draft.problem.space.process = made; else delete draft.problem.space.process;
    },
  },
  objectives: {
    read: () => draft.problem.objectives.map((o) => ({ property: o.property, unit: o.unit, direction: o.direction ?? "maximise", target: o.target ?? "", tolerance: o.tolerance || "" })),
    write: (rows) => {
      const old = draft.problem.objectives;
      draft.problem.objectives = rows.map(({ target, tolerance, ...row }) => {
        const { target: _t, tolerance: _w, ...kept } = old.find((o) => o.property === row.property) ?? {};
        const wanted = row.direction === "match" ? { target: target === "" ? null : Number(target), ...(tolerance === "" ? {} : { tolerance: Number(tolerance) }) } : {};
        return { ...kept, ...row, ...wanted };
      });
    },
  },
};

function addRow(list, values = {}) {
  const row = document.getElementById(`row-${list}`).content.cloneNode(true).firstElementChild;
  for (const field of row.querySelectorAll("[data-field]")) field.value = values[field.dataset.field] ?? field.value;
  form.querySelector(`[data-rows="${list}"] tbody`).append(row);
  beside(row);
  return row;
}

/* Fields that belong to one choice of the row's list are shown with it alone. */
function beside(row) {
  for (const part of row.querySelectorAll("[data-only]")) part.hidden = part.parentElement.querySelector("select").value !== part.dataset.only;
}

function show() {
  for (const [list, { read }] of Object.entries(LISTS)) {
    form.querySelector(`[data-rows="${list}"] tbody`).replaceChildren();
    for (const values of read()) addRow(list, values);
  }
  for (const field of form.elements) {
    if (!field.name?.startsWith("/")) continue;
    const value = at(field.name);
    field.value = value === undefined || value === null ? "" : field.dataset.as === "percent" ? percent(value) : value;
  }
}

function collect() {
  for (const [list, { write }] of Object.entries(LISTS)) {
    write([...form.querySelectorAll(`[data-rows="${list}"] tbody tr`)].map((row) =>
      Object.fromEntries([...row.querySelectorAll("[data-field]")].map((field) => [field.dataset.field, field.value]))));
  }
  for (const field of form.elements) {
    if (!field.name?.startsWith("/")) continue;
    const value = valueOf(field);
    if (field.name === "/problem/policy/name") {
      if (at(field.name) !== value) put("/problem/policy", { name: value });  // options are of the policy before
    } else put(field.name, value);
  }
  if (draft.budget && !Object.keys(draft.budget).length) delete draft.budget;
}

function note() {
  const several = draft.problem.objectives?.length > 1 ? "2" : "1";
  const target = draft.problem.objectives?.some((o) => o.direction === "match") ? "t" : "";
  for (const option of form.elements["/problem/policy/name"].options) option.disabled = ![several, target].every((need) => option.dataset.serves.includes(need));
  const rules = (draft.problem.space.linear ?? []).length + (draft.problem.space.groups ?? []).length;
  const hint = document.getElementById("rules");
  hint.hidden = rules === 0;
  hint.textContent = words.rules.replace("{n}", rules);
}

async function judged(errors) {
  const turn = asked;
  const said = await spoken(errors.slice(0, 20));
  if (turn !== asked) return;
  verdict.className = `note ${errors.length ? "bad" : "good"}`;
  verdict.textContent = errors.length ? words.bad.replace("{n}", errors.length) : words.good;
  listed(faults, errors, said);
  for (const field of form.elements) {
    if (field.name?.startsWith("/")) field.toggleAttribute("aria-invalid", false);
    if (errors.some((error) => error.pointer === field.name)) field.setAttribute("aria-invalid", "true");
  }
}

function listed(list, errors, said) {
  list.replaceChildren(...said.map((words, k) => {
    const item = document.createElement("li");
    const where = document.createElement("code");
    where.textContent = errors[k].pointer ?? "";
    item.append(where, " ", words);
    return item;
  }));
}

async function check() {
  const turn = ++asked;
  try {
    const answer = await fetch("/new/check", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ problem: draft.problem }) });
    const told = await answer.json();
    if (turn === asked) judged(answer.ok ? told.errors : told.errors?.length ? told.errors : [{ pointer: "", message: told.detail }]);
  } catch { if (turn === asked) judged([{ pointer: "", own: words.lost }]); }
}

function soon() { clearTimeout(waiting); waiting = setTimeout(check, 300); }
function written() { text.value = JSON.stringify(draft, null, 2); note(); soon(); }

form.addEventListener("input", (event) => {
  const row = event.target.closest("tr");
  if (row) beside(row);
  collect();
  written();
});
form.addEventListener("click", (event) => {
  const list = event.target.dataset?.add;
  if (list) { addRow(list).querySelector("input").focus(); }
  if (event.target.closest("[data-remove]")) { event.target.closest("tr").remove(); collect(); written(); }
});
text.addEventListener("input", () => {
  try { draft = JSON.parse(text.value); show(); note(); soon(); }
  catch (error) { clearTimeout(waiting); asked += 1; judged([{ pointer: "", own: `${words.notjson} ${error.message}` }]); }
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const list = form.querySelector(".errors");
  const button = form.querySelector("[type=submit]");
  button.setAttribute("aria-busy", "true");
  const wrong = async (problem) => {
    const errors = faultsOf(problem, words.lost);
    judged(errors);
    listed(list, errors, await spoken(errors.slice(0, 20)));
    key = newKey();
  };
  try {
    const made = await send("POST", "/v1/campaigns", draft, key);
    const campaign = await made.json();
    if (!made.ok) { await wrong(campaign); return; }
    if (form.elements.activate.checked) await send("POST", `/v1/campaigns/${campaign.id}/actions`, { action: "activate" }, newKey());
    location.assign(`/campaigns/${campaign.id}`);
  } catch { await wrong({}); }
  finally { button.removeAttribute("aria-busy"); }
});

show();
text.value = JSON.stringify(draft, null, 2);
note();
check();
